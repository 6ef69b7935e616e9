//! Weights by the formula of `testdata/formula.py`, and summaries of large tensors.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use candle_core::{DType, Device, Result, Shape, Tensor, Var};
use candle_nn::{Init, VarBuilder, var_builder::SimpleBackend};
use ocellus_testing::{Golden, assert_close, fill};

/// A store whose weights follow the formula: the k-th by name is filled with phase `first + k`.
#[derive(Clone)]
pub(crate) struct Filled {
    phases: Arc<BTreeMap<String, usize>>,
    vars: Arc<Mutex<BTreeMap<String, Var>>>,
}

impl Filled {
    /// Builds a model whose names it first collects, then again with the weights of the formula.
    pub(crate) fn build<M>(
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

    pub(crate) fn var(&self, name: &str) -> Var {
        self.vars.lock().expect("no test panicked while it held the lock")[name].clone()
    }

    /// The names of all weights, sorted.
    pub(crate) fn names(&self) -> Vec<&str> {
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
pub(crate) fn parameter_counts<M>(
    build: impl Fn(VarBuilder<'static>) -> Result<M>,
) -> Result<(usize, usize)> {
    let shapes = shapes(DType::F32, &build)?;
    let (buffers, parameters): (Vec<_>, Vec<_>) =
        shapes.iter().partition(|(name, _)| name.contains("running_"));
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
#[derive(Clone, Default)]
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

/// `testdata/NAME.safetensors`.
pub(crate) fn golden(name: &str) -> Result<Golden> {
    Golden::read(env!("CARGO_MANIFEST_DIR"), name)
}

/// Panics unless sum, sum of squares and 64 evenly spread entries are those of the summary, each
/// within `tol` of the largest of its kind.
#[track_caller]
pub(crate) fn assert_summary(x: &Tensor, expected: &Tensor, tol: f64) -> Result<()> {
    let flat = x.to_dtype(DType::F64)?.flatten_all()?.to_vec1::<f64>()?;
    let expected = expected.to_vec1::<f64>()?;
    let close = |name: &str, a: f64, e: f64, scale: f64| {
        assert!((a - e).abs() <= tol * scale, "{name}: {a}, expected {e}");
    };
    let squares = expected[1];
    close("sum", flat.iter().sum(), expected[0], (squares * flat.len() as f64).sqrt());
    close("sum of squares", flat.iter().map(|v| v * v).sum(), squares, squares);
    let entries = &expected[2..];
    let scale = entries.iter().fold(0f64, |most, v| most.max(v.abs()));
    for (i, &e) in entries.iter().enumerate() {
        close(&format!("entry {i}"), flat[i * flat.len() / entries.len()], e, scale);
    }
    Ok(())
}

/// Panics unless `|actual − expected| ≤ tol · max |expected|` holds everywhere.
#[track_caller]
pub(crate) fn assert_relative(actual: &Tensor, expected: &Tensor, tol: f64) -> Result<()> {
    let actual = actual.to_dtype(DType::F64)?;
    let expected = expected.to_dtype(DType::F64)?;
    let scale = expected.abs()?.max_all()?.to_scalar::<f64>()?;
    let zeros = expected.zeros_like()?;
    assert_close(&((actual - &expected)? / scale)?, &zeros, tol)
}
