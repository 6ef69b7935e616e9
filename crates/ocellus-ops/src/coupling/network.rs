use std::sync::{Mutex, PoisonError};

use candle_core::backend::BackendStorage;
use candle_core::{CpuStorage, CustomOp3, Device, Layout, Result, Shape, Tensor, bail};

use super::backward::gradients;
use super::forward::forward as couple;
use super::geometry::Geometry;
use super::handover::Handover;
use super::{CouplingConfig, coupling};
use crate::backward::collect;
use crate::conv::{self, Epilogue, Weights, add_grad_input, grad_bias, grad_input_gated};
use crate::cpu::{Float, dispatch, read, view};
use crate::implementation::use_kernel;
use crate::leading::{Leading, check};
use crate::{Conv2dConfig, conv2d, conv2d_relu, leading_channels};

const NAME: &str = "network_coupling";

/// The network of a coupling: two convolutions with a ReLU between. See [`network_coupling`].
#[derive(Clone, Copy, Debug)]
pub struct CouplingNetwork<'a> {
    /// Weight and bias of the first one.
    pub first: (&'a Tensor, &'a Tensor),
    /// Weight and bias of the second one, which gives the coefficients.
    pub second: (&'a Tensor, &'a Tensor),
    /// What both do with their input.
    pub config: Conv2dConfig,
}

/// A block of a normalizing flow with its network, in one:
/// [`coupling`](crate::coupling()) with the coefficients that the network finds.
///
/// ```text
/// x = [state[:, :C − C/2], condition]
/// y = coupling(state, second(max(0, first(x))), affine)
/// ```
///
/// As [`leading_channels`](crate::leading_channels), [`conv2d_relu`](crate::conv2d_relu),
/// [`conv2d`](crate::conv2d()) and [`coupling`](crate::coupling()), but what lies between has no
/// gradient of its own in candle's graph, which would add each to zeros.
///
/// # Shapes
///
/// - `state` and output: `(batch, C + 1, height, width)`: C channels, then the log-determinant
/// - `condition`: `(batch, extra, height, width)`, or `(1, …)` for all of the batch
/// - `network`: weights as of [`conv2d`](crate::conv2d()), C − C/2 + extra channels to 2 ⌊C/2⌋
/// - `affine`: `(2, C)`
///
/// # Examples
///
/// ```
/// use candle_core::{DType, Device, Tensor};
/// use ocellus_ops::{Conv2dConfig, CouplingConfig, CouplingNetwork, network_coupling};
///
/// let zeros = |dims: &[usize]| Tensor::zeros(dims, DType::F32, &Device::Cpu);
/// let (weight, bias) = (zeros(&[2, 1])?, zeros(&[2])?);
/// let (second, shift) = (zeros(&[2, 2])?, Tensor::new(&[0f32, 5.], &Device::Cpu)?);
/// let config = Conv2dConfig::default();
/// let network = CouplingNetwork { first: (&weight, &bias), second: (&second, &shift), config };
/// let state = Tensor::new(&[[[[1f32]], [[2.]], [[0.]]]], &Device::Cpu)?;
/// let affine = Tensor::new(&[[1f32, 1.], [0., 0.]], &Device::Cpu)?;
/// let y = network_coupling(&state, None, &network, &affine, &CouplingConfig::new(1.9))?;
/// assert_eq!(y.flatten_all()?.to_vec1::<f32>()?, [1., 2.5, 0.]);
/// # Ok::<(), candle_core::Error>(())
/// ```
///
/// # Errors
///
/// As of the operations that it stands for.
pub fn network_coupling(
    state: &Tensor,
    condition: Option<&Tensor>,
    network: &CouplingNetwork,
    affine: &Tensor,
    config: &CouplingConfig,
) -> Result<Tensor> {
    let &[batch, planes, height, width] = state.dims() else {
        bail!("{NAME}: the state is {:?}, not (batch, channels + 1, height, width)", state.dims())
    };
    let channels = planes.saturating_sub(1);
    let leading = Leading { count: channels - channels / 2 };
    let CouplingNetwork { first, second, config: conv } = network;
    let tracked = condition.is_some_and(Tensor::track_op);
    let floats = use_kernel(NAME, state)? && state.dtype().size_in_bytes() > 2;
    if tracked || !floats {
        let x = leading_channels(state, leading.count, condition)?;
        let hidden = conv2d_relu(&x, first.0, Some(first.1), conv)?;
        let coefficients = conv2d(&hidden, second.0, Some(second.1), conv)?;
        return coupling(state, &coefficients, affine, config);
    }
    check(state, leading.count, condition)?;
    let extra = condition.map_or(Ok(0), |condition| condition.dim(1))?;
    let layer = |dims: &[usize], (weight, bias): (&Tensor, &Tensor)| -> Result<Layer> {
        let geometry = conv::checked(NAME, (state, dims), weight, Some(bias), conv)?;
        Ok(Layer { geometry, weight: weight.clone(), bias: bias.clone() })
    };
    let layer_one = layer(&[batch, leading.count + extra, height, width], *first)?;
    let layer_two = layer(&layer_one.geometry.output_shape(), *second)?;
    let geometry = Geometry::new(state, &layer_two.geometry.output_shape(), affine, config)?;
    let handover = Handover::default();
    let scalar = handover.scalar([*first, *second])?;
    let keep = state.track_op() || scalar.track_op() || affine.track_op();
    let op = NetworkCoupling {
        geometry,
        leading,
        condition: condition.cloned(),
        layers: [layer_one, layer_two],
        handover,
        keep,
        kept: Mutex::new(None),
    };
    state.apply_op3(&scalar, affine, op)
}

struct NetworkCoupling {
    geometry: Geometry,
    leading: Leading,
    condition: Option<Tensor>,
    layers: [Layer; 2],
    handover: Handover,
    /// Whether there will be a backward pass.
    keep: bool,
    /// What it needs: the network's input, the hidden layer, the coefficients.
    kept: Mutex<Option<[Tensor; 3]>>,
}

struct Layer {
    geometry: conv::Geometry,
    weight: Tensor,
    bias: Tensor,
}

impl Layer {
    fn forward<T: Float>(&self, x: &[T], relu: bool) -> Result<Vec<T>> {
        let (weight, bias) = (read::<T>(&self.weight)?, read::<T>(&self.bias)?);
        let epilogue = Epilogue { relu, ..Epilogue::of(Some(&*bias)) };
        Ok(conv::forward(&self.geometry, x, Weights::Plain(&weight), epilogue))
    }

    /// The gradients by weight and bias.
    fn gradients<T: Float>(&self, x: &[T], grad: &[T]) -> Result<[Option<Tensor>; 2]> {
        let give = |argument: &Tensor, gradient: &dyn Fn() -> Vec<T>| {
            let wanted = argument.track_op();
            wanted.then(|| Tensor::from_vec(gradient(), argument.shape(), &Device::Cpu)).transpose()
        };
        let [batch, channels, height, width] = self.geometry.output_shape();
        let by_weight = || conv::grad_weight(&self.geometry, x, grad);
        let by_bias = || grad_bias(grad, batch, channels, height * width);
        Ok([give(&self.weight, &by_weight)?, give(&self.bias, &by_bias)?])
    }
}

impl NetworkCoupling {
    fn forward<T: Float>(&self, state: &[T], affine: &[T], dims: &[usize]) -> Result<Vec<T>> {
        let condition = self.condition.as_ref().map(read::<T>).transpose()?;
        let extra = self.condition.as_ref().map_or(Ok(0), |condition| condition.dim(1))?;
        let x = self.leading.run(state, condition.as_deref().unwrap_or_default(), dims, extra);
        let hidden = self.layers[0].forward(&x, true)?;
        let coefficients = self.layers[1].forward(&hidden, false)?;
        let y = couple(&self.geometry, state, &coefficients, affine);
        if self.keep {
            let tensor = |x: Vec<T>| {
                let len = x.len();
                Tensor::from_vec(x, len, &Device::Cpu)
            };
            let kept = [tensor(x)?, tensor(hidden)?, tensor(coefficients)?];
            *self.kept.lock().unwrap_or_else(PoisonError::into_inner) = Some(kept);
        }
        Ok(y)
    }

    /// The gradients by state and affine map; those by the weights are left for later.
    fn backward<T: Float>(
        &self,
        state: &Tensor,
        affine: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let Some([x, hidden, coefficients]) = kept else {
            bail!("{NAME}: a backward pass without a forward pass")
        };
        let (x, hidden, coefficients) = (read::<T>(&x)?, read(&hidden)?, read(&coefficients)?);
        let (values, factors, grad) = (read(state)?, read(affine)?, read(grad)?);
        let found = gradients::<T>(&self.geometry, &values, &coefficients, &factors, &grad);
        let (mut by_state, by_coefficients) = (found.state, found.coefficients);
        let [first, second] = &self.layers;
        self.handover.leave(1, second.gradients(&hidden, &by_coefficients)?);
        let weight = read::<T>(&second.weight)?;
        let by_hidden = grad_input_gated(&second.geometry, &by_coefficients, &weight, &hidden);
        self.handover.leave(0, first.gradients(&x, &by_hidden)?);
        if state.track_op() {
            let (weight, planes) = (read::<T>(&first.weight)?, state.dim(1)?);
            let to = (&mut by_state[..], planes);
            add_grad_input(&first.geometry, &by_hidden, &weight, self.leading.count, to);
        }
        let give = |argument: &Tensor, values: Vec<T>| {
            if !argument.track_op() {
                return Ok(None);
            }
            collect(argument, Tensor::from_vec(values, argument.shape(), &Device::Cpu)?)
        };
        Ok((give(state, by_state)?, give(affine, found.affine)?))
    }
}

impl CustomOp3 for NetworkCoupling {
    fn name(&self) -> &'static str {
        NAME
    }

    fn cpu_fwd(
        &self,
        state: &CpuStorage,
        state_layout: &Layout,
        _: &CpuStorage,
        _: &Layout,
        affine: &CpuStorage,
        affine_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        dispatch!(state.dtype(), NAME, T => {
            let (state, affine) = (view(state, state_layout)?, view(affine, affine_layout)?);
            let y = self.forward::<T>(&state, &affine, state_layout.dims())?;
            Ok((<T as candle_core::WithDType>::to_cpu_storage_owned(y), state_layout.shape().clone()))
        })
    }

    fn bwd(
        &self,
        state: &Tensor,
        scalar: &Tensor,
        affine: &Tensor,
        _: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let (by_state, by_affine) =
            dispatch!(state.dtype(), NAME, T => self.backward::<T>(state, affine, grad))?;
        let scalar = if scalar.track_op() { Some(scalar.zeros_like()?) } else { None };
        Ok((by_state, scalar, by_affine))
    }
}
