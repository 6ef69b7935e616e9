use candle_core::{Result, Tensor};
use ocellus_losses::{CrossEntropy, LogCosh, Loss};

/// The loss ensemble: a weighted sum of cross-entropy and log-cosh.
///
/// ```text
/// L = α · L_CE + β · L_LCH                                                     [1], Eq. 5
/// L_CE = −Σ yᵢ log ŷᵢ,   L_LCH = ½ Σ log cosh(ŷᵢ − yᵢ)                         [1], Eqs. 3-4
/// ```
///
/// with `ŷ` the softmax over two classes. A weight of 0 leaves its loss out.
///
/// # Shapes
///
/// - logits: `(batch, classes)`
/// - target: `(batch,)` class indices, or class probabilities of the logits' shape
/// - output: a scalar
///
/// # Examples
///
/// ```
/// use candle_core::{Device, Tensor};
/// use ocellus_breast::Objective;
/// use ocellus_losses::Loss;
///
/// // p = (0.1, 0.9), the truth is class 1.
/// let logits = Tensor::new(&[[0f64, 9f64.ln()]], &Device::Cpu)?;
/// let target = Tensor::new(&[1u32], &Device::Cpu)?;
/// let loss = Objective::ensemble(0.5, 0.5).forward(&logits, &target)?.to_scalar::<f64>()?;
/// assert!((loss - 0.055176).abs() < 1e-6);
/// # Ok::<(), candle_core::Error>(())
/// ```
///
/// # Deviations
///
/// The paper prints a sum over the classes and trained with Keras, whose log-cosh averages over
/// them; the mean is the default here, [`Objective::class_sum`] the printed form.
///
/// # References
///
/// 1. E. Y. Kalafi et al. *Classification of Breast Cancer Lesions in Ultrasound Images by using
///    Attention Layer and loss Ensembles in Deep Convolutional Neural Networks.* 2021.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Objective {
    /// α, the weight of cross-entropy.
    pub cross_entropy: f64,
    /// β, the weight of log-cosh.
    pub log_cosh: f64,
    /// Whether log-cosh is summed over the classes, as printed, rather than averaged.
    pub class_sum: bool,
}

impl Objective {
    /// The ensemble with α = `cross_entropy` and β = `log_cosh`.
    #[must_use]
    pub fn ensemble(cross_entropy: f64, log_cosh: f64) -> Self {
        Self { cross_entropy, log_cosh, class_sum: false }
    }

    /// Cross-entropy alone.
    #[must_use]
    pub fn cross_entropy() -> Self {
        Self::ensemble(1., 0.)
    }

    /// Log-cosh alone.
    #[must_use]
    pub fn log_cosh() -> Self {
        Self::ensemble(0., 1.)
    }

    /// The ensemble of the paper, α = β = 0.5.
    #[must_use]
    pub fn paper() -> Self {
        Self::ensemble(0.5, 0.5)
    }

    /// Sums log-cosh over the classes, as equation 4 is printed.
    #[must_use]
    pub fn class_sum(mut self) -> Self {
        self.class_sum = true;
        self
    }
}

impl Loss for Objective {
    fn forward(&self, logits: &Tensor, target: &Tensor) -> Result<Tensor> {
        let log_cosh = LogCosh::softmax();
        let log_cosh = if self.class_sum { log_cosh.class_sum() } else { log_cosh };
        let ce = || CrossEntropy::default().weighted(self.cross_entropy).forward(logits, target);
        let lch = || log_cosh.weighted(self.log_cosh).forward(logits, target);
        match (self.cross_entropy != 0., self.log_cosh != 0.) {
            (true, false) => ce(),
            (false, true) => lch(),
            (true, true) => ce()? + lch()?,
            (false, false) => candle_core::bail!(
                "the weights of cross-entropy and log-cosh are both 0: nothing would be learned"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;

    fn at(objective: Objective, probability: f64) -> Result<f64> {
        let logits = Tensor::new(&[[(1. - probability).ln(), probability.ln()]], &Device::Cpu)?;
        objective.forward(&logits, &Tensor::new(&[1u32], &Device::Cpu)?)?.to_scalar::<f64>()
    }

    #[test]
    fn has_the_values_worked_out_by_hand() -> Result<()> {
        for (p, mean, sum) in
            [(0.5, 0.406631, 0.466688), (0.9, 0.055176, 0.057672), (0.1, 1.331208, 1.511123)]
        {
            assert!((at(Objective::paper(), p)? - mean).abs() < 1e-6);
            assert!((at(Objective::paper().class_sum(), p)? - sum).abs() < 1e-6);
        }
        Ok(())
    }

    #[test]
    fn a_zero_weight_leaves_its_loss_out() -> Result<()> {
        assert!((at(Objective::cross_entropy(), 0.9)? + 0.9f64.ln()).abs() < 1e-12);
        assert!((at(Objective::log_cosh(), 0.9)? - 0.1f64.cosh().ln()).abs() < 1e-12);
        let error = at(Objective::ensemble(0., 0.), 0.9).unwrap_err().to_string();
        assert!(error.contains("both 0"), "{error}");
        Ok(())
    }
}
