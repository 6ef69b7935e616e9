use candle_core::{DType, Device, Result, Tensor};
use ocellus_flows::{FastFlow, FastFlowConfig, FastFlowScale};
use ocellus_ops::backward;
use ocellus_params::ParamStore;
use ocellus_testing::{Golden, assert_close, assert_summary, fill};

use crate::formula::set_weights;

fn check(name: &str, config: &FastFlowConfig) -> Result<()> {
    let golden = Golden::read(env!("CARGO_MANIFEST_DIR"), "fastflow")?;
    let expected = |key: &str| golden.get(&format!("{name}.{key}"));
    let params = ParamStore::seeded(0);
    let flow = FastFlow::new(config, params.var_builder(DType::F32, &Device::Cpu))?;
    set_weights(&params)?;
    let features = |(k, scale): (usize, &FastFlowScale)| {
        let shape = (2, scale.channels, scale.height, scale.width);
        (fill(shape, 0.25 + k as f64, DType::F64)? * 2.)?.to_dtype(DType::F32)
    };
    let features = config.scales.iter().enumerate().map(features).collect::<Result<Vec<_>>>()?;
    for (k, features) in features.iter().enumerate() {
        let latent = flow.latent(k, features)?;
        assert_summary(&latent.value, expected(&format!("z.{k}"))?, 1e-5)?;
        assert_close(&latent.log_det, expected(&format!("log_det.{k}"))?, 1e-5)?;
    }
    let map = flow.map(&features, (19, 14))?;
    assert_close(&map.unsqueeze(1)?, expected("map")?, 5e-6)?;
    let loss = flow.loss(&features)?;
    assert_close(&loss, expected("loss")?, 1e-5)?;
    let gradients = backward(&loss)?;
    for (name, var) in params.trainable() {
        let gradient = gradients.get(&var).expect("a gradient by every weight");
        assert_summary(gradient, expected(&format!("gradient.{name}"))?, 1e-4)?;
    }
    Ok(())
}

#[test]
fn alternating_convolutions_equal_anomalibs() -> Result<()> {
    let scales = vec![FastFlowScale::new(8, 9, 7), FastFlowScale::new(5, 4, 3)];
    check("alternating", &FastFlowConfig::new(scales).with_blocks(4))
}

#[test]
fn convolutions_of_3x3_alone_equal_anomalibs() -> Result<()> {
    let config = FastFlowConfig::new(vec![FastFlowScale::new(6, 5, 6)]);
    check("only_3x3", &config.with_blocks(3).with_only_3x3(true))
}

#[test]
fn narrow_hidden_layers_without_a_norm_equal_anomalibs() -> Result<()> {
    let config = FastFlowConfig::transformer(12, 4, 4).with_blocks(4).with_hidden_ratio(0.5);
    check("narrow", &config)
}

#[test]
fn wrong_settings_and_inputs_are_errors_that_say_so() -> Result<()> {
    let vb = || ParamStore::seeded(0).var_builder(DType::F32, &Device::Cpu);
    let scale = FastFlowScale::new(4, 3, 2);
    let error = |config: FastFlowConfig| FastFlow::new(&config, vb()).unwrap_err().to_string();
    assert!(error(FastFlowConfig::new(vec![])).contains("none may be empty"));
    assert!(error(FastFlowConfig::new(vec![FastFlowScale::new(4, 0, 2)])).contains("height: 0"));
    let narrow = FastFlowConfig::new(vec![scale]).with_hidden_ratio(0.1);
    assert!(error(narrow).contains("0.1 × 2 channels: raise the ratio"));

    let flow = FastFlow::new(&FastFlowConfig::new(vec![scale]), vb())?;
    let features = Tensor::zeros((1, 4, 6, 2), DType::F32, &Device::Cpu)?;
    let error = flow.loss(&[features]).unwrap_err().to_string();
    assert!(error.contains("[1, 4, 6, 2]") && error.contains("(batch, 4, 3, 2)"), "{error}");
    let error = flow.map(&[], (4, 4)).unwrap_err().to_string();
    assert!(error.contains("features of 0 scales for a FastFlow of 1"), "{error}");
    Ok(())
}
