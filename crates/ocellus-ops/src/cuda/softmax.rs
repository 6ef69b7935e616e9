//! Softmax, its logarithm, and cross-entropy.

use candle_core::{DType, Result, Tensor};

use super::launch::{BLOCK, Divisor, Grid, lanes};
use super::loss::reduced;
use super::machine::{Kernel, Machine, Output, launch, settled};
use super::source::Family;
use super::unary::OnGpu;
use crate::Reduction;
use crate::axis::Axis;
use crate::cross_entropy::{CrossEntropy, Target};
use crate::softmax::{Along, Form};

fn kernel(name: &'static str) -> Kernel {
    Kernel::of(Family::Softmax, name)
}

/// Threads that share a position, and the grid for all positions.
fn shared(axis: Axis) -> (usize, Grid) {
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

impl CrossEntropy {
    /// Indices, probabilities and weights as the kernels read them.
    fn operands(&self, x: &Tensor) -> Result<[Tensor; 3]> {
        if let Some(operands) = self.on_device.get() {
            return Ok(operands.clone());
        }
        let weights = Tensor::new(self.weights.as_slice(), x.device())?;
        // In the place of what there is not stands something that is never read.
        let operands = match &self.target {
            Target::Probabilities(p) => [weights.clone(), settled(p)?, weights],
            Target::Indices(indices) => {
                let indices = Tensor::new(indices.classes(), x.device())?;
                [indices.clone(), indices, weights]
            }
        };
        let _ = self.on_device.set(operands.clone()); // For the backward pass.
        Ok(operands)
    }

    fn is_dense(&self) -> bool {
        matches!(self.target, Target::Probabilities(_))
    }
}

impl OnGpu for CrossEntropy {
    const HAS_KERNEL: bool = true;

    fn gpu_forward(&self, machine: &Machine, x: &Tensor) -> Result<Output> {
        let axis = Axis::new(x.dims(), self.dim);
        let (lanes, grid) = shared(axis);
        let [indices, probabilities, weights] = self.operands(x)?;
        let positions = axis.positions();
        let mut losses = machine.output(positions, DType::F64)?;
        launch!(
            machine,
            kernel("cross_entropy_forward"),
            x.dtype(),
            grid,
            [
                x,
                &indices,
                &probabilities,
                &weights,
                &mut losses,
                positions,
                axis.size,
                Divisor(axis.inner),
                lanes,
                self.is_dense(),
                self.kept,
                self.spread,
            ]
        )?;
        let shape = [&x.dims()[..self.dim], &x.dims()[self.dim + 1..]].concat();
        reduced(machine, losses, (shape.into(), x.dtype()), self.reduction, self.divisor)
    }

    fn gpu_backward(
        &self,
        machine: &Machine,
        x: &Tensor,
        _: &Tensor,
        g: &Tensor,
    ) -> Result<Output> {
        let axis = Axis::new(x.dims(), self.dim);
        let (lanes, grid) = shared(axis);
        let [indices, probabilities, weights] = self.operands(x)?;
        let mut dx = machine.output(x.shape(), x.dtype())?;
        let each = self.reduction == Reduction::None;
        let divisor = if each { 1. } else { self.divisor };
        launch!(
            machine,
            kernel("cross_entropy_backward"),
            x.dtype(),
            grid,
            [
                x,
                &indices,
                &probabilities,
                &weights,
                g,
                &mut dx,
                axis.positions(),
                axis.size,
                Divisor(axis.inner),
                lanes,
                self.is_dense(),
                self.kept,
                self.spread,
                each,
                divisor,
            ]
        )?;
        Ok(dx)
    }
}
