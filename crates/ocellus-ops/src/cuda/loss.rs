//! Losses, and sums.

use candle_core::{DType, Result, Shape, Tensor};

use super::launch::{Divisor, Grid, pieces};
use super::machine::{Kernel, Machine, Output, launch, settled};
use super::source::Family;
use super::unary::OnGpu;
use crate::Reduction;
use crate::binary_cross_entropy::BinaryCrossEntropy;
use crate::soft_overlap::SoftOverlapSums;

pub(super) fn kernel(name: &'static str) -> Kernel {
    Kernel::of(Family::Loss, name)
}

/// Losses in double precision as their reduction has them, in the type of the logits: each, in that
/// shape, or their sum over a divisor.
pub(super) fn reduced(
    machine: &Machine,
    losses: Output,
    (shape, dtype): (Shape, DType),
    reduction: Reduction,
    divisor: f64,
) -> Result<Output> {
    if reduction == Reduction::None {
        return each(machine, losses, (shape, dtype));
    }
    add_parts(machine, parts(machine, losses, dtype)?, (().into(), dtype), 1. / divisor)
}

/// Losses in double precision, in that shape and type.
pub(super) fn each(
    machine: &Machine,
    losses: Output,
    (shape, dtype): (Shape, DType),
) -> Result<Output> {
    let losses = losses.tensor();
    let count = losses.elem_count();
    let mut each = machine.output(shape, dtype)?;
    let grid = Grid::elements(count);
    launch!(machine, kernel("narrow"), dtype, grid, [&losses, &mut each, count])?;
    Ok(each)
}

/// The sums of the pieces of numbers in double precision.
pub(super) fn parts(machine: &Machine, x: Output, dtype: DType) -> Result<Output> {
    let x = x.tensor();
    let (count, pieces) = (x.elem_count(), pieces(x.elem_count(), 1));
    let mut parts = machine.output(pieces, DType::F64)?;
    let grid = Grid::blocks(pieces);
    launch!(machine, kernel("sum_part"), dtype, grid, [&x, &mut parts, count, pieces])?;
    Ok(parts)
}

/// Sums of as many parts each as there are for an element of the shape, times a factor.
pub(super) fn add_parts(
    machine: &Machine,
    parts: Output,
    (shape, dtype): (Shape, DType),
    factor: f64,
) -> Result<Output> {
    let mut sums = machine.output(shape, dtype)?;
    let rows = sums.shape.elem_count();
    let pieces = parts.shape.elem_count() / rows;
    let kernel = Kernel::of(Family::Norm, "add_parts");
    let parts = parts.tensor();
    launch!(machine, kernel, dtype, Grid::blocks(rows), [&parts, &mut sums, pieces, factor])?;
    Ok(sums)
}

impl OnGpu for BinaryCrossEntropy {
    const HAS_KERNEL: bool = true;

    fn gpu_forward(&self, machine: &Machine, x: &Tensor) -> Result<Output> {
        let count = x.elem_count();
        let (target, weight) = self.operands(x)?;
        let mut losses = machine.output(count, DType::F64)?;
        let has_weight = self.weight.is_some();
        launch!(
            machine,
            kernel("bce_forward"),
            x.dtype(),
            Grid::elements(count),
            [x, &target, &weight, &mut losses, count, has_weight]
        )?;
        let divisor = if self.reduction == Reduction::Mean { count as f64 } else { 1. };
        reduced(machine, losses, (x.shape().clone(), x.dtype()), self.reduction, divisor)
    }

    fn gpu_backward(
        &self,
        machine: &Machine,
        x: &Tensor,
        _: &Tensor,
        g: &Tensor,
    ) -> Result<Output> {
        let count = x.elem_count();
        let (target, weight) = self.operands(x)?;
        let mut dx = machine.output(x.shape(), x.dtype())?;
        let (has_weight, each) = (self.weight.is_some(), self.reduction == Reduction::None);
        let divisor = if self.reduction == Reduction::Mean { count as f64 } else { 1. };
        launch!(
            machine,
            kernel("bce_backward"),
            x.dtype(),
            Grid::elements(count),
            [x, &target, &weight, g, &mut dx, count, has_weight, each, divisor]
        )?;
        Ok(dx)
    }
}

impl BinaryCrossEntropy {
    /// Target and weight as a kernel can read them; some tensor in the place of no weight.
    fn operands(&self, x: &Tensor) -> Result<(Tensor, Tensor)> {
        let weight = self.weight.as_ref().unwrap_or(x);
        Ok((settled(&self.target)?, settled(weight)?))
    }
}

impl OnGpu for SoftOverlapSums {
    const HAS_KERNEL: bool = true;

    fn gpu_forward(&self, machine: &Machine, x: &Tensor) -> Result<Output> {
        let (rows, n) = x.dims2()?;
        let target = settled(&self.target)?;
        let pieces = pieces(n, rows);
        let mut parts = machine.output((3, rows, pieces), DType::F64)?;
        let grid = Grid::blocks(rows * pieces);
        launch!(
            machine,
            kernel("overlap_part"),
            x.dtype(),
            grid,
            [x, &target, &mut parts, rows, n, pieces]
        )?;
        add_parts(machine, parts, ((3, rows).into(), x.dtype()), 1.)
    }

    fn gpu_backward(
        &self,
        machine: &Machine,
        x: &Tensor,
        _: &Tensor,
        g: &Tensor,
    ) -> Result<Output> {
        let (rows, n) = x.dims2()?;
        let target = settled(&self.target)?;
        let mut dx = machine.output(x.shape(), x.dtype())?;
        let count = x.elem_count();
        launch!(
            machine,
            kernel("overlap_backward"),
            x.dtype(),
            Grid::elements(count),
            [x, &target, g, &mut dx, count, rows, Divisor(n)]
        )?;
        Ok(dx)
    }
}
