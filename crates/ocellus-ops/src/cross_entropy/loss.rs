use candle_core::{DType, Result, Tensor, bail};

use super::CrossEntropyConfig;
use super::composed::composed;
use super::kernel::CrossEntropy;
use super::target::{Target, check_form};
use crate::Reduction;
use crate::axis::Axis;
use crate::cpu::widened;
use crate::cuda;
use crate::implementation::{Code, code};
use crate::run::{require_float, run};

/// Cross-entropy of a softmax over classes, from logits.
///
/// ```text
/// Lᵢ = − Σ_c w_c q_ic log softmax(xᵢ)_c,   q = (1 − ε) · target + ε / classes
/// ```
///
/// A class index counts as the distribution that is 1 there. The mean is PyTorch's: for indices
/// `Σ Lᵢ / Σ w_tᵢ` over the elements that are not ignored, for probabilities `Σ Lᵢ / n`.
/// Softmax, logarithm and sum are one operation: no logit overflows, and besides the gradient
/// nothing of the logits' size is stored.
///
/// # Shapes
///
/// - logits: any, with the classes in dimension [`dim`](CrossEntropyConfig::dim): `(batch,
///   classes)`, `(batch, classes, height, width)`
/// - target: class indices (u8, u32 or i64) of that shape without `dim`, or probabilities
///   (floating point) of that shape; gradients flow to probabilities too
/// - output: a scalar, or the shape without `dim` with [`Reduction::None`]
///
/// # Examples
///
/// ```
/// use candle_core::{Device, Tensor};
/// use ocellus_ops::{CrossEntropyConfig, cross_entropy};
///
/// let logits = Tensor::new(&[[0f32, 9f32.ln()], [0., 0.]], &Device::Cpu)?;
/// let target = Tensor::new(&[1u32, 0], &Device::Cpu)?;
/// let loss = cross_entropy(&logits, &target, &CrossEntropyConfig::default())?;
/// // The probabilities of the right classes are 0.9 and 0.5.
/// let expected = -(0.9f32.ln() + 0.5f32.ln()) / 2.;
/// assert!((loss.to_scalar::<f32>()? - expected).abs() < 1e-6);
/// # Ok::<(), candle_core::Error>(())
/// ```
///
/// # Errors
///
/// If the shapes do not fit; if a target is neither a class nor the ignore index; if the smoothing
/// is not within 0 to 1; if there is one weight too many or too few; and for a mean if all targets
/// are ignored or weigh nothing.
///
/// Class indices on a GPU are not looked at, for that would mean to wait for it: one that is no class
/// gives NaN there, in the loss and in the gradient of its position, and so does the mean of nothing.
///
/// # Deviations
///
/// PyTorch returns NaN for the mean of nothing, ignores the index −100 by default, and accepts an
/// ignore index beside probabilities without using it; here the first and the last are errors, and
/// no index is ignored unless asked for. A class with target 0 and logit −∞ has the loss 0, not NaN.
pub fn cross_entropy(
    logits: &Tensor,
    target: &Tensor,
    config: &CrossEntropyConfig,
) -> Result<Tensor> {
    require_float("cross_entropy", logits)?;
    widened(&[logits], |x| single(&x[0], target, config))
}

/// Cross-entropy in f32 or f64.
fn single(logits: &Tensor, target: &Tensor, config: &CrossEntropyConfig) -> Result<Tensor> {
    let classes = check(logits, config)?;
    check_form(logits, target, config.dim, config.ignore_index)?;
    let tracked = |x: &Tensor| x.track_op();
    // The kernels have no gradients for targets and weights: the composition has.
    let compose = (tracked(target) && target.dtype().is_float())
        || config.class_weights.as_ref().is_some_and(tracked);
    let machine = match code("cross_entropy", logits)? {
        Code::Gpu(machine) if !compose => Some(machine),
        _ => None,
    };
    // To look at what is on a GPU is to wait until it has done all that it was given.
    if let (Some(machine), false) = (&machine, target.device().is_cpu()) {
        return cuda::cross_entropy(machine, logits, target, config);
    }
    let weights = match &config.class_weights {
        Some(weights) => weights.to_dtype(DType::F64)?.to_vec1::<f64>()?,
        None => vec![1.; classes],
    };
    let seen = Target::new(logits, target, config.dim, config.ignore_index)?;
    let divisor = divisor(&seen, &weights, logits, config)?;
    match &machine {
        Some(machine) => cuda::cross_entropy(machine, logits, target, config),
        None if compose => composed(logits, &seen, config),
        None => {
            let kernel = CrossEntropy::new(seen.clone(), weights, divisor, config);
            run(logits, kernel, |x| composed(x, &seen, config))
        }
    }
}

/// The number of classes, if the settings fit the logits.
fn check(logits: &Tensor, config: &CrossEntropyConfig) -> Result<usize> {
    let CrossEntropyConfig { dim, label_smoothing, .. } = *config;
    let Some(&classes) = logits.dims().get(dim) else {
        bail!("cross_entropy: logits {:?} have no dimension {dim} for the classes", logits.dims())
    };
    if classes == 0 {
        bail!("cross_entropy: logits {:?} have no classes in dimension {dim}", logits.dims())
    }
    if !(0. ..=1.).contains(&label_smoothing) {
        bail!("cross_entropy: the label smoothing {label_smoothing} is not within 0 to 1")
    }
    match &config.class_weights {
        Some(weights) if weights.dims() != [classes] => bail!(
            "cross_entropy: class weights {:?} for {classes} classes: give one weight a class",
            weights.dims()
        ),
        _ => Ok(classes),
    }
}

/// What the sum of the losses is divided by.
fn divisor(
    target: &Target,
    weights: &[f64],
    logits: &Tensor,
    config: &CrossEntropyConfig,
) -> Result<f64> {
    if config.reduction != Reduction::Mean {
        return Ok(1.);
    }
    let divisor = match target {
        Target::Indices(indices) if config.class_weights.is_some() => indices.weight(weights),
        Target::Indices(indices) => indices.labeled() as f64,
        Target::Probabilities(_) => Axis::new(logits.dims(), config.dim).positions() as f64,
    };
    if divisor == 0. {
        bail!(
            "cross_entropy: no target is left for a mean (none given, all ignored, or of weight \
             0): skip such a batch, or sum"
        )
    }
    Ok(divisor)
}
