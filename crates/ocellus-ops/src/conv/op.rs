use std::borrow::Cow;

use candle_core::backend::BackendStorage;
use candle_core::{CpuStorage, CustomOp2, CustomOp3, Device, Layout, Result, Shape, Tensor, bail};

use super::cpu::{forward, grad_input, grad_weight};
use super::direct::grad_bias;
use super::epilogue::Epilogue;
use super::geometry::Geometry;
use super::weights::Weights;
use crate::backward::collect;
use crate::cpu::{Float, dispatch, read, view, widened};
use crate::parallel::zip;

/// A convolution or a transposed one, as a node of candle's graph.
#[derive(Clone, Copy)]
pub(crate) struct ConvOp {
    pub(crate) name: &'static str,
    pub(crate) geometry: Geometry,
    pub(crate) transposed: bool,
    /// Whether negative outputs become zero.
    pub(crate) relu: bool,
}

impl ConvOp {
    /// Runs the CPU kernel.
    pub(super) fn apply(
        self,
        x: &Tensor,
        weight: &Tensor,
        bias: Option<&Tensor>,
    ) -> Result<Tensor> {
        match bias {
            None => widened(&[x, weight], |t| t[0].apply_op2(&t[1], self)),
            Some(bias) => widened(&[x, weight, bias], |t| t[0].apply_op3(&t[1], &t[2], self)),
        }
    }

    /// That weight and bias fit together with the input.
    pub(super) fn check(&self, x: &Tensor, weight: &Tensor, bias: Option<&Tensor>) -> Result<()> {
        let channels = self.output_shape()[1];
        for (what, tensor) in [("weight", Some(weight)), ("bias", bias)] {
            let Some(tensor) = tensor else { continue };
            if tensor.dtype() != x.dtype() {
                let (name, types) = (self.name, (x.dtype(), tensor.dtype()));
                bail!("{name}: the input is {:?}, the {what} {:?}: convert one", types.0, types.1)
            }
            if !tensor.device().same_device(x.device()) {
                bail!("{}: the {what} is on another device than the input: move one", self.name)
            }
        }
        match bias {
            Some(bias) if bias.dims() != [channels] => bail!(
                "{}: the bias is {:?}, but the output has {channels} channels",
                self.name,
                bias.dims()
            ),
            _ => Ok(()),
        }
    }

    pub(crate) fn output_shape(&self) -> [usize; 4] {
        let g = &self.geometry;
        if self.transposed { g.input_shape() } else { g.output_shape() }
    }

    fn run<T: Float>(&self, x: &[T], weight: &[T], bias: Option<&[T]>) -> (CpuStorage, Shape) {
        let g = &self.geometry;
        let epilogue = Epilogue { relu: self.relu, ..Epilogue::of(bias) };
        let y = if self.transposed {
            grad_input(g, x, weight, epilogue)
        } else {
            forward(g, x, Weights::Plain(weight), epilogue)
        };
        (T::to_cpu_storage_owned(y), self.output_shape().as_slice().into())
    }

    /// The gradients by input and weight, each only if something asks for it: candle always calls
    /// the backward pass, also for the image and for frozen weights.
    fn gradients<T: Float>(
        &self,
        x: &Tensor,
        weight: &Tensor,
        grad: &[T],
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let g = &self.geometry;
        let by_x = if x.track_op() {
            let weight = read(weight)?;
            let by_x = if self.transposed {
                forward(g, grad, Weights::Plain(&weight), Epilogue::of(None))
            } else {
                grad_input(g, grad, &weight, Epilogue::of(None))
            };
            collect(x, Tensor::from_vec(by_x, x.shape(), &Device::Cpu)?)?
        } else {
            None
        };
        let by_weight = if weight.track_op() {
            let x = read(x)?;
            let by_weight =
                if self.transposed { grad_weight(g, grad, &x) } else { grad_weight(g, &x, grad) };
            collect(weight, Tensor::from_vec(by_weight, weight.shape(), &Device::Cpu)?)?
        } else {
            None
        };
        Ok((by_x, by_weight))
    }

    /// The gradient by what the ReLU took, where there is one.
    fn before_relu<'a, T: Float>(&self, y: &Tensor, grad: &'a [T]) -> Result<Cow<'a, [T]>> {
        if !self.relu {
            return Ok(Cow::Borrowed(grad));
        }
        let mask = |y, g| if y <= T::zero() { T::zero() } else { g };
        Ok(Cow::Owned(zip(&read(y)?, grad, mask)))
    }

    fn bias_gradient<T: Float>(&self, bias: &Tensor, grad: &[T]) -> Result<Option<Tensor>> {
        if !bias.track_op() {
            return Ok(None);
        }
        let [batch, channels, h, w] = self.output_shape();
        let by_bias = grad_bias(grad, batch, channels, h * w);
        collect(bias, Tensor::from_vec(by_bias, bias.shape(), &Device::Cpu)?)
    }
}

impl CustomOp2 for ConvOp {
    fn name(&self) -> &'static str {
        self.name
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_layout: &Layout,
        weight: &CpuStorage,
        weight_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        dispatch!(x.dtype(), self.name, T => {
            Ok(self.run::<T>(&view(x, x_layout)?, &view(weight, weight_layout)?, None))
        })
    }

    fn bwd(
        &self,
        x: &Tensor,
        weight: &Tensor,
        y: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        dispatch!(x.dtype(), self.name, T => {
            let grad = read::<T>(grad)?;
            self.gradients(x, weight, &self.before_relu(y, &grad)?)
        })
    }
}

impl CustomOp3 for ConvOp {
    fn name(&self) -> &'static str {
        self.name
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_layout: &Layout,
        weight: &CpuStorage,
        weight_layout: &Layout,
        bias: &CpuStorage,
        bias_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        dispatch!(x.dtype(), self.name, T => {
            let bias = view(bias, bias_layout)?;
            Ok(self.run::<T>(&view(x, x_layout)?, &view(weight, weight_layout)?, Some(&bias)))
        })
    }

    fn bwd(
        &self,
        x: &Tensor,
        weight: &Tensor,
        bias: &Tensor,
        y: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        dispatch!(x.dtype(), self.name, T => {
            let grad = read::<T>(grad)?;
            let grad = self.before_relu(y, &grad)?;
            let (by_x, by_weight) = self.gradients(x, weight, &grad)?;
            Ok((by_x, by_weight, self.bias_gradient(bias, &grad)?))
        })
    }
}
