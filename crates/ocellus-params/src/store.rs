use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use candle_core::{DType, Device, Result, Shape, Tensor, Var, bail};
use candle_nn::{Init, VarBuilder, var_builder::SimpleBackend};

use crate::{freezing::Freezing, load::Pending, seed};

/// The weights of a model under their names, drawn from one seed.
///
/// Layers ask for their weights through [`var_builder`](Self::var_builder), which draws each from
/// the seed and its name: the order of building, the device and the number of threads do not
/// matter. Cloning gives another handle on the same weights.
///
/// **Parameters** are what training changes; **buffers** are statistics that layers keep
/// (`running_mean`, `running_var`, `num_batches_tracked`) and the fixed mixtures of channels in
/// normalizing flows (`permutation`, `rotation`). Both are saved and loaded; only
/// parameters are trained, counted and frozen.
///
/// # Freezing
///
/// [`freeze`](Self::freeze) before the model is built: frozen weights are handed out as plain
/// tensors on the same storage, so that no graph is recorded and no gradient computed for them. To
/// freeze or unfreeze later, build the model again on the same store: its layers then get the same
/// weights in their new role, at no cost but the calls.
///
/// # Examples
///
/// ```
/// use candle_core::{DType, Device};
/// use ocellus_params::ParamStore;
///
/// let params = ParamStore::seeded(42);
/// params.freeze("body.*");
/// let vb = params.var_builder(DType::F32, &Device::Cpu);
/// let body = candle_nn::linear(4, 3, vb.pp("body"))?;
/// let head = candle_nn::linear(3, 2, vb.pp("head"))?;
///
/// assert_eq!(params.names(), ["body.bias", "body.weight", "head.bias", "head.weight"]);
/// assert_eq!(params.parameter_count(), 15 + 8);
/// let trained: Vec<String> = params.trainable().into_iter().map(|(name, _)| name).collect();
/// assert_eq!(trained, ["head.bias", "head.weight"]);
/// assert!(!body.weight().is_variable());
/// # Ok::<(), candle_core::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct ParamStore {
    seed: u64,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) vars: BTreeMap<String, Var>,
    freezing: Freezing,
    pub(crate) pending: Option<Pending>,
}

impl ParamStore {
    /// An empty store whose weights will be drawn from `seed`.
    #[must_use]
    pub fn seeded(seed: u64) -> Self {
        Self { seed, state: Arc::default() }
    }

    /// The seed that the weights are drawn from.
    #[must_use]
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// A builder that hands a model the weights it asks for, drawing those that are not there yet.
    ///
    /// A weight asked for again is shared, so that a model can be built twice on one store. Asking
    /// for another shape, type or device than it has is an error.
    #[must_use]
    pub fn var_builder(&self, dtype: DType, device: &Device) -> VarBuilder<'static> {
        VarBuilder::from_backend(Box::new(Backend(self.clone())), dtype, device.clone())
    }

    /// The names of all parameters and buffers, sorted.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        self.lock(|state| state.vars.keys().cloned().collect())
    }

    /// The parameter or buffer of that name, a plain tensor that shares the store's memory.
    ///
    /// ```
    /// # use candle_core::{DType, Device};
    /// # use ocellus_params::ParamStore;
    /// let params = ParamStore::seeded(0);
    /// candle_nn::linear(4, 3, params.var_builder(DType::F32, &Device::Cpu))?;
    /// assert_eq!(params.get("weight").map(|w| w.dims().to_vec()), Some(vec![3, 4]));
    /// assert!(params.get("weigth").is_none());
    /// # Ok::<(), candle_core::Error>(())
    /// ```
    #[must_use]
    pub fn get(&self, name: &str) -> Option<Tensor> {
        self.lock(|state| state.vars.get(name).map(Var::as_detached_tensor))
    }

    /// All parameters and buffers by name, plain tensors that share the store's memory: `copy` them
    /// to keep their values while training goes on.
    #[must_use]
    pub fn tensors(&self) -> BTreeMap<String, Tensor> {
        let detached = |(name, var): (&String, &Var)| (name.clone(), var.as_detached_tensor());
        self.lock(|state| state.vars.iter().map(detached).collect())
    }

    /// The weights an optimizer may change, sorted by name: no buffers, nothing frozen.
    #[must_use]
    pub fn trainable(&self) -> Vec<(String, Var)> {
        self.select(|state, name| !is_buffer(name) && !state.freezing.is_frozen(name))
    }

    /// The statistics that layers keep beside their weights, sorted by name.
    #[must_use]
    pub fn buffers(&self) -> Vec<(String, Var)> {
        self.select(|_, name| is_buffer(name))
    }

    /// The number of values in all parameters, frozen ones included, buffers not.
    #[must_use]
    pub fn parameter_count(&self) -> usize {
        self.select(|_, name| !is_buffer(name)).iter().map(|(_, var)| var.elem_count()).sum()
    }

    /// Freezes the parameters whose name fits `pattern`: `*` stands for any run of characters, dots
    /// included, `?` for any one.
    ///
    /// Call it before the model is built, or build the model again after. Patterns are remembered
    /// and apply to weights yet to come; of several that fit a name, the last call decides, which
    /// may be one of [`unfreeze`](Self::unfreeze). Buffers are never trained, so freezing says
    /// nothing about them: a layer that updates its statistics in training still does.
    ///
    /// # Examples
    ///
    /// ```
    /// # use candle_core::{DType, Device};
    /// # use ocellus_params::ParamStore;
    /// let params = ParamStore::seeded(0);
    /// params.freeze("features.*");
    /// params.unfreeze("features.28.*");
    /// assert!(params.is_frozen("features.0.weight"));
    /// assert!(!params.is_frozen("features.28.weight"));
    /// assert_eq!(params.unmatched_patterns(), ["features.*", "features.28.*"]); // No model yet.
    /// ```
    pub fn freeze(&self, pattern: &str) {
        self.lock(|state| state.freezing.push(pattern, true));
    }

    /// Makes the parameters whose name fits `pattern` trainable again: see [`freeze`](Self::freeze).
    pub fn unfreeze(&self, pattern: &str) {
        self.lock(|state| state.freezing.push(pattern, false));
    }

    /// Whether a parameter of that name, present or not, is frozen.
    #[must_use]
    pub fn is_frozen(&self, name: &str) -> bool {
        self.lock(|state| !is_buffer(name) && state.freezing.is_frozen(name))
    }

    /// The patterns given to [`freeze`](Self::freeze) and [`unfreeze`](Self::unfreeze) that fit no
    /// name: after the model is built, each is a likely slip of the pen.
    #[must_use]
    pub fn unmatched_patterns(&self) -> Vec<String> {
        self.lock(|state| state.freezing.unmatched(state.vars.keys()))
    }

    fn select(&self, keep: impl Fn(&State, &str) -> bool) -> Vec<(String, Var)> {
        self.lock(|state| {
            let kept = state.vars.iter().filter(|(name, _)| keep(state, name));
            kept.map(|(name, var)| (name.clone(), var.clone())).collect()
        })
    }

    /// A panic in another thread cannot leave a map half changed: a poisoned lock is fine.
    pub(crate) fn lock<T>(&self, f: impl FnOnce(&mut State) -> T) -> T {
        f(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Whether the weight is a statistic rather than a parameter: its last name tells.
pub(crate) fn is_buffer(name: &str) -> bool {
    let last = name.rsplit('.').next().unwrap_or(name);
    matches!(
        last,
        "running_mean" | "running_var" | "num_batches_tracked" | "permutation" | "rotation"
    )
}

/// Whether it is PyTorch's count of training batches, which has no use but in a running average
/// that nobody configures.
pub(crate) fn is_counter(name: &str) -> bool {
    name == "num_batches_tracked" || name.ends_with(".num_batches_tracked")
}

/// What a `VarBuilder` draws from.
struct Backend(ParamStore);

impl Backend {
    /// What layers get: a frozen weight without its graph, all else as a variable. Buffers too, for
    /// their layers to write to.
    fn hand_out(state: &State, name: &str, var: &Var) -> Tensor {
        if !is_buffer(name) && state.freezing.is_frozen(name) {
            var.as_detached_tensor()
        } else {
            var.as_tensor().clone()
        }
    }
}

impl SimpleBackend for Backend {
    fn get(
        &self,
        shape: Shape,
        name: &str,
        init: Init,
        dtype: DType,
        device: &Device,
    ) -> Result<Tensor> {
        self.0.lock(|state| {
            if let Some(var) = state.vars.get(name) {
                if var.shape() != &shape || var.dtype() != dtype {
                    bail!(
                        "`{name}` is {:?} {:?} in the store, asked for {dtype:?} {shape:?}: two \
                         layers share a name, or the model changed",
                        var.dtype(),
                        var.shape(),
                    )
                }
                if !var.device().same_device(device) {
                    bail!("`{name}` is on {:?}, asked for on {device:?}", var.device().location())
                }
                return Ok(Self::hand_out(state, name, var));
            }
            let loaded = match &mut state.pending {
                Some(pending) => pending.take(name, shape.dims(), dtype, device)?,
                None => None,
            };
            let var = match loaded {
                Some(var) => var,
                None => seed::draw(self.0.seed, name, &shape, init, dtype, device)?,
            };
            let tensor = Self::hand_out(state, name, &var);
            state.vars.insert(name.to_owned(), var);
            Ok(tensor)
        })
    }

    fn get_unchecked(&self, name: &str, dtype: DType, device: &Device) -> Result<Tensor> {
        let known = |state: &mut State| {
            let var = state.vars.get(name)?;
            Some(Self::hand_out(state, name, var))
        };
        if let Some(tensor) = self.0.lock(known) {
            return Ok(tensor);
        }
        match self.0.lock(|state| Some(Shape::from(state.pending.as_ref()?.shape(name)?))) {
            Some(shape) => self.get(shape, name, Init::default(), dtype, device),
            None => bail!("no parameter `{name}` yet: ask for it with its shape"),
        }
    }

    fn contains_tensor(&self, name: &str) -> bool {
        let waits = |state: &State| state.pending.as_ref().is_some_and(|p| p.contains(name));
        self.0.lock(|state| state.vars.contains_key(name) || waits(state))
    }
}

#[cfg(test)]
mod tests {
    use candle_nn::{BatchNormConfig, Module, ModuleT, batch_norm, conv2d, linear};
    use ocellus_testing::assert_close;

    use super::*;

    #[test]
    fn draws_do_not_depend_on_the_order_of_building() -> Result<()> {
        let (first, second) = (ParamStore::seeded(1), ParamStore::seeded(1));
        let (a, b) = (
            first.var_builder(DType::F32, &Device::Cpu),
            second.var_builder(DType::F32, &Device::Cpu),
        );
        let one = (linear(4, 3, a.pp("x"))?, conv2d(3, 8, 3, Default::default(), a.pp("y"))?);
        let two = (conv2d(3, 8, 3, Default::default(), b.pp("y"))?, linear(4, 3, b.pp("x"))?);
        assert_close(one.0.weight(), two.1.weight(), 0.)?;
        assert_close(one.1.weight(), two.0.weight(), 0.)
    }

    #[test]
    fn another_seed_gives_other_weights() -> Result<()> {
        let weight = |seed| {
            let vb = ParamStore::seeded(seed).var_builder(DType::F64, &Device::Cpu);
            linear(4, 3, vb)?.weight().sum_all()?.to_scalar::<f64>()
        };
        assert_ne!(weight(1)?, weight(2)?);
        Ok(())
    }

    #[test]
    fn running_statistics_are_shared_but_not_trainable() -> Result<()> {
        let params = ParamStore::seeded(0);
        params.freeze("*");
        let vb = params.var_builder(DType::F32, &Device::Cpu);
        let norm = batch_norm(2, BatchNormConfig::default(), vb.pp("norm"))?;
        let x = Tensor::new(&[[[[1f32, 3.]], [[10., 30.]]]], &Device::Cpu)?;
        norm.forward_t(&x, true)?;
        let kept = params.get("norm.running_mean").unwrap();
        assert_close(&kept, &Tensor::new(&[0.2f32, 2.], &Device::Cpu)?, 1e-6)?;
        params.unfreeze("*");
        assert_eq!(params.trainable().len(), 2);
        assert_eq!(params.buffers().len(), 2);
        assert_eq!(params.parameter_count(), 4);
        Ok(())
    }

    #[test]
    fn frozen_weights_cut_the_graph_but_share_the_memory() -> Result<()> {
        let params = ParamStore::seeded(0);
        params.freeze("body.*");
        let vb = params.var_builder(DType::F32, &Device::Cpu);
        let (body, head) = (linear(2, 2, vb.pp("body"))?, linear(2, 1, vb.pp("head"))?);
        let x = Tensor::new(&[[1f32, 2.]], &Device::Cpu)?;
        let y = body.forward(&x)?;
        assert!(!y.track_op(), "a frozen layer records a graph");
        let grads = head.forward(&y)?.sum_all()?.backward()?;
        assert_eq!(params.trainable().len(), 2);
        for (name, var) in params.trainable() {
            assert!(grads.get(var.as_tensor()).is_some(), "{name} has no gradient");
        }
        assert!(grads.get(body.weight()).is_none());

        let new = Tensor::new(&[[5f32, 6.], [7., 8.]], &Device::Cpu)?;
        params.lock(|state| state.vars["body.weight"].set(&new))?;
        assert_close(body.weight(), &new, 0.)
    }

    #[test]
    fn building_again_on_the_store_changes_what_is_frozen() -> Result<()> {
        let params = ParamStore::seeded(0);
        params.freeze("*");
        let build = || linear(2, 2, params.var_builder(DType::F32, &Device::Cpu).pp("body"));
        let first = build()?;
        params.unfreeze("*");
        let second = build()?;
        assert!(!first.weight().is_variable() && second.weight().is_variable());
        assert_close(first.weight(), second.weight(), 0.)?;
        assert_eq!(params.trainable().len(), 2);
        Ok(())
    }

    #[test]
    fn unmatched_patterns_are_found() -> Result<()> {
        let params = ParamStore::seeded(0);
        params.freeze("boby.*");
        params.freeze("bo?y.weight");
        linear(2, 2, params.var_builder(DType::F32, &Device::Cpu).pp("body"))?;
        assert_eq!(params.unmatched_patterns(), ["boby.*"]);
        Ok(())
    }

    #[test]
    fn rejects_another_shape_or_type_under_a_known_name() -> Result<()> {
        let params = ParamStore::seeded(0);
        let vb = params.var_builder(DType::F32, &Device::Cpu);
        vb.get((2, 3), "w")?;
        let error = vb.get((3, 2), "w").unwrap_err().to_string();
        assert!(error.contains("`w` is F32 [2, 3] in the store, asked for F32 [3, 2]"), "{error}");
        assert!(vb.get_with_hints_dtype((2, 3), "w", Default::default(), DType::F64).is_err());
        assert!(vb.get_unchecked("v").unwrap_err().to_string().contains("no parameter `v`"));
        assert!(vb.contains_tensor("w") && !vb.contains_tensor("v"));
        Ok(())
    }
}
