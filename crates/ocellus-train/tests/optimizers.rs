//! Trajectories of 100 steps against PyTorch and Keras, and the laws of every optimizer.

use std::error::Error;

use candle_core::{DType, Device, Result, Tensor, Var, backprop::GradStore};
use ocellus_params::ParamGroup;
use ocellus_testing::{Golden, assert_close, fill, with_threads};
use ocellus_train::{
    AdaGrad, AdaGradConfig, Adam, AdamConfig, Optimizer, RmsProp, RmsPropConfig, Sgd, SgdConfig,
};

type Params = Vec<(String, Var)>;
type Make = fn(Vec<ParamGroup>) -> Result<Box<dyn Optimizer>>;

macro_rules! case {
    ($name:literal, $kind:ident, $config:expr) => {
        ($name, (|groups| Ok(Box::new($kind::new($config, groups)?))) as Make)
    };
}

/// The cases of `testdata/optimizers.py`, and the weight decay of their second group.
fn cases() -> Vec<(&'static str, Make)> {
    vec![
        case!("sgd", Sgd, SgdConfig::new(0.05).with_weight_decay(0.01)),
        case!(
            "sgd_momentum",
            Sgd,
            SgdConfig::new(0.05).with_momentum(0.9).with_dampening(0.1).with_weight_decay(0.01)
        ),
        case!(
            "sgd_nesterov",
            Sgd,
            SgdConfig::new(0.05).with_momentum(0.9).with_nesterov(true).with_weight_decay(0.01)
        ),
        case!("adam", Adam, AdamConfig::new(0.01).with_weight_decay(0.01)),
        case!("adam_amsgrad", Adam, AdamConfig::new(0.01).with_betas(0.8, 0.95).with_amsgrad(true)),
        case!("adamw", Adam, AdamConfig::adamw(0.01).with_weight_decay(0.1)),
        case!("adamw_amsgrad", Adam, AdamConfig::adamw(0.01).with_eps(1e-6).with_amsgrad(true)),
        case!("adagrad", AdaGrad, AdaGradConfig::new(0.1).with_weight_decay(0.01)),
        case!("adagrad_decay", AdaGrad, AdaGradConfig::new(0.1).with_decay(0.1).with_initial(0.2)),
        case!("rmsprop_pytorch", RmsProp, RmsPropConfig::pytorch(0.01).with_weight_decay(0.01)),
        case!(
            "rmsprop_pytorch_centered",
            RmsProp,
            RmsPropConfig::pytorch(0.01)
                .with_rho(0.9)
                .with_eps(1e-6)
                .with_momentum(0.5)
                .with_centered(true)
        ),
        case!("rmsprop_keras2", RmsProp, RmsPropConfig::keras2(0.01)),
        case!("rmsprop_keras2_decay", RmsProp, RmsPropConfig::keras2(0.01).with_decay(0.05)),
        case!("rmsprop_keras3", RmsProp, RmsPropConfig::keras3(0.01)),
        case!(
            "rmsprop_keras3_momentum",
            RmsProp,
            RmsPropConfig::keras3(0.01).with_momentum(0.9).with_weight_decay(0.1)
        ),
        case!(
            "rmsprop_keras3_centered",
            RmsProp,
            RmsPropConfig::keras3(0.01).with_momentum(0.5).with_centered(true)
        ),
    ]
}

fn start(dtype: DType) -> Result<Params> {
    let var = |phase| Var::from_tensor(&fill(6, phase, dtype)?);
    Ok(vec![("a".to_owned(), var(0.1)?), ("b".to_owned(), var(0.2)?)])
}

/// Keras has no groups; the PyTorch cases have a second one.
fn groups(name: &str, params: &Params) -> Vec<ParamGroup> {
    if name.contains("keras") {
        return vec![ParamGroup::new("all", params.clone())];
    }
    let mut second = ParamGroup::new("second", params[1..].to_vec());
    (second.lr_scale, second.weight_decay) = (0.5, Some(0.05));
    vec![ParamGroup::new("first", params[..1].to_vec()), second]
}

/// The gradients of `Σ ½ c p² + s_t p`, where `b` takes part in every third step only.
fn gradients(params: &Params, step: usize) -> Result<GradStore> {
    let mut sum: Option<Tensor> = None;
    for (which, (_, p)) in params.iter().enumerate() {
        if which == 1 && !step.is_multiple_of(3) {
            continue;
        }
        let curve = fill(6, 0.3, DType::F64)?.affine(0.5, 1.)?.to_dtype(p.dtype())?;
        let slope = fill(6, 1. + step as f64 + 0.5 * which as f64, p.dtype())?;
        let loss = ((p.sqr()? * (curve * 0.5)?)? + (p.as_tensor() * slope)?)?.sum_all()?;
        sum = Some(match sum {
            Some(sum) => (sum + loss)?,
            None => loss,
        });
    }
    sum.expect("the first parameter always takes part").backward()
}

fn run(name: &str, make: Make, dtype: DType, steps: std::ops::Range<usize>) -> Result<Params> {
    let params = start(dtype)?;
    let mut optimizer = make(groups(name, &params))?;
    for step in steps {
        optimizer.step(&gradients(&params, step)?)?;
    }
    Ok(params)
}

#[test]
fn a_hundred_steps_equal_the_reference() -> Result<()> {
    let golden = Golden::read(env!("CARGO_MANIFEST_DIR"), "optimizers")?;
    for (name, make) in cases() {
        for (dtype, tolerance) in [(DType::F64, 1e-12), (DType::F32, 1e-6)] {
            let params = run(name, make, dtype, 0..100)?;
            for (which, (_, p)) in params.iter().enumerate() {
                let expected = golden.get(&format!("output.{name}.{which}"))?;
                let error = p.to_dtype(DType::F64)?.sub(expected)?.abs()?.max_all()?;
                let error = error.to_scalar::<f64>()?;
                assert!(error < tolerance, "{name}.{which} in {dtype:?}: off by {error:e}");
            }
        }
    }
    Ok(())
}

#[test]
fn a_saved_state_continues_with_the_same_bits() -> std::result::Result<(), Box<dyn Error>> {
    for (name, make) in cases() {
        let whole = run(name, make, DType::F32, 0..20)?;
        let first = start(DType::F32)?;
        let mut optimizer = make(groups(name, &first))?;
        for step in 0..7 {
            optimizer.step(&gradients(&first, step)?)?;
        }
        let state = optimizer.state()?;
        let second = start(DType::F32)?;
        for ((_, to), (_, from)) in second.iter().zip(&first) {
            to.set(&from.as_detached_tensor())?;
        }
        let mut optimizer = make(groups(name, &second))?;
        optimizer.load_state(&state)?;
        for step in 7..20 {
            optimizer.step(&gradients(&second, step)?)?;
        }
        for ((_, a), (_, b)) in whole.iter().zip(&second) {
            assert_eq!(a.to_vec1::<f32>()?, b.to_vec1::<f32>()?, "{name}");
        }
    }
    Ok(())
}

/// Three steps on `Σ p²` from those values.
fn descend(make: Make, values: &Tensor) -> Result<Vec<f32>> {
    let p = Var::from_tensor(values)?;
    let mut optimizer = make(vec![ParamGroup::new("all", vec![("p".to_owned(), p.clone())])])?;
    for _ in 0..3 {
        optimizer.step(&p.sqr()?.sum_all()?.backward()?)?;
    }
    p.to_vec1()
}

#[test]
fn an_entry_moves_the_same_in_any_tensor_at_any_number_of_threads() -> Result<()> {
    let large = fill(40_003, 0.1, DType::F32)?;
    let place = 16_381; // Across the border of two tasks.
    for (name, make) in cases() {
        let alone = descend(make, &large.narrow(0, place, 7)?)?;
        for threads in [1, 2, 5] {
            let moved = with_threads(threads, || descend(make, &large))?;
            assert_eq!(moved[place..place + 7], alone, "{name}, {threads} threads");
            assert_eq!(moved[40_000..], descend(make, &large.narrow(0, 40_000, 3)?)?, "{name}");
        }
    }
    Ok(())
}

#[test]
fn a_parameter_without_gradient_stays_with_its_state() -> Result<()> {
    let params = start(DType::F32)?;
    let mut optimizer = Adam::new(AdamConfig::new(0.1).with_weight_decay(0.1), params.clone())?;
    let before = optimizer.state()?;
    optimizer.step(&gradients(&params, 1)?)?;
    let after = optimizer.state()?;
    assert_close(&params[1].1, &fill(6, 0.2, DType::F32)?, 0.)?;
    for name in ["updates.b", "mean.b", "square.b"] {
        assert_eq!(before[name].to_string(), after[name].to_string());
    }
    assert_eq!(after["updates.a"].to_scalar::<i64>()?, 1);
    Ok(())
}

#[test]
fn half_precision_is_moved_by_tensor_operations() -> Result<()> {
    let p = Var::from_tensor(&fill(6, 0.1, DType::BF16)?)?;
    let config = SgdConfig::new(0.5);
    let mut optimizer = Sgd::new(config, vec![("p".to_owned(), p.clone())])?;
    optimizer.step(&p.sqr()?.sum_all()?.backward()?)?;
    assert_close(&p, &p.zeros_like()?, 1e-2)
}

#[test]
fn rejects_the_state_of_another_optimizer() -> Result<()> {
    let params = start(DType::F32)?;
    let mut sgd = Sgd::new(SgdConfig::new(0.1).with_momentum(0.9), params.clone())?;
    let mut adam = Adam::new(AdamConfig::new(0.1), params)?;
    let error = sgd.load_state(&adam.state()?).unwrap_err().to_string();
    assert!(error.contains("has no `momentum.a`"), "{error}");
    let mut state = adam.state()?;
    state.insert("mean.c".to_owned(), Tensor::new(0f32, &Device::Cpu)?);
    let error = adam.load_state(&state).unwrap_err().to_string();
    assert!(error.contains("unknown `mean.c`"), "{error}");
    Ok(())
}

#[test]
fn rejects_settings_without_sense() -> Result<()> {
    let message = |made: Result<()>| made.unwrap_err().to_string();
    let params = || start(DType::F32);
    let nan = Sgd::new(SgdConfig::new(f64::NAN), params()?).map(drop);
    assert!(message(nan).contains("learning rate is NaN"));
    let nesterov = Sgd::new(SgdConfig::new(0.1).with_nesterov(true), params()?).map(drop);
    assert!(message(nesterov).contains("needs a momentum"));
    let beta = Adam::new(AdamConfig::new(0.1).with_betas(1., 0.9), params()?).map(drop);
    assert!(message(beta).contains("first beta is 1"));
    let keras = RmsProp::new(RmsPropConfig::keras2(0.1).with_momentum(0.9), params()?).map(drop);
    assert!(message(keras).contains("another form"));
    let twice = [params()?, params()?].concat();
    let twice = Sgd::new(SgdConfig::new(0.1), twice).map(drop);
    assert!(message(twice).contains("in two groups"));
    Ok(())
}

#[test]
fn rejects_a_gradient_of_another_shape_before_anything_moves() -> Result<()> {
    let params = start(DType::F32)?;
    let mut optimizer = Sgd::new(SgdConfig::new(0.1), params.clone())?;
    let mut grads = gradients(&params, 0)?;
    grads.insert(params[1].1.as_tensor(), fill(5, 0., DType::F32)?);
    let error = optimizer.step(&grads).unwrap_err().to_string();
    assert!(error.contains("gradient of `b`"), "{error}");
    assert_close(&params[0].1, &fill(6, 0.1, DType::F32)?, 0.)
}
