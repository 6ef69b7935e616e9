//! Detectors on the tokens of DINOv2.

use std::{collections::BTreeMap, path::Path};

use candle_core::{DType, Device, Tensor};
use ocellus_anomaly::{
    AnomalyDetector as _, CflowAd, Detector, Encoder, Error, FitFeatures, FrozenBackbone, Padim,
    Preparation, Result,
};
use ocellus_backbones::DinoV2Config;
use ocellus_params::{LoadConfig, ParamStore, WeightFile};
use ocellus_testing::{assert_close, check_detector};

use crate::support::images;

const CONFIG: DinoV2Config = DinoV2Config::small().with_size(24, 4, 3).with_patches(7, 5);

fn backbone(seed: u64) -> Result<FrozenBackbone> {
    FrozenBackbone::dinov2(&CONFIG, &ParamStore::seeded(seed), &Device::Cpu)
}

fn encoder() -> Result<Encoder> {
    let preparation = Preparation::torchvision().with_resize(44, 40).with_crop(42, 35);
    Ok(Encoder::new(backbone(1)?, &[1, 3])?.with_preparation(preparation))
}

fn check(settings: &impl FitFeatures) -> candle_core::Result<()> {
    let detector = Detector::fit(encoder()?, settings, &vec![images(8, 0.2)?])?;
    let score = |detector: &Detector, images: &Tensor| {
        let scores = detector.score(images)?;
        Ok(vec![scores.images, scores.maps, detector.pooled_latents(images)?])
    };
    let reload = |detector: &Detector, path: &Path| {
        detector.save(path)?;
        Ok(Detector::load(path, backbone(1)?)?)
    };
    check_detector(&detector, score, reload, &images(4, 0.7)?)
}

#[test]
fn padim_and_cflow_on_its_tokens_conform() -> candle_core::Result<()> {
    check(&Padim::new(20))?;
    check(&CflowAd::anomalib(2).with_condition(8).with_blocks(2))
}

#[test]
fn features_are_maps_of_patches_and_the_same_bits_alone() -> Result<()> {
    let (encoder, x) = (encoder()?, images(3, 0.4)?);
    let all = encoder.features(&x)?;
    assert_eq!((all[0].dims(), all[1].dims()), (&[3, 24, 6, 5][..], &[3, 24, 6, 5][..]));
    for image in 0..3 {
        let alone = encoder.features(&x.narrow(0, image, 1)?)?;
        for (alone, all) in alone.iter().zip(&all) {
            assert_close(alone, &all.narrow(0, image, 1)?, 0.)?;
        }
    }
    assert!(encoder.with_preparation(Preparation::none()).features(&x).is_err());
    Ok(())
}

#[test]
fn weights_of_a_file_give_the_features_of_the_network_that_was_saved() -> Result<()> {
    let folder = tempfile::tempdir().map_err(Error::source)?;
    let path = folder.path().join("dinov2.safetensors");
    let saved = ParamStore::seeded(5);
    let expected = FrozenBackbone::dinov2(&CONFIG, &saved, &Device::Cpu)?;
    saved.save(&path, &BTreeMap::new())?;

    let loaded = ParamStore::seeded(6);
    let other = FrozenBackbone::dinov2(&CONFIG, &loaded, &Device::Cpu)?;
    loaded.load(&WeightFile::open(&path)?, &LoadConfig::default())?;
    let backbone = FrozenBackbone::dinov2(&CONFIG, &loaded, &Device::Cpu)?;
    assert_eq!(backbone.fingerprint(), expected.fingerprint());
    assert_ne!(backbone.fingerprint(), other.fingerprint());
    let x = Tensor::zeros((1, 3, 28, 35), DType::F32, &Device::Cpu)?;
    let features = |backbone: &FrozenBackbone| backbone.network().features(&x);
    for (a, b) in features(&backbone)?.iter().zip(&features(&expected)?) {
        assert_close(a, b, 0.)?;
    }
    Ok(())
}
