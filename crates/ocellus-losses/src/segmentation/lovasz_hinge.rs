use candle_core::{Result, Tensor};

use super::{Aggregation, planes::Planes};
use crate::{Activation, Loss};

/// The Lovász hinge: a convex surrogate of 1 − IoU of one class, from its logits.
///
/// ```text
/// L = Δ̄_J(max(m, 0)),   m_i = 1 − z_i · (2 y_i − 1)                            [1], Eq. 8
/// ```
///
/// with Δ̄ the Lovász extension, see [`ocellus_ops::lovasz`]. There is no activation: a pixel is
/// right when its logit has the sign of the truth and a margin of 1.
///
/// # Shapes
///
/// - logits: `(batch, 1, …)` or `(batch)`
/// - target: 0 or 1 in the logits' shape, or without the classes; all classes of several are one
///   set of pixels
/// - output: a scalar
///
/// # Examples
///
/// ```
/// use candle_core::{Device, Tensor};
/// use ocellus_losses::{Loss, LovaszHinge};
///
/// let logits = Tensor::new(&[[[2f64, -0.5, -3.]]], &Device::Cpu)?;
/// let target = Tensor::new(&[[1u32, 1, 0]], &Device::Cpu)?;
/// // One of two buildings is missed by 1.5, and costs half the union.
/// let loss = LovaszHinge::default().forward(&logits, &target)?.to_scalar::<f64>()?;
/// assert_eq!(loss, 1.5 * 0.5);
/// # Ok::<(), candle_core::Error>(())
/// ```
///
/// # Deviations
///
/// Values and gradients are those of the authors' code and of `segmentation_models_pytorch`. By
/// default the former takes a loss an image; here, as in the latter, it is one for the batch. A batch
/// of nothing but ignored pixels is an error, not 0.
///
/// # References
///
/// 1. J. Yu, M. B. Blaschko. *The Lovász hinge: a novel convex surrogate for submodular losses.*
///    IEEE TPAMI 42 (2020). <https://arxiv.org/abs/1512.07797>
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct LovaszHinge {
    /// One loss for the batch or one for each image. Default the batch.
    pub aggregation: Aggregation,
    /// The value of the target that does not count. Default none.
    pub ignore_index: Option<i64>,
}

impl LovaszHinge {
    /// Takes one loss an image, and the mean of them, instead of one for the batch.
    #[must_use]
    pub fn per_image(mut self) -> Self {
        self.aggregation = Aggregation::Image;
        self
    }

    /// Leaves out the pixels of that value.
    #[must_use]
    pub fn with_ignore_index(mut self, index: i64) -> Self {
        self.ignore_index = Some(index);
        self
    }
}

impl Loss for LovaszHinge {
    fn forward(&self, logits: &Tensor, target: &Tensor) -> Result<Tensor> {
        let planes = Planes::new(logits, target, Activation::Sigmoid, self.ignore_index)?;
        let signs = planes.clean_target()?.affine(2., -1.)?;
        let errors = (&planes.logits * signs)?.affine(-1., 1.)?;
        let one_set = |x: &Tensor| x.reshape((x.dim(0)?, 1, ()));
        let (errors, truth) =
            self.aggregation.rows(&one_set(&errors)?, &one_set(&planes.target)?)?;
        ocellus_ops::lovasz(&errors, &truth)?.mean_all()
    }
}

#[cfg(test)]
mod tests {
    use candle_core::{DType, Device};
    use ocellus_testing::{assert_close, fill};

    use super::*;

    #[test]
    fn images_alone_give_the_mean_of_their_losses() -> Result<()> {
        let logits = fill((3, 1, 4), 0.3, DType::F64)?;
        let target = Tensor::new(&[[0u32, 1, 9, 0], [0, 0, 1, 9], [9, 9, 1, 1]], &Device::Cpu)?;
        let loss = LovaszHinge::default().with_ignore_index(9);
        let each = loss.per_sample(&logits, &target)?.mean_all()?;
        assert_close(&loss.per_image().forward(&logits, &target)?, &each, 1e-12)
    }

    #[test]
    fn a_margin_of_one_everywhere_costs_nothing() -> Result<()> {
        let logits = Tensor::new(&[1f32, -1., 7., -1e4], &Device::Cpu)?;
        let target = Tensor::new(&[1u8, 0, 1, 0], &Device::Cpu)?;
        let loss = LovaszHinge::default().forward(&logits, &target)?;
        assert_eq!(loss.to_scalar::<f32>()?, 0.);
        let empty = Tensor::zeros((0, 1), DType::F32, &Device::Cpu)?;
        assert!(LovaszHinge::default().forward(&empty, &empty).is_err());
        Ok(())
    }
}
