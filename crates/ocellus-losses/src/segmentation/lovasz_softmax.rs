use candle_core::{Result, Tensor};

use super::{
    AbsentClasses, Aggregation,
    class_mean::{class_mean, class_weights},
    planes::Planes,
};
use crate::{Activation, Loss};

/// The Lovász-Softmax loss: a surrogate of 1 − mean IoU that is convex in the errors.
///
/// ```text
/// L = mean_c Δ̄_Jc(m(c)),   m_i(c) = 1 − p_i(c) where the truth is c, else p_i(c)   [1], Eq. 12
/// ```
///
/// with p the softmax over the classes and Δ̄ the Lovász extension, see
/// [`ocellus_ops::lovasz`]. By default the mean is over the classes that the target has.
///
/// # Shapes
///
/// - logits: `(batch, classes, …)` of two or more classes
/// - target: class indices `(batch, …)`, or ones and zeros of the logits' shape
/// - output: a scalar
///
/// # Examples
///
/// ```
/// use candle_core::{Device, Tensor};
/// use ocellus_losses::{Loss, LovaszSoftmax};
///
/// // Certain of class 0 at both pixels: IoU 1/2 of class 0 and 0 of class 1.
/// let logits = Tensor::new(&[[[1e4f64, 1e4], [0., 0.]]], &Device::Cpu)?;
/// let target = Tensor::new(&[[0u32, 1]], &Device::Cpu)?;
/// let loss = LovaszSoftmax::default().forward(&logits, &target)?.to_scalar::<f64>()?;
/// assert!((loss - (0.5 + 1.) / 2.).abs() < 1e-12);
/// # Ok::<(), candle_core::Error>(())
/// ```
///
/// # Deviations
///
/// Values and gradients are those of the authors' code and of `segmentation_models_pytorch`, whose
/// `classes="all"` is [`AbsentClasses::Counted`]; class weights are an addition. A batch of nothing
/// but ignored pixels is an error, not 0; single images of such pixels count as 0. Equal errors
/// are sorted by their position.
///
/// # References
///
/// 1. M. Berman et al. *The Lovász-Softmax loss: a tractable surrogate for the optimization of the
///    intersection-over-union measure in neural networks.* CVPR 2018.
///    <https://arxiv.org/abs/1705.08790>
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct LovaszSoftmax {
    /// One loss for the batch or one for each image. Default the batch.
    pub aggregation: Aggregation,
    /// What becomes of classes without a pixel in the target. Default [`AbsentClasses::LeftOut`].
    pub absent: AbsentClasses,
    /// A weight for each class, `(classes)`. Default none: all the same.
    pub class_weights: Option<Tensor>,
    /// The class index that does not count. Default none.
    pub ignore_index: Option<i64>,
}

impl Default for LovaszSoftmax {
    fn default() -> Self {
        Self {
            aggregation: Aggregation::Batch,
            absent: AbsentClasses::LeftOut,
            class_weights: None,
            ignore_index: None,
        }
    }
}

impl LovaszSoftmax {
    /// Takes one loss an image, and the mean of them, instead of one for the batch.
    #[must_use]
    pub fn per_image(mut self) -> Self {
        self.aggregation = Aggregation::Image;
        self
    }

    /// Sets what becomes of classes without a pixel in the target.
    #[must_use]
    pub fn with_absent_classes(mut self, absent: AbsentClasses) -> Self {
        self.absent = absent;
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
}

impl Loss for LovaszSoftmax {
    fn forward(&self, logits: &Tensor, target: &Tensor) -> Result<Tensor> {
        let planes = Planes::new(logits, target, Activation::Softmax, self.ignore_index)?;
        let p = Activation::Softmax.apply(&planes.logits)?;
        let truth = planes.clean_target()?;
        // |y − p| for y of 0 or 1.
        let errors = ((p * truth.affine(-2., 1.)?)? + truth)?;
        let (errors, truth) = self.aggregation.rows(&errors, &planes.target)?;
        let losses = ocellus_ops::lovasz(&errors, &truth)?;
        let classes = planes.logits.dim(1)?;
        let weights = class_weights(self.class_weights.as_ref(), classes, &losses)?;
        let present = truth.max(2)?;
        let present = present.gt(&present.zeros_like()?)?;
        let weights = match self.absent {
            AbsentClasses::LeftOut => weights.broadcast_mul(&present.to_dtype(losses.dtype())?)?,
            _ => weights,
        };
        let losses = match self.absent {
            AbsentClasses::Free => present.where_cond(&losses, &losses.zeros_like()?)?,
            _ => losses,
        };
        class_mean(&losses, &weights)
    }
}

impl Aggregation {
    /// `(batch, classes, pixels)` as `(1, classes, batch · pixels)` where the batch is one.
    pub(super) fn rows(self, errors: &Tensor, truth: &Tensor) -> Result<(Tensor, Tensor)> {
        let rows = |x: &Tensor| match self {
            Self::Image => Ok(x.clone()),
            Self::Batch => x.transpose(0, 1)?.reshape((1, x.dim(1)?, ())),
        };
        Ok((rows(errors)?, rows(truth)?))
    }
}

#[cfg(test)]
mod tests {
    use candle_core::{DType, Device};
    use ocellus_testing::{assert_close, fill};

    use super::*;

    #[test]
    fn absent_classes_are_treated_as_set() -> Result<()> {
        let logits = fill((2, 3, 4), 0.3, DType::F64)?;
        let target = Tensor::new(&[[0u32, 1, 1, 0], [0, 0, 1, 0]], &Device::Cpu)?;
        let loss = |absent| -> Result<f64> {
            let loss = LovaszSoftmax::default().with_absent_classes(absent);
            loss.forward(&logits, &target)?.to_scalar()
        };
        let (left_out, free) = (loss(AbsentClasses::LeftOut)?, loss(AbsentClasses::Free)?);
        assert!((left_out - free * 3. / 2.).abs() < 1e-12);
        // Of an absent class the largest probability is the loss.
        let p = ocellus_ops::softmax(&logits, 1)?.narrow(1, 2, 1)?;
        let largest = p.flatten_all()?.max(0)?.to_scalar::<f64>()?;
        assert!((loss(AbsentClasses::Counted)? - (free + largest / 3.)).abs() < 1e-12);
        Ok(())
    }

    #[test]
    fn weights_of_one_class_leave_that_class() -> Result<()> {
        let logits = fill((2, 2, 4), 0.3, DType::F64)?;
        let target = Tensor::new(&[[0u32, 1, 1, 0], [0, 0, 1, 0]], &Device::Cpu)?;
        let weighted = |weights: [f64; 2]| -> Result<Tensor> {
            let weights = Tensor::new(&weights, &Device::Cpu)?;
            LovaszSoftmax::default().with_class_weights(weights).forward(&logits, &target)
        };
        let mean = ((weighted([1., 0.])? + weighted([0., 2.])?)? / 2.)?;
        assert_close(&LovaszSoftmax::default().forward(&logits, &target)?, &mean, 1e-12)
    }

    #[test]
    fn images_alone_give_the_mean_of_their_losses() -> Result<()> {
        let logits = fill((3, 2, 4), 0.3, DType::F64)?;
        let target = Tensor::new(&[[0u32, 1, 9, 0], [0, 0, 1, 9], [9, 9, 1, 1]], &Device::Cpu)?;
        let loss = LovaszSoftmax::default().with_ignore_index(9);
        let each = loss.per_sample(&logits, &target)?.mean_all()?;
        assert_close(&loss.per_image().forward(&logits, &target)?, &each, 1e-12)
    }

    #[test]
    fn an_image_without_labels_counts_as_nothing() -> Result<()> {
        let logits = fill((2, 2, 4), 0.3, DType::F64)?;
        let target = Tensor::new(&[[0u32, 1, 1, 0], [9, 9, 9, 9]], &Device::Cpu)?;
        let loss = LovaszSoftmax::default().with_ignore_index(9).per_image();
        let first = loss.forward(&logits.narrow(0, 0, 1)?, &target.narrow(0, 0, 1)?)?;
        for absent in [AbsentClasses::LeftOut, AbsentClasses::Counted] {
            let both = loss.clone().with_absent_classes(absent).forward(&logits, &target)?;
            assert_close(&both, &(&first / 2.)?, 1e-14)?;
        }
        Ok(())
    }
}
