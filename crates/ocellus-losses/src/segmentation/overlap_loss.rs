use candle_core::{Result, Tensor, bail};
use ocellus_ops::SoftOverlap;

use super::{
    AbsentClasses, Aggregation,
    class_mean::{class_mean, class_weights},
    planes::Planes,
};
use crate::{Activation, Loss};

/// How little of a region is found: [`Dice`](crate::Dice), [`Jaccard`](crate::Jaccard) and
/// [`Tversky`](crate::Tversky) are three.
///
/// ```text
/// S_c = (TP + s) / max(TP + α FP + β FN + s, ε)
/// TP = Σ min(p, y),  FP = Σ p − TP,  FN = Σ y − TP
/// L = mean_c (1 − S_c), or mean_c −log max(S_c, ε);  then Lᵞ
/// ```
///
/// with p the softmax or the sigmoid of the logits, sums over all pixels of a class that are not
/// ignored, and s the smoothing. For targets of 0 and 1, TP is `Σ p y`.
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
/// use candle_core::Tensor;
/// use ocellus_losses::{Aggregation, Dice, Jaccard};
///
/// let dice = Dice::softmax().with_ignore_index(255).with_smooth(1.).per_image();
/// assert_eq!((dice.ignore_index, dice.aggregation), (Some(255), Aggregation::Image));
/// assert!(Jaccard::sigmoid().with_log().log);
/// ```
///
/// # Deviations
///
/// From `segmentation_models_pytorch`, whose values and gradients these are:
///
/// - A batch of nothing but ignored pixels is an error, not 0.
/// - [`Aggregation::Image`], [`AbsentClasses`] other than `Free`, and class weights with one class
///   are additions. Its list of classes is a weight of 0 for the others.
/// - A sigmoid of several classes takes class indices too.
/// - Where L is 0, the gradient of `Lᵞ` is 0 for every γ; there it is NaN for γ < 1.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct OverlapLoss<I> {
    /// What turns logits into probabilities.
    pub activation: Activation,
    /// One ratio for the batch or one for each image. Default the batch.
    pub aggregation: Aggregation,
    /// What becomes of classes without a pixel in the target. Default [`AbsentClasses::Free`].
    pub absent: AbsentClasses,
    /// A weight for each class, `(classes)`. Default none: all the same.
    pub class_weights: Option<Tensor>,
    /// The class index that does not count. Default none.
    pub ignore_index: Option<i64>,
    /// What is added to numerator and denominator. Default 0.
    pub smooth: f64,
    /// The least denominator, and the least ratio of which a logarithm is taken. Default 1e-7.
    pub eps: f64,
    /// Whether the loss is −log S instead of 1 − S. Default no.
    pub log: bool,
    /// What false alarms and misses cost.
    pub index: I,
}

/// What false alarms and misses cost, in proportion to hits.
pub trait OverlapIndex {
    /// The cost α of false positives.
    fn alpha(&self) -> f64;
    /// The cost β of false negatives.
    fn beta(&self) -> f64;
    /// The power γ that the mean is raised to.
    fn gamma(&self) -> f64 {
        1.
    }
}

impl<I: OverlapIndex + Default> OverlapLoss<I> {
    fn new(activation: Activation) -> Self {
        Self {
            activation,
            aggregation: Aggregation::Batch,
            absent: AbsentClasses::Free,
            class_weights: None,
            ignore_index: None,
            smooth: 0.,
            eps: 1e-7,
            log: false,
            index: I::default(),
        }
    }

    /// Of a softmax over the classes: each pixel has exactly one.
    #[must_use]
    pub fn softmax() -> Self {
        Self::new(Activation::Softmax)
    }

    /// Of a sigmoid of each logit: one class against none, or several that may share pixels.
    #[must_use]
    pub fn sigmoid() -> Self {
        Self::new(Activation::Sigmoid)
    }
}

impl<I> OverlapLoss<I> {
    /// Takes one ratio an image, and the mean of them, instead of one ratio for the batch.
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

    /// Sets what is added to numerator and denominator.
    #[must_use]
    pub fn with_smooth(mut self, smooth: f64) -> Self {
        self.smooth = smooth;
        self
    }

    /// Sets the least denominator.
    #[must_use]
    pub fn with_eps(mut self, eps: f64) -> Self {
        self.eps = eps;
        self
    }

    /// Takes −log S instead of 1 − S.
    #[must_use]
    pub fn with_log(mut self) -> Self {
        self.log = true;
        self
    }
}

impl<I: OverlapIndex> OverlapLoss<I> {
    fn check(&self) -> Result<()> {
        let Self { smooth, eps, index, .. } = self;
        let settings = [
            ("smooth", *smooth, *smooth >= 0.),
            ("eps", *eps, *eps > 0.),
            ("alpha", index.alpha(), index.alpha() >= 0.),
            ("beta", index.beta(), index.beta() >= 0.),
            ("gamma", index.gamma(), index.gamma() > 0.),
        ];
        for (name, value, valid) in settings {
            if !(valid && value.is_finite()) {
                bail!(
                    "{name} of an overlap loss is {value}: give a finite number, 0 or more; \
                     eps and gamma above 0"
                )
            }
        }
        if self.activation == Activation::Identity {
            bail!("an overlap loss needs probabilities: use softmax or sigmoid")
        }
        Ok(())
    }

    /// The loss of each group and class.
    fn losses(&self, counts: &SoftOverlap) -> Result<Tensor> {
        let SoftOverlap { shared, predicted, expected, .. } = counts;
        let false_positives = ((predicted - shared)? * self.index.alpha())?;
        let false_negatives = ((expected - shared)? * self.index.beta())?;
        let hits = (shared + self.smooth)?;
        let all = ((&hits + false_positives)? + false_negatives)?;
        let score = (hits / at_least(&all, self.eps)?)?;
        if self.log { at_least(&score, self.eps)?.log()?.neg() } else { score.affine(-1., 1.) }
    }
}

impl<I: OverlapIndex> Loss for OverlapLoss<I> {
    fn forward(&self, logits: &Tensor, target: &Tensor) -> Result<Tensor> {
        self.check()?;
        let planes = Planes::new(logits, target, self.activation, self.ignore_index)?;
        let weights =
            class_weights(self.class_weights.as_ref(), planes.logits.dim(1)?, &planes.logits)?;
        let p = self.activation.apply(&planes.logits)?;
        let mut counts = ocellus_ops::soft_overlap(&p, &planes.target)?;
        if self.aggregation == Aggregation::Batch {
            for sums in [&mut counts.shared, &mut counts.predicted, &mut counts.expected] {
                *sums = sums.sum_keepdim(0)?;
            }
        }
        let losses = self.losses(&counts)?;
        let present = counts.expected.gt(&counts.expected.zeros_like()?)?;
        let losses = match self.absent {
            AbsentClasses::Free => present.where_cond(&losses, &losses.zeros_like()?)?,
            _ => losses,
        };
        let weights = match self.absent {
            AbsentClasses::LeftOut => weights.broadcast_mul(&present.to_dtype(losses.dtype())?)?,
            _ => weights,
        };
        power(&class_mean(&losses, &weights)?, self.index.gamma())
    }
}

/// `max(x, least)`, with gradient 0 below.
fn at_least(x: &Tensor, least: f64) -> Result<Tensor> {
    let least = x.zeros_like()?.affine(1., least)?;
    x.ge(&least)?.where_cond(x, &least)
}

/// `xᵞ`, with gradient 0 at 0.
fn power(x: &Tensor, gamma: f64) -> Result<Tensor> {
    if gamma == 1. {
        return Ok(x.clone());
    }
    let (zeros, ones) = (x.zeros_like()?, x.ones_like()?);
    let some = x.gt(&zeros)?;
    let powers = some.where_cond(x, &ones)?.log()?.affine(gamma, 0.)?.exp()?;
    some.where_cond(&powers, &zeros)
}

#[cfg(test)]
mod tests {
    use candle_core::{DType, Device};
    use ocellus_testing::fill;

    use super::*;
    use crate::{Dice, Jaccard, Tversky};

    fn value(loss: &impl Loss, logits: &Tensor, target: &Tensor) -> f64 {
        loss.forward(logits, target).unwrap().to_scalar().unwrap()
    }

    #[test]
    fn equals_the_ratios_by_hand() -> Result<()> {
        // p of class 1: 0.8, 0.3, 0.5; truth 1, 0, 1. TP = 1.3, Σp = 1.6, Σy = 2.
        let p = [0.8f64, 0.3, 0.5];
        let logits: Vec<f64> = p.iter().map(|p| (p / (1. - p)).ln()).collect();
        let logits = Tensor::new(logits, &Device::Cpu)?.reshape((1, 1, 3))?;
        let target = Tensor::new(&[[1u32, 0, 1]], &Device::Cpu)?;
        let check = |loss: f64, expected: f64| assert!((loss - expected).abs() < 1e-12, "{loss}");
        check(value(&Dice::sigmoid(), &logits, &target), 1. - 2.6 / 3.6);
        check(value(&Dice::sigmoid().with_smooth(1.), &logits, &target), 1. - 2.3 / 2.8);
        check(value(&Jaccard::sigmoid(), &logits, &target), 1. - 1.3 / 2.3);
        check(value(&Jaccard::sigmoid().with_log(), &logits, &target), -(1.3f64 / 2.3).ln());
        let tversky = Tversky::sigmoid().with_alpha(0.3).with_beta(0.7);
        check(value(&tversky, &logits, &target), 1. - 1.3 / (1.3 + 0.09 + 0.49));
        let focal = tversky.with_gamma(0.75);
        check(value(&focal, &logits, &target), (1f64 - 1.3 / 1.88).powf(0.75));
        Ok(())
    }

    #[test]
    fn absent_classes_are_treated_as_set() -> Result<()> {
        let logits = fill((2, 3, 4), 0.3, DType::F64)?;
        // No pixel of class 2.
        let target = Tensor::new(&[[0u32, 1, 1, 0], [0, 0, 1, 0]], &Device::Cpu)?;
        let loss = |absent| value(&Dice::softmax().with_absent_classes(absent), &logits, &target);
        let free = loss(AbsentClasses::Free);
        let left_out = loss(AbsentClasses::LeftOut);
        assert!((left_out - free * 3. / 2.).abs() < 1e-12);
        // Nothing of the absent class is found: a loss of 1.
        assert!((loss(AbsentClasses::Counted) - (free + 1. / 3.)).abs() < 1e-12);
        Ok(())
    }

    #[test]
    fn images_alone_give_the_mean_of_their_losses() -> Result<()> {
        let logits = fill((3, 2, 4), 0.3, DType::F64)?;
        let target = Tensor::new(&[[0u32, 1, 9, 0], [0, 0, 1, 9], [9, 9, 1, 1]], &Device::Cpu)?;
        let dice = Dice::softmax().with_ignore_index(9);
        let each = dice.per_sample(&logits, &target)?.mean_all()?.to_scalar::<f64>()?;
        let together = value(&dice.clone().per_image(), &logits, &target);
        assert!((together - each).abs() < 1e-12, "{together} and {each}");
        assert!((value(&dice, &logits, &target) - each).abs() > 1e-3);
        Ok(())
    }

    #[test]
    fn rejects_settings_that_make_no_sense() -> Result<()> {
        let logits = fill((1, 2, 4), 0.3, DType::F64)?;
        let target = Tensor::new(&[[0u32, 1, 1, 0]], &Device::Cpu)?;
        let message = |loss: Tversky| loss.forward(&logits, &target).unwrap_err().to_string();
        let tversky = Tversky::softmax;
        assert!(message(tversky().with_smooth(-1.)).contains("smooth of an overlap loss is -1"));
        assert!(message(tversky().with_eps(0.)).contains("eps"));
        assert!(message(tversky().with_alpha(f64::NAN)).contains("alpha"));
        assert!(message(tversky().with_gamma(0.)).contains("gamma"));
        let weights = Tensor::ones(3, DType::F64, &Device::Cpu)?;
        let weighted = tversky().with_class_weights(weights);
        assert!(message(weighted).contains("class weights [3] for 2 classes"));
        let mut plain = tversky();
        plain.activation = Activation::Identity;
        assert!(message(plain).contains("softmax or sigmoid"));
        Ok(())
    }
}
