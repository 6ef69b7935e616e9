use candle_core::{Result, Tensor, bail};
use ocellus_ops::{CrossEntropyConfig, Reduction};

use super::{class_mean::class_weights, planes::Planes};
use crate::{Activation, Loss};

/// Cross-entropy in which pixels that are already right count less.
///
/// ```text
/// L = Σᵢ wᵢ aᵢ (1 − pᵢ)ᵞ · (−log pᵢ) / Σᵢ wᵢ                                 [1], Eq. 5
/// a = α where the truth is 1, 1 − α where it is 0 (sigmoid); w the weight of the class
/// ```
///
/// with p the probability of the truth. The sigmoid takes each logit for itself, as the paper does:
/// i runs over pixels and classes. The softmax has one p a pixel, and wᵢ is the weight of its true
/// class.
///
/// # Shapes
///
/// - logits: `(batch, classes, …)`; with the sigmoid also `(batch, 1, …)` and `(batch)`
/// - target: class indices `(batch, …)`, or values of the logits' shape
/// - output: a scalar
///
/// # Examples
///
/// ```
/// use candle_core::{Device, Tensor};
/// use ocellus_losses::{Focal, Loss};
///
/// // p of the truth is 0.9: of the cross-entropy 1 % is left.
/// let logits = Tensor::new(&[[9f64.ln()]], &Device::Cpu)?;
/// let target = Tensor::new(&[1u32], &Device::Cpu)?;
/// let loss = Focal::sigmoid().forward(&logits, &target)?.to_scalar::<f64>()?;
/// assert!((loss + 0.01 * 0.9f64.ln()).abs() < 1e-12);
/// # Ok::<(), candle_core::Error>(())
/// ```
///
/// # Deviations
///
/// `FocalLoss` of `segmentation_models_pytorch` is [`Focal::sigmoid`] for one class as for many; its
/// function `softmax_focal_loss_with_logits` is [`Focal::softmax`] (without an ignore index, which
/// it has not). The paper divides by the number of anchors that hold an object; here it is the mean.
/// There is neither its `normalized` nor its `reduced_threshold`. A batch of nothing but ignored
/// pixels is an error, not NaN.
///
/// # References
///
/// 1. T.-Y. Lin et al. *Focal loss for dense object detection.* ICCV 2017.
///    <https://arxiv.org/abs/1708.02002>
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Focal {
    /// What turns logits into probabilities.
    pub activation: Activation,
    /// How much less the right ones count; 0 is plain cross-entropy. Default 2.
    pub gamma: f64,
    /// The weight of the positives of a sigmoid, 0 to 1; that of the negatives is 1 − α. Default
    /// none: both weigh 1.
    pub alpha: Option<f64>,
    /// A weight for each class, `(classes)`. Default none: all 1.
    pub class_weights: Option<Tensor>,
    /// The class index that does not count. Default none.
    pub ignore_index: Option<i64>,
}

impl Focal {
    fn new(activation: Activation) -> Self {
        Self { activation, gamma: 2., alpha: None, class_weights: None, ignore_index: None }
    }

    /// Of a softmax over the classes: each pixel has exactly one.
    #[must_use]
    pub fn softmax() -> Self {
        Self::new(Activation::Softmax)
    }

    /// Of a sigmoid of each logit, as published.
    #[must_use]
    pub fn sigmoid() -> Self {
        Self::new(Activation::Sigmoid)
    }

    /// Sets how much less the right ones count.
    #[must_use]
    pub fn with_gamma(mut self, gamma: f64) -> Self {
        self.gamma = gamma;
        self
    }

    /// Weighs positives by α and negatives by 1 − α, with a sigmoid.
    #[must_use]
    pub fn with_alpha(mut self, alpha: f64) -> Self {
        self.alpha = Some(alpha);
        self
    }

    /// Weighs the classes, `(classes)`.
    #[must_use]
    pub fn with_class_weights(mut self, weights: Tensor) -> Self {
        self.class_weights = Some(weights);
        self
    }

    /// Leaves out the pixels of that class index.
    #[must_use]
    pub fn with_ignore_index(mut self, index: i64) -> Self {
        self.ignore_index = Some(index);
        self
    }

    /// The loss of each pixel, `(batch, 1, pixels)`, and its weight.
    fn of_softmax(&self, planes: &Planes, weights: &Tensor) -> Result<(Tensor, Tensor)> {
        if self.alpha.is_some() {
            bail!("alpha is for a focal loss of a sigmoid: weigh the classes of a softmax")
        }
        let target = planes.clean_target()?;
        let config = CrossEntropyConfig::default().with_reduction(Reduction::None);
        let costs = ocellus_ops::cross_entropy(&planes.logits, &target, &config)?;
        let weights = target.broadcast_mul(weights)?.sum_keepdim(1)?;
        Ok((ocellus_ops::focal(&costs, self.gamma)?.unsqueeze(1)?, weights))
    }

    /// The loss of each pixel and class, and its weight.
    fn of_sigmoid(&self, planes: &Planes, weights: &Tensor) -> Result<(Tensor, Tensor)> {
        let target = planes.clean_target()?;
        let (logits, none) = (&planes.logits, Reduction::None);
        let costs = ocellus_ops::binary_cross_entropy(logits, &target, None, none)?;
        let losses = ocellus_ops::focal(&costs, self.gamma)?;
        let losses = match self.alpha {
            Some(alpha) if (0. ..=1.).contains(&alpha) => {
                (losses * target.affine(2. * alpha - 1., 1. - alpha)?)?
            }
            Some(alpha) => bail!("alpha of a focal loss is {alpha}: give 0 to 1"),
            None => losses,
        };
        Ok((losses, planes.counted()?.broadcast_mul(weights)?))
    }
}

impl Loss for Focal {
    fn forward(&self, logits: &Tensor, target: &Tensor) -> Result<Tensor> {
        let planes = Planes::new(logits, target, self.activation, self.ignore_index)?;
        let classes = planes.logits.dim(1)?;
        let weights = class_weights(self.class_weights.as_ref(), classes, &planes.logits)?;
        let weights = weights.unsqueeze(2)?;
        let (losses, weights) = match self.activation {
            Activation::Softmax if classes > 1 => self.of_softmax(&planes, &weights)?,
            Activation::Sigmoid => self.of_sigmoid(&planes, &weights)?,
            Activation::Softmax => bail!("a focal loss of a softmax needs two or more classes"),
            Activation::Identity => bail!("a focal loss needs probabilities: softmax or sigmoid"),
        };
        let total = weights.sum_all()?;
        // Of nothing a GPU gives NaN: nobody waits for it to look.
        let on_cpu = total.device().is_cpu();
        if on_cpu && total.to_dtype(candle_core::DType::F64)?.to_scalar::<f64>()? == 0. {
            bail!("no pixel is left for a mean: all are ignored or of a class of weight 0")
        }
        (losses * weights)?.sum_all()? / total
    }
}

#[cfg(test)]
mod tests {
    use candle_core::{DType, Device};
    use ocellus_testing::{assert_close, fill};

    use super::*;
    use crate::{BinaryCrossEntropy, CrossEntropy};

    #[test]
    fn without_gamma_it_is_cross_entropy() -> Result<()> {
        let logits = fill((2, 3, 2, 2), 0.3, DType::F64)?;
        let target = Tensor::new(&[[[0u32, 2], [1, 7]], [[1, 1], [7, 0]]], &Device::Cpu)?;
        let weights = Tensor::new(&[1f64, 3., 0.5], &Device::Cpu)?;
        let focal = Focal::softmax().with_gamma(0.).with_ignore_index(7);
        let ce = CrossEntropy::default().with_ignore_index(7);
        let both = |focal: &Focal, ce: &CrossEntropy| {
            assert_close(&focal.forward(&logits, &target)?, &ce.forward(&logits, &target)?, 1e-12)
        };
        both(&focal, &ce)?;
        both(&focal.with_class_weights(weights.clone()), &ce.with_class_weights(weights))?;
        let soft = ocellus_ops::softmax(&fill((2, 3, 2, 2), 0.8, DType::F64)?, 1)?;
        let bce = BinaryCrossEntropy::default().forward(&logits, &soft)?;
        assert_close(&Focal::sigmoid().with_gamma(0.).forward(&logits, &soft)?, &bce, 1e-12)
    }

    #[test]
    fn rejects_settings_that_make_no_sense() -> Result<()> {
        let logits = fill((1, 2, 4), 0.3, DType::F64)?;
        let target = Tensor::new(&[[0u32, 1, 1, 1]], &Device::Cpu)?;
        let message = |loss: Focal| loss.forward(&logits, &target).unwrap_err().to_string();
        assert!(message(Focal::softmax().with_alpha(0.25)).contains("of a sigmoid"));
        assert!(message(Focal::sigmoid().with_alpha(1.5)).contains("alpha of a focal loss is 1.5"));
        assert!(message(Focal::sigmoid().with_gamma(-1.)).contains("gamma is -1"));
        let of_nothing = Tensor::new(&[1f64, 0.], &Device::Cpu)?;
        let target = Tensor::new(&[[1u32, 1, 1, 1]], &Device::Cpu)?;
        let loss = Focal::softmax().with_class_weights(of_nothing);
        let message = loss.forward(&logits, &target).unwrap_err().to_string();
        assert!(message.contains("no pixel is left"), "{message}");
        Ok(())
    }
}
