use candle_core::{Result, Tensor};

use super::BatchStatistics;

/// Normalization with the batch's statistics, from candle's operations.
pub(super) fn training(
    x: &Tensor,
    weight: &Tensor,
    bias: &Tensor,
    eps: f64,
) -> Result<(Tensor, BatchStatistics)> {
    let planes = planes(x)?;
    let mean = planes.mean_keepdim((0, 2))?;
    let centered = planes.broadcast_sub(&mean)?;
    let var = centered.sqr()?.mean_keepdim((0, 2))?;
    let statistics = BatchStatistics {
        mean: mean.flatten_all()?.detach(),
        var: var.flatten_all()?.detach(),
        count: x.elem_count() / x.dims()[1],
    };
    Ok((scale(&centered, &var, weight, bias, eps)?.reshape(x.shape())?, statistics))
}

/// Normalization with given statistics, from candle's operations.
pub(super) fn inference(
    x: &Tensor,
    mean: &Tensor,
    var: &Tensor,
    weight: &Tensor,
    bias: &Tensor,
    eps: f64,
) -> Result<Tensor> {
    let centered = planes(x)?.broadcast_sub(&mean.reshape((1, (), 1))?)?;
    scale(&centered, &var.reshape((1, (), 1))?, weight, bias, eps)?.reshape(x.shape())
}

/// `(batch, channels, all other dimensions)`.
fn planes(x: &Tensor) -> Result<Tensor> {
    let (batch, channels) = (x.dims()[0], x.dims()[1]);
    x.reshape((batch, channels, x.dims()[2..].iter().product::<usize>()))
}

fn scale(
    centered: &Tensor,
    var: &Tensor,
    weight: &Tensor,
    bias: &Tensor,
    eps: f64,
) -> Result<Tensor> {
    let normalized = centered.broadcast_div(&(var + eps)?.sqrt()?)?;
    normalized.broadcast_mul(&weight.reshape((1, (), 1))?)?.broadcast_add(&bias.reshape((
        1,
        (),
        1,
    ))?)
}
