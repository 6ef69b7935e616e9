use std::{array, collections::BTreeMap};

use candle_core::{DType, Device, Error, Result, Tensor, Var, backprop::GradStore, bail};
use ocellus_ops::update_recorded;

use crate::optim::{
    groups::Groups,
    in_place::move_in_place,
    rule::{Moment, NOT_NEGATIVE, Rule, Update, outside},
    value::Composed,
};

/// What all optimizers share: the parameters, their state, and the walk over them.
#[derive(Debug)]
pub(crate) struct Updater<R, const N: usize> {
    rule: R,
    learning_rate: f64,
    step: u64,
    params: Vec<Param<N>>,
    groups: String,
}

#[derive(Debug)]
struct Param<const N: usize> {
    name: String,
    var: Var,
    lr_scale: f64,
    weight_decay: f64,
    updates: u64,
    slots: Slots<N>,
}

/// Plain memory where the CPU moves entries in place, else tensors beside the parameter.
#[derive(Debug)]
enum Slots<const N: usize> {
    F32([Vec<f32>; N]),
    F64([Vec<f64>; N]),
    Tensors([Tensor; N]),
}

impl<R: Rule<N>, const N: usize> Updater<R, N> {
    pub(crate) fn new(rule: R, groups: Groups) -> Result<Self> {
        let complaint = outside("the learning rate", rule.learning_rate(), NOT_NEGATIVE)
            .or(outside("the weight decay", rule.weight_decay(), NOT_NEGATIVE))
            .or(rule.complaint());
        if let Some(complaint) = complaint {
            bail!("{complaint}")
        }
        groups.check()?;
        let mut description = Vec::new();
        let mut params = Vec::new();
        for group in groups.0 {
            let weight_decay = group.weight_decay.unwrap_or(rule.weight_decay());
            let (name, lr_scale, count) = (group.name, group.lr_scale, group.params.len());
            description.push(format!(
                "{name}: {count} parameters, learning rate × {lr_scale}, weight decay {weight_decay}"
            ));
            for (name, var) in group.params {
                let slots = Slots::new(&rule, &var)?;
                params.push(Param { name, var, lr_scale, weight_decay, updates: 0, slots });
            }
        }
        let learning_rate = rule.learning_rate();
        Ok(Self { rule, learning_rate, step: 0, params, groups: description.join("; ") })
    }

    pub(crate) fn rule(&self) -> &R {
        &self.rule
    }

    pub(crate) fn groups(&self) -> &str {
        &self.groups
    }

    pub(crate) fn learning_rate(&self) -> f64 {
        self.learning_rate
    }

    pub(crate) fn set_learning_rate(&mut self, learning_rate: f64) {
        self.learning_rate = learning_rate;
    }

    pub(crate) fn step(&mut self, grads: &GradStore) -> Result<()> {
        for Param { name, var, .. } in &self.params {
            let Some(grad) = grads.get(var.as_tensor()) else { continue };
            if grad.shape() != var.shape()
                || grad.dtype() != var.dtype()
                || !grad.device().same_device(var.device())
            {
                bail!(
                    "the gradient of `{name}` is {:?} of {:?}, the parameter {:?} of {:?}",
                    grad.dims(),
                    grad.dtype(),
                    var.dims(),
                    var.dtype()
                )
            }
        }
        self.step += 1;
        for param in &mut self.params {
            let Some(grad) = grads.get(param.var.as_tensor()) else { continue };
            param.updates += 1;
            let update = self.rule.update(&Moment {
                learning_rate: self.learning_rate * param.lr_scale,
                weight_decay: param.weight_decay,
                updates: param.updates,
                step: self.step,
            });
            param.slots.update(&param.var, grad, &update)?;
        }
        Ok(())
    }

    pub(crate) fn state(&self) -> Result<BTreeMap<String, Tensor>> {
        let mut state = BTreeMap::from([("step".to_owned(), count(self.step)?)]);
        for param in &self.params {
            state.insert(format!("updates.{}", param.name), count(param.updates)?);
            for (n, slot) in self.rule.slots().iter().enumerate() {
                if slot.used {
                    let tensor = param.slots.tensor(n, &param.var)?;
                    state.insert(format!("{}.{}", slot.name, param.name), tensor);
                }
            }
        }
        Ok(state)
    }

    pub(crate) fn load_state(&mut self, state: &BTreeMap<String, Tensor>) -> Result<()> {
        let own = self.state()?;
        for (name, tensor) in &own {
            match state.get(name) {
                None => bail!("the optimizer state has no `{name}`: it is of another optimizer"),
                Some(new) if new.shape() != tensor.shape() || new.dtype() != tensor.dtype() => {
                    bail!(
                        "`{name}` of the optimizer state is {:?} of {:?}, expected {:?} of {:?}",
                        new.dims(),
                        new.dtype(),
                        tensor.dims(),
                        tensor.dtype()
                    )
                }
                Some(_) => {}
            }
        }
        if let Some(name) = state.keys().find(|name| !own.contains_key(*name)) {
            bail!("the optimizer state has an unknown `{name}`: it is of another optimizer")
        }
        let get = |name: String| {
            state.get(&name).ok_or_else(|| Error::Msg(format!("no `{name}` in the state")).bt())
        };
        self.step = from_count(get("step".to_owned())?)?;
        for param in &mut self.params {
            param.updates = from_count(get(format!("updates.{}", param.name))?)?;
            for (n, slot) in self.rule.slots().iter().enumerate() {
                if slot.used {
                    param.slots.set(n, get(format!("{}.{}", slot.name, param.name))?)?;
                }
            }
        }
        Ok(())
    }
}

impl<const N: usize> Slots<N> {
    fn new<R: Rule<N>>(rule: &R, var: &Var) -> Result<Self> {
        let slots = rule.slots();
        let entries = |n: usize| if slots[n].used { var.elem_count() } else { 0 };
        Ok(match (var.device(), var.dtype()) {
            (Device::Cpu, DType::F32) => {
                Self::F32(array::from_fn(|n| vec![slots[n].initial as f32; entries(n)]))
            }
            (Device::Cpu, DType::F64) => {
                Self::F64(array::from_fn(|n| vec![slots[n].initial; entries(n)]))
            }
            _ => Self::composed(rule, var)?,
        })
    }

    /// The state for tensor operations, which any device has.
    fn composed<R: Rule<N>>(rule: &R, var: &Var) -> Result<Self> {
        let slots = rule.slots();
        let zero = Tensor::zeros((), var.dtype(), var.device())?;
        let mut tensors = array::from_fn(|_| zero.clone());
        for (slot, tensor) in slots.iter().zip(&mut tensors) {
            if slot.used {
                *tensor = var.as_detached_tensor().zeros_like()?.affine(1., slot.initial)?;
            } else {
                *tensor = zero.broadcast_as(var.shape())?;
            }
        }
        Ok(Self::Tensors(tensors))
    }

    fn update(&mut self, var: &Var, grad: &Tensor, update: &impl Update<N>) -> Result<()> {
        match self {
            Self::F32(slots) => move_in_place(var, grad, slots, update),
            Self::F64(slots) => move_in_place(var, grad, slots, update),
            Self::Tensors(slots) => {
                if compiled(var, grad, slots, update)? {
                    return Ok(());
                }
                let p = Composed::new(var.as_detached_tensor());
                let g = Composed::new(grad.detach());
                let (p, kept) = update.entry(p, g, slots.clone().map(Composed::new));
                for (slot, tensor) in slots.iter_mut().zip(kept) {
                    *slot = tensor.into_tensor()?;
                }
                var.set(&p.into_tensor()?)
            }
        }
    }

    fn tensor(&self, n: usize, var: &Var) -> Result<Tensor> {
        match self {
            Self::F32(slots) => Tensor::from_slice(&slots[n], var.shape(), &Device::Cpu),
            Self::F64(slots) => Tensor::from_slice(&slots[n], var.shape(), &Device::Cpu),
            Self::Tensors(slots) => slots[n].contiguous(),
        }
    }

    fn set(&mut self, n: usize, tensor: &Tensor) -> Result<()> {
        match self {
            Self::F32(slots) => slots[n] = tensor.flatten_all()?.to_vec1()?,
            Self::F64(slots) => slots[n] = tensor.flatten_all()?.to_vec1()?,
            Self::Tensors(slots) => slots[n] = tensor.to_device(slots[n].device())?.copy()?,
        }
        Ok(())
    }
}

/// Moves `var` in one pass over parameter, gradient and slots, if its device compiles such passes.
fn compiled<const N: usize>(
    var: &Var,
    grad: &Tensor,
    slots: &mut [Tensor; N],
    update: &impl Update<N>,
) -> Result<bool> {
    // An unused slot is a single zero, spread out.
    let used: [bool; N] = array::from_fn(|n| slots[n].is_contiguous());
    let read: Vec<&Tensor> = [grad]
        .into_iter()
        .chain(slots.iter().zip(used).filter(|(_, used)| *used).map(|(slot, _)| slot))
        .collect();
    let kept = update_recorded(var, &read, |p, read, zero| {
        let mut read = read.into_iter();
        let mut next = || read.next().unwrap_or_else(|| zero.clone());
        let g = next();
        let state = array::from_fn(|n| if used[n] { next() } else { zero.clone() });
        let (p, kept) = update.entry(p, g, state);
        let kept = kept.into_iter().zip(used).filter(|(_, used)| *used).map(|(value, _)| value);
        (p, kept.collect())
    })?;
    let Some(kept) = kept else { return Ok(false) };
    let slots = slots.iter_mut().zip(used).filter(|(_, used)| *used);
    for ((slot, _), tensor) in slots.zip(kept) {
        *slot = tensor;
    }
    Ok(true)
}

fn count(n: u64) -> Result<Tensor> {
    Tensor::new(i64::try_from(n).map_err(Error::wrap)?, &Device::Cpu)
}

fn from_count(tensor: &Tensor) -> Result<u64> {
    u64::try_from(tensor.to_scalar::<i64>()?).map_err(Error::wrap)
}

/// Writes all that an optimizer does: it is a type whose only field is its updater.
macro_rules! optimizer {
    ($name:ident, $config:ident) => {
        impl $name {
            /// An optimizer of these parameters.
            ///
            /// # Errors
            ///
            /// When a setting is out of its range or does not go with another, or a parameter
            /// stands in two groups.
            pub fn new(
                config: $config,
                groups: impl Into<crate::Groups>,
            ) -> candle_core::Result<Self> {
                Ok(Self(Updater::new(config, groups.into())?))
            }
        }

        impl crate::Optimizer for $name {
            fn step(
                &mut self,
                grads: &candle_core::backprop::GradStore,
            ) -> candle_core::Result<()> {
                self.0.step(grads)
            }

            fn learning_rate(&self) -> f64 {
                self.0.learning_rate()
            }

            fn set_learning_rate(&mut self, learning_rate: f64) {
                self.0.set_learning_rate(learning_rate);
            }

            fn state(
                &self,
            ) -> candle_core::Result<std::collections::BTreeMap<String, candle_core::Tensor>> {
                self.0.state()
            }

            fn load_state(
                &mut self,
                state: &std::collections::BTreeMap<String, candle_core::Tensor>,
            ) -> candle_core::Result<()> {
                self.0.load_state(state)
            }

            fn describe(&self) -> String {
                let (rule, rate) = (self.0.rule(), self.0.learning_rate());
                format!("{rule:?} at {rate} on {}", self.0.groups())
            }
        }
    };
}

pub(crate) use optimizer;

#[cfg(test)]
mod tests {
    use ocellus_testing::{assert_close, fill};

    use super::*;
    use crate::{AdaGradConfig, AdamConfig, RmsPropConfig, SgdConfig};

    /// Three steps in place and by tensor operations, as other devices do.
    fn both_ways_agree<R: Rule<N> + Copy, const N: usize>(rule: R) -> Result<()> {
        let updater = || -> Result<(Updater<R, N>, Var)> {
            let p = Var::from_tensor(&fill((3, 5), 0.1, DType::F64)?)?;
            let updater = Updater::new(rule, vec![("p".to_owned(), p.clone())].into())?;
            Ok((updater, p))
        };
        let ((mut kernel, p), (mut composed, q)) = (updater()?, updater()?);
        composed.params[0].slots = Slots::composed(&rule, &q)?;
        for phase in [0.2, 0.3, 0.4] {
            let mut grads = GradStore::default();
            grads.insert(p.as_tensor(), fill((3, 5), phase, DType::F64)?);
            // A view that is not contiguous.
            grads.insert(q.as_tensor(), fill((3, 5), phase, DType::F64)?.t()?.contiguous()?.t()?);
            kernel.step(&grads)?;
            composed.step(&grads)?;
        }
        assert_close(&p, &q, 1e-14)?;
        let (a, b) = (kernel.state()?, composed.state()?);
        assert_eq!(a.keys().collect::<Vec<_>>(), b.keys().collect::<Vec<_>>());
        for (name, slot) in &a {
            assert_close(slot, &b[name], 1e-14)?;
        }
        kernel.load_state(&b)?;
        composed.load_state(&a)
    }

    /// Three steps on a GPU, if there is one, and on the processor.
    fn a_gpu_agrees<R: Rule<N> + Copy, const N: usize>(rule: R) -> Result<()> {
        let Ok(gpu) = ocellus_ops::cuda_device(0) else {
            eprintln!("no GPU: skipped");
            return Ok(());
        };
        let run = |device: &Device| -> Result<(Updater<R, N>, Var)> {
            let p = Var::from_tensor(&fill((3, 5), 0.1, DType::F64)?.to_device(device)?)?;
            let mut updater = Updater::new(rule, vec![("p".to_owned(), p.clone())].into())?;
            for phase in [0.2, 0.3, 0.4] {
                let mut grads = GradStore::default();
                grads.insert(p.as_tensor(), fill((3, 5), phase, DType::F64)?.to_device(device)?);
                updater.step(&grads)?;
            }
            Ok((updater, p))
        };
        let ((there, p), (here, q)) = (run(&gpu)?, run(&Device::Cpu)?);
        assert_close(&p.to_device(&Device::Cpu)?, &q, 1e-14)?;
        for (name, slot) in &here.state()? {
            assert_close(&there.state()?[name].to_device(&Device::Cpu)?, slot, 1e-14)?;
        }
        Ok(())
    }

    #[test]
    fn a_gpu_gives_what_the_processor_gives() -> Result<()> {
        a_gpu_agrees(SgdConfig::new(0.1).with_momentum(0.9).with_weight_decay(0.1))?;
        a_gpu_agrees(AdamConfig::new(0.1).with_amsgrad(true).with_weight_decay(0.1))?;
        a_gpu_agrees(AdaGradConfig::new(0.1).with_initial(0.3))?;
        a_gpu_agrees(RmsPropConfig::keras3(0.1).with_momentum(0.5).with_weight_decay(0.1))
    }

    #[test]
    fn tensor_operations_give_what_the_kernel_gives() -> Result<()> {
        both_ways_agree(SgdConfig::new(0.1).with_weight_decay(0.1))?;
        both_ways_agree(SgdConfig::new(0.1).with_momentum(0.9).with_nesterov(true))?;
        both_ways_agree(AdamConfig::new(0.1).with_amsgrad(true).with_weight_decay(0.1))?;
        both_ways_agree(AdamConfig::adamw(0.1))?;
        both_ways_agree(AdaGradConfig::new(0.1).with_initial(0.3))?;
        both_ways_agree(RmsPropConfig::keras2(0.1).with_decay(0.1))?;
        both_ways_agree(RmsPropConfig::keras3(0.1).with_momentum(0.5).with_weight_decay(0.1))?;
        both_ways_agree(RmsPropConfig::pytorch(0.1).with_centered(true))
    }
}
