use super::{OverlapIndex, OverlapLoss};

/// One less the Dice coefficient of predicted and true regions.
///
/// ```text
/// L = mean_c [1 − (2 Σ p y + 2s) / (Σ p + Σ y + 2s)]                              [1]
/// ```
///
/// The F1 score of soft counts: it does not care how many pixels are neither predicted nor true.
/// Settings, shapes and deviations are those of [`OverlapLoss`].
///
/// # Examples
///
/// Its ensemble with cross-entropy:
///
/// ```
/// use candle_core::{Device, Tensor};
/// use ocellus_losses::{CrossEntropy, Dice, Loss};
///
/// let loss = (CrossEntropy::default().weighted(0.5), Dice::softmax().weighted(0.5));
/// // One row of three pixels: (batch, classes, height, width).
/// let logits = Tensor::new(&[[[[0f64, 0., 0.]], [[0., 0., 0.]]]], &Device::Cpu)?;
/// let target = Tensor::new(&[[[0u32, 1, 1]]], &Device::Cpu)?;
/// let value = loss.forward(&logits, &target)?.to_scalar::<f64>()?;
/// let dice = (1. - 1. / 2.5 + 1. - 2. / 3.5) / 2.;
/// assert!((value - 0.5 * 2f64.ln() - 0.5 * dice).abs() < 1e-12);
/// # Ok::<(), candle_core::Error>(())
/// ```
///
/// # References
///
/// 1. F. Milletari et al. *V-Net: fully convolutional neural networks for volumetric medical image
///    segmentation.* 3DV 2016 (whose sums are of squares). <https://arxiv.org/abs/1606.04797>
pub type Dice = OverlapLoss<DiceIndex>;

/// α = β = 1/2
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DiceIndex;

impl OverlapIndex for DiceIndex {
    fn alpha(&self) -> f64 {
        0.5
    }

    fn beta(&self) -> f64 {
        0.5
    }
}
