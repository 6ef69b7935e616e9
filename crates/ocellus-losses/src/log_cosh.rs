use candle_core::{Result, Tensor};

use crate::{ErrorLoss, error_loss::Measure};

/// The logarithm of the hyperbolic cosine of the error between probabilities and target.
///
/// ```text
/// L = mean_i log cosh(p_i − y_i)    class mean, as Keras computes it
/// L =  Σ_i  log cosh(p_i − y_i)    class sum, as printed                         [1], Eq. 4
/// ```
///
/// with p the softmax or the sigmoid of the logits, averaged over the batch. Like a squared error
/// near zero and an absolute error away from it.
///
/// # Shapes
///
/// - logits: `(batch, classes, …)`; with the sigmoid also `(batch, 1)` and `(batch)`
/// - target: class indices `(batch, …)`, or probabilities of the logits' shape
/// - output: a scalar
///
/// # Examples
///
/// ```
/// use candle_core::{Device, Tensor};
/// use ocellus_losses::{LogCosh, Loss};
///
/// // p_t = 1/2 for both classes: an error of ±1/2 each.
/// let logits = Tensor::new(&[[0f64, 0.]], &Device::Cpu)?;
/// let target = Tensor::new(&[1u32], &Device::Cpu)?;
/// let mean = LogCosh::softmax().forward(&logits, &target)?.to_scalar::<f64>()?;
/// let sum = LogCosh::softmax().class_sum().forward(&logits, &target)?.to_scalar::<f64>()?;
/// assert!((mean - 0.5f64.cosh().ln()).abs() < 1e-12);
/// assert!((sum - 2. * mean).abs() < 1e-12);
///
/// // One sigmoid says the same as a softmax over two classes.
/// let logit = Tensor::new(&[[0f64]], &Device::Cpu)?;
/// let sigmoid = LogCosh::sigmoid().forward(&logit, &target)?.to_scalar::<f64>()?;
/// assert!((sigmoid - mean).abs() < 1e-12);
/// # Ok::<(), candle_core::Error>(())
/// ```
///
/// # Deviations
///
/// The paper prints a sum over the classes, and its authors used Keras, which takes the mean: the
/// mean is the default here.
///
/// # References
///
/// 1. E. Yousef Kalafi et al. *Classification of breast cancer lesions in ultrasound images by
///    using attention layer and loss ensembles in deep convolutional neural networks.* 2021.
pub type LogCosh = ErrorLoss<LogCoshMeasure>;

/// log cosh e
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LogCoshMeasure;

impl Measure for LogCoshMeasure {
    fn of(&self, error: &Tensor) -> Result<Tensor> {
        ocellus_ops::log_cosh(error)
    }
}
