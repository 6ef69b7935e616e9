//! CFLOW-AD and FastFlow against anomalib, and what every detector promises.

use candle_core::{D, DType, Device, Tensor};
use ocellus_anomaly::{
    AnomalyDetector, CflowAd, CflowAdModel, Detector, Encoder, Error, FastFlow, FastFlowModel,
    FeatureModel, FitFeatures, FrozenBackbone, Result,
};
use ocellus_backbones::ResNetConfig;
use ocellus_flows::{Cflow, CflowConfig, CflowTraining, FastFlowConfig, FastFlowScale, Mixing};
use ocellus_params::ParamStore;
use ocellus_testing::{Golden, assert_close, fill};

/// The values of `ocellus-flows/testdata/formula.py`.
fn set_weights(params: &ParamStore) -> Result<()> {
    for (phase, (name, weight)) in params.tensors().into_iter().enumerate() {
        let values = fill(weight.shape().clone(), phase as f64, DType::F64)?;
        let last = name.rsplit('.').next().unwrap_or_default();
        let fan: usize = weight.dims().iter().skip(1).product();
        let values = match last {
            "permutation" => values,
            "global_scale" => (values + 9.98652)?,
            "weight" if name.contains("norms.") => values.affine(0.5, 1.)?,
            "weight" => (values * (3. / fan as f64).sqrt())?,
            _ => (values * 0.1)?,
        };
        weight.slice_set(&values.to_dtype(DType::F32)?, 0, 0)?;
    }
    Ok(())
}

const SIZES: [(usize, usize, usize); 2] = [(8, 6, 5), (6, 3, 3)];

fn golden_features() -> Result<Vec<Tensor>> {
    let of_scale = |(k, &(c, h, w)): (usize, &(usize, usize, usize))| {
        Ok((fill((3, c, h, w), 0.25 + k as f64, DType::F64)? * 2.)?.to_dtype(DType::F32)?)
    };
    SIZES.iter().enumerate().map(of_scale).collect()
}

#[test]
fn cflow_maps_equal_anomalibs_without_its_batch() -> Result<()> {
    let golden = Golden::read(env!("CARGO_MANIFEST_DIR"), "flow_maps")?;
    let config = CflowConfig::anomalib(vec![8, 6]).with_condition(8).with_blocks(3);
    let params = ParamStore::seeded(0);
    Cflow::new(&config, params.var_builder(DType::F32, &Device::Cpu))?;
    set_weights(&params)?;
    let features = golden_features()?;
    let model = CflowAdModel::new(&config, &params, &vec![features.clone()])?;
    let scores = model.score(&features, (17, 20))?;
    for (k, scale) in scores.scales.iter().enumerate() {
        let likelihood = scale.log_likelihood.as_ref().expect("a log-likelihood");
        assert_close(likelihood, golden.get(&format!("cflow.likelihood.{k}"))?, 2e-6)?;
    }
    // Ours counts down from the number of scales, anomalib's from the greatest sum of the batch.
    let shift = 2. - golden.get("cflow.top")?.to_scalar::<f64>()?;
    let expected = (golden.get("cflow.maps")? + shift)?;
    assert_close(&scores.maps, &expected, 5e-6)?;
    let images = expected.flatten_from(1)?.max(D::Minus1)?;
    assert_close(&scores.images, &images, 5e-6)?;
    Ok(())
}

#[test]
fn fastflow_maps_equal_anomalibs() -> Result<()> {
    let golden = Golden::read(env!("CARGO_MANIFEST_DIR"), "flow_maps")?;
    let scales = SIZES.map(|(c, h, w)| FastFlowScale::new(c, h, w)).to_vec();
    let config = FastFlowConfig::new(scales).with_blocks(3);
    let params = ParamStore::seeded(0);
    let vb = params.var_builder(DType::F32, &Device::Cpu);
    ocellus_flows::FastFlow::new(&config, vb)?;
    set_weights(&params)?;
    let scores = FastFlowModel::new(&config, &params)?.score(&golden_features()?, (17, 20))?;
    let expected = golden.get("fastflow.maps")?;
    assert_close(&scores.maps, expected, 2e-6)?;
    assert_close(&scores.images, &expected.flatten_from(1)?.max(D::Minus1)?, 2e-6)?;
    Ok(())
}

fn backbone() -> Result<FrozenBackbone> {
    let config = ResNetConfig::resnet18().with_channels(4).with_stage_count(2);
    FrozenBackbone::resnet(&config, &ParamStore::seeded(3), &Device::Cpu)
}

fn encoder() -> Result<Encoder> {
    Encoder::new(backbone()?, &[1, 2])
}

/// Images of smooth waves.
fn images(count: usize, phase: f64) -> Result<Tensor> {
    let x = Tensor::arange(0f32, (count * 3 * 32 * 32) as f32, &Device::Cpu)?;
    let x = x.reshape((count, 3, 32, 32))?.affine(0.37, phase)?.sin()?;
    Ok(x.affine(0.2, 0.5)?)
}

/// Alone, in any batch, in any order, after save and load: the same bits.
fn check_detector(settings: &impl FitFeatures) -> Result<()> {
    let normal = vec![images(5, 0.)?, images(3, 1.)?];
    let detector = Detector::fit(encoder()?, settings, &normal)?;
    let strange = Tensor::cat(&[images(2, 2.)?, fill((2, 3, 32, 32), 0.3, DType::F32)?], 0)?;
    let all = detector.score(&strange)?;
    for index in [2, 0, 3, 1] {
        let alone = detector.score(&strange.narrow(0, index, 1)?)?;
        assert_close(&alone.maps, &all.maps.narrow(0, index, 1)?, 0.)?;
        assert_close(&alone.images, &all.images.narrow(0, index, 1)?, 0.)?;
    }
    let folder = tempfile::tempdir().map_err(Error::source)?;
    let path = folder.path().join("detector.safetensors");
    detector.save(&path)?;
    let loaded = Detector::load(&path, backbone()?)?;
    assert_eq!(loaded.kind(), detector.kind());
    let again = loaded.score(&strange)?;
    assert_close(&again.maps, &all.maps, 0.)?;
    assert_close(&again.images, &all.images, 0.)?;
    let latents = (loaded.pooled_latents(&strange)?, detector.pooled_latents(&strange)?);
    assert_close(&latents.0, &latents.1, 0.)?;
    // Noise is stranger than waves that go on.
    let scores = all.image_values()?;
    assert!(scores[2].min(scores[3]) > scores[0].max(scores[1]), "{scores:?}");
    Ok(())
}

#[test]
fn cflow_passes_the_suite_of_detectors() -> Result<()> {
    let training = CflowTraining::anomalib(40).with_learning_rate(3e-3);
    let settings = CflowAd::anomalib(1).with_condition(8).with_blocks(4).with_training(training);
    check_detector(&settings)
}

#[test]
fn the_official_cflow_passes_the_suite_of_detectors() -> Result<()> {
    let training = CflowTraining::official(6).with_fibers(32).with_learning_rate(3e-3);
    let settings = CflowAd::official(1).with_condition(8).with_blocks(4).with_training(training);
    assert_eq!(settings.flows.mixing, Mixing::Soft);
    check_detector(&settings)
}

#[test]
fn fastflow_passes_the_suite_of_detectors() -> Result<()> {
    check_detector(&FastFlow::new(60).with_blocks(4))
}

#[test]
fn a_fit_is_the_same_bits_again() -> Result<()> {
    let features = vec![golden_features()?];
    let settings = CflowAd::anomalib(2).with_condition(4).with_blocks(2).with_seed(7);
    let maps = |settings: &CflowAd| -> Result<Vec<f32>> {
        let scores = settings.fit(&features)?.score(&features[0], (9, 9))?;
        Ok(scores.maps.flatten_all()?.to_vec1()?)
    };
    assert_eq!(maps(&settings)?, maps(&settings)?);
    assert_ne!(maps(&settings)?, maps(&settings.clone().with_seed(8))?);
    Ok(())
}

#[test]
fn bad_input_is_an_error_that_says_what() -> Result<()> {
    let settings = CflowAd::anomalib(1).with_condition(4).with_blocks(2);
    let none: Vec<Vec<Tensor>> = vec![];
    assert!(settings.fit(&none).unwrap_err().to_string().contains("no image to fit on"));

    let good = golden_features()?;
    let nan = good.iter().map(|x| Ok((x * f64::NAN)?)).collect::<Result<Vec<_>>>()?;
    let error = settings.fit(&vec![good.clone(), nan.clone()]).unwrap_err();
    assert!(
        matches!(&error, Error::Value(what) if what.contains("image 0 has a feature")),
        "{error}"
    );

    let short = vec![good.clone(), good[..1].to_vec()];
    let error = FastFlow::new(1).with_blocks(2).fit(&short).unwrap_err().to_string();
    assert!(error.contains("1 scales, but the detector was fitted on 2"), "{error}");

    let few = CflowAd::official(1).with_condition(4).with_blocks(2);
    let error = few.fit(&vec![good.clone()]).unwrap_err().to_string();
    assert!(error.contains("90 fibers in a batch of images, fewer than the 256"), "{error}");

    let model = settings.fit(&vec![good.clone()])?;
    assert!(model.score(&nan, (8, 8)).is_err());
    let other = [good[1].clone(), good[0].clone()];
    assert!(model.score(&other, (8, 8)).unwrap_err().to_string().contains("are 6×3×3"));
    assert!(model.latents(&other).is_err());
    Ok(())
}
