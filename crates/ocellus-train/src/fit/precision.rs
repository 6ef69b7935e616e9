use std::{fmt, str::FromStr};

use candle_core::{DType, Tensor};

use crate::error::Error;

type Result<T, E = candle_core::Error> = std::result::Result<T, E>;

/// The type that a network computes in while it is trained. Its weights stay f32.
///
/// | | digits | largest | for |
/// | --- | --- | --- | --- |
/// | `F32` | 24 bits | 3 · 10³⁸ | what weights and images are: nothing is converted |
/// | `Bf16` | 8 bits | 3 · 10³⁸ | GPUs from Ampere on: half the memory, and tensor cores |
/// | `F16` | 11 bits | 65504 | older ones; the loss is scaled ([`LossScale`](crate::LossScale)) |
///
/// Layers of `ocellus-layers` compute in the type of their input: only images and logits have to be
/// converted, which is done by [`forward`](Self::forward). The gradient arrives at a weight in f32, and so
/// an update that is smaller than a weight's last digit of half precision is not lost. On a CPU, which
/// computes in f32 whatever the type, it saves memory and costs time.
///
/// # Examples
///
/// ```
/// use candle_core::{DType, Device, Tensor};
/// use ocellus_train::Precision;
///
/// let images = Tensor::ones((2, 3), DType::F32, &Device::Cpu)?;
/// let logits = Precision::Bf16.forward(&images, |x| {
///     assert_eq!(x.dtype(), DType::BF16);
///     x.affine(3., 0.)
/// })?;
/// assert_eq!(logits.to_vec2::<f32>()?, [[3.; 3]; 2]);
///
/// assert_eq!("bf16".parse::<Precision>()?, Precision::Bf16);
/// assert_eq!(Precision::Bf16.to_string(), "bf16");
/// # Ok::<(), ocellus_train::Error>(())
/// ```
///
/// # References
///
/// 1. P. Micikevicius et al. *Mixed precision training.* ICLR 2018. <https://arxiv.org/abs/1710.03740>
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Precision {
    /// Everything in the type of weights and images.
    #[default]
    F32,
    /// Weights in f32, all else in bf16.
    Bf16,
    /// Weights in f32, all else in f16, the loss scaled.
    F16,
}

impl Precision {
    /// What `network` makes of an input in this type, in f32: the one place where types change.
    ///
    /// # Errors
    ///
    /// What the network fails with.
    pub fn forward<E: From<candle_core::Error>>(
        self,
        x: &Tensor,
        network: impl FnOnce(&Tensor) -> Result<Tensor, E>,
    ) -> Result<Tensor, E> {
        Ok(self.output(&network(&self.input(x)?)?)?)
    }

    /// A network's input in this type; what holds no floats, and everything for `F32`, as it is.
    ///
    /// # Errors
    ///
    /// If the tensor is on a device that fails.
    pub fn input(self, x: &Tensor) -> Result<Tensor> {
        match self.half() {
            Some(dtype) if x.dtype().is_float() => x.to_dtype(dtype),
            _ => Ok(x.clone()),
        }
    }

    /// A network's output for the loss: in f32 if it is of half precision, else as it is. Losses add up
    /// many values, and tell small differences.
    ///
    /// # Errors
    ///
    /// If the tensor is on a device that fails.
    pub fn output(self, y: &Tensor) -> Result<Tensor> {
        match y.dtype() {
            DType::F16 | DType::BF16 if self != Self::F32 => y.to_dtype(DType::F32),
            _ => Ok(y.clone()),
        }
    }

    /// The type that is narrower than f32.
    fn half(self) -> Option<DType> {
        match self {
            Self::F32 => None,
            Self::Bf16 => Some(DType::BF16),
            Self::F16 => Some(DType::F16),
        }
    }
}

impl fmt::Display for Precision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::F32 => "f32",
            Self::Bf16 => "bf16",
            Self::F16 => "f16",
        })
    }
}

impl FromStr for Precision {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        match text {
            "f32" => Ok(Self::F32),
            "bf16" => Ok(Self::Bf16),
            "f16" => Ok(Self::F16),
            _ => Err(Error::Setting(format!("no precision `{text}`: give f32, bf16 or f16"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;

    #[test]
    fn f32_converts_nothing() -> Result<()> {
        for dtype in [DType::F64, DType::BF16, DType::U32] {
            let x = Tensor::ones(2, dtype, &Device::Cpu)?;
            let y = Precision::F32.forward(&x, |x| -> Result<_> { Ok(x.clone()) })?;
            assert_eq!(y.id(), x.id(), "{dtype:?}");
        }
        Ok(())
    }

    #[test]
    fn half_types_convert_floats_there_and_back() -> Result<()> {
        for (precision, dtype) in [(Precision::Bf16, DType::BF16), (Precision::F16, DType::F16)] {
            let of = |from: DType| precision.input(&Tensor::ones(2, from, &Device::Cpu)?);
            assert_eq!((of(DType::F32)?.dtype(), of(DType::F64)?.dtype()), (dtype, dtype));
            assert_eq!(of(DType::U32)?.dtype(), DType::U32);
            assert_eq!(precision.output(&of(DType::F32)?)?.dtype(), DType::F32);
            assert_eq!(precision.output(&of(DType::U32)?)?.dtype(), DType::U32);
        }
        Ok(())
    }

    #[test]
    fn names_are_read_and_written() {
        for precision in [Precision::F32, Precision::Bf16, Precision::F16] {
            assert_eq!(precision.to_string().parse::<Precision>().ok(), Some(precision));
        }
        let error = "f8".parse::<Precision>().unwrap_err().to_string();
        assert!(error.contains("`f8`") && error.contains("bf16"), "{error}");
    }
}
