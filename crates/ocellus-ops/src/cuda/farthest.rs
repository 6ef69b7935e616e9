//! Points that are far from each other.

use candle_core::{DType, Result, Tensor};

use super::launch::{BLOCK, Grid};
use super::machine::{Kernel, Machine, Output, launch, settled};
use super::source::Family;
use crate::farthest::FarthestPoints;

/// Threads that measure a distance, as in the kernel.
const LANES: usize = 16;

/// Blocks of a step at most: each looks at what all have found.
const MOST_BLOCKS: usize = 1024;

/// Of f32 or f64, checked.
pub(crate) fn farthest_points(
    machine: &Machine,
    points: &Tensor,
    bounds: &Tensor,
    first: usize,
    count: usize,
) -> Result<FarthestPoints> {
    let (points, given) = (settled(points)?, settled(bounds)?);
    let ((all, size), dtype) = (points.dims2()?, points.dtype());
    let start = given.narrow(0, first, 1)?;
    let blocks = all.div_ceil(BLOCK / LANES).min(MOST_BLOCKS);
    let parts = || -> Result<(Output, Output)> {
        Ok((machine.output(blocks, dtype)?, machine.output(blocks, DType::U32)?))
    };
    let (mut before, mut after) = (parts()?, parts()?);
    let mut bounds = machine.output(all, dtype)?;
    let mut indices = machine.output(count, DType::U32)?;
    let mut squared = machine.output(count, dtype)?;
    for step in 0..count {
        launch!(
            machine,
            Kernel::of(Family::Farthest, "farthest_step"),
            dtype,
            Grid::blocks(blocks),
            [
                &points,
                &given,
                &start,
                &mut bounds,
                &mut before.0,
                &mut before.1,
                &mut after.0,
                &mut after.1,
                &mut indices,
                &mut squared,
                all,
                size,
                first,
                step,
            ]
        )?;
        std::mem::swap(&mut before, &mut after);
    }
    Ok(FarthestPoints { indices: indices.tensor(), squared_distances: squared.tensor() })
}
