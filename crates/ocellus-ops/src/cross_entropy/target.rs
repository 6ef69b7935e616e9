use candle_core::{DType, Result, Tensor, bail};

/// What the logits are compared with.
#[derive(Clone, Debug)]
pub(crate) enum Target {
    /// A class at each position, or [`IGNORED`].
    Indices(Vec<u32>),
    /// A distribution over the classes, of the shape and type of the logits.
    Probabilities(Tensor),
}

/// Marks a position whose target is the ignore index.
pub(crate) const IGNORED: u32 = u32::MAX;

impl Target {
    /// Checks the target against logits that have their classes in `dim`.
    pub(crate) fn new(
        logits: &Tensor,
        target: &Tensor,
        dim: usize,
        ignore_index: Option<i64>,
    ) -> Result<Self> {
        let shape = [&logits.dims()[..dim], &logits.dims()[dim + 1..]].concat();
        match target.dtype() {
            DType::U8 | DType::U32 | DType::I64 if target.dims() == shape => {
                let values = target.to_dtype(DType::I64)?.flatten_all()?.to_vec1::<i64>()?;
                let classes = logits.dims()[dim];
                let index = |(at, &value): (usize, &i64)| match u32::try_from(value) {
                    _ if Some(value) == ignore_index => Ok(IGNORED),
                    Ok(index) if (index as usize) < classes => Ok(index),
                    _ => bail!(
                        "cross_entropy: target {value} at position {at} is no class: logits \
                         {:?} have {classes} classes in dimension {dim}, counted from 0; set \
                         ignore_index if it marks what is not labeled",
                        logits.dims()
                    ),
                };
                Ok(Self::Indices(values.iter().enumerate().map(index).collect::<Result<_>>()?))
            }
            DType::F32 | DType::F64 | DType::F16 | DType::BF16
                if target.dims() == logits.dims() =>
            {
                if ignore_index.is_some() {
                    bail!("cross_entropy: ignore_index is for class indices, not probabilities")
                }
                Ok(Self::Probabilities(target.to_dtype(logits.dtype())?))
            }
            dtype => bail!(
                "cross_entropy: target {dtype:?} {:?} fits no logits {:?}: it must be class \
                 indices (u8, u32, i64) {shape:?} or probabilities of the logits' shape",
                target.dims(),
                logits.dims()
            ),
        }
    }
}
