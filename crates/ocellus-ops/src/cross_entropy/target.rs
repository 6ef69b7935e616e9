use candle_core::{DType, Result, Tensor, bail};

use super::indices::Indices;

/// What the logits are compared with.
#[derive(Clone, Debug)]
pub(crate) enum Target {
    /// A class at each position.
    Indices(Indices),
    /// A distribution over the classes, of the shape and type of the logits.
    Probabilities(Tensor),
}

/// An error if the target's shape and type do not fit logits with their classes in `dim`.
pub(super) fn check_form(
    logits: &Tensor,
    target: &Tensor,
    dim: usize,
    ignore_index: Option<i64>,
) -> Result<()> {
    let shape = [&logits.dims()[..dim], &logits.dims()[dim + 1..]].concat();
    match target.dtype() {
        DType::U8 | DType::U32 | DType::I64 if target.dims() == shape => Ok(()),
        DType::F32 | DType::F64 | DType::F16 | DType::BF16 if target.dims() == logits.dims() => {
            if ignore_index.is_some() {
                bail!("cross_entropy: ignore_index is for class indices, not probabilities")
            }
            Ok(())
        }
        dtype => bail!(
            "cross_entropy: target {dtype:?} {:?} fits no logits {:?}: it must be class \
             indices (u8, u32, i64) {shape:?} or probabilities of the logits' shape",
            target.dims(),
            logits.dims()
        ),
    }
}

impl Target {
    /// Looks at the values of a target whose form [fits](check_form).
    pub(super) fn new(
        logits: &Tensor,
        target: &Tensor,
        dim: usize,
        ignore_index: Option<i64>,
    ) -> Result<Self> {
        if target.dtype().is_float() {
            return Ok(Self::Probabilities(target.to_dtype(logits.dtype())?));
        }
        let classes = logits.dims()[dim];
        if let Some(indices) = Indices::new(target, classes, ignore_index)? {
            return Ok(Self::Indices(indices));
        }
        let values = target.to_dtype(DType::I64)?.flatten_all()?.to_vec1::<i64>()?;
        let stray =
            |value: &i64| Some(*value) != ignore_index && !(0..classes as i64).contains(value);
        let at = values.iter().position(stray).unwrap_or_default();
        bail!(
            "cross_entropy: target {} at position {at} is no class: logits {:?} have {classes} \
             classes in dimension {dim}, counted from 0; set ignore_index if it marks what is not \
             labeled",
            values[at],
            logits.dims()
        )
    }
}
