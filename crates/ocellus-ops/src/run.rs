use candle_core::{DType, Result, Tensor, bail};

use crate::cpu::{UnaryKernel, apply_unary, widened};
use crate::cuda;
use crate::implementation::{Code, code, use_kernel};

/// Runs the kernel where there is one for the device, else the composition; half precision is
/// computed in f32 by any.
pub(crate) fn run<K: UnaryKernel>(
    x: &Tensor,
    kernel: K,
    composed: impl FnOnce(&Tensor) -> Result<Tensor>,
) -> Result<Tensor> {
    require_float(K::NAME, x)?;
    let code = match K::HAS_KERNEL {
        true => code(K::NAME, x)?,
        false if use_kernel(K::NAME, x)? => Code::Processor,
        false => Code::Composed,
    };
    match code {
        Code::Processor => apply_unary(x, kernel),
        Code::Gpu(machine) => cuda::apply(machine, x, kernel),
        Code::Composed => widened(&[x], |x| composed(&x[0])),
    }
}

/// An error for a tensor that no gradient can flow through.
pub(crate) fn require_float(op: &str, x: &Tensor) -> Result<()> {
    match x.dtype() {
        DType::F32 | DType::F64 | DType::F16 | DType::BF16 => Ok(()),
        other => bail!("{op} takes f32, f64, f16 or bf16, got {other:?}: convert with to_dtype"),
    }
}

/// Height and width of a `(batch, channels, height, width)` tensor, which must not be empty.
pub(crate) fn image_size(op: &str, x: &Tensor) -> Result<(usize, usize)> {
    match *x.dims() {
        [_, _, height, width] if height > 0 && width > 0 => Ok((height, width)),
        ref dims => bail!("{op} takes (batch, channels, height, width), none 0, got {dims:?}"),
    }
}
