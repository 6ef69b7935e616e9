use std::{rc::Rc, sync::Arc};

use candle_core::{Result, Tensor, bail};

/// A training objective.
///
/// Every loss of the family takes **logits**, never probabilities, and returns a scalar, the mean
/// over the batch. A loss has no parameters to learn.
///
/// A tuple of two to four losses is their sum, and so is a `Vec` of them; `Box<dyn Loss>` is a loss,
/// so a program can choose its losses while it runs.
///
/// # Shapes
///
/// - logits: `(batch, classes)` or `(batch, classes, height, width)`; a loss that applies a sigmoid
///   also takes `(batch, 1)` and `(batch)`
/// - target: class indices (`u8`, `u32` or `i64`) in the logits' shape without the classes, or
///   floating-point probabilities in the logits' shape
/// - output: a scalar
///
/// # Examples
///
/// ```
/// use candle_core::{Device, Tensor};
/// use ocellus_losses::{CrossEntropy, LogCosh, Loss};
///
/// // Chosen while the program runs.
/// let mut losses: Vec<Box<dyn Loss>> = vec![Box::new(CrossEntropy::default().weighted(0.5))];
/// losses.push(Box::new(LogCosh::softmax().weighted(0.5)));
///
/// let logits = Tensor::new(&[[0f64, 0.], [9f64.ln(), 0.]], &Device::Cpu)?;
/// let target = Tensor::new(&[0u32, 0], &Device::Cpu)?;
/// let each = losses.per_sample(&logits, &target)?.to_vec1::<f64>()?;
/// assert!((each[0] - 0.406631).abs() < 1e-6);
/// assert!((each[1] - 0.055176).abs() < 1e-6);
/// # Ok::<(), candle_core::Error>(())
/// ```
pub trait Loss {
    /// The loss of `logits` against `target`: the mean over the batch, a scalar.
    ///
    /// # Errors
    ///
    /// If the shapes do not fit each other, or the target is no class of the logits.
    fn forward(&self, logits: &Tensor, target: &Tensor) -> Result<Tensor>;

    /// The loss that each sample would have alone, `(batch)`: for galleries of the worst errors.
    ///
    /// Its mean is [`forward`](Self::forward)'s value, unless class weights or an ignore index
    /// weigh the samples.
    ///
    /// # Errors
    ///
    /// As [`forward`](Self::forward), or if the batch is empty.
    ///
    /// # Complexity
    ///
    /// One evaluation per sample: meant for evaluation, not for training.
    fn per_sample(&self, logits: &Tensor, target: &Tensor) -> Result<Tensor> {
        if logits.rank() == 0 || target.rank() == 0 || logits.dim(0)? != target.dim(0)? {
            bail!(
                "a loss per sample needs as many targets as logits, got {:?} and {:?}",
                target.dims(),
                logits.dims()
            )
        }
        let losses = (0..logits.dim(0)?)
            .map(|i| self.forward(&logits.narrow(0, i, 1)?, &target.narrow(0, i, 1)?))
            .collect::<Result<Vec<_>>>()?;
        if losses.is_empty() {
            bail!("a loss per sample of an empty batch: logits {:?}", logits.dims())
        }
        Tensor::stack(&losses, 0)
    }

    /// This loss times a constant, so that losses can be summed in a ratio.
    fn weighted(self, weight: f64) -> Weighted<Self>
    where
        Self: Sized,
    {
        Weighted { loss: self, weight }
    }
}

/// A loss times a constant; see [`Loss::weighted`].
///
/// # Examples
///
/// ```
/// use candle_core::{Device, Tensor};
/// use ocellus_losses::{BinaryCrossEntropy, Loss};
///
/// let logits = Tensor::new(&[0f64], &Device::Cpu)?;
/// let target = Tensor::new(&[1f64], &Device::Cpu)?;
/// let loss = BinaryCrossEntropy::default().weighted(2.).forward(&logits, &target)?;
/// assert!((loss.to_scalar::<f64>()? - 2. * 2f64.ln()).abs() < 1e-12);
/// # Ok::<(), candle_core::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Weighted<L> {
    /// What is weighted.
    pub loss: L,
    /// The factor.
    pub weight: f64,
}

impl<L: Loss> Loss for Weighted<L> {
    fn forward(&self, logits: &Tensor, target: &Tensor) -> Result<Tensor> {
        if !self.weight.is_finite() {
            bail!("the weight of a loss must be finite, got {}", self.weight)
        }
        self.loss.forward(logits, target)? * self.weight
    }
}

macro_rules! sum_of_losses {
    ($($name:ident $index:tt),+) => {
        /// A sum of losses is a loss: an ensemble of losses is a tuple.
        impl<First: Loss, $($name: Loss),+> Loss for (First, $($name),+) {
            fn forward(&self, logits: &Tensor, target: &Tensor) -> Result<Tensor> {
                let sum = self.0.forward(logits, target)?;
                $(let sum = (sum + self.$index.forward(logits, target)?)?;)+
                Ok(sum)
            }
        }
    };
}

sum_of_losses!(Second 1);
sum_of_losses!(Second 1, Third 2);
sum_of_losses!(Second 1, Third 2, Fourth 3);

/// The sum of the losses.
///
/// # Errors
///
/// Additionally, if there is none.
impl<L: Loss> Loss for Vec<L> {
    fn forward(&self, logits: &Tensor, target: &Tensor) -> Result<Tensor> {
        let Some((first, rest)) = self.split_first() else {
            bail!("a sum of no losses: give one at least")
        };
        let mut sum = first.forward(logits, target)?;
        for loss in rest {
            sum = (sum + loss.forward(logits, target)?)?;
        }
        Ok(sum)
    }
}

macro_rules! pointer_to_a_loss {
    ($pointer:ty) => {
        impl<L: Loss + ?Sized> Loss for $pointer {
            fn forward(&self, logits: &Tensor, target: &Tensor) -> Result<Tensor> {
                (**self).forward(logits, target)
            }

            fn per_sample(&self, logits: &Tensor, target: &Tensor) -> Result<Tensor> {
                (**self).per_sample(logits, target)
            }
        }
    };
}

pointer_to_a_loss!(&L);
pointer_to_a_loss!(Box<L>);
pointer_to_a_loss!(Rc<L>);
pointer_to_a_loss!(Arc<L>);

#[cfg(test)]
mod tests {
    use candle_core::Device;
    use ocellus_testing::{assert_close, fill};

    use super::*;
    use crate::{BinaryCrossEntropy, CrossEntropy, LogCosh, MeanSquared};

    fn case() -> Result<(Tensor, Tensor)> {
        let logits = fill((3, 4), 0.3, candle_core::DType::F64)?;
        Ok((logits, Tensor::new(&[0u32, 3, 1], &Device::Cpu)?))
    }

    #[test]
    fn a_tuple_sums_its_losses() -> Result<()> {
        let (logits, target) = case()?;
        let (ce, lc, mse, bce) = (
            CrossEntropy::default(),
            LogCosh::softmax(),
            MeanSquared::softmax(),
            BinaryCrossEntropy::default(),
        );
        let values = [&ce as &dyn Loss, &lc, &mse, &bce]
            .map(|loss| loss.forward(&logits, &target))
            .into_iter()
            .collect::<Result<Vec<_>>>()?;
        let two = (&values[0] + &values[1])?;
        let three = (&two + &values[2])?;
        let four = (&three + &values[3])?;
        assert_close(&(ce.clone(), lc).forward(&logits, &target)?, &two, 0.)?;
        assert_close(&(ce.clone(), lc, mse).forward(&logits, &target)?, &three, 0.)?;
        assert_close(&(ce.clone(), lc, mse, bce.clone()).forward(&logits, &target)?, &four, 0.)?;
        let chosen: Vec<Box<dyn Loss>> =
            vec![Box::new(ce), Box::new(lc), Box::new(mse), Box::new(bce)];
        assert_close(&chosen.forward(&logits, &target)?, &four, 0.)
    }

    #[test]
    fn the_mean_of_the_samples_is_the_loss() -> Result<()> {
        let (logits, target) = case()?;
        let loss = (CrossEntropy::default().weighted(0.3), LogCosh::softmax().weighted(0.7));
        let each = loss.per_sample(&logits, &target)?;
        assert_eq!(each.dims(), [3]);
        assert_close(&each.mean_all()?, &loss.forward(&logits, &target)?, 1e-12)
    }

    #[test]
    fn rejects_a_sum_of_no_losses() -> Result<()> {
        let (logits, target) = case()?;
        let none: Vec<Box<dyn Loss>> = vec![];
        let error = none.forward(&logits, &target).unwrap_err().to_string();
        assert!(error.contains("no losses"), "{error}");
        Ok(())
    }

    #[test]
    fn rejects_a_weight_that_is_not_finite() -> Result<()> {
        let (logits, target) = case()?;
        let loss = LogCosh::softmax().weighted(f64::NAN);
        let error = loss.forward(&logits, &target).unwrap_err().to_string();
        assert!(error.contains("finite, got NaN"), "{error}");
        Ok(())
    }
}
