//! Normalizing flows: the affine coupling, and the density.

use candle_core::{DType, Result, Tensor};

use super::launch::{Divisor, Grid, pieces};
use super::machine::{Argument, Kernel, Machine, Output, launch, settled};
use super::node::node;
use super::source::Family;
use super::table::Table;
use super::unary::OnGpu;
use crate::backward::collect;
use crate::coupling::Geometry;
use crate::log_density::{LN_SQRT_2PI, LogDensity};

fn kernel(name: &'static str) -> Kernel {
    Kernel::of(Family::Flow, name)
}

/// See [`coupling`](crate::coupling()), of arguments that fit together.
pub(crate) fn coupling(
    machine: Machine,
    geometry: Geometry,
    state: &Tensor,
    coefficients: &Tensor,
    affine: &Tensor,
) -> Result<Tensor> {
    let settled_all = [settled(state)?, settled(coefficients)?, settled(affine)?];
    let output = Coupling::new(&machine, &geometry, &settled_all)?.forward()?;
    node("coupling", &[state, coefficients, affine], output, move |arguments, _, gradient| {
        let tensors = [settled(arguments[0])?, settled(arguments[1])?, settled(arguments[2])?];
        let coupling = Coupling::new(&machine, &geometry, &tensors)?;
        let gradient = settled(gradient)?;
        let give = |x: &Tensor, found: Output| {
            if x.track_op() { collect(x, found.tensor()) } else { Ok(None) }
        };
        let [by_state, by_coefficients] = coupling.backward(&gradient)?;
        let by_affine = match arguments[2].track_op() {
            true => collect(arguments[2], coupling.by_affine(&gradient)?.tensor())?,
            false => None,
        };
        Ok(vec![give(arguments[0], by_state)?, give(arguments[1], by_coefficients)?, by_affine])
    })
}

struct Coupling<'a> {
    machine: &'a Machine,
    geometry: &'a Geometry,
    state: &'a Tensor,
    coefficients: &'a Tensor,
    affine: &'a Tensor,
    order: Tensor,
}

impl<'a> Coupling<'a> {
    fn new(
        machine: &'a Machine,
        geometry: &'a Geometry,
        [state, coefficients, affine]: &'a [Tensor; 3],
    ) -> Result<Self> {
        let order = geometry.order.iter().map(|&channel| channel as u32).collect();
        let order = Table::Integers(order).beside(state)?;
        Ok(Self { machine, geometry, state, coefficients, affine, order })
    }

    /// Pixels of all images.
    fn count(&self) -> usize {
        self.geometry.batch * self.geometry.pixels
    }

    /// What all kernels take at their end: sizes and constants.
    fn settings(&self) -> [Argument<'static>; 7] {
        let g = self.geometry;
        let [alpha, inner, shrink] = g.numbers();
        [
            self.count().into(),
            Divisor(g.pixels).into(),
            g.channels.into(),
            g.active().into(),
            alpha.into(),
            inner.into(),
            shrink.into(),
        ]
    }

    fn run(&self, name: &'static str, grid: Grid, tensors: Vec<Argument<'_>>) -> Result<()> {
        let mut arguments: Vec<Argument<'_>> = tensors;
        arguments.extend(self.settings());
        self.machine.launch(kernel(name), self.state.dtype(), grid, &mut arguments)
    }

    fn forward(&self) -> Result<Output> {
        let mut log_scales = self.machine.output(1, DType::F64)?;
        let (channels, dtype) = (self.geometry.channels, self.state.dtype());
        launch!(
            self.machine,
            kernel("sum_of_logs"),
            dtype,
            Grid::blocks(1),
            [self.affine, &mut log_scales, channels]
        )?;
        let log_scales = log_scales.tensor();
        let mut y = self.machine.output(self.state.shape(), dtype)?;
        let tensors = vec![
            self.state.into(),
            self.coefficients.into(),
            self.affine.into(),
            (&self.order).into(),
            (&log_scales).into(),
            (&mut y).into(),
        ];
        self.run("coupling_forward", Grid::elements(self.count()), tensors)?;
        Ok(y)
    }

    /// By state and coefficients.
    fn backward(&self, gradient: &Tensor) -> Result<[Output; 2]> {
        let dtype = self.state.dtype();
        let mut by_state = self.machine.output(self.state.shape(), dtype)?;
        let mut by_coefficients = self.machine.output(self.coefficients.shape(), dtype)?;
        let tensors = vec![
            self.state.into(),
            self.coefficients.into(),
            self.affine.into(),
            (&self.order).into(),
            gradient.into(),
            (&mut by_state).into(),
            (&mut by_coefficients).into(),
        ];
        self.run("coupling_backward", Grid::elements(self.count()), tensors)?;
        Ok([by_state, by_coefficients])
    }

    fn by_affine(&self, gradient: &Tensor) -> Result<Output> {
        let (channels, dtype) = (self.geometry.channels, self.state.dtype());
        let places = channels + 1;
        let pieces = pieces(self.count(), places);
        let mut parts = self.machine.output((places, pieces, 2), DType::F64)?;
        let mut arguments: Vec<Argument<'_>> = vec![
            self.state.into(),
            self.coefficients.into(),
            (&self.order).into(),
            gradient.into(),
            (&mut parts).into(),
        ];
        arguments.extend(self.settings());
        arguments.push(pieces.into());
        let grid = Grid::blocks(places * pieces);
        self.machine.launch(kernel("coupling_sums"), dtype, grid, &mut arguments)?;
        drop(arguments);
        let parts = parts.tensor();
        let mut by_affine = self.machine.output(self.affine.shape(), dtype)?;
        launch!(
            self.machine,
            kernel("coupling_affine"),
            dtype,
            Grid::blocks(channels),
            [&parts, self.affine, &mut by_affine, channels, pieces]
        )?;
        Ok(by_affine)
    }
}

impl OnGpu for LogDensity {
    const HAS_KERNEL: bool = true;

    fn gpu_forward(&self, machine: &Machine, x: &Tensor) -> Result<Output> {
        let (channels, shape) = (x.dims()[1] - 1, [&x.dims()[..1], &x.dims()[2..]].concat());
        let mut y = machine.output(shape, x.dtype())?;
        let count = y.shape.elem_count();
        let pixels = Divisor(x.dims()[2..].iter().product());
        let constant = -LN_SQRT_2PI * channels as f64;
        launch!(
            machine,
            kernel("density_forward"),
            x.dtype(),
            Grid::elements(count),
            [x, &mut y, count, pixels, channels, constant]
        )?;
        Ok(y)
    }

    fn gpu_backward(
        &self,
        machine: &Machine,
        x: &Tensor,
        _: &Tensor,
        g: &Tensor,
    ) -> Result<Output> {
        let mut dx = machine.output(x.shape(), x.dtype())?;
        let count = x.elem_count();
        let pixels = Divisor(x.dims()[2..].iter().product());
        let planes = Divisor(x.dims()[1]);
        launch!(
            machine,
            kernel("density_backward"),
            x.dtype(),
            Grid::elements(count),
            [x, g, &mut dx, count, pixels, planes]
        )?;
        Ok(dx)
    }
}
