use super::{OverlapIndex, OverlapLoss};

/// One less the soft intersection over union of predicted and true regions.
///
/// ```text
/// L = mean_c [1 − (Σ p y + s) / (Σ p + Σ y − Σ p y + s)]                          [1]
/// ```
///
/// Settings, shapes and deviations are those of [`OverlapLoss`].
///
/// # Examples
///
/// ```
/// use candle_core::{Device, Tensor};
/// use ocellus_losses::{Jaccard, Loss};
///
/// // p = 1/2 at a building and at a lawn.
/// let logits = Tensor::new(&[[[0f64, 0.]]], &Device::Cpu)?;
/// let target = Tensor::new(&[[1u32, 0]], &Device::Cpu)?;
/// let loss = Jaccard::sigmoid().forward(&logits, &target)?.to_scalar::<f64>()?;
/// assert!((loss - (1. - 0.5 / 1.5)).abs() < 1e-12);
/// # Ok::<(), candle_core::Error>(())
/// ```
///
/// # References
///
/// 1. M. A. Rahman, Y. Wang. *Optimizing intersection-over-union in deep neural networks for image
///    segmentation.* ISVC 2016.
pub type Jaccard = OverlapLoss<JaccardIndex>;

/// α = β = 1
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct JaccardIndex;

impl OverlapIndex for JaccardIndex {
    fn alpha(&self) -> f64 {
        1.
    }

    fn beta(&self) -> f64 {
        1.
    }
}
