use std::sync::{Arc, Mutex, PoisonError};

use candle_core::backend::BackendStorage;
use candle_core::{CpuStorage, CustomOp2, CustomOp3, Layout, Result, Shape, Tensor};

use crate::backward::collect;
use crate::cpu::dispatch;

const NAME: &str = "coupling's weights";

/// The gradients by weights and biases of two layers, on their way through candle's graph: an
/// operation there has three arguments at most.
///
/// A scalar stands for all four. Whoever takes it as an argument leaves their gradients here, and the
/// scalar's own backward pass, which comes later, hands them on.
#[derive(Clone, Default)]
pub(super) struct Handover(Arc<Mutex<[Option<Tensor>; 4]>>);

impl Handover {
    /// The scalar that stands for the weights and biases.
    pub(super) fn scalar(&self, layers: [(&Tensor, &Tensor); 2]) -> Result<Tensor> {
        let [(first, first_bias), (second, second_bias)] = layers;
        let rest = second.apply_op2(second_bias, Part { place: 2, of: self.clone() })?;
        first.apply_op3(first_bias, &rest, Part { place: 0, of: self.clone() })
    }

    /// Leaves gradients of weight and bias of a layer.
    pub(super) fn leave(&self, layer: usize, gradients: [Option<Tensor>; 2]) {
        let mut places = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for (place, gradient) in places[2 * layer..].iter_mut().zip(gradients) {
            *place = gradient;
        }
    }
}

/// Weight and bias of a layer.
struct Part {
    place: usize,
    of: Handover,
}

impl Part {
    fn forward(&self, weight: &CpuStorage) -> Result<(CpuStorage, Shape)> {
        dispatch!(weight.dtype(), NAME, T => {
            let zero = vec![<T as Default>::default()];
            Ok((<T as candle_core::WithDType>::to_cpu_storage_owned(zero), ().into()))
        })
    }

    fn gradient(&self, n: usize, argument: &Tensor) -> Result<Option<Tensor>> {
        let mut places = self.of.0.lock().unwrap_or_else(PoisonError::into_inner);
        match places[self.place + n].take() {
            Some(gradient) => collect(argument, gradient),
            None => Ok(None),
        }
    }
}

impl CustomOp2 for Part {
    fn name(&self) -> &'static str {
        NAME
    }

    fn cpu_fwd(
        &self,
        weight: &CpuStorage,
        _: &Layout,
        _: &CpuStorage,
        _: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        self.forward(weight)
    }

    fn bwd(
        &self,
        weight: &Tensor,
        bias: &Tensor,
        _: &Tensor,
        _: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        Ok((self.gradient(0, weight)?, self.gradient(1, bias)?))
    }
}

impl CustomOp3 for Part {
    fn name(&self) -> &'static str {
        NAME
    }

    fn cpu_fwd(
        &self,
        weight: &CpuStorage,
        _: &Layout,
        _: &CpuStorage,
        _: &Layout,
        _: &CpuStorage,
        _: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        self.forward(weight)
    }

    fn bwd(
        &self,
        weight: &Tensor,
        bias: &Tensor,
        rest: &Tensor,
        _: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        // Of the scalars nothing but their order in the backward pass matters.
        let rest = rest.track_op().then(|| grad.clone());
        Ok((self.gradient(0, weight)?, self.gradient(1, bias)?, rest))
    }
}
