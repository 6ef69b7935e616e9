use std::{
    path::PathBuf,
    process,
    sync::atomic::{AtomicUsize, Ordering},
};

use candle_core::{DType, Device, Result, Tensor, Var};
use candle_nn::{VarBuilder, VarMap};

use crate::fill;

/// The suite that every model must pass, with inputs of two sizes at least:
///
/// 1. each parameter (running statistics aside) gets a finite gradient in training;
/// 2. evaluation is deterministic, to the bit;
/// 3. what is saved and loaded into a model built anew gives the same bits.
///
/// `build` makes the model, `forward` runs it on the tensors of one input. The weights are set by
/// [`fill`], scaled as Kaiming does.
#[track_caller]
pub fn check_model<M>(
    build: impl Fn(VarBuilder<'static>) -> Result<M>,
    forward: impl Fn(&M, &[Tensor], bool) -> Result<Tensor>,
    inputs: &[Vec<Tensor>],
) -> Result<()> {
    assert!(inputs.len() > 1, "a model must be checked with inputs of two sizes");
    let (weights, model) = built(&build)?;
    for x in inputs {
        let first = forward(&model, x, false)?;
        let again = forward(&model, x, false)?;
        assert_eq!(bits(&first)?, bits(&again)?, "two evaluations differ");
        let y = forward(&model, x, true)?;
        let loss = (&y * fill(y.shape().clone(), 0.5, y.dtype())?)?.sum_all()?;
        let grads = loss.backward()?;
        for (name, var) in named(&weights) {
            if is_buffer(&name) {
                continue;
            }
            let gradient = grads.get(var.as_tensor());
            let gradient = gradient.unwrap_or_else(|| no_gradient(&name));
            let norm = gradient.sqr()?.sum_all()?.to_dtype(DType::F64)?.to_scalar::<f64>()?;
            assert!(norm.is_finite(), "the gradient of `{name}` is {norm}");
        }
    }
    let file = temporary_file();
    weights.save(&file)?;
    let (mut loaded, copy) = built(&build)?;
    for (_, var) in named(&loaded) {
        var.set(&var.zeros_like()?)?;
    }
    loaded.load(&file)?;
    std::fs::remove_file(&file)?;
    for x in inputs {
        let (y, z) = (forward(&model, x, false)?, forward(&copy, x, false)?);
        assert_eq!(bits(&y)?, bits(&z)?, "a loaded model gives other values");
    }
    Ok(())
}

/// Whether a parameter of that name is tracked, not trained.
pub(crate) fn is_buffer(name: &str) -> bool {
    ["running_mean", "running_var", "num_batches_tracked", "permutation", "rotation"]
        .iter()
        .any(|end| name.ends_with(end))
}

pub(crate) fn built<M>(build: &impl Fn(VarBuilder<'static>) -> Result<M>) -> Result<(VarMap, M)> {
    let weights = VarMap::new();
    let model = build(VarBuilder::from_varmap(&weights, DType::F32, &Device::Cpu))?;
    for (i, (name, var)) in named(&weights).into_iter().enumerate() {
        let fan: usize = var.dims().iter().skip(1).product();
        let values = (fill(var.shape().clone(), i as f64, DType::F32)? * (6. / fan as f64).sqrt())?;
        match var.rank() {
            0 => {}
            _ if name.ends_with("running_var") => var.set(&(values.abs()? + 0.5)?)?,
            _ => var.set(&values)?,
        }
    }
    Ok((weights, model))
}

/// The weights, sorted by name.
pub(crate) fn named(weights: &VarMap) -> Vec<(String, Var)> {
    let data = weights.data().lock().expect("no thread panicked while it held the weights");
    let mut all: Vec<_> = data.iter().map(|(name, var)| (name.clone(), var.clone())).collect();
    all.sort_by(|a, b| a.0.cmp(&b.0));
    all
}

#[track_caller]
#[expect(clippy::panic, reason = "a test helper reports by panicking")]
pub(crate) fn no_gradient(name: &str) -> ! {
    panic!("`{name}` gets no gradient")
}

fn temporary_file() -> PathBuf {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    std::env::temp_dir().join(format!("ocellus-model-{}-{count}.safetensors", process::id()))
}

fn bits(x: &Tensor) -> Result<Vec<u32>> {
    let values = x.to_dtype(DType::F32)?.flatten_all()?.to_vec1::<f32>()?;
    Ok(values.into_iter().map(f32::to_bits).collect())
}

#[cfg(test)]
mod tests {
    use candle_core::Module;

    use super::*;

    fn inputs() -> Result<Vec<Vec<Tensor>>> {
        Ok(vec![vec![fill((2, 3), 0.1, DType::F32)?], vec![fill((4, 3), 0.2, DType::F32)?]])
    }

    #[test]
    fn a_linear_layer_passes() -> Result<()> {
        let build = |vb: VarBuilder<'static>| candle_nn::linear(3, 2, vb);
        check_model(build, |layer, x, _| layer.forward(&x[0]), &inputs()?)
    }

    #[test]
    #[should_panic(expected = "`weight` gets no gradient")]
    fn a_detached_weight_is_found() {
        let build =
            |vb: VarBuilder<'static>| Ok((vb.get((2, 3), "weight")?.detach(), vb.get(2, "bias")?));
        let forward = |(weight, bias): &(Tensor, Tensor), x: &[Tensor], _: bool| {
            x[0].matmul(&weight.t()?)?.broadcast_add(bias)
        };
        check_model(build, forward, &inputs().unwrap()).unwrap();
    }
}
