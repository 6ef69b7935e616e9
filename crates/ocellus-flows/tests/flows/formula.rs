use candle_core::{DType, Result};
use ocellus_params::ParamStore;
use ocellus_testing::fill;

/// Gives built weights the values of `testdata/formula.py`. A rotation is drawn from its matrix by
/// building the model again.
pub(crate) fn set_weights(params: &ParamStore) -> Result<()> {
    for (phase, (name, weight)) in params.tensors().into_iter().enumerate() {
        let values = fill(weight.shape().clone(), phase as f64, DType::F64)?;
        let last = name.rsplit('.').next().unwrap_or_default();
        let fan: usize = weight.dims().iter().skip(1).product();
        let values = match last {
            "permutation" | "rotation" => values,
            "global_scale" => (values + 9.98652)?,
            "weight" if name.contains("norms.") => values.affine(0.5, 1.)?,
            "weight" => (values * (3. / fan as f64).sqrt())?,
            _ => (values * 0.1)?,
        };
        let rounded = values.to_dtype(DType::F32)?.to_dtype(weight.dtype())?;
        weight.slice_set(&rounded, 0, 0)?;
    }
    Ok(())
}
