use candle_core::{DType, Result, Tensor, Var, backprop::GradStore};
use serde::{Deserialize, Serialize};

use crate::{checkpoint::exact, error::Error};

/// How a [`LossScale`] moves. The defaults are PyTorch's.
///
/// # Examples
///
/// ```
/// use ocellus_train::LossScaleConfig;
///
/// let config = LossScaleConfig::default().with_interval(500);
/// assert_eq!((config.initial, config.growth, config.backoff), (65536., 2., 0.5));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct LossScaleConfig {
    /// The scale of the first step.
    #[serde(with = "exact::number")]
    pub initial: f64,
    /// The factor on the scale after an interval of steps whose gradients were all finite.
    #[serde(with = "exact::number")]
    pub growth: f64,
    /// The factor on the scale after gradients that were not.
    #[serde(with = "exact::number")]
    pub backoff: f64,
    /// So many steps in a row.
    pub interval: usize,
}

impl Default for LossScaleConfig {
    fn default() -> Self {
        Self { initial: 65536., growth: 2., backoff: 0.5, interval: 2000 }
    }
}

impl LossScaleConfig {
    /// Sets the scale of the first step.
    #[must_use]
    pub fn with_initial(self, initial: f64) -> Self {
        Self { initial, ..self }
    }

    /// Sets the factor on the scale after an interval of finite gradients.
    #[must_use]
    pub fn with_growth(self, growth: f64) -> Self {
        Self { growth, ..self }
    }

    /// Sets the factor on the scale after gradients that are not finite.
    #[must_use]
    pub fn with_backoff(self, backoff: f64) -> Self {
        Self { backoff, ..self }
    }

    /// Sets the steps in a row after which the scale grows.
    #[must_use]
    pub fn with_interval(self, interval: usize) -> Self {
        Self { interval, ..self }
    }

    /// What is wrong with it.
    pub(crate) fn complaint(&self) -> Option<String> {
        let Self { initial, growth, backoff, interval } = *self;
        if !(initial >= f64::from(f32::MIN_POSITIVE) && initial <= f64::from(f32::MAX)) {
            Some(format!("the loss scale {initial} must be above 0 and within f32: try 65536"))
        } else if !(growth > 1. && growth.is_finite()) {
            Some(format!("the loss scale's growth {growth} must be above 1"))
        } else if !(backoff > 0. && backoff < 1.) {
            Some(format!("the loss scale's backoff {backoff} must be between 0 and 1"))
        } else if interval == 0 {
            Some("the loss scale's interval must be at least 1 step".to_owned())
        } else {
            None
        }
    }
}

/// A factor on the loss that keeps small gradients within the range of f16, and follows it by itself.
///
/// ```text
/// s ← backoff · s   after gradients that are not finite, which are thrown away
/// s ← growth · s    after `interval` steps in a row with finite ones, if that is finite
/// ```
///
/// f16 ends at 2⁻²⁴ and 65504: a gradient below the first becomes zero on its way back. Multiplied by s,
/// it does not; above the second it becomes infinite, which shows that s is too large. It does what
/// PyTorch's `GradScaler` does, to the bit: the scale is a number of f32. [`fit`](crate::fit()) has one
/// where it computes in f16.
///
/// # Examples
///
/// ```
/// use candle_core::{Device, Var};
/// use ocellus_train::{LossScale, LossScaleConfig, gradient_norm};
///
/// let p = [("p".to_owned(), Var::new(&[3f32, 4.], &Device::Cpu)?)];
/// let mut scale = LossScale::new(LossScaleConfig::default())?;
/// let loss = (p[0].1.sqr()?.sum_all()? * 0.5)?;
/// let mut grads = scale.scaled(&loss)?.backward()?;
/// scale.unscale(&mut grads, &p)?;
/// let norm = gradient_norm(&grads, &p)?;
/// assert_eq!(norm.value, 5.);
/// // Here an optimizer would take a step, if the norm is finite.
/// scale.update(norm.not_finite.is_none());
/// assert_eq!(scale.scale(), 65536.);
/// scale.update(false);
/// assert_eq!(scale.scale(), 32768.);
/// # Ok::<(), ocellus_train::Error>(())
/// ```
///
/// # References
///
/// 1. P. Micikevicius et al. *Mixed precision training.* ICLR 2018. <https://arxiv.org/abs/1710.03740>
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LossScale {
    config: LossScaleConfig,
    /// A number of f32.
    #[serde(with = "exact::number")]
    scale: f64,
    /// Steps with finite gradients since the scale changed.
    finite_steps: usize,
}

impl LossScale {
    /// The scale of a first step.
    ///
    /// # Errors
    ///
    /// If the scale is not above 0 and within f32, the growth not above 1, the backoff not between 0 and
    /// 1, or the interval 0.
    pub fn new(config: LossScaleConfig) -> crate::error::Result<Self> {
        match config.complaint() {
            Some(complaint) => Err(Error::Setting(complaint)),
            None => Ok(Self { config, scale: single(config.initial), finite_steps: 0 }),
        }
    }

    /// The factor.
    #[must_use]
    pub fn scale(&self) -> f64 {
        self.scale
    }

    /// The loss times the factor; in f32, if it is of half precision.
    ///
    /// # Errors
    ///
    /// If the loss is on a device that fails.
    pub fn scaled(&self, loss: &Tensor) -> Result<Tensor> {
        let loss = match loss.dtype() {
            DType::F16 | DType::BF16 => loss.to_dtype(DType::F32)?,
            _ => loss.clone(),
        };
        loss.affine(self.scale, 0.)
    }

    /// Divides gradients of a scaled loss by the factor. What is not finite stays so.
    ///
    /// # Errors
    ///
    /// If a gradient is on a device that fails.
    pub fn unscale(&self, grads: &mut GradStore, params: &[(String, Var)]) -> Result<()> {
        let inverse = single(self.scale.recip());
        for (_, var) in params {
            if let Some(grad) = grads.remove(var) {
                grads.insert(var, grad.affine(inverse, 0.)?);
            }
        }
        Ok(())
    }

    /// Moves the factor after a step, whose gradients were all `finite` or not.
    pub fn update(&mut self, finite: bool) {
        if !finite {
            self.scale = single(self.scale * self.config.backoff);
            self.finite_steps = 0;
            return;
        }
        self.finite_steps += 1;
        if self.finite_steps == self.config.interval {
            self.finite_steps = 0;
            let grown = single(self.scale * self.config.growth);
            if grown.is_finite() {
                self.scale = grown;
            }
        }
    }

    /// Whether a smaller factor could still help: the next one has all digits of f32.
    pub(crate) fn can_back_off(&self) -> bool {
        self.scale * self.config.backoff >= f64::from(f32::MIN_POSITIVE)
    }
}

/// Rounded to f32.
fn single(value: f64) -> f64 {
    f64::from(value as f32)
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;

    #[test]
    fn an_infinite_scale_is_not_taken() -> crate::error::Result<()> {
        let config = LossScaleConfig::default().with_initial(3e38).with_interval(1);
        let mut scale = LossScale::new(config)?;
        let before = scale.scale();
        scale.update(true);
        assert_eq!(scale.scale(), before);
        Ok(())
    }

    #[test]
    fn a_scale_that_cannot_fall_further_says_so() -> crate::error::Result<()> {
        let mut scale = LossScale::new(LossScaleConfig::default())?;
        let mut steps = 0;
        while scale.can_back_off() {
            scale.update(false);
            steps += 1;
        }
        assert_eq!((steps, scale.scale()), (16 + 126, f64::from(f32::MIN_POSITIVE)));
        Ok(())
    }

    #[test]
    fn a_loss_of_half_precision_does_not_overflow() -> crate::error::Result<()> {
        let scale = LossScale::new(LossScaleConfig::default())?;
        let loss = Tensor::new(2f32, &Device::Cpu)?.to_dtype(DType::F16)?;
        assert_eq!(scale.scaled(&loss)?.to_scalar::<f32>()?, 131_072.);
        Ok(())
    }

    #[test]
    fn settings_without_sense_are_errors() {
        let config = LossScaleConfig::default;
        for (config, what) in [
            (config().with_initial(0.), "loss scale 0"),
            (config().with_initial(f64::NAN), "loss scale NaN"),
            (config().with_initial(1e39), "within f32"),
            (config().with_growth(1.), "growth 1"),
            (config().with_backoff(1.), "backoff 1"),
            (config().with_interval(0), "at least 1 step"),
        ] {
            let error = LossScale::new(config).unwrap_err().to_string();
            assert!(error.contains(what), "{error}");
        }
    }
}
