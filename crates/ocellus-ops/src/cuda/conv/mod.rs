//! Convolutions: products by cuDNN, and kernels for what is around them.

#[cfg(any(feature = "cudnn", test))]
mod choice;
#[cfg(feature = "cudnn")]
mod cudnn;
#[cfg(all(test, target_os = "linux"))]
mod emulated;
mod plan;

use candle_core::{Result, Tensor, bail};

use self::plan::{Direction, Plan};
use super::elementwise;
use super::launch::{Divisor, Grid};
use super::machine::{Machine, Output, launch, settled};
use super::node::node;
use super::norm::{add_bias, channel_sums};
use crate::backward::collect;
use crate::conv::{ConvOp, Geometry, tf32_is_allowed};

/// Whether cuDNN is there and can compute it; else the composition does.
pub(crate) fn convolves(g: &Geometry) -> bool {
    cfg!(any(feature = "cudnn", test)) && Plan::of(g).is_some()
}

/// See [`conv2d`](crate::conv2d) and [`conv_transpose2d`](crate::conv_transpose2d), of arguments that
/// fit together.
pub(crate) fn convolution(
    machine: Machine,
    op: ConvOp,
    x: &Tensor,
    weight: &Tensor,
    bias: Option<&Tensor>,
) -> Result<Tensor> {
    let Some(plan) = Plan::of(&op.geometry) else { bail!("{}: no plan for cuDNN", op.name) };
    let products = Products { machine, plan, geometry: op.geometry, tf32: tf32_is_allowed() };
    let y = if op.transposed {
        products.by_input(&settled(x)?, &settled(weight)?)?
    } else {
        products.forward(&settled(x)?, &settled(weight)?)?
    };
    let y = add_bias(&products.machine, y, bias, op.relu)?;
    let arguments: Vec<&Tensor> = [x, weight].into_iter().chain(bias).collect();
    node(op.name, &arguments, y, move |arguments, y, gradient| {
        products.gradients(&op, arguments, y, gradient)
    })
}

/// The products of a convolution and of its gradients. A transposed convolution exchanges the roles
/// of x and y.
struct Products {
    machine: Machine,
    plan: Plan,
    geometry: Geometry,
    tf32: bool,
}

impl Products {
    fn forward(&self, x: &Tensor, weight: &Tensor) -> Result<Output> {
        self.compute(Direction::Forward, &self.around(x)?, weight)
    }

    fn by_input(&self, gradient: &Tensor, weight: &Tensor) -> Result<Output> {
        let by_x = self.compute(Direction::ByInput, gradient, weight)?;
        match self.plan.around {
            None => Ok(by_x),
            // Only what lies within.
            Some((top, left)) => {
                let shape = self.geometry.input_shape();
                place(&self.machine, &by_x.tensor(), shape, (-(top as i64), -(left as i64)))
            }
        }
    }

    fn by_weight(&self, x: &Tensor, gradient: &Tensor) -> Result<Output> {
        self.compute(Direction::ByWeight, &self.around(x)?, gradient)
    }

    /// x with zeros around, where cuDNN cannot do that.
    fn around(&self, x: &Tensor) -> Result<Tensor> {
        match self.plan.around {
            None => Ok(x.clone()),
            Some((top, left)) => {
                Ok(place(&self.machine, x, self.plan.x, (top as i64, left as i64))?.tensor())
            }
        }
    }

    fn compute(&self, direction: Direction, a: &Tensor, b: &Tensor) -> Result<Output> {
        match &self.machine {
            #[cfg(feature = "cudnn")]
            Machine::Cuda(device) => cudnn::compute(device, &self.plan, direction, self.tf32, a, b),
            #[cfg(feature = "cudnn")]
            Machine::Mirror(device) => super::mirror::there(device, [a, b], |a, b| {
                cudnn::compute(device, &self.plan, direction, self.tf32, a, b)
            }),
            #[cfg(all(feature = "cuda", not(feature = "cudnn")))]
            Machine::Cuda(_) | Machine::Mirror(_) => {
                let _ = (direction, a, b, self.tf32);
                bail!("convolutions on CUDA without the feature cudnn are compositions")
            }
            #[cfg(all(test, target_os = "linux"))]
            Machine::Emulated => {
                let _ = self.tf32; // It is f32 that is emulated.
                emulated::compute(&self.plan, direction, a, b)
            }
        }
    }

    fn gradients(
        &self,
        op: &ConvOp,
        arguments: &[&Tensor],
        y: &Tensor,
        gradient: &Tensor,
    ) -> Result<Vec<Option<Tensor>>> {
        let (x, weight) = (arguments[0], arguments[1]);
        let gradient = settled(gradient)?;
        let gradient = match op.relu {
            true => {
                elementwise::map(&self.machine, "relu_backward", &[&settled(y)?, &gradient], &[])?
                    .tensor()
            }
            false => gradient,
        };
        // Each only if something asks for it: candle always calls the backward pass, also for the
        // image and for frozen weights.
        let by_x = if x.track_op() {
            let weight = settled(weight)?;
            let by_x = match op.transposed {
                true => self.forward(&gradient, &weight)?,
                false => self.by_input(&gradient, &weight)?,
            };
            collect(x, by_x.tensor())?
        } else {
            None
        };
        let by_weight = if weight.track_op() {
            let x = settled(x)?;
            let by_weight = match op.transposed {
                true => self.by_weight(&gradient, &x)?,
                false => self.by_weight(&x, &gradient)?,
            };
            // A weight of 1 × 1 may have two dimensions only.
            collect(weight, by_weight.tensor().reshape(weight.shape())?)?
        } else {
            None
        };
        let by_bias = arguments.get(2).map(|bias| match bias.track_op() {
            true => collect(bias, channel_sums(&self.machine, &gradient)?.tensor()),
            false => Ok(None),
        });
        [Ok(by_x), Ok(by_weight)].into_iter().chain(by_bias).collect()
    }
}

/// Planes of another size, with x at that place: zeros around what it does not fill, and what does not
/// fit cut off.
fn place(
    machine: &Machine,
    x: &Tensor,
    shape: [usize; 4],
    (top, left): (i64, i64),
) -> Result<Output> {
    let (_, _, height, width) = x.dims4()?;
    let mut y = machine.output(shape.as_slice(), x.dtype())?;
    let count = y.shape.elem_count();
    let (rows, columns) = (Divisor(shape[2]), Divisor(shape[3]));
    let kernel = elementwise::kernel("place");
    launch!(
        machine,
        kernel,
        x.dtype(),
        Grid::elements(count),
        [x, &mut y, count, height, width, rows, columns, top, left]
    )?;
    Ok(y)
}
