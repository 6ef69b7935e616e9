//! Convolutions as compositions of candle operations with right gradients, for devices without a
//! kernel. Not candle's own convolution: its gradient fails on strides and non-square images.

use candle_core::{Result, Tensor};

use super::geometry::Geometry;
use crate::cpu::widened;

/// y from x: the taps' shifted views of x side by side, times the filters.
pub(super) fn forward(
    g: &Geometry,
    x: &Tensor,
    weight: &Tensor,
    bias: Option<&Tensor>,
) -> Result<Tensor> {
    let p = g.padding;
    let padded = x.pad_with_zeros(2, p.top, p.bottom)?.pad_with_zeros(3, p.left, p.right)?;
    let mut taps = Vec::with_capacity(g.taps());
    for ky in 0..g.kernel.0 {
        let rows = every(&padded, 2, ky * g.dilation.0, g.stride.0, g.output.0)?;
        for kx in 0..g.kernel.1 {
            taps.push(every(&rows, 3, kx * g.dilation.1, g.stride.1, g.output.1)?);
        }
    }
    let columns = Tensor::stack(&taps, 2)?; // (batch, channels, taps, oh, ow)
    let columns = columns.reshape((g.batch, g.groups, g.depth(), g.output_plane()))?;
    let filters = weight.reshape((1, g.groups, g.co, g.depth()))?;
    let y = filters.broadcast_matmul(&columns)?.reshape(g.output_shape().as_slice())?;
    with_bias(y, bias)
}

/// x from y, the transpose of [`forward`]: filters times y, each tap's plane put to its place.
pub(super) fn transposed(
    g: &Geometry,
    y: &Tensor,
    weight: &Tensor,
    bias: Option<&Tensor>,
) -> Result<Tensor> {
    let values = y.reshape((g.batch, g.groups, g.co, g.output_plane()))?;
    let filters = weight.reshape((1, g.groups, g.co, g.depth()))?.transpose(2, 3)?;
    let columns = filters.broadcast_matmul(&values)?;
    let channels = g.groups * g.ci;
    let columns = columns.reshape((g.batch, channels, g.taps(), g.output_plane()))?;
    let mut sum: Option<Tensor> = None;
    for ky in 0..g.kernel.0 {
        for kx in 0..g.kernel.1 {
            let tap = columns.narrow(2, ky * g.kernel.1 + kx, 1)?;
            let tap = tap.reshape((g.batch, channels, g.output.0, g.output.1))?;
            let tap = place(&tap, 2, ky * g.dilation.0, g.stride.0, g.input.0 + g.padding.top)?;
            let tap = place(&tap, 3, kx * g.dilation.1, g.stride.1, g.input.1 + g.padding.left)?;
            sum = Some(match sum {
                None => tap,
                Some(sum) => (sum + tap)?,
            });
        }
    }
    match sum {
        None => candle_core::bail!("a kernel without taps"), // `Geometry` has refused it.
        Some(full) => {
            let x = full.narrow(2, g.padding.top, g.input.0)?;
            with_bias(x.narrow(3, g.padding.left, g.input.1)?.contiguous()?, bias)
        }
    }
}

/// In f32 for half precision: the bias's gradient is a sum over images and pixels, which candle takes in
/// the type of the values.
fn with_bias(y: Tensor, bias: Option<&Tensor>) -> Result<Tensor> {
    match bias {
        None => Ok(y),
        Some(bias) => widened(&[&y, bias], |t| t[0].broadcast_add(&t[1].reshape((1, (), 1, 1))?)),
    }
}

/// `count` entries along a dimension, from `start`, `step` apart.
fn every(x: &Tensor, dim: usize, start: usize, step: usize, count: usize) -> Result<Tensor> {
    if step == 1 {
        return x.narrow(dim, start, count);
    }
    let index: Vec<u32> = (0..count).map(|i| (start + i * step) as u32).collect();
    x.contiguous()?.index_select(&Tensor::new(index, x.device())?, dim)
}

/// The transpose of [`every`]: entries `step` apart from `start` on, zeros between, cut or
/// continued with zeros to `len`.
fn place(x: &Tensor, dim: usize, start: usize, step: usize, len: usize) -> Result<Tensor> {
    let mut x = x.clone();
    if step > 1 {
        let mut dims = x.dims().to_vec();
        x = x.unsqueeze(dim + 1)?.pad_with_zeros(dim + 1, 0, step - 1)?;
        dims[dim] *= step;
        x = x.reshape(dims)?;
    }
    let x = x.pad_with_zeros(dim, start, 0)?;
    let size = x.dim(dim)?;
    if size < len { x.pad_with_zeros(dim, 0, len - size) } else { x.narrow(dim, 0, len) }
}
