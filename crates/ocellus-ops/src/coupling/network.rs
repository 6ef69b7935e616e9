use std::sync::{Mutex, PoisonError};

use candle_core::backend::BackendStorage;
use candle_core::{CpuStorage, CustomOp2, Device, Layout, Result, Shape, Tensor, bail};

use super::geometry::Geometry;
use super::handover::Handover;
use super::stage::{Between, Layer, Stage, give};
use super::{CouplingConfig, coupling};
use crate::backward::collect;
use crate::conv;
use crate::cpu::{Float, dispatch, read, view};
use crate::implementation::use_kernel;
use crate::leading::{Leading, check};
use crate::{Conv2dConfig, conv2d, conv2d_relu, leading_channels};

const NAME: &str = "network_couplings";

/// A coupling, and the network that finds its coefficients: two convolutions with a ReLU between. See
/// [`network_couplings`].
#[derive(Clone, Debug)]
pub struct NetworkCoupling<'a> {
    /// Weight and bias of the first convolution.
    pub first: (&'a Tensor, &'a Tensor),
    /// Weight and bias of the second one, which gives the coefficients.
    pub second: (&'a Tensor, &'a Tensor),
    /// What both do with their input.
    pub conv: Conv2dConfig,
    /// Scale and offset of each channel, `(2, C)`.
    pub affine: Tensor,
    /// The coupling.
    pub config: CouplingConfig,
}

/// Blocks of a normalizing flow with their networks, one behind the other, in one operation.
///
/// ```text
/// x = [state[:, :C − C/2], condition]
/// state ← coupling(state, second(max(0, first(x))), affine)            for each block
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
/// - weights as of [`conv2d`](crate::conv2d()), from C − C/2 + extra channels to 2 ⌊C/2⌋
///
/// # Examples
///
/// ```
/// use candle_core::{DType, Device, Tensor};
/// use ocellus_ops::{Conv2dConfig, CouplingConfig, NetworkCoupling, network_couplings};
///
/// let zeros = |dims: &[usize]| Tensor::zeros(dims, DType::F32, &Device::Cpu);
/// let (weight, bias) = (zeros(&[2, 1])?, zeros(&[2])?);
/// let (second, shift) = (zeros(&[2, 2])?, Tensor::new(&[0f32, 5.], &Device::Cpu)?);
/// let block = NetworkCoupling {
///     first: (&weight, &bias),
///     second: (&second, &shift), // s = 0, t = 5.
///     conv: Conv2dConfig::default(),
///     affine: Tensor::new(&[[1f32, 1.], [0., 0.]], &Device::Cpu)?,
///     config: CouplingConfig::new(1.9),
/// };
/// let state = Tensor::new(&[[[[1f32]], [[2.]], [[0.]]]], &Device::Cpu)?;
/// let y = network_couplings(&state, None, &[block.clone(), block])?;
/// assert_eq!(y.flatten_all()?.to_vec1::<f32>()?, [1., 3., 0.]);
/// # Ok::<(), candle_core::Error>(())
/// ```
///
/// # Errors
///
/// As of the operations that it stands for.
pub fn network_couplings(
    state: &Tensor,
    condition: Option<&Tensor>,
    blocks: &[NetworkCoupling],
) -> Result<Tensor> {
    let &[_, planes, _, _] = state.dims() else {
        bail!("{NAME}: the state is {:?}, not (batch, channels + 1, height, width)", state.dims())
    };
    let channels = planes.saturating_sub(1);
    let count = channels - channels / 2;
    if blocks.is_empty() {
        return Ok(state.clone());
    }
    let tracked = condition.is_some_and(Tensor::track_op);
    let floats = use_kernel(NAME, state)? && state.dtype().size_in_bytes() > 2;
    if tracked || !floats {
        return blocks.iter().try_fold(state.clone(), |state, block| {
            let x = leading_channels(&state, count, condition)?;
            let hidden = conv2d_relu(&x, block.first.0, Some(block.first.1), &block.conv)?;
            let coefficients = conv2d(&hidden, block.second.0, Some(block.second.1), &block.conv)?;
            coupling(&state, &coefficients, &block.affine, &block.config)
        });
    }
    check(state, count, condition)?;
    let stage = |block: &NetworkCoupling| stage(state, condition, count, block);
    let stages = blocks.iter().map(stage).collect::<Result<Vec<_>>>()?;
    let tensors: Vec<&Tensor> = stages.iter().flat_map(Stage::tensors).collect();
    let (handover, scalar) = Handover::new(&tensors)?;
    let keep = state.track_op() || scalar.track_op();
    let (condition, kept) = (condition.cloned(), Mutex::new(Vec::new()));
    state.apply_op2(&scalar, Chain { stages, condition, handover, keep, kept })
}

/// A block, if it fits.
fn stage(
    state: &Tensor,
    condition: Option<&Tensor>,
    count: usize,
    block: &NetworkCoupling,
) -> Result<Stage> {
    let (batch, _, height, width) = state.dims4()?;
    let extra = condition.map_or(Ok(0), |condition| condition.dim(1))?;
    let layer = |dims: &[usize], (weight, bias): (&Tensor, &Tensor)| -> Result<Layer> {
        let geometry = conv::checked(NAME, (state, dims), weight, Some(bias), &block.conv)?;
        Ok(Layer { geometry, weight: weight.clone(), bias: bias.clone() })
    };
    let first = layer(&[batch, count + extra, height, width], block.first)?;
    let second = layer(&first.geometry.output_shape(), block.second)?;
    let (coefficients, affine) = (second.geometry.output_shape(), block.affine.clone());
    let geometry = Geometry::new(state, &coefficients, &affine, &block.config)?;
    Ok(Stage { geometry, leading: Leading { count }, layers: [first, second], affine })
}

struct Chain {
    stages: Vec<Stage>,
    condition: Option<Tensor>,
    handover: Handover,
    /// Whether there will be a backward pass.
    keep: bool,
    /// What it needs of each stage: its input, but of the first one, and what lies between.
    kept: Mutex<Vec<(Option<Tensor>, Between<Tensor>)>>,
}

impl Chain {
    fn forward<T: Float>(&self, state: &[T], dims: &[usize]) -> Result<Vec<T>> {
        let mut kept = Vec::new();
        let mut current: Option<Vec<T>> = None;
        for stage in &self.stages {
            let input = current.as_deref().unwrap_or(state);
            let (y, between) = stage.forward(input, self.condition.as_ref(), dims)?;
            let input = current.replace(y);
            if self.keep {
                let input = input.map(|x| Tensor::from_vec(x, dims, &Device::Cpu)).transpose()?;
                kept.push((input, between.tensors()?));
            }
        }
        *self.kept.lock().unwrap_or_else(PoisonError::into_inner) = kept;
        Ok(current.unwrap_or_else(|| state.to_vec()))
    }

    /// The gradient by the state; those by all else are left for later.
    fn backward<T: Float>(&self, state: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let (first, last) = (read::<T>(state)?, read::<T>(grad)?);
        let mut current: Option<Vec<T>> = None;
        for (n, (stage, (input, between))) in self.stages.iter().zip(&kept).enumerate().rev() {
            let input = input.as_ref().map(read::<T>).transpose()?;
            let (state_in, grad) = (input.as_deref().unwrap_or(&first), current.as_deref());
            let wanted = n > 0 || state.track_op();
            let found = stage.backward(state_in, between, grad.unwrap_or(&last), wanted)?;
            self.handover.leave(5 * n, found.tensors);
            current = Some(found.state);
        }
        match give(state, || current.unwrap_or_default())? {
            Some(gradient) => collect(state, gradient),
            None => Ok(None),
        }
    }
}

impl CustomOp2 for Chain {
    fn name(&self) -> &'static str {
        NAME
    }

    fn cpu_fwd(
        &self,
        state: &CpuStorage,
        layout: &Layout,
        _: &CpuStorage,
        _: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        dispatch!(state.dtype(), NAME, T => {
            let y = self.forward::<T>(&view(state, layout)?, layout.dims())?;
            Ok((<T as candle_core::WithDType>::to_cpu_storage_owned(y), layout.shape().clone()))
        })
    }

    fn bwd(
        &self,
        state: &Tensor,
        scalar: &Tensor,
        _: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let by_state = dispatch!(state.dtype(), NAME, T => self.backward::<T>(state, grad))?;
        let scalar = if scalar.track_op() { Some(scalar.zeros_like()?) } else { None };
        Ok((by_state, scalar))
    }
}
