use candle_core::{Result, Tensor};

use super::geometry::Geometry;

/// The coupling as candle operations, for any device.
pub(super) fn composed(
    g: &Geometry,
    state: &Tensor,
    coefficients: &Tensor,
    affine: &Tensor,
) -> Result<Tensor> {
    let (dims, device) = (state.dims().to_vec(), state.device());
    let flat = |x: &Tensor, channels| x.reshape((g.batch, channels, g.pixels));
    let state = flat(state, g.channels + 1)?;
    let coefficients = flat(coefficients, 2 * g.active())?;
    let log_scale = g.log_scale(&coefficients.narrow(1, 0, g.active())?)?;
    let shift = g.shift(&coefficients.narrow(1, g.active(), g.active())?)?;
    let active = state.narrow(1, g.passive(), g.active())?;
    let active = ((active * log_scale.exp()?)? + shift)?;
    let row = |i: usize| affine.narrow(0, i, 1)?.reshape((1, g.channels, 1));
    let (scale, offset) = (row(0)?, row(1)?);
    let y = Tensor::cat(&[&state.narrow(1, 0, g.passive())?, &active], 1)?;
    let y = y.broadcast_mul(&scale)?.broadcast_add(&offset)?;
    let order: Vec<u32> = g.order.iter().map(|&channel| channel as u32).collect();
    let y = y.index_select(&Tensor::from_vec(order, g.channels, device)?, 1)?;
    let log_det = (state.narrow(1, g.channels, 1)? + log_scale.sum_keepdim(1)?)?;
    let log_det = log_det.broadcast_add(&scale.log()?.sum_keepdim(1)?)?;
    Tensor::cat(&[&y, &log_det], 1)?.reshape(dims)
}
