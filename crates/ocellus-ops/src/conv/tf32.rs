use std::cell::Cell;

use crate::scoped::scoped;

thread_local! {
    static ALLOWED: Cell<bool> = const { Cell::new(false) };
}

/// Runs `f`, in which convolutions of f32 on a CUDA device that this thread calls may be computed in
/// TF32: several times as fast on GPUs from Ampere on, with factors of 11 bits instead of 24.
///
/// Without it they are not: results are those of f32. It changes nothing on a CPU, and nothing of
/// other types: f16 and bf16 are multiplied as they are and summed in f32. The choice is made when an
/// operation is called; the gradient follows the choice of its forward pass.
///
/// # Examples
///
/// ```
/// use candle_core::{DType, Device, Tensor};
/// use ocellus_ops::{Conv2dConfig, conv2d, with_tf32};
///
/// let x = Tensor::ones((1, 3, 8, 8), DType::F32, &Device::Cpu)?;
/// let weight = Tensor::ones((4, 3, 3, 3), DType::F32, &Device::Cpu)?;
/// let y = with_tf32(true, || conv2d(&x, &weight, None, &Conv2dConfig::default()))?;
/// assert_eq!(y.max_all()?.to_scalar::<f32>()?, 27.);
/// # Ok::<(), candle_core::Error>(())
/// ```
pub fn with_tf32<T>(allowed: bool, f: impl FnOnce() -> T) -> T {
    scoped(&ALLOWED, allowed, f)
}

/// Whether it is allowed now.
#[cfg(any(feature = "cuda", test))]
pub(crate) fn tf32_is_allowed() -> bool {
    ALLOWED.get()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_off_but_in_the_closure() {
        assert!(!tf32_is_allowed());
        assert!(with_tf32(true, || tf32_is_allowed() && !with_tf32(false, tf32_is_allowed)));
        assert!(!tf32_is_allowed());
    }
}
