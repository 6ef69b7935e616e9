//! What the tests of several operations share.

use candle_core::{Result, Tensor, Var};
use ocellus_testing::{Golden, assert_close, check_op};

use crate::{Implementation, with_implementation};

/// The two ways to compute an operation.
pub(crate) const BOTH: [Implementation; 2] = [Implementation::Kernel, Implementation::Composed];

/// All ways that can be run here: those two, and the kernels for GPUs on one, or where they can be
/// emulated.
pub(crate) fn all() -> Vec<Implementation> {
    #[cfg(feature = "cuda")]
    if crate::cuda::mirror().is_ok_and(|device| device.is_some()) {
        return [&BOTH[..], &[Implementation::Auto]].concat(); // Which is a GPU then.
    }
    #[cfg(target_os = "linux")]
    if crate::cuda::emulator::is_available() {
        return [&BOTH[..], &[Implementation::Emulated]].concat();
    }
    BOTH.to_vec()
}

/// Runs `f` with every implementation.
pub(crate) fn with_both(f: impl Fn() -> Result<()>) -> Result<()> {
    all().into_iter().try_for_each(|implementation| with_implementation(implementation, &f))
}

/// `check_op` of every implementation.
#[track_caller]
pub(crate) fn check_both(
    f: impl Fn(&[Tensor]) -> Result<Tensor> + Send + Sync,
    inputs: &[Tensor],
) -> Result<()> {
    for implementation in all() {
        check_op(|x| with_implementation(implementation, || f(x)), inputs)?;
    }
    Ok(())
}

/// The gradients of `Σ weights · f(inputs)`.
pub(crate) fn gradients(
    f: impl Fn(&[Tensor]) -> Result<Tensor>,
    inputs: &[&Tensor],
    weights: &Tensor,
) -> Result<(Tensor, Vec<Tensor>)> {
    let vars = inputs.iter().map(|x| Var::from_tensor(x)).collect::<Result<Vec<_>>>()?;
    let tracked: Vec<Tensor> = vars.iter().map(|v| v.as_tensor().clone()).collect();
    let y = f(&tracked)?;
    let store = (&y * weights)?.sum_all()?.backward()?;
    let gradients = vars.iter().map(|v| store.get(v).expect("a gradient").clone()).collect();
    Ok((y, gradients))
}

/// Compares all implementations with a case of a golden file: the output, and the gradients of
/// `Σ weights · output` by the named inputs.
#[track_caller]
pub(crate) fn check_golden(
    golden: &Golden,
    case: &str,
    names: &[&str],
    tol: f64,
    f: impl Fn(&[Tensor]) -> Result<Tensor>,
) -> Result<()> {
    let inputs = names
        .iter()
        .map(|name| golden.get(&format!("input.{case}.{name}")))
        .collect::<Result<Vec<_>>>()?;
    let weights = golden.get(&format!("input.{case}.weights"))?;
    for implementation in all() {
        let (y, found) = with_implementation(implementation, || gradients(&f, &inputs, weights))?;
        assert_close(&y, golden.get(&format!("output.{case}.y"))?, tol)?;
        for (name, gradient) in names.iter().zip(&found) {
            assert_close(gradient, golden.get(&format!("output.{case}.grad_{name}"))?, tol)?;
        }
    }
    Ok(())
}
