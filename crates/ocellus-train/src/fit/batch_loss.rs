use candle_core::Tensor;

/// The loss of a batch, or of a rank's share of it: a mean, and what it counts among the ranks.
///
/// A step of [`fit`](crate::fit()) may give the tensor alone, which counts 1. With several ranks whose shares
/// differ in size, it must give the weight: the number of what the mean is over, such as samples, or
/// pixels that are not ignored. The loss of all ranks together is then the mean over the whole batch.
///
/// ```text
/// loss = Σ_r w_r · mean_r / Σ_r w_r
/// ```
///
/// # Examples
///
/// ```
/// use candle_core::{Device, Tensor};
/// use ocellus_train::BatchLoss;
///
/// let errors = Tensor::new(&[1f32, 2., 6.], &Device::Cpu)?;
/// let loss = BatchLoss::new(errors.mean_all()?, 3.);
/// assert_eq!(loss.mean.to_scalar::<f32>()?, 3.);
/// assert_eq!(BatchLoss::from(errors.mean_all()?).weight, 1.);
/// # Ok::<(), candle_core::Error>(())
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct BatchLoss {
    /// The mean loss, a scalar.
    pub mean: Tensor,
    /// What it counts among those of the ranks: not negative, finite.
    pub weight: f64,
}

impl BatchLoss {
    /// That mean, which counts so much.
    #[must_use]
    pub fn new(mean: Tensor, weight: f64) -> Self {
        Self { mean, weight }
    }
}

impl From<Tensor> for BatchLoss {
    fn from(mean: Tensor) -> Self {
        Self::new(mean, 1.)
    }
}
