use candle_core::{Device, Result, Tensor};

use super::backward::gradients;
use super::forward::forward as couple;
use super::geometry::Geometry;
use crate::conv::{self, Epilogue, Weights, add_grad_input, grad_bias, grad_input_gated};
use crate::cpu::{Float, read};
use crate::leading::Leading;

/// A coupling with its network, checked.
pub(super) struct Stage {
    pub(super) geometry: Geometry,
    pub(super) leading: Leading,
    pub(super) layers: [Layer; 2],
    pub(super) affine: Tensor,
}

/// A convolution of the network.
pub(super) struct Layer {
    pub(super) geometry: conv::Geometry,
    pub(super) weight: Tensor,
    pub(super) bias: Tensor,
}

/// What a stage computes on its way: the network's input, the hidden layer, the coefficients.
#[derive(Clone)]
pub(super) struct Between<V>([V; 3]);

/// The gradients of a stage.
pub(super) struct Found<T> {
    pub(super) state: Vec<T>,
    /// By [`Stage::tensors`], those that ask for one.
    pub(super) tensors: [Option<Tensor>; 5],
}

impl<T: Float> Between<Vec<T>> {
    /// As tensors, to be kept.
    pub(super) fn tensors(self) -> Result<Between<Tensor>> {
        let [x, hidden, coefficients] = self.0.map(|values| {
            let len = values.len();
            Tensor::from_vec(values, len, &Device::Cpu)
        });
        Ok(Between([x?, hidden?, coefficients?]))
    }
}

impl Layer {
    fn forward<T: Float>(&self, x: &[T], relu: bool) -> Result<Vec<T>> {
        let (weight, bias) = (read::<T>(&self.weight)?, read::<T>(&self.bias)?);
        let epilogue = Epilogue { relu, ..Epilogue::of(Some(&*bias)) };
        Ok(conv::forward(&self.geometry, x, Weights::Plain(&weight), epilogue))
    }

    /// The gradients by weight and bias.
    fn gradients<T: Float>(&self, x: &[T], grad: &[T]) -> Result<[Option<Tensor>; 2]> {
        let [batch, channels, height, width] = self.geometry.output_shape();
        let by_weight = || conv::grad_weight(&self.geometry, x, grad);
        let by_bias = || grad_bias(grad, batch, channels, height * width);
        Ok([give(&self.weight, by_weight)?, give(&self.bias, by_bias)?])
    }
}

/// A gradient, if one is asked for.
pub(super) fn give<T: Float>(
    argument: &Tensor,
    gradient: impl FnOnce() -> Vec<T>,
) -> Result<Option<Tensor>> {
    let wanted = argument.track_op();
    wanted.then(|| Tensor::from_vec(gradient(), argument.shape(), &Device::Cpu)).transpose()
}

impl Stage {
    /// Weights, biases and the affine map.
    pub(super) fn tensors(&self) -> [&Tensor; 5] {
        let [first, second] = &self.layers;
        [&first.weight, &first.bias, &second.weight, &second.bias, &self.affine]
    }

    /// The next state, and what the backward pass needs.
    pub(super) fn forward<T: Float>(
        &self,
        state: &[T],
        condition: Option<&Tensor>,
        dims: &[usize],
    ) -> Result<(Vec<T>, Between<Vec<T>>)> {
        let extra = condition.map_or(Ok(0), |condition| condition.dim(1))?;
        let condition = condition.map(read::<T>).transpose()?;
        let x = self.leading.run(state, condition.as_deref().unwrap_or_default(), dims, extra);
        let hidden = self.layers[0].forward(&x, true)?;
        let coefficients = self.layers[1].forward(&hidden, false)?;
        let y = couple(&self.geometry, state, &coefficients, &read(&self.affine)?);
        Ok((y, Between([x, hidden, coefficients])))
    }

    /// The gradients; that by the state whole only if it is `wanted`.
    pub(super) fn backward<T: Float>(
        &self,
        state: &[T],
        Between([x, hidden, coefficients]): &Between<Tensor>,
        grad: &[T],
        wanted: bool,
    ) -> Result<Found<T>> {
        let (x, hidden, coefficients) = (read::<T>(x)?, read(hidden)?, read(coefficients)?);
        let affine = read(&self.affine)?;
        let mut found = gradients::<T>(&self.geometry, state, &coefficients, &affine, grad);
        let [first, second] = &self.layers;
        let [weight_2, bias_2] = second.gradients(&hidden, &found.coefficients)?;
        let weight = read::<T>(&second.weight)?;
        let by_hidden = grad_input_gated(&second.geometry, &found.coefficients, &weight, &hidden);
        let [weight_1, bias_1] = first.gradients(&x, &by_hidden)?;
        if wanted {
            let (weight, planes) = (read::<T>(&first.weight)?, self.geometry.channels + 1);
            let to = (&mut found.state[..], planes);
            add_grad_input(&first.geometry, &by_hidden, &weight, self.leading.count, to);
        }
        let affine = give(&self.affine, || found.affine)?;
        let tensors = [weight_1, bias_1, weight_2, bias_2, affine];
        Ok(Found { state: found.state, tensors })
    }
}
