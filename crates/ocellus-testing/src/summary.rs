use candle_core::{DType, Result, Tensor};

use crate::assert_close;

/// Panics unless sum, sum of squares and the evenly spread entries are those of the summary, each
/// within `tol` of the largest of its kind.
#[track_caller]
pub fn assert_summary(x: &Tensor, expected: &Tensor, tol: f64) -> Result<()> {
    let flat = x.to_dtype(DType::F64)?.flatten_all()?.to_vec1::<f64>()?;
    let expected = expected.to_vec1::<f64>()?;
    let close = |name: &str, a: f64, e: f64, scale: f64| {
        assert!((a - e).abs() <= tol * scale, "{name}: {a}, expected {e}");
    };
    let squares = expected[1];
    close("sum", flat.iter().sum(), expected[0], (squares * flat.len() as f64).sqrt());
    close("sum of squares", flat.iter().map(|v| v * v).sum(), squares, squares);
    let entries = &expected[2..];
    let scale = entries.iter().fold(0f64, |most, v| most.max(v.abs()));
    for (i, &e) in entries.iter().enumerate() {
        close(&format!("entry {i}"), flat[i * flat.len() / entries.len()], e, scale);
    }
    Ok(())
}

/// Panics unless `|actual − expected| ≤ tol · max |expected|` holds everywhere.
#[track_caller]
pub fn assert_relative(actual: &Tensor, expected: &Tensor, tol: f64) -> Result<()> {
    let actual = actual.to_dtype(DType::F64)?;
    let expected = expected.to_dtype(DType::F64)?;
    let scale = expected.abs()?.max_all()?.to_scalar::<f64>()?;
    let zeros = expected.zeros_like()?;
    assert_close(&((actual - &expected)? / scale)?, &zeros, tol)
}
