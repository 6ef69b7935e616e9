//! What is computed element by element, and how tensors are put together.

use candle_core::{Result, Tensor};

use super::launch::{Divisor, Grid};
use super::machine::{Kernel, Machine, Output, launch, settled};
use super::node::node;
use super::source::Family;
use super::unary::OnGpu;
use crate::backward::collect;

/// A kernel of the family.
pub(super) fn kernel(name: &'static str) -> Kernel {
    Kernel::of(Family::Elementwise, name)
}

/// Runs `kernel(inputs, output, number of elements, numbers)`, where all tensors have the same shape.
pub(super) fn map(
    machine: &Machine,
    name: &'static str,
    inputs: &[&Tensor],
    numbers: &[f64],
) -> Result<Output> {
    let x = inputs[0];
    let mut y = machine.output(x.shape(), x.dtype())?;
    let count = x.elem_count();
    let mut arguments: Vec<_> = inputs.iter().map(|&x| x.into()).collect();
    arguments.extend([(&mut y).into(), count.into()]);
    arguments.extend(numbers.iter().map(|&number| number.into()));
    machine.launch(kernel(name), x.dtype(), Grid::elements(count), &mut arguments)?;
    drop(arguments);
    Ok(y)
}

/// The place of what a gradient is computed from.
const INPUT: usize = 0;
const OUTPUT: usize = 1;

/// An operation with the kernels `NAME_forward` and `NAME_backward`, which take its input or its output, and
/// then those fields as numbers.
macro_rules! elementwise {
    ($operation:ty, $name:literal, $of:ident $(, $number:ident)*) => {
        impl OnGpu for $operation {
            const HAS_KERNEL: bool = true;

            fn gpu_forward(&self, machine: &Machine, x: &Tensor) -> Result<Output> {
                map(machine, concat!($name, "_forward"), &[x], &[$(self.$number),*])
            }

            fn gpu_backward(
                &self,
                machine: &Machine,
                x: &Tensor,
                y: &Tensor,
                g: &Tensor,
            ) -> Result<Output> {
                let known = [x, y][$of];
                map(machine, concat!($name, "_backward"), &[known, g], &[$(self.$number),*])
            }
        }
    };
}

elementwise!(crate::relu::Relu, "relu", OUTPUT);
elementwise!(crate::sigmoid::Sigmoid, "sigmoid", OUTPUT);
elementwise!(crate::log_cosh::LogCosh, "log_cosh", INPUT);
elementwise!(crate::focal::Focal, "focal", INPUT, gamma);

impl OnGpu for crate::dropout::Dropout {
    const HAS_KERNEL: bool = true;

    fn gpu_forward(&self, machine: &Machine, x: &Tensor) -> Result<Output> {
        let mut y = machine.output(x.shape(), x.dtype())?;
        let count = x.elem_count();
        let grid = Grid::elements(count / 2 + 1);
        let (key, threshold, scale, first) = (self.key, self.threshold, self.scale, self.first);
        launch!(
            machine,
            kernel("dropout"),
            x.dtype(),
            grid,
            [x, &mut y, count, key, threshold, scale, first]
        )?;
        Ok(y)
    }

    fn gpu_backward(
        &self,
        machine: &Machine,
        _: &Tensor,
        _: &Tensor,
        g: &Tensor,
    ) -> Result<Output> {
        OnGpu::gpu_forward(self, machine, g)
    }
}

/// Rows of two tensors side by side: how many elements are taken of each, and how far apart the rows
/// are.
struct Join {
    len: [usize; 2],
    step: [usize; 2],
}

impl Join {
    fn run(&self, machine: &Machine, a: &Tensor, b: &Tensor, dims: Vec<usize>) -> Result<Output> {
        let (a, b) = (settled(a)?, settled(b)?);
        let mut y = machine.output(dims, a.dtype())?;
        let count = y.shape.elem_count();
        let ([len_a, len_b], [step_a, step_b]) = (self.len, self.step);
        let grid = Grid::elements(count);
        launch!(
            machine,
            kernel("join"),
            a.dtype(),
            grid,
            [&a, &b, &mut y, count, Divisor(len_a + len_b), len_a, step_a, step_b]
        )?;
        Ok(y)
    }
}

/// See [`concat`](crate::concat()).
pub(crate) fn concat(machine: Machine, a: &Tensor, b: &Tensor, dim: usize) -> Result<Tensor> {
    let len = [a, b].map(|x| x.dims()[dim..].iter().product::<usize>());
    let mut dims = a.dims().to_vec();
    dims[dim] += b.dims()[dim];
    let output = Join { len, step: len }.run(&machine, a, b, dims)?;
    let sizes = [a.dims()[dim], b.dims()[dim]];
    node("concat", &[a, b], output, move |arguments, _, gradient| {
        // Views of the gradient: what follows reads them as they are.
        let part = |x: &Tensor, from, len| {
            x.track_op().then(|| gradient.narrow(dim, from, len)).transpose()
        };
        Ok(vec![part(arguments[0], 0, sizes[0])?, part(arguments[1], sizes[0], sizes[1])?])
    })
}

/// See [`leading_channels`](crate::leading_channels), of arguments that fit together.
pub(crate) fn leading_channels(
    machine: Machine,
    x: &Tensor,
    count: usize,
    condition: Option<&Tensor>,
) -> Result<Tensor> {
    let plane: usize = x.dims()[2..].iter().product();
    let extra = condition.map_or(0, |condition| condition.dims()[1]);
    let shared = condition.is_some_and(|condition| condition.dims()[0] == 1);
    let join = Join {
        len: [count * plane, extra * plane],
        step: [x.dims()[1] * plane, if shared { 0 } else { extra * plane }],
    };
    let mut dims = x.dims().to_vec();
    dims[1] = count + extra;
    let output = join.run(&machine, x, condition.unwrap_or(x), dims)?;
    let arguments: Vec<&Tensor> = [x].into_iter().chain(condition).collect();
    node("leading_channels", &arguments, output, move |arguments, _, gradient| {
        let by_x = if arguments[0].track_op() {
            let dx = spread(&machine, arguments[0], gradient, count * plane)?;
            collect(arguments[0], dx.tensor())?
        } else {
            None
        };
        let by_condition = arguments.get(1).map(|condition| {
            if !condition.track_op() || extra == 0 {
                return Ok(None);
            }
            let part = gradient.narrow(1, count, extra)?;
            let batch = gradient.dims()[0];
            let part = if shared && batch > 1 { part.sum_keepdim(0)? } else { part };
            collect(condition, part.contiguous()?)
        });
        [Ok(by_x)].into_iter().chain(by_condition).collect()
    })
}

/// The gradient by `x`, of whose rows the first `len` elements were taken.
fn spread(machine: &Machine, x: &Tensor, gradient: &Tensor, len: usize) -> Result<Output> {
    let gradient = settled(gradient)?;
    let mut dx = machine.output(x.shape(), x.dtype())?;
    let count = x.elem_count();
    let row = |x: &Tensor| x.dims()[1..].iter().product::<usize>();
    let grid = Grid::elements(count);
    launch!(
        machine,
        kernel("spread"),
        x.dtype(),
        grid,
        [&gradient, &mut dx, count, Divisor(row(x)), len, row(&gradient)]
    )?;
    Ok(dx)
}
