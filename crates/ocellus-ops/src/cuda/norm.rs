//! Batch normalization.

use candle_core::{DType, Result, Tensor};

use super::launch::{Divisor, Grid, pieces};
use super::machine::{Kernel, Machine, Output, launch, settled};
use super::node::node;
use super::source::Family;
use crate::BatchStatistics;
use crate::backward::collect;

pub(super) fn kernel(name: &'static str) -> Kernel {
    Kernel::of(Family::Norm, name)
}

/// How a normalization is computed.
#[derive(Clone, Debug)]
pub(crate) struct Normalize {
    pub(crate) name: &'static str,
    pub(crate) machine: Machine,
    pub(crate) eps: f64,
    /// Whether negative results become zero.
    pub(crate) relu: bool,
}

/// The sizes of a `(batch, channels, …)` tensor.
#[derive(Clone, Copy)]
pub(super) struct Sizes {
    pub(super) channels: usize,
    pub(super) plane: usize,
    /// Elements of a channel.
    pub(super) count: usize,
    /// Parts that its sums are cut into.
    pub(super) pieces: usize,
}

impl Sizes {
    pub(super) fn of(dims: &[usize]) -> Self {
        let plane: usize = dims[2..].iter().product();
        let (channels, count) = (dims[1], dims[0] * plane);
        Self { channels, plane, count, pieces: pieces(count, channels) }
    }

    /// A block for each piece of each channel.
    pub(super) fn grid(&self) -> Grid {
        Grid::blocks(self.channels * self.pieces)
    }
}

/// What the forward pass leaves for the backward pass.
struct Channels {
    /// Means and variances, in double precision.
    moments: Tensor,
    /// What is done to each channel.
    maps: Tensor,
    /// Whether the moments are those of the input.
    of_batch: bool,
}

/// The type in which tensors of a type are computed.
pub(super) fn computed(dtype: DType) -> DType {
    if dtype == DType::F64 { DType::F64 } else { DType::F32 }
}

impl Normalize {
    /// With the batch's statistics; `affine` are weights, then biases, in the type of computation.
    pub(crate) fn train(
        self,
        x: &Tensor,
        affine: &Tensor,
        residual: Option<&Tensor>,
    ) -> Result<(Tensor, BatchStatistics)> {
        let (values, machine) = (settled(x)?, &self.machine);
        let Sizes { channels, plane, count, pieces } = Sizes::of(x.dims());
        let (dtype, wide) = (x.dtype(), computed(x.dtype()));
        let mut parts = machine.output((channels, pieces, 2), DType::F64)?;
        let grid = Grid::blocks(channels * pieces);
        launch!(
            machine,
            kernel("moments_part"),
            dtype,
            grid,
            [&values, &mut parts, channels, plane, count, pieces]
        )?;
        let parts = parts.tensor();
        let mut moments = machine.output((2, channels), DType::F64)?;
        let [mut mean, mut var] =
            [machine.output(channels, wide)?, machine.output(channels, wide)?];
        launch!(
            machine,
            kernel("moments"),
            dtype,
            Grid::blocks(channels),
            [&values, &parts, &mut moments, &mut mean, &mut var, channels, plane, count, pieces]
        )?;
        let statistics = BatchStatistics { mean: mean.tensor(), var: var.tensor(), count };
        let y = self.normalize((x, &values), affine, residual, (moments.tensor(), true))?;
        Ok((y, statistics))
    }

    /// With given statistics, which have no gradients.
    pub(crate) fn infer(
        self,
        x: &Tensor,
        affine: &Tensor,
        residual: Option<&Tensor>,
        [mean, var]: [&Tensor; 2],
    ) -> Result<Tensor> {
        let wide = |x: &Tensor| x.detach().to_dtype(DType::F64);
        let moments = Tensor::stack(&[wide(mean)?, wide(var)?], 0)?;
        self.normalize((x, &settled(x)?), affine, residual, (moments, false))
    }

    fn normalize(
        self,
        (x, values): (&Tensor, &Tensor),
        affine: &Tensor,
        residual: Option<&Tensor>,
        (moments, of_batch): (Tensor, bool),
    ) -> Result<Tensor> {
        let machine = &self.machine;
        let Sizes { channels, plane, .. } = Sizes::of(x.dims());
        let mut maps = machine.output((channels, 3), computed(x.dtype()))?;
        launch!(
            machine,
            kernel("channel_maps"),
            x.dtype(),
            Grid::elements(channels),
            [&moments, &settled(affine)?, &mut maps, channels, self.eps]
        )?;
        let maps = maps.tensor();
        let mut y = machine.output(x.shape(), x.dtype())?;
        let count = x.elem_count();
        let added = settled(residual.unwrap_or(x))?;
        launch!(
            machine,
            kernel("normalize"),
            x.dtype(),
            Grid::elements(count),
            [
                values,
                &added,
                &maps,
                &mut y,
                count,
                Divisor(channels),
                Divisor(plane),
                residual.is_some(),
                self.relu,
            ]
        )?;
        let channels = Channels { moments, maps, of_batch };
        let arguments: Vec<&Tensor> = [x, affine].into_iter().chain(residual).collect();
        node(self.name, &arguments, y, move |arguments, y, gradient| {
            self.gradients(&channels, arguments, y, gradient)
        })
    }

    fn gradients(
        &self,
        of: &Channels,
        arguments: &[&Tensor],
        y: &Tensor,
        gradient: &Tensor,
    ) -> Result<Vec<Option<Tensor>>> {
        let (x, affine, residual) = (arguments[0], arguments[1], arguments.get(2));
        let (values, y, gradient) = (settled(x)?, settled(y)?, settled(gradient)?);
        let (dtype, wide, machine) = (x.dtype(), computed(x.dtype()), &self.machine);
        let sizes = Sizes::of(x.dims());
        let Sizes { channels, plane, count, pieces } = sizes;
        if residual.is_none() && !of.of_batch && !affine.track_op() {
            // Nothing takes the sums, as where a network is frozen.
            let by_x = self.by_input(of, x, (&values, &gradient), (&of.maps, self.relu))?;
            return Ok(vec![by_x, None]);
        }
        let mut parts = machine.output((channels, pieces, 2), DType::F64)?;
        let shape = if residual.is_some() { x.dims() } else { &[1] };
        let mut masked = machine.output(shape, dtype)?;
        launch!(
            machine,
            kernel("gradients_part"),
            dtype,
            sizes.grid(),
            [
                &values,
                &y,
                &gradient,
                &of.maps,
                &mut parts,
                &mut masked,
                channels,
                plane,
                count,
                pieces,
                residual.is_some(),
                self.relu,
            ]
        )?;
        let (parts, masked) = (parts.tensor(), masked.tensor());
        let mut by_affine = machine.output(affine.shape(), wide)?;
        let mut through = machine.output((channels, 2), wide)?;
        launch!(
            machine,
            kernel("gradients"),
            dtype,
            Grid::blocks(channels),
            [
                &parts,
                &of.moments,
                &settled(affine)?,
                &of.maps,
                &mut by_affine,
                &mut through,
                channels,
                count,
                pieces,
                self.eps,
            ]
        )?;
        let through = through.tensor();
        // With a residual, what counts has been found.
        let (counted, still) = match residual {
            Some(_) => (&masked, false),
            None => (&gradient, self.relu),
        };
        let by_x = self.by_input(of, x, (&values, counted), (&through, still))?;
        let by_affine = affine.track_op().then(|| by_affine.tensor());
        let by_residual = residual.map(|residual| residual.track_op().then(|| masked.clone()));
        Ok([by_x, by_affine].into_iter().chain(by_residual).collect())
    }
}

impl Normalize {
    /// The gradient by the input, if it is asked for: from the gradient that counts, or of which it
    /// has still to be seen where it does.
    fn by_input(
        &self,
        of: &Channels,
        x: &Tensor,
        (values, gradient): (&Tensor, &Tensor),
        (through, still): (&Tensor, bool),
    ) -> Result<Option<Tensor>> {
        if !x.track_op() {
            return Ok(None);
        }
        let Sizes { channels, plane, .. } = Sizes::of(x.dims());
        let mut dx = self.machine.output(x.shape(), x.dtype())?;
        let count = x.elem_count();
        launch!(
            self.machine,
            kernel("input_gradient"),
            x.dtype(),
            Grid::elements(count),
            [
                values,
                gradient,
                &of.maps,
                through,
                &mut dx,
                count,
                Divisor(channels),
                Divisor(plane),
                of.of_batch,
                still,
            ]
        )?;
        collect(x, dx.tensor())
    }
}

/// The sum of each channel of a `(batch, channels, …)` tensor.
pub(super) fn channel_sums(machine: &Machine, x: &Tensor) -> Result<Output> {
    let sizes = Sizes::of(x.dims());
    let Sizes { channels, plane, count, pieces } = sizes;
    let mut parts = machine.output((channels, pieces), DType::F64)?;
    launch!(
        machine,
        kernel("channel_sums_part"),
        x.dtype(),
        sizes.grid(),
        [x, &mut parts, channels, plane, count, pieces]
    )?;
    super::loss::add_parts(machine, parts, (channels.into(), x.dtype()), 1.)
}

/// Adds a bias to each channel, in place; then ReLU, if asked for.
pub(super) fn add_bias(
    machine: &Machine,
    mut y: Output,
    bias: Option<&Tensor>,
    relu: bool,
) -> Result<Output> {
    if bias.is_none() && !relu {
        return Ok(y);
    }
    let Sizes { channels, plane, .. } = Sizes::of(y.shape.dims());
    let (count, dtype) = (y.shape.elem_count(), y.dtype());
    let given = match bias {
        Some(bias) => settled(bias)?,
        None => machine.output(1, dtype)?.tensor(),
    };
    launch!(
        machine,
        kernel("add_bias"),
        dtype,
        Grid::elements(count),
        [&given, &mut y, count, Divisor(channels), Divisor(plane), bias.is_some(), relu]
    )?;
    Ok(y)
}
