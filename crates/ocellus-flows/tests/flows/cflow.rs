use candle_core::{DType, Device, Result, Tensor, Var};
use ocellus_flows::{Cflow, CflowConfig, FiberBatch, Mixing};
use ocellus_ops::backward;
use ocellus_params::ParamStore;
use ocellus_testing::{Golden, assert_close, assert_summary, fill};

use crate::formula::set_weights;

fn build(config: &CflowConfig, dtype: DType) -> Result<(Cflow, ParamStore)> {
    let params = ParamStore::seeded(0);
    let build = || Cflow::new(config, params.var_builder(dtype, &Device::Cpu));
    build()?;
    set_weights(&params)?;
    Ok((build()?, params))
}

fn check(name: &str, config: &CflowConfig, dtype: DType, tol: f64) -> Result<()> {
    let golden = Golden::read(env!("CARGO_MANIFEST_DIR"), "cflow")?;
    let expected = |key: &str| golden.get(&format!("{name}.{key}"));
    let (flow, params) = build(config, dtype)?;
    let channels = config.channels[0];
    let features = Var::from_tensor(&fill((2, channels, 5, 6), 0.25, dtype)?)?;

    let likelihood = flow.log_likelihood(0, &features)?;
    assert_close(&likelihood, expected("likelihood")?, tol)?;
    let latent = flow.latent(0, &features)?;
    // A sum over all blocks and channels.
    assert_close(&latent.log_det, expected("log_det")?, 5. * tol)?;
    assert_summary(&latent.value, expected("z")?, tol)?;

    let batch = FiberBatch::whole(0, &features, config.condition)?;
    let loss = flow.loss(&batch)?;
    assert_close(&loss, expected("loss")?, tol)?;
    let gradients = backward(&loss)?;
    let by_features = gradients.get(&features).expect("a gradient by the features");
    assert_summary(by_features, expected("gradient.features")?, 10. * tol)?;
    for (name, var) in params.trainable() {
        let gradient = gradients.get(&var).expect("a gradient by every weight");
        assert_summary(gradient, expected(&format!("gradient.{name}"))?, 10. * tol)?;
    }
    Ok(())
}

fn config(channels: usize, condition: usize, blocks: usize) -> CflowConfig {
    CflowConfig::anomalib(vec![channels]).with_condition(condition).with_blocks(blocks)
}

#[test]
fn a_decoder_of_128_channels_equals_anomalibs() -> Result<()> {
    check("hard", &config(128, 128, 8), DType::F32, 1e-5)
}

#[test]
fn an_odd_number_of_channels_is_split_as_anomalib_does() -> Result<()> {
    check("odd", &config(7, 4, 3), DType::F32, 1e-5)?;
    // The encoding of places and the weights are rounded to single precision, sums are not.
    check("odd", &config(7, 4, 3), DType::F64, 1e-6)
}

#[test]
fn a_rotation_instead_of_a_permutation_equals_anomalibs() -> Result<()> {
    check("soft", &config(16, 8, 3).with_mixing(Mixing::Soft), DType::F32, 1e-5)
}

#[test]
fn a_fiber_alone_gives_the_bits_of_the_fiber_among_others() -> Result<()> {
    let (flow, _) = build(&config(24, 8, 4), DType::F32)?;
    let features = fill((3, 24, 9, 7), 0.3, DType::F32)?;
    let all = flow.log_likelihood(0, &features)?;
    for image in 0..3 {
        let alone = flow.log_likelihood(0, &features.narrow(0, image, 1)?)?;
        assert_close(&alone, &all.narrow(0, image, 1)?, 0.)?;
    }
    Ok(())
}

#[test]
fn wrong_settings_and_inputs_are_errors_that_say_so() -> Result<()> {
    let vb = || ParamStore::seeded(0).var_builder(DType::F32, &Device::Cpu);
    let error = |config: &CflowConfig| Cflow::new(config, vb()).unwrap_err().to_string();
    assert!(error(&config(8, 6, 1)).contains("6 channels: choose a multiple of 4"));
    assert!(error(&config(1, 4, 1)).contains("1 channels, 1 blocks"));
    assert!(error(&config(8, 4, 0)).contains("0 blocks"));
    assert!(error(&config(8, 4, 1).with_alpha(-1.)).contains("α is -1"));
    assert!(error(&CflowConfig::anomalib(vec![])).contains("no scale"));

    let flow = Cflow::new(&config(8, 4, 1), vb())?;
    let features = Tensor::zeros((1, 6, 2, 2), DType::F32, &Device::Cpu)?;
    let error = flow.log_likelihood(0, &features).unwrap_err().to_string();
    assert!(error.contains("8 channels got [1, 6, 2, 2]"), "{error}");
    let error = flow.log_likelihood(2, &features).unwrap_err().to_string();
    assert!(error.contains("scale 2 of a CFLOW of 1"), "{error}");
    Ok(())
}
