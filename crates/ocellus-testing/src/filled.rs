use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use candle_core::{DType, Device, Result, Shape, Tensor, Var};
use candle_nn::{Init, VarBuilder, var_builder::SimpleBackend};

use crate::{fill, model::is_buffer};

/// A store whose weights follow the formula of `ocellus-backbones/testdata/formula.py`: the k-th by
/// name is [`fill`]ed with phase `first + k`, scaled by its kind.
#[derive(Clone, Debug)]
pub struct Filled {
    phases: Arc<BTreeMap<String, usize>>,
    vars: Arc<Mutex<BTreeMap<String, Var>>>,
}

impl Filled {
    /// Builds a model whose names it first collects, then again with the weights of the formula.
    pub fn build<M>(
        dtype: DType,
        first: usize,
        build: impl Fn(VarBuilder<'static>) -> Result<M>,
    ) -> Result<(M, Self)> {
        let names = shapes(dtype, &build)?.into_keys().enumerate();
        let phases = names.map(|(k, name)| (name, first + k)).collect();
        let filled = Self { phases: Arc::new(phases), vars: Arc::default() };
        let vb = VarBuilder::from_backend(Box::new(filled.clone()), dtype, Device::Cpu);
        Ok((build(vb)?, filled))
    }

    /// The weight of that name; panics if there is none.
    #[must_use]
    pub fn var(&self, name: &str) -> Var {
        self.vars.lock().expect("no test panicked while it held the lock")[name].clone()
    }

    /// The names of all weights, sorted.
    #[must_use]
    pub fn names(&self) -> Vec<&str> {
        self.phases.keys().map(String::as_str).collect()
    }
}

impl SimpleBackend for Filled {
    fn get(&self, s: Shape, name: &str, _: Init, dtype: DType, _: &Device) -> Result<Tensor> {
        // Rounded to single precision, as a file of weights is.
        let values = fill(s.clone(), self.phases[name] as f64, DType::F64)?;
        let fan: usize = s.dims().iter().skip(1).product();
        let values = match s.rank() {
            1 if name.ends_with("bias") || name.ends_with("running_mean") => (values * 0.1)?,
            1 => values.affine(0.5, 1.)?,
            _ => (values * (6. / fan as f64).sqrt())?,
        };
        let var = Var::from_tensor(&values.to_dtype(DType::F32)?.to_dtype(dtype)?)?;
        let tensor = var.as_tensor().clone();
        self.vars
            .lock()
            .expect("no test panicked while it held the lock")
            .insert(name.to_owned(), var);
        Ok(tensor)
    }

    fn get_unchecked(&self, name: &str, _: DType, _: &Device) -> Result<Tensor> {
        Ok(self.var(name).as_tensor().clone())
    }

    fn contains_tensor(&self, name: &str) -> bool {
        self.phases.contains_key(name)
    }
}

/// How many values the parameters have, and how many the running statistics.
pub fn parameter_counts<M>(
    build: impl Fn(VarBuilder<'static>) -> Result<M>,
) -> Result<(usize, usize)> {
    let shapes = shapes(DType::F32, &build)?;
    let (buffers, parameters): (Vec<_>, Vec<_>) =
        shapes.iter().partition(|(name, _)| is_buffer(name));
    let count = |of: Vec<(&String, &Shape)>| of.iter().map(|(_, shape)| shape.elem_count()).sum();
    Ok((count(parameters), count(buffers)))
}

/// The weights that a model asks for.
fn shapes<M>(
    dtype: DType,
    build: &impl Fn(VarBuilder<'static>) -> Result<M>,
) -> Result<BTreeMap<String, Shape>> {
    let names = Names::default();
    build(VarBuilder::from_backend(Box::new(names.clone()), dtype, Device::Cpu))?;
    let mut names = names.0.lock().expect("no test panicked while it held the lock");
    Ok(std::mem::take(&mut *names))
}

/// Hands out a zero in any shape and remembers the names.
#[derive(Clone, Debug, Default)]
struct Names(Arc<Mutex<BTreeMap<String, Shape>>>);

impl SimpleBackend for Names {
    fn get(&self, s: Shape, name: &str, _: Init, dtype: DType, device: &Device) -> Result<Tensor> {
        let mut names = self.0.lock().expect("no test panicked while it held the lock");
        names.insert(name.to_owned(), s.clone());
        Tensor::zeros((), dtype, device)?.broadcast_as(s)
    }

    fn get_unchecked(&self, _: &str, dtype: DType, device: &Device) -> Result<Tensor> {
        Tensor::zeros((), dtype, device)
    }

    fn contains_tensor(&self, _: &str) -> bool {
        true
    }
}
