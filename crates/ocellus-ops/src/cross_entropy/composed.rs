use candle_core::{Result, Tensor};

use super::CrossEntropyConfig;
use super::indices::IGNORED;
use super::target::Target;
use crate::Reduction;
use crate::axis::Axis;
use crate::softmax::log_composed;

/// The loss from candle's operations: `−Σ v · log softmax(x)` with dense targets `v`. It has
/// gradients for probabilities and class weights too.
pub(super) fn composed(x: &Tensor, target: &Target, config: &CrossEntropyConfig) -> Result<Tensor> {
    let CrossEntropyConfig { dim, label_smoothing: smoothing, reduction, .. } = *config;
    let axis = Axis::new(x.dims(), dim);
    let spread = smoothing / axis.size as f64;
    let weights = class_weights(x, axis, config)?;
    let (smoothed, divisor) = match target {
        Target::Probabilities(p) => {
            let positions = Tensor::new(axis.positions() as f64, x.device())?;
            (p.affine(1. - smoothing, spread)?, positions.to_dtype(x.dtype())?)
        }
        Target::Indices(indices) => {
            let indices = indices.classes();
            let smoothed = |hit: bool| spread + if hit { 1. - smoothing } else { 0. };
            let one_hot = dense(x, indices, axis, |hit| f64::from(u8::from(hit)))?;
            (dense(x, indices, axis, smoothed)?, (one_hot * &weights)?.sum_all()?)
        }
    };
    let v = (smoothed * weights)?;
    let costs = (&v * log_composed(x, dim)?.neg()?)?;
    // A logit of −∞ with target 0 costs nothing.
    let zeros = v.zeros_like()?;
    let losses = v.eq(&zeros)?.where_cond(&zeros, &costs)?.sum(dim)?;
    match reduction {
        Reduction::Mean => losses.sum_all()? / divisor,
        _ => reduction.apply(&losses),
    }
}

/// The class weights in the shape of the logits; ones if there are none.
fn class_weights(x: &Tensor, axis: Axis, config: &CrossEntropyConfig) -> Result<Tensor> {
    let weights = match &config.class_weights {
        Some(weights) => weights.to_device(x.device())?.to_dtype(x.dtype())?,
        None => Tensor::ones(axis.size, x.dtype(), x.device())?,
    };
    let mut shape = vec![1; x.rank()];
    shape[config.dim] = axis.size;
    weights.reshape(shape)?.broadcast_as(x.shape())
}

/// `f(whether the class is the target)` of each element; 0 where the target is ignored.
fn dense(
    x: &Tensor,
    indices: &[u32],
    axis: Axis,
    f: impl Fn(bool) -> f64 + Sync,
) -> Result<Tensor> {
    let zeros = vec![0.; x.elem_count()];
    let values: Vec<f64> = axis.map(&zeros, |_, at| match indices[at.position] {
        IGNORED => 0.,
        index => f(index as usize == at.class),
    });
    Tensor::from_vec(values, x.shape(), x.device())?.to_dtype(x.dtype())
}
