use super::{OverlapIndex, OverlapLoss};

/// One less the Tversky index: false alarms and misses cost differently. With a power γ, the focal
/// Tversky loss.
///
/// ```text
/// L = (mean_c [1 − (TP + s) / (TP + α FP + β FN + s)])ᵞ                           [1], [2]
/// ```
///
/// α = β = 1/2 is [`Dice`](crate::Dice), α = β = 1 is [`Jaccard`](crate::Jaccard). Settings, shapes
/// and deviations are those of [`OverlapLoss`].
///
/// # Examples
///
/// ```
/// use candle_core::{Device, Tensor};
/// use ocellus_losses::{Loss, Tversky};
///
/// // Buildings are rare and must not be missed.
/// let loss = Tversky::sigmoid().with_alpha(0.3).with_beta(0.7).with_gamma(0.75);
/// // p = 1/2 at a building and at a lawn.
/// let logits = Tensor::new(&[[[0f64, 0.]]], &Device::Cpu)?;
/// let target = Tensor::new(&[[1u32, 0]], &Device::Cpu)?;
/// let value = loss.forward(&logits, &target)?.to_scalar::<f64>()?;
/// assert!((value - 0.5f64.powf(0.75)).abs() < 1e-12);
/// # Ok::<(), candle_core::Error>(())
/// ```
///
/// # Deviations
///
/// Abraham and Khan (reference 2) raise the loss of each class to the power 1/γ and sum; this is
/// `segmentation_models_pytorch`'s form, which raises the mean to the power γ. For one class, the
/// sigmoid's, they agree: the paper's best γ of 4/3 is 0.75 here.
///
/// # References
///
/// 1. S. S. M. Salehi et al. *Tversky loss function for image segmentation using 3D fully
///    convolutional deep networks.* MLMI 2017. <https://arxiv.org/abs/1706.05721>
/// 2. N. Abraham, N. M. Khan. *A novel focal Tversky loss function with improved attention U-Net
///    for lesion segmentation.* ISBI 2019. <https://arxiv.org/abs/1810.07842>
pub type Tversky = OverlapLoss<TverskyIndex>;

/// The costs of [`Tversky`]: α = β = 1/2 and γ = 1 by default.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct TverskyIndex {
    /// What false positives cost.
    pub alpha: f64,
    /// What false negatives cost.
    pub beta: f64,
    /// The power that the mean is raised to.
    pub gamma: f64,
}

impl Default for TverskyIndex {
    fn default() -> Self {
        Self { alpha: 0.5, beta: 0.5, gamma: 1. }
    }
}

impl OverlapIndex for TverskyIndex {
    fn alpha(&self) -> f64 {
        self.alpha
    }

    fn beta(&self) -> f64 {
        self.beta
    }

    fn gamma(&self) -> f64 {
        self.gamma
    }
}

impl Tversky {
    /// Sets what false positives cost.
    #[must_use]
    pub fn with_alpha(mut self, alpha: f64) -> Self {
        self.index.alpha = alpha;
        self
    }

    /// Sets what false negatives cost.
    #[must_use]
    pub fn with_beta(mut self, beta: f64) -> Self {
        self.index.beta = beta;
        self
    }

    /// Sets the power that the mean is raised to: below 1, what is nearly right counts more.
    #[must_use]
    pub fn with_gamma(mut self, gamma: f64) -> Self {
        self.index.gamma = gamma;
        self
    }
}
