//! PaDiM against anomalib 2.7 and a computation in double precision: testdata/padim.py.

use std::sync::Arc;

use candle_core::{DType, Tensor};
use ocellus_anomaly::{
    AnomalyDetector, ChannelSelection, Detector, Encoder, FeatureKind, FeatureModel, FitFeatures,
    FrozenBackbone, Padim, PadimModel, Preparation, Result,
};
use ocellus_backbones::{ResNet, ResNetConfig};
use ocellus_testing::{Filled, Golden, assert_close, assert_relative, fill, with_threads};

fn golden() -> Result<Golden> {
    Ok(Golden::read(env!("CARGO_MANIFEST_DIR"), "padim")?)
}

/// Two scales: 6 channels of 8×7, 10 of 4×4.
fn features(count: usize, phase: f64) -> Result<Vec<Tensor>> {
    let fine = fill((count, 6, 8, 7), phase, DType::F64)?.affine(0.4, 0.3)?;
    let coarse = fill((count, 10, 4, 4), phase + 0.5, DType::F64)?.affine(2., 5.)?;
    Ok(vec![fine.to_dtype(DType::F32)?, coarse.to_dtype(DType::F32)?])
}

/// The images of a batch from `first` on.
fn part(features: &[Tensor], first: usize, count: usize) -> Result<Vec<Tensor>> {
    features.iter().map(|x| Ok(x.narrow(0, first, count)?)).collect()
}

fn bits(model: &PadimModel, test: &[Tensor]) -> Result<Vec<u32>> {
    let maps = model.score(test, (16, 14))?.maps.flatten_all()?.to_vec1::<f32>()?;
    Ok(maps.into_iter().map(f32::to_bits).collect())
}

#[test]
fn matches_anomalib_on_features() -> Result<()> {
    let (golden, test) = (golden()?, features(3, 0.9)?);
    for (name, count, channels) in [("many", 20, 9), ("few", 6, 14), ("blocks", 70, 9)] {
        let model = Padim::anomalib(channels, 3).fit(&vec![features(count, 0.1)?])?;
        let scores = model.score(&test, (40, 35))?;
        let distance = scores.features(FeatureKind::Distance)?.reshape((3, 1, 8, 7))?;
        assert_relative(&distance, golden.get(&format!("{name}.distance"))?, 1e-4)?;
        assert_relative(&scores.maps, golden.get(&format!("{name}.map"))?, 1e-4)?;
        let greatest = scores.maps.flatten_from(1)?.max(1)?;
        assert_close(&scores.images, &greatest, 0.)?;
        if name == "many" {
            assert_close(&model.mean()?, golden.get("many.mean")?, 1e-6)?;
        }
    }
    Ok(())
}

#[test]
fn matches_xiahaifeng_on_features() -> Result<()> {
    let drawn = ChannelSelection::Torch { seed: 3 };
    let model = Padim::xiahaifeng(9).with_selection(drawn).fit(&vec![features(20, 0.1)?])?;
    let scores = model.score(&features(3, 0.9)?, (40, 35))?;
    assert_relative(&scores.maps, golden()?.get("xiahaifeng.map")?, 1e-5)?;
    Ok(())
}

#[test]
fn matches_anomalib_through_a_network() -> Result<()> {
    let config = ResNetConfig::resnet18().with_stage_count(3);
    let (resnet, _) = Filled::build(DType::F32, 0, |vb| ResNet::new(&config, vb))?;
    let backbone = FrozenBackbone::new(config.name, 0, Arc::new(resnet));
    let encoder = Encoder::new(backbone, &[1, 2, 3])?.with_preparation(Preparation::none());
    let images = |count: usize, phase: f64| -> Result<Tensor> {
        let x = fill((count, 3, 64, 64), phase, DType::F64)?.affine(0.5, 0.5)?;
        Ok(x.to_dtype(DType::F32)?)
    };
    let normal = vec![images(8, 0.2)?, images(8, 0.4)?];
    let detector = Detector::fit(encoder, &Padim::anomalib(100, 11), &normal)?;
    let scores = detector.score(&images(2, 0.6)?)?;
    let golden = golden()?;
    assert_relative(&scores.images.reshape((2, 1))?, golden.get("network.score")?, 1e-4)?;
    let even = Tensor::arange_step(0u32, 64, 2, &candle_core::Device::Cpu)?;
    let maps = scores.maps.index_select(&even, 2)?.index_select(&even, 3)?;
    assert_relative(&maps, golden.get("network.map")?, 1e-4)?;
    Ok(())
}

#[test]
fn batches_of_any_size_and_threads_give_the_same_bits() -> Result<()> {
    let (all, test) = (features(70, 0.1)?, features(3, 0.9)?);
    let settings = Padim::new(9);
    let expected = bits(&settings.fit(&vec![all.clone()])?, &test)?;
    for size in [1, 7, 32, 69] {
        let firsts = (0..70).step_by(size);
        let batches = firsts
            .map(|first| part(&all, first, size.min(70 - first)))
            .collect::<Result<Vec<_>>>()?;
        assert_eq!(bits(&settings.fit(&batches)?, &test)?, expected, "batches of {size}");
    }
    for threads in [1, 3] {
        let found = with_threads(threads, || bits(&settings.fit(&vec![all.clone()])?, &test))?;
        assert_eq!(found, expected, "{threads} threads");
    }
    Ok(())
}

#[test]
fn evidence_and_latents_agree() -> Result<()> {
    let (train, test) = (features(40, 0.1)?, features(20, 0.9)?); // More than are whitened at once.
    let model = Padim::new(9).fit(&vec![train])?;
    let scores = model.score(&test, (8, 7))?;
    let squared = scores.features(FeatureKind::Distance)?.sqr()?;
    let latents = model.latents(&test)?;
    assert_eq!(latents[0].dims(), [20, 9, 8, 7]);
    assert_close(&latents[0].sqr()?.sum(1)?.flatten_from(1)?, &squared, 1e-5)?;
    assert_eq!(model.pooled_latents(&test)?.dims(), [20, 9]);
    let probability = (&squared * (-0.5 / 9.))?.exp()?;
    assert_close(&scores.features(FeatureKind::Probability)?, &probability, 1e-5)?;
    // Log-likelihoods differ from those of the probability by a constant of the place.
    let log = scores.features(FeatureKind::LogLikelihood)?;
    let constant = (log - probability.log()?)?;
    let first = constant.narrow(0, 0, 1)?.broadcast_as(constant.shape())?;
    assert_close(&constant, &first, 1e-4)?;
    Ok(())
}

#[test]
fn large_values_that_hardly_differ_lose_no_digits() -> Result<()> {
    let shifted = |count: usize, phase: f64, shift: f64| -> Result<Vec<Tensor>> {
        // Multiples of 1/256, which are exact in single precision at 4096 too.
        let x = (fill((count, 6, 2, 2), phase, DType::F64)? * 128.)?.round()?;
        Ok(vec![x.affine(1. / 256., shift)?.to_dtype(DType::F32)?])
    };
    let distances = |shift: f64| -> Result<Tensor> {
        let model = Padim::new(6).fit(&vec![shifted(100, 0.1, shift)?])?;
        model.score(&shifted(4, 0.5, shift)?, (2, 2))?.features(FeatureKind::Distance)
    };
    assert_close(&distances(4096.)?, &distances(0.)?, 2e-3)?;
    Ok(())
}

#[test]
fn normal_images_are_nearer_than_strange_ones() -> Result<()> {
    let model = Padim::new(16).fit(&vec![features(60, 0.1)?])?;
    let normal = model.score(&features(10, 0.37)?, (8, 7))?.image_values()?;
    let strange: Vec<Tensor> =
        features(10, 0.37)?.iter().map(|x| x * 3.).collect::<candle_core::Result<_>>()?;
    let strange = model.score(&strange, (8, 7))?.image_values()?;
    let nearest = strange.iter().fold(f64::INFINITY, |least, score| least.min(*score));
    assert!(normal.iter().all(|score| *score < nearest), "{normal:?}, strange {nearest}");
    Ok(())
}

#[test]
fn says_what_is_wrong_with_settings_and_features() -> Result<()> {
    let message = |settings: Padim, batches: Vec<Vec<Tensor>>| {
        settings.fit(&batches).unwrap_err().to_string()
    };
    let good = features(4, 0.1)?;
    assert!(message(Padim::new(17), vec![good.clone()]).contains("17 of 16 channels"));
    assert!(message(Padim::new(4).with_epsilon(0.), vec![good.clone()]).contains("`epsilon` is 0"));
    assert!(message(Padim::new(4), vec![]).contains("no image to fit on"));
    let one = part(&good, 0, 1)?;
    assert!(message(Padim::new(4), vec![one]).contains("a covariance of 1 images"));
    let other = vec![good[0].narrow(1, 0, 5)?, good[1].clone()];
    let error = message(Padim::new(4), vec![good.clone(), other.clone()]);
    assert!(error.contains("scale 0 are 5×8×7, but the detector was fitted on 6×8×7"), "{error}");
    let nan = vec![(&good[0] * f64::NAN)?, good[1].clone()];
    assert!(
        message(Padim::new(4), vec![nan.clone()]).contains("image 0 has a feature that is NaN")
    );

    let model = Padim::new(4).fit(&vec![good])?;
    assert!(model.score(&other, (8, 7)).is_err());
    assert!(model.score(&nan, (8, 7)).is_err());
    assert!(model.score(&[], (8, 7)).unwrap_err().to_string().contains("0 scales"));
    assert!(model.latents(&other).is_err());
    Ok(())
}

#[test]
fn constant_channels_are_no_obstacle() -> Result<()> {
    let ones = vec![Tensor::ones((5, 3, 2, 2), DType::F32, &candle_core::Device::Cpu)?];
    let model = Padim::new(3).fit(&vec![ones.clone()])?;
    assert_eq!(model.score(&ones, (2, 2))?.image_values()?, [0.; 5]);
    let two = vec![(&ones[0] + 1.)?];
    let expected = (3f64 / 0.01).sqrt();
    for score in model.score(&two, (2, 2))?.image_values()? {
        assert!((score - expected).abs() < 1e-4, "{score}, expected {expected}");
    }
    Ok(())
}
