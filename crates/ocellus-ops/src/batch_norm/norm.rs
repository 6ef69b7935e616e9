use candle_core::{Result, Tensor};

use super::BatchStatistics;
use super::arguments::Arguments;

/// Normalizes each channel by mean and variance of the batch, for training.
///
/// ```text
/// y = (x − E[x]) / √(Var[x] + ε) · weight + bias                                    [1], Alg. 1
/// ```
///
/// The variance is the biased one. Gradients flow through mean and variance; the statistics that
/// are returned, to update running ones, are detached. Sums are kept in f64. f16 and bf16 are
/// computed in f32; weight and bias may be f32 with them, and are not rounded then.
///
/// # Shapes
///
/// - input and output: `(batch, channels, …)`: `(batch, channels)`, `(batch, channels, height,
///   width)`
/// - weight and bias: `(channels,)`; none is 1 and 0
///
/// # Examples
///
/// ```
/// use candle_core::{Device, Tensor};
/// use ocellus_ops::batch_norm;
///
/// let x = Tensor::new(&[[1f32, 10.], [3., 30.]], &Device::Cpu)?;
/// let (y, statistics) = batch_norm(&x, None, None, 0.)?;
/// assert_eq!(y.to_vec2::<f32>()?, [[-1., -1.], [1., 1.]]);
/// assert_eq!(statistics.mean.to_vec1::<f32>()?, [2., 20.]);
/// assert_eq!(statistics.var.to_vec1::<f32>()?, [1., 100.]);
/// assert_eq!(statistics.count, 2);
/// # Ok::<(), candle_core::Error>(())
/// ```
///
/// # Errors
///
/// If a channel has a single value, whose variance says nothing; if the shapes do not fit; if `eps`
/// is negative.
///
/// # References
///
/// 1. S. Ioffe and C. Szegedy. *Batch normalization: accelerating deep network training by reducing
///    internal covariate shift.* ICML 2015. <https://arxiv.org/abs/1502.03167>
pub fn batch_norm(
    x: &Tensor,
    weight: Option<&Tensor>,
    bias: Option<&Tensor>,
    eps: f64,
) -> Result<(Tensor, BatchStatistics)> {
    let op = "batch_norm";
    Arguments { op, x, residual: None, weight, bias, eps, relu: false }.train()
}

/// [`batch_norm`], the sum with a residual and [`relu`](crate::relu) in one, for training.
///
/// ```text
/// y = max(0, (x − E[x]) / √(Var[x] + ε) · weight + bias + residual)
/// ```
///
/// Of the tensors that the operations one by one keep for the backward pass, this keeps one, and
/// each pass reads and writes memory once where they do so three times. The gradient at 0 is 0, as
/// of [`relu`](crate::relu).
///
/// # Shapes
///
/// - input, residual and output: `(batch, channels, …)`; no residual is 0
/// - weight and bias: `(channels,)`; none is 1 and 0
///
/// # Examples
///
/// ```
/// use candle_core::{Device, Tensor};
/// use ocellus_ops::batch_norm_relu;
///
/// let x = Tensor::new(&[[1f32, 10.], [3., 30.]], &Device::Cpu)?;
/// let (y, statistics) = batch_norm_relu(&x, None, None, None, 0.)?;
/// assert_eq!(y.to_vec2::<f32>()?, [[0., 0.], [1., 1.]]);
/// assert_eq!(statistics.mean.to_vec1::<f32>()?, [2., 20.]);
///
/// let residual = Tensor::new(&[[3f32, 0.5], [-5., 0.]], &Device::Cpu)?;
/// let (y, _) = batch_norm_relu(&x, Some(&residual), None, None, 0.)?;
/// assert_eq!(y.to_vec2::<f32>()?, [[2., 0.], [0., 1.]]);
/// # Ok::<(), candle_core::Error>(())
/// ```
///
/// # Errors
///
/// As of [`batch_norm`]; if the residual has another shape, type or device than the input.
pub fn batch_norm_relu(
    x: &Tensor,
    residual: Option<&Tensor>,
    weight: Option<&Tensor>,
    bias: Option<&Tensor>,
    eps: f64,
) -> Result<(Tensor, BatchStatistics)> {
    let op = "batch_norm_relu";
    Arguments { op, x, residual, weight, bias, eps, relu: true }.train()
}

/// Normalizes each channel by given mean and variance, for inference.
///
/// ```text
/// y = (x − mean) / √(var + ε) · weight + bias
/// ```
///
/// # Shapes
///
/// - input and output: `(batch, channels, …)`
/// - mean, variance, weight and bias: `(channels,)`; no weight is 1, no bias 0
///
/// # Examples
///
/// ```
/// use candle_core::{Device, Tensor};
/// use ocellus_ops::batch_norm_inference;
///
/// let x = Tensor::new(&[[1f32, 10.]], &Device::Cpu)?;
/// let mean = Tensor::new(&[0f32, 20.], &Device::Cpu)?;
/// let var = Tensor::new(&[4f32, 25.], &Device::Cpu)?;
/// let y = batch_norm_inference(&x, &mean, &var, None, None, 0.)?;
/// assert_eq!(y.to_vec2::<f32>()?, [[0.5, -2.]]);
/// # Ok::<(), candle_core::Error>(())
/// ```
///
/// # Errors
///
/// If the shapes do not fit, or `eps` is negative.
pub fn batch_norm_inference(
    x: &Tensor,
    mean: &Tensor,
    var: &Tensor,
    weight: Option<&Tensor>,
    bias: Option<&Tensor>,
    eps: f64,
) -> Result<Tensor> {
    let op = "batch_norm_inference";
    Arguments { op, x, residual: None, weight, bias, eps, relu: false }.infer(mean, var)
}

/// [`batch_norm_inference`], the sum with a residual and [`relu`](crate::relu) in one.
///
/// ```text
/// y = max(0, (x − mean) / √(var + ε) · weight + bias + residual)
/// ```
///
/// # Shapes
///
/// - input, residual and output: `(batch, channels, …)`; no residual is 0
/// - mean, variance, weight and bias: `(channels,)`; no weight is 1, no bias 0
///
/// # Examples
///
/// ```
/// use candle_core::{Device, Tensor};
/// use ocellus_ops::batch_norm_inference_relu;
///
/// let x = Tensor::new(&[[1f32, 10.]], &Device::Cpu)?;
/// let residual = Tensor::new(&[[1f32, 1.]], &Device::Cpu)?;
/// let mean = Tensor::new(&[0f32, 20.], &Device::Cpu)?;
/// let var = Tensor::new(&[4f32, 25.], &Device::Cpu)?;
/// let y = batch_norm_inference_relu(&x, Some(&residual), &mean, &var, None, None, 0.)?;
/// assert_eq!(y.to_vec2::<f32>()?, [[1.5, 0.]]);
/// # Ok::<(), candle_core::Error>(())
/// ```
///
/// # Errors
///
/// As of [`batch_norm_inference`]; if the residual has another shape, type or device than the
/// input.
pub fn batch_norm_inference_relu(
    x: &Tensor,
    residual: Option<&Tensor>,
    mean: &Tensor,
    var: &Tensor,
    weight: Option<&Tensor>,
    bias: Option<&Tensor>,
    eps: f64,
) -> Result<Tensor> {
    let op = "batch_norm_inference_relu";
    Arguments { op, x, residual, weight, bias, eps, relu: true }.infer(mean, var)
}
