//! Triangular systems of many places.

use candle_core::{Result, Tensor};

use super::launch::{BLOCK, Divisor, Grid, lanes};
use super::machine::{Kernel, Machine, launch, settled};
use super::source::Family;
use crate::whiten::Whitened;

/// Threads that share a system at most: each row of it has to wait for all.
const MOST_LANES: usize = 32;

/// Of f32 or f64, checked.
pub(crate) fn whiten_packed(
    machine: &Machine,
    x: &Tensor,
    mean: &Tensor,
    factors: &Tensor,
) -> Result<Whitened> {
    let (x, mean, factors) = (settled(x)?, settled(mean)?, settled(factors)?);
    let (batch, places, size) = x.dims3()?;
    let systems = batch * places;
    let lanes = lanes(size).min(MOST_LANES);
    let mut y = machine.output(x.shape(), x.dtype())?;
    let mut squared = machine.output((batch, places), x.dtype())?;
    launch!(
        machine,
        Kernel::of(Family::Whiten, "whiten"),
        x.dtype(),
        Grid::blocks_up_to(systems.div_ceil(BLOCK / lanes)),
        [&x, &mean, &factors, &mut y, &mut squared, systems, Divisor(batch), places, size, lanes]
    )?;
    Ok(Whitened { residuals: y.tensor(), squared_distances: squared.tensor() })
}
