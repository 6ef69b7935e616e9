use candle_core::{DType, Result, Tensor};

/// Panics unless `|actual − expected| ≤ tol · (1 + |expected|)` holds everywhere.
///
/// The message names the first entry that differs, its index and both values.
#[track_caller]
#[expect(clippy::panic, reason = "a test helper reports by panicking")]
pub fn assert_close(actual: &Tensor, expected: &Tensor, tol: f64) -> Result<()> {
    if actual.dims() != expected.dims() {
        panic!("shape {:?}, expected {:?}", actual.dims(), expected.dims());
    }
    let flat = |t: &Tensor| t.to_dtype(DType::F64)?.flatten_all()?.to_vec1::<f64>();
    for (i, (a, e)) in flat(actual)?.into_iter().zip(flat(expected)?).enumerate() {
        let close = (a - e).abs() <= tol * (1. + e.abs()); // False for a NaN.
        if !close {
            panic!("entry {i}: {a}, expected {e} (tolerance {tol})");
        }
    }
    Ok(())
}

/// `‖actual − expected‖ / ‖expected‖` in f64 (the norm of `actual` where `expected` is zero).
pub fn relative_error(actual: &Tensor, expected: &Tensor) -> Result<f64> {
    let norm = |t: &Tensor| -> Result<f64> {
        Ok(t.to_dtype(DType::F64)?.sqr()?.sum_all()?.to_scalar::<f64>()?.sqrt())
    };
    let difference = (actual.to_dtype(DType::F64)? - expected.to_dtype(DType::F64)?)?;
    let scale = norm(expected)?;
    Ok(norm(&difference)? / if scale > 0. { scale } else { 1. })
}
