use candle_core::{DType, Device, Result as Candle, Shape, Tensor, WithDType};
use half::{bf16, f16};

use crate::{Error, Result};

/// How a tensor's values look as bytes, least significant first, so that machines agree.
trait Bytes: WithDType {
    const SIZE: usize;

    fn put(self, to: &mut [u8]);

    fn get(from: &[u8]) -> Self;
}

macro_rules! bytes {
    ($($type:ty),*) => {$(
        impl Bytes for $type {
            const SIZE: usize = size_of::<Self>();

            fn put(self, to: &mut [u8]) {
                to.copy_from_slice(&self.to_le_bytes());
            }

            fn get(from: &[u8]) -> Self {
                let mut bytes = [0; Self::SIZE];
                bytes.copy_from_slice(from);
                Self::from_le_bytes(bytes)
            }
        }
    )*};
}

bytes!(u8, u32, i64, f16, bf16, f32, f64);

/// Runs a body with the Rust type of a tensor type.
macro_rules! dispatch {
    ($dtype:expr, $T:ident => $body:expr) => {
        match $dtype {
            DType::U8 => { type $T = u8; $body }
            DType::U32 => { type $T = u32; $body }
            DType::I64 => { type $T = i64; $body }
            DType::F16 => { type $T = f16; $body }
            DType::BF16 => { type $T = bf16; $body }
            DType::F32 => { type $T = f32; $body }
            DType::F64 => { type $T = f64; $body }
            other => return Err(Error::Setting(format!(
                "ranks exchange u8, u32, i64, f16, bf16, f32 and f64, got {other:?}: convert with to_dtype"
            ))),
        }
    };
}

/// What two ranks must agree on about a tensor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Form {
    pub(crate) dtype: DType,
    pub(crate) shape: Shape,
}

impl Form {
    pub(crate) fn of(x: &Tensor) -> Self {
        Self { dtype: x.dtype(), shape: x.shape().clone() }
    }

    pub(crate) fn bytes(&self) -> usize {
        self.shape.elem_count() * self.dtype.size_in_bytes()
    }

    /// "[3, 4] of F32"
    pub(crate) fn describe(&self) -> String {
        format!("{:?} of {:?}", self.shape.dims(), self.dtype)
    }
}

/// The bytes of a tensor's values, in the order of its rows.
pub(crate) fn to_bytes(x: &Tensor) -> Result<Vec<u8>> {
    dispatch!(x.dtype(), T => {
        let values = x.flatten_all()?.to_vec1::<T>()?;
        let mut bytes = vec![0; values.len() * T::SIZE];
        for (value, to) in values.into_iter().zip(bytes.chunks_exact_mut(T::SIZE)) {
            value.put(to);
        }
        Ok(bytes)
    })
}

/// The tensor of that form whose values these are.
pub(crate) fn from_bytes(bytes: &[u8], form: &Form, device: &Device) -> Result<Tensor> {
    fn tensor<T: Bytes>(bytes: &[u8], shape: &Shape, device: &Device) -> Candle<Tensor> {
        let values: Vec<T> = bytes.chunks_exact(T::SIZE).map(T::get).collect();
        Tensor::from_vec(values, shape, device)
    }
    dispatch!(form.dtype, T => Ok(tensor::<T>(bytes, &form.shape, device)?))
}

/// The bytes of the sums of values, part by part in order, in f64: rounded once.
pub(crate) fn sum(parts: &[&[u8]], dtype: DType, to: &mut Vec<u8>) -> Result<()> {
    fn add<T: Bytes>(parts: &[&[u8]], to: &mut Vec<u8>) {
        let Some((first, others)) = parts.split_first() else { return };
        let mut sums: Vec<f64> = first.chunks_exact(T::SIZE).map(|x| T::get(x).to_f64()).collect();
        for part in others {
            for (sum, x) in sums.iter_mut().zip(part.chunks_exact(T::SIZE)) {
                *sum += T::get(x).to_f64();
            }
        }
        let start = to.len();
        to.resize(start + first.len(), 0);
        for (sum, to) in sums.into_iter().zip(to[start..].chunks_exact_mut(T::SIZE)) {
            T::from_f64(sum).put(to);
        }
    }
    require_float(dtype)?;
    dispatch!(dtype, T => { add::<T>(parts, to); Ok(()) })
}

/// An error for what has no exact sum here.
pub(crate) fn require_float(dtype: DType) -> Result<()> {
    if dtype.is_float() {
        return Ok(());
    }
    let message = format!("sums over ranks are of floats, got {dtype:?}: convert with to_dtype");
    Err(Error::Setting(message))
}

#[cfg(test)]
mod tests {
    use ocellus_testing::{assert_close, fill};

    use super::*;

    #[test]
    fn every_type_comes_back() -> Result<()> {
        let x = (fill((3, 4), 0.3, DType::F64)? * 100.)?;
        let types =
            [DType::U8, DType::U32, DType::I64, DType::F16, DType::BF16, DType::F32, DType::F64];
        for dtype in types {
            let x = x.abs()?.to_dtype(dtype)?.t()?; // Not contiguous.
            let form = Form::of(&x);
            let bytes = to_bytes(&x)?;
            assert_eq!(bytes.len(), form.bytes());
            let back = from_bytes(&bytes, &form, &Device::Cpu)?;
            assert_eq!(back.dtype(), dtype);
            assert_close(&back.to_dtype(DType::F64)?, &x.to_dtype(DType::F64)?, 0.)?;
        }
        Ok(())
    }

    #[test]
    fn sums_are_rounded_once() -> Result<()> {
        // In half precision 2048 + 1 is 2048: added one by one, nothing would come of the ones.
        let parts: Vec<_> =
            [2048., 1., 1.].map(|x| f16::from_f64(x).to_le_bytes().to_vec()).to_vec();
        let parts: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
        let mut to = Vec::new();
        sum(&parts, DType::F16, &mut to)?;
        assert_eq!(f16::get(&to).to_f64(), 2050.);
        Ok(())
    }

    #[test]
    fn integers_are_not_summed() {
        let error = sum(&[&[1u8], &[2]], DType::U8, &mut Vec::new()).unwrap_err().to_string();
        assert!(error.contains("of floats, got U8"), "{error}");
    }
}
