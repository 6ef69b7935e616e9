use candle_core::{Result, Tensor};

/// What becomes of the losses of the elements of a batch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Reduction {
    /// Their mean, a scalar.
    #[default]
    Mean,
    /// Their sum, a scalar.
    Sum,
    /// Nothing: one loss an element.
    None,
}

impl Reduction {
    pub(crate) fn apply(self, losses: &Tensor) -> Result<Tensor> {
        match self {
            Self::Mean => losses.mean_all(),
            Self::Sum => losses.sum_all(),
            Self::None => Ok(losses.clone()),
        }
    }
}
