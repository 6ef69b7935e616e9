use std::sync::{Arc, Mutex, PoisonError};

use candle_core::backend::BackendStorage;
use candle_core::{CpuStorage, CustomOp2, CustomOp3, Layout, Result, Shape, Tensor, bail};

use crate::backward::collect;
use crate::cpu::dispatch;

const NAME: &str = "coupling's weights";

/// Gradients on their way through candle's graph, where an operation has three arguments at most.
///
/// A scalar stands for any number of tensors. Who takes it as an argument leaves their gradients here,
/// and the scalar's own backward pass, which comes later, hands them on.
#[derive(Clone)]
pub(super) struct Handover(Arc<Mutex<Vec<Option<Tensor>>>>);

impl Handover {
    /// The scalar that stands for two tensors or more.
    pub(super) fn new(tensors: &[&Tensor]) -> Result<(Self, Tensor)> {
        let handover = Self(Arc::new(Mutex::new(vec![None; tensors.len()])));
        let part = |n: usize, count: usize| {
            let places = [0, 1, 2].map(|i| (i < count).then_some(n + i));
            Part { places, of: handover.clone() }
        };
        let [first, second, rest @ ..] = tensors else {
            bail!("{NAME}: {} tensors, not two or more", tensors.len())
        };
        let mut scalar = first.apply_op2(second, part(0, 2))?;
        for (n, pair) in rest.chunks(2).enumerate() {
            scalar = match pair {
                [a, b] => a.apply_op3(b, &scalar, part(2 + 2 * n, 2))?,
                _ => pair[0].apply_op2(&scalar, part(2 + 2 * n, 1))?,
            };
        }
        Ok((handover, scalar))
    }

    /// Leaves gradients of tensors from that one on.
    pub(super) fn leave(&self, first: usize, gradients: impl IntoIterator<Item = Option<Tensor>>) {
        let mut places = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for (place, gradient) in places[first..].iter_mut().zip(gradients) {
            *place = gradient;
        }
    }
}

/// Some of the tensors, and the scalar of those before.
struct Part {
    /// Which tensor an argument is, if it is not the scalar.
    places: [Option<usize>; 3],
    of: Handover,
}

impl Part {
    fn forward(&self, tensor: &CpuStorage) -> Result<(CpuStorage, Shape)> {
        dispatch!(tensor.dtype(), NAME, T => {
            let zero = vec![<T as Default>::default()];
            Ok((<T as candle_core::WithDType>::to_cpu_storage_owned(zero), ().into()))
        })
    }

    fn gradient(&self, n: usize, argument: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        let Some(place) = self.places[n] else {
            // Of the scalars nothing but their order in the backward pass matters.
            return Ok(argument.track_op().then(|| grad.clone()));
        };
        let mut places = self.of.0.lock().unwrap_or_else(PoisonError::into_inner);
        match places[place].take() {
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
        tensor: &CpuStorage,
        _: &Layout,
        _: &CpuStorage,
        _: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        self.forward(tensor)
    }

    fn bwd(
        &self,
        a: &Tensor,
        b: &Tensor,
        _: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        Ok((self.gradient(0, a, grad)?, self.gradient(1, b, grad)?))
    }
}

impl CustomOp3 for Part {
    fn name(&self) -> &'static str {
        NAME
    }

    fn cpu_fwd(
        &self,
        tensor: &CpuStorage,
        _: &Layout,
        _: &CpuStorage,
        _: &Layout,
        _: &CpuStorage,
        _: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        self.forward(tensor)
    }

    fn bwd(
        &self,
        a: &Tensor,
        b: &Tensor,
        c: &Tensor,
        _: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let gradient = |n, argument| self.gradient(n, argument, grad);
        Ok((gradient(0, a)?, gradient(1, b)?, gradient(2, c)?))
    }
}
