use candle_core::{DType, Device, Result, Tensor, Var, bail};

use crate::fill;

const STEP: f64 = 1e-5;

/// Panics unless the gradients of `f` at `inputs` equal central finite differences in f64.
///
/// The output is projected on fixed weights, so that every output entry counts with a weight of its
/// own. An input that gets no gradient fails. Costs two evaluations of `f` per input entry: keep
/// the inputs small, and away from kinks by more than 1e-5.
#[track_caller]
#[expect(clippy::panic, reason = "a test helper reports by panicking")]
pub fn check_gradients(
    f: impl Fn(&[Tensor]) -> Result<Tensor>,
    inputs: &[Tensor],
    tol: f64,
) -> Result<()> {
    let vars = inputs
        .iter()
        .map(|x| Var::from_tensor(&x.to_dtype(DType::F64)?.contiguous()?))
        .collect::<Result<Vec<_>>>()?;
    let tracked: Vec<Tensor> = vars.iter().map(|v| v.as_tensor().clone()).collect();
    let y = f(&tracked)?;
    let weights = fill(y.shape().clone(), 0.5, DType::F64)?;
    let grads = (&y * &weights)?.sum_all()?.backward()?;
    for (which, var) in vars.iter().enumerate() {
        let Some(analytic) = grads.get(var.as_tensor()) else {
            panic!("input {which} gets no gradient")
        };
        let analytic = analytic.flatten_all()?.to_vec1::<f64>()?;
        let plain: Vec<Tensor> = vars.iter().map(Var::as_detached_tensor).collect();
        let values = plain[which].flatten_all()?.to_vec1::<f64>()?;
        for (i, &g) in analytic.iter().enumerate() {
            let at = |delta: f64| -> Result<f64> {
                let mut moved = values.clone();
                moved[i] += delta;
                let mut at = plain.clone();
                at[which] = Tensor::from_vec(moved, plain[which].shape(), &Device::Cpu)?;
                (f(&at)? * &weights)?.sum_all()?.to_scalar::<f64>()
            };
            let numeric = (at(STEP)? - at(-STEP)?) / (2. * STEP);
            let close = (g - numeric).abs() <= tol * (1. + numeric.abs()); // False for a NaN.
            if !close {
                panic!("input {which}, entry {i}: gradient {g}, finite difference {numeric}");
            }
        }
    }
    if vars.is_empty() {
        bail!("nothing to check: no inputs")
    }
    Ok(())
}
