use candle_core::{DType, Device, Result, Tensor, bail};
use half::{bf16, f16};
use safetensors::Dtype;

/// The kind of values in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Element {
    Bool,
    U8,
    I8,
    I16,
    U16,
    I32,
    U32,
    I64,
    F16,
    BF16,
    F32,
    F64,
}

impl Element {
    pub(crate) fn size(self) -> usize {
        match self {
            Self::Bool | Self::U8 | Self::I8 => 1,
            Self::I16 | Self::U16 | Self::F16 | Self::BF16 => 2,
            Self::I32 | Self::U32 | Self::F32 => 4,
            Self::I64 | Self::F64 => 8,
        }
    }

    /// The type of the tensor it is read as: the next wider one where candle has none.
    pub(crate) fn dtype(self) -> DType {
        match self {
            Self::Bool | Self::U8 => DType::U8,
            Self::I8 | Self::I16 => DType::I16,
            Self::U16 | Self::U32 => DType::U32,
            Self::I32 => DType::I32,
            Self::I64 => DType::I64,
            Self::F16 => DType::F16,
            Self::BF16 => DType::BF16,
            Self::F32 => DType::F32,
            Self::F64 => DType::F64,
        }
    }

    /// Whether it is read as a wider type.
    pub(crate) fn is_widened(self) -> bool {
        matches!(self, Self::Bool | Self::I8 | Self::U16)
    }

    /// The kind of a safetensors file's tensor, or the name of one that candle cannot hold.
    pub(crate) fn of_safetensors(dtype: Dtype) -> std::result::Result<Self, String> {
        Ok(match dtype {
            Dtype::BOOL => Self::Bool,
            Dtype::U8 => Self::U8,
            Dtype::I8 => Self::I8,
            Dtype::I16 => Self::I16,
            Dtype::U16 => Self::U16,
            Dtype::I32 => Self::I32,
            Dtype::U32 => Self::U32,
            Dtype::I64 => Self::I64,
            Dtype::F16 => Self::F16,
            Dtype::BF16 => Self::BF16,
            Dtype::F32 => Self::F32,
            Dtype::F64 => Self::F64,
            other => return Err(format!("{other:?}")),
        })
    }

    /// The kind of a PyTorch storage class (`FloatStorage`) or data type (`float32`).
    pub(crate) fn of_torch(name: &str) -> std::result::Result<Self, String> {
        Ok(match name {
            "BoolStorage" | "bool" => Self::Bool,
            "ByteStorage" | "UntypedStorage" | "uint8" => Self::U8,
            "CharStorage" | "int8" => Self::I8,
            "ShortStorage" | "int16" => Self::I16,
            "uint16" => Self::U16,
            "IntStorage" | "int32" => Self::I32,
            "uint32" => Self::U32,
            "LongStorage" | "int64" => Self::I64,
            "HalfStorage" | "float16" => Self::F16,
            "BFloat16Storage" | "bfloat16" => Self::BF16,
            "FloatStorage" | "float32" => Self::F32,
            "DoubleStorage" | "float64" => Self::F64,
            other => return Err(other.to_owned()),
        })
    }

    /// The tensor of little-endian `bytes`.
    pub(crate) fn tensor(self, bytes: &[u8], shape: &[usize]) -> Result<Tensor> {
        macro_rules! values {
            ($from:ty, $to:ty) => {{
                let size = size_of::<$from>();
                let value = |b: &[u8]| {
                    let mut array = [0; size_of::<$from>()];
                    array.copy_from_slice(b);
                    <$to>::from(<$from>::from_le_bytes(array))
                };
                let values: Vec<$to> = bytes.chunks_exact(size).map(value).collect();
                Tensor::from_vec(values, shape, &Device::Cpu)
            }};
        }
        match self {
            Self::Bool | Self::U8 => Tensor::from_vec(bytes.to_vec(), shape, &Device::Cpu),
            Self::I8 => values!(i8, i16),
            Self::I16 => values!(i16, i16),
            Self::U16 => values!(u16, u32),
            Self::I32 => values!(i32, i32),
            Self::U32 => values!(u32, u32),
            Self::I64 => values!(i64, i64),
            Self::F16 => values!(f16, f16),
            Self::BF16 => values!(bf16, bf16),
            Self::F32 => values!(f32, f32),
            Self::F64 => values!(f64, f64),
        }
    }
}

/// The kind under which safetensors keeps a tensor of that type.
pub(crate) fn safetensors_dtype(dtype: DType) -> Result<Dtype> {
    Ok(match dtype {
        DType::U8 => Dtype::U8,
        DType::I16 => Dtype::I16,
        DType::U32 => Dtype::U32,
        DType::I32 => Dtype::I32,
        DType::I64 => Dtype::I64,
        DType::F16 => Dtype::F16,
        DType::BF16 => Dtype::BF16,
        DType::F32 => Dtype::F32,
        DType::F64 => Dtype::F64,
        other => bail!("cannot write a tensor of type {other:?}: convert it to F32"),
    })
}

/// The values of a tensor in order, little-endian.
pub(crate) fn little_endian(tensor: &Tensor) -> Result<Vec<u8>> {
    let flat = tensor.flatten_all()?;
    macro_rules! bytes {
        ($t:ty) => {
            flat.to_vec1::<$t>()?.into_iter().flat_map(<$t>::to_le_bytes).collect()
        };
    }
    Ok(match tensor.dtype() {
        DType::U8 => flat.to_vec1()?,
        DType::I16 => bytes!(i16),
        DType::U32 => bytes!(u32),
        DType::I32 => bytes!(i32),
        DType::I64 => bytes!(i64),
        DType::F16 => bytes!(f16),
        DType::BF16 => bytes!(bf16),
        DType::F32 => bytes!(f32),
        DType::F64 => bytes!(f64),
        other => bail!("cannot write a tensor of type {other:?}: convert it to F32"),
    })
}

/// How many values are NaN or infinite, and the first of them.
pub(crate) fn non_finite(tensor: &Tensor) -> Result<Option<(usize, f64)>> {
    if !tensor.dtype().is_float() {
        return Ok(None);
    }
    let wide = if tensor.dtype() == DType::F64 { DType::F64 } else { DType::F32 };
    let flat = tensor.flatten_all()?.to_dtype(wide)?;
    let bad: Vec<f64> = match wide {
        DType::F64 => flat.to_vec1::<f64>()?.into_iter().filter(|v| !v.is_finite()).collect(),
        _ => flat.to_vec1::<f32>()?.into_iter().filter(|v| !v.is_finite()).map(f64::from).collect(),
    };
    Ok(bad.first().map(|&first| (bad.len(), first)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_and_tensors_turn_into_each_other() -> Result<()> {
        let numbers = Tensor::new(&[[0f64, 1.5], [2., 120.]], &Device::Cpu)?;
        for dtype in [
            DType::U8,
            DType::I16,
            DType::U32,
            DType::I32,
            DType::I64,
            DType::F16,
            DType::BF16,
            DType::F32,
            DType::F64,
        ] {
            let tensor = numbers.to_dtype(dtype)?;
            let bytes = little_endian(&tensor)?;
            let element = Element::of_safetensors(safetensors_dtype(dtype)?).unwrap();
            assert_eq!((element.dtype(), bytes.len()), (dtype, 4 * element.size()));
            let back = element.tensor(&bytes, &[2, 2])?;
            let difference = (back.to_dtype(DType::F64)? - tensor.to_dtype(DType::F64)?)?;
            assert_eq!(difference.sqr()?.sum_all()?.to_scalar::<f64>()?, 0., "{dtype:?}");
        }
        Ok(())
    }

    #[test]
    fn types_that_candle_lacks_are_widened() -> Result<()> {
        assert_eq!(Element::I8.tensor(&[255, 1], &[2])?.to_vec1::<i16>()?, [-1, 1]);
        assert_eq!(Element::U16.tensor(&[255, 255], &[1])?.to_vec1::<u32>()?, [65535]);
        assert_eq!(Element::Bool.tensor(&[0, 1], &[2])?.to_vec1::<u8>()?, [0, 1]);
        assert_eq!(Element::of_torch("ComplexFloatStorage").unwrap_err(), "ComplexFloatStorage");
        assert_eq!(Element::of_safetensors(Dtype::C64).unwrap_err(), "C64");
        Ok(())
    }

    #[test]
    fn views_are_written_in_order() -> Result<()> {
        let x = Tensor::new(&[[1u8, 2, 3], [4, 5, 6]], &Device::Cpu)?;
        assert_eq!(little_endian(&x.t()?)?, [1, 4, 2, 5, 3, 6]);
        Ok(())
    }

    #[test]
    fn counts_what_is_not_finite() -> Result<()> {
        let x = Tensor::new(&[1f32, f32::INFINITY, f32::NAN], &Device::Cpu)?;
        assert_eq!(non_finite(&x)?, Some((2, f64::INFINITY)));
        assert_eq!(non_finite(&x.narrow(0, 0, 1)?)?, None);
        assert!(non_finite(&x.to_dtype(DType::BF16)?)?.is_some());
        Ok(())
    }
}
