//! Linear maps: products by cuBLAS, and kernels for the bias.

use candle_core::backend::BackendStorage;
use candle_core::{Result, Shape, Storage, Tensor, bail};

use super::machine::{Machine, Output, settled};
use super::node::node;
use super::norm::{add_bias, channel_sums};
use crate::backward::collect;

/// See [`linear()`](crate::linear()), of a `(rows, in)` input and arguments that fit together.
pub(crate) fn linear(
    machine: Machine,
    x: &Tensor,
    weight: &Tensor,
    bias: Option<&Tensor>,
) -> Result<Tensor> {
    let y = product(&machine, &settled(x)?, &settled(weight)?.t()?)?;
    let y = add_bias(&machine, y, bias, false)?;
    let arguments: Vec<&Tensor> = [x, weight].into_iter().chain(bias).collect();
    node("linear", &arguments, y, move |arguments, _, gradient| {
        let (x, weight, gradient) = (arguments[0], arguments[1], settled(gradient)?);
        let by_x = match x.track_op() {
            true => collect(x, product(&machine, &gradient, &settled(weight)?)?.tensor())?,
            false => None,
        };
        let by_weight = match weight.track_op() {
            true => {
                let by_weight = product(&machine, &gradient.t()?, &settled(x)?)?;
                collect(weight, by_weight.tensor())?
            }
            false => None,
        };
        let by_bias = arguments.get(2).map(|bias| match bias.track_op() {
            true => collect(bias, channel_sums(&machine, &gradient)?.tensor()),
            false => Ok(None),
        });
        [Ok(by_x), Ok(by_weight)].into_iter().chain(by_bias).collect()
    })
}

/// The product of two matrices, each as it is or transposed.
fn product(machine: &Machine, a: &Tensor, b: &Tensor) -> Result<Output> {
    #[cfg(feature = "cuda")]
    if let Machine::Mirror(device) = machine {
        return super::mirror::there(device, [a, b], multiplied);
    }
    let _ = machine; // The tensors are where it is.
    multiplied(a, b)
}

fn multiplied(a: &Tensor, b: &Tensor) -> Result<Output> {
    let ((rows, inner), (_, columns)) = (a.dims2()?, b.dims2()?);
    let sizes = (1, rows, columns, inner);
    let ((a, a_layout), (b, b_layout)) = (a.storage_and_layout(), b.storage_and_layout());
    let storage = match (&*a, &*b) {
        (Storage::Cpu(a), Storage::Cpu(b)) => Storage::Cpu(a.matmul(b, sizes, a_layout, b_layout)?),
        (Storage::Cuda(a), Storage::Cuda(b)) => {
            Storage::Cuda(a.matmul(b, sizes, a_layout, b_layout)?)
        }
        _ => bail!("linear: the tensors are not all on one device: move them"),
    };
    Ok(Output { storage, shape: Shape::from((rows, columns)) })
}
