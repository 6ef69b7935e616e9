use candle_core::{DType, Result, Tensor, bail};

use super::composed;
use super::kernel::Normalize;
use super::statistics::{BatchStatistics, Moments, moments};
use crate::cpu::{dispatch, widened};
use crate::implementation::use_kernel;
use crate::run::require_float;

/// Normalizes each channel by mean and variance of the batch, for training.
///
/// ```text
/// y = (x − E[x]) / √(Var[x] + ε) · weight + bias                                    [1], Alg. 1
/// ```
///
/// The variance is the biased one. Gradients flow through mean and variance; the statistics that
/// are returned, to update running ones, are detached. Sums are kept in f64.
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
    let channels = check("batch_norm", x, &[("weight", weight), ("bias", bias)], eps)?;
    let count = x.elem_count() / channels;
    if count < 2 {
        bail!(
            "batch_norm: input {:?} has {count} value per channel, which has no variance: train \
             with larger batches (drop the last, incomplete one) or use batch_norm_inference",
            x.dims()
        )
    }
    let (weight, bias) = affine(x, channels, weight, bias)?;
    let mut statistics = None;
    let y = widened(&[x], |x| {
        let (y, found) = if use_kernel("batch_norm", &x[0])? {
            kernel(&x[0], &weight, &bias, eps, count)?
        } else {
            composed::training(&x[0], &weight, &bias, eps)?
        };
        statistics = Some(found);
        Ok(y)
    })?;
    match statistics {
        Some(statistics) => Ok((y, statistics)),
        None => bail!("batch_norm: no statistics were computed"),
    }
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
    let given = [("mean", Some(mean)), ("variance", Some(var)), ("weight", weight), ("bias", bias)];
    let channels = check("batch_norm_inference", x, &given, eps)?;
    let (weight, bias) = affine(x, channels, weight, bias)?;
    // The kernel has no gradients for the statistics: the composition has.
    let compose = mean.track_op() || var.track_op();
    widened(&[x], |x| {
        let x = &x[0];
        if compose || !use_kernel("batch_norm_inference", x)? {
            let (mean, var) = (mean.to_dtype(x.dtype())?, var.to_dtype(x.dtype())?);
            return composed::inference(x, &mean, &var, &weight, &bias, eps);
        }
        let values = |x: &Tensor| x.to_dtype(DType::F64)?.to_vec1::<f64>();
        let pairs = values(mean)?.into_iter().zip(values(var)?);
        let moments = pairs.map(|(mean, var)| Moments { mean, var }).collect();
        x.apply_op3(&weight, &bias, Normalize { moments, eps, of_batch: false })
    })
}

fn kernel(
    x: &Tensor,
    weight: &Tensor,
    bias: &Tensor,
    eps: f64,
    count: usize,
) -> Result<(Tensor, BatchStatistics)> {
    let x = x.contiguous()?;
    let (moments, statistics) = dispatch!(x.dtype(), "batch_norm", T => {
        let moments = moments::<T>(&x)?;
        let statistics = BatchStatistics::new::<T>(&moments, count)?;
        (moments, statistics)
    });
    let y = x.apply_op3(weight, bias, Normalize { moments, eps, of_batch: true })?;
    Ok((y, statistics))
}

/// The number of channels, if everything has that many.
fn check(op: &str, x: &Tensor, given: &[(&str, Option<&Tensor>)], eps: f64) -> Result<usize> {
    require_float(op, x)?;
    let &[_, channels, ..] = x.dims() else {
        bail!("{op}: input {:?} is not (batch, channels, …)", x.dims())
    };
    if channels == 0 {
        bail!("{op}: input {:?} has no channels", x.dims())
    }
    if !(0. ..f64::INFINITY).contains(&eps) {
        bail!("{op}: eps {eps} must be finite and not negative")
    }
    for (name, tensor) in given {
        match tensor {
            Some(tensor) if tensor.dims() != [channels] => {
                bail!("{op}: {name} {:?} for {channels} channels", tensor.dims())
            }
            _ => {}
        }
    }
    Ok(channels)
}

/// Weight and bias, in the type that is computed in.
fn affine(
    x: &Tensor,
    channels: usize,
    weight: Option<&Tensor>,
    bias: Option<&Tensor>,
) -> Result<(Tensor, Tensor)> {
    let dtype = if x.dtype() == DType::F64 { DType::F64 } else { DType::F32 };
    let or = |given: Option<&Tensor>, default: fn(usize, DType, &_) -> Result<Tensor>| match given {
        Some(tensor) => tensor.to_dtype(dtype),
        None => default(channels, dtype, x.device()),
    };
    Ok((or(weight, Tensor::ones)?, or(bias, Tensor::zeros)?))
}
