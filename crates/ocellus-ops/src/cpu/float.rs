#![allow(unsafe_code, reason = "kernels are compiled for instruction sets")]

use candle_core::{DType, Result, Tensor, WithDType};

use super::exponential::exp;
use crate::simd::{Isa, Kernel, Portable, dispatch_f32};

/// The element types that kernels compute in: f32 and f64.
///
/// Name clashes between candle's `WithDType` and num-traits (`to_f64`) are resolved by
/// `WithDType::to_f64(x)`.
pub(crate) trait Float: WithDType + num_traits::Float + Default + std::iter::Sum {
    /// Lends this thread's buffer of this type: see [`with_scratch`](super::with_scratch).
    fn scratch() -> &'static std::thread::LocalKey<std::cell::Cell<Vec<Self>>>;

    /// eˣ; for f32 by arithmetic alone, which compilers make into vectors.
    fn exponential(self) -> Self;

    /// The values as f32, if that is what they are.
    fn as_f32(values: &[Self]) -> Option<&[f32]>;

    /// Likewise, to be changed.
    fn as_f32_mut(values: &mut [Self]) -> Option<&mut [f32]>;

    /// What [`as_f32`](Self::as_f32) undoes.
    fn from_f32(values: Vec<f32>) -> Option<Vec<Self>>;

    /// Runs the kernel with the vectors that `isa` has for this type; f64 has portable ones alone.
    ///
    /// # Safety
    ///
    /// `isa` must come from [`Isa::current`]; else as the kernel says.
    unsafe fn dispatch<K: Kernel<Self>>(isa: Isa, kernel: K) -> K::Output;
}

macro_rules! float {
    ($t:ty, $exponential:path, $as_f32:expr, $from_f32:expr, $isa:ident, $kernel:ident => $dispatch:expr) => {
        impl Float for $t {
            fn scratch() -> &'static std::thread::LocalKey<std::cell::Cell<Vec<Self>>> {
                thread_local! {
                    static BUFFER: std::cell::Cell<Vec<$t>> = const { std::cell::Cell::new(Vec::new()) };
                }
                &BUFFER
            }

            #[inline(always)]
            fn exponential(self) -> Self {
                $exponential(self)
            }

            fn as_f32(values: &[Self]) -> Option<&[f32]> {
                $as_f32(values)
            }

            fn as_f32_mut(values: &mut [Self]) -> Option<&mut [f32]> {
                $as_f32(values)
            }

            fn from_f32(values: Vec<f32>) -> Option<Vec<Self>> {
                $from_f32(values)
            }

            unsafe fn dispatch<K: Kernel<Self>>($isa: Isa, $kernel: K) -> K::Output {
                // SAFETY: by the caller's promise; every processor has the portable vectors.
                unsafe { $dispatch }
            }
        }
    };
}

float!(f32, exp, Some, Some, isa, kernel => dispatch_f32(isa, kernel));
float!(f64, f64::exp, |_| None, |_| None, _isa, kernel => kernel.run::<Portable<f64>>());

/// Evaluates the expression with `$T` being the kernel's type for that `DType`, which must be f32
/// or f64 (see [`widened`] for the half types): `dispatch!(x.dtype(), "relu", T => relu::<T>(x))`.
macro_rules! dispatch {
    ($dtype:expr, $op:expr, $T:ident => $body:expr) => {
        match $dtype {
            candle_core::DType::F32 => {
                type $T = f32;
                $body
            }
            candle_core::DType::F64 => {
                type $T = f64;
                $body
            }
            other => candle_core::bail!(
                "{} takes f32, f64, f16 or bf16, got {other:?}: convert with to_dtype",
                $op
            ),
        }
    };
}
pub(crate) use dispatch;

/// Runs `f` on the tensors; f16 and bf16 ones become f32, and the result gets the first one's type
/// again.
pub(crate) fn widened(
    inputs: &[&Tensor],
    f: impl FnOnce(&[Tensor]) -> Result<Tensor>,
) -> Result<Tensor> {
    let half = |x: &Tensor| matches!(x.dtype(), DType::F16 | DType::BF16);
    let wide = inputs
        .iter()
        .map(|x| if half(x) { x.to_dtype(DType::F32) } else { Ok((*x).clone()) })
        .collect::<Result<Vec<_>>>()?;
    let y = f(&wide)?;
    match inputs.first() {
        Some(x) if half(x) => y.to_dtype(x.dtype()),
        _ => Ok(y),
    }
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;

    #[test]
    fn half_types_are_computed_in_f32() -> Result<()> {
        let x = Tensor::ones(3, DType::BF16, &Device::Cpu)?;
        let y = widened(&[&x], |x| {
            assert_eq!(x[0].dtype(), DType::F32);
            x[0].affine(2., 0.)
        })?;
        assert_eq!(y.dtype(), DType::BF16);
        Ok(())
    }

    #[test]
    fn other_types_are_refused_by_name() {
        let run = || -> Result<usize> { dispatch!(DType::U8, "relu", T => Ok(size_of::<T>())) };
        let error = run().unwrap_err().to_string();
        assert!(error.contains("relu takes f32") && error.contains("got U8"), "{error}");
    }
}
