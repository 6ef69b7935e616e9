//! Softmax and its logarithm.

use candle_core::{Result, Tensor};

use super::launch::{BLOCK, Divisor, Grid, lanes};
use super::machine::{Kernel, Machine, Output, launch};
use super::source::Family;
use super::unary::OnGpu;
use crate::axis::Axis;
use crate::softmax::{Along, Form};

pub(super) fn kernel(name: &'static str) -> Kernel {
    Kernel::of(Family::Softmax, name)
}

/// Threads that share a position, and the grid for all positions.
pub(super) fn shared(axis: Axis) -> (usize, Grid) {
    // Where positions are neighbors, so are the elements that threads of one lane each read.
    let lanes = if axis.inner > 1 { 1 } else { lanes(axis.size) };
    (lanes, Grid::blocks_up_to(axis.positions().div_ceil(BLOCK / lanes)))
}

impl<F: Form> OnGpu for Along<F> {
    const HAS_KERNEL: bool = true;

    fn gpu_forward(&self, machine: &Machine, x: &Tensor) -> Result<Output> {
        let axis = Axis::new(x.dims(), self.dim);
        let (lanes, grid) = shared(axis);
        let mut y = machine.output(x.shape(), x.dtype())?;
        let (positions, logarithm) = (axis.positions(), !F::OF_POWERS);
        launch!(
            machine,
            kernel("softmax_forward"),
            x.dtype(),
            grid,
            [x, &mut y, positions, axis.size, Divisor(axis.inner), lanes, logarithm]
        )?;
        Ok(y)
    }

    fn gpu_backward(
        &self,
        machine: &Machine,
        x: &Tensor,
        y: &Tensor,
        g: &Tensor,
    ) -> Result<Output> {
        let axis = Axis::new(x.dims(), self.dim);
        let (lanes, grid) = shared(axis);
        let mut dx = machine.output(x.shape(), x.dtype())?;
        let (positions, logarithm) = (axis.positions(), !F::OF_POWERS);
        launch!(
            machine,
            kernel("softmax_backward"),
            x.dtype(),
            grid,
            [y, g, &mut dx, positions, axis.size, Divisor(axis.inner), lanes, logarithm]
        )?;
        Ok(dx)
    }
}
