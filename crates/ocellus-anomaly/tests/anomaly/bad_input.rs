//! What no detector may panic on, nor learn from.

use std::{fs, path::Path};

use candle_core::{DType, Device, Tensor};
use ocellus_anomaly::{
    AnomalyDetector as _, CflowAd, Detector, Error, FastFlow, FeatureModel, FitFeatures,
    FrozenBackbone, Padim, PatchCore, PatchPooling, Result,
};
use ocellus_testing::{assert_close, fill};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::support::{backbone, encoder, images};

const SCALES: [(usize, usize, usize); 2] = [(6, 8, 7), (10, 4, 4)];

fn features(count: usize, phase: f64) -> Result<Vec<Tensor>> {
    let of_scale = |(k, &(c, h, w)): (usize, &(usize, usize, usize))| {
        Ok(fill((count, c, h, w), phase + 0.5 * k as f64, DType::F32)?)
    };
    SCALES.iter().enumerate().map(of_scale).collect()
}

/// The features with one value of an image changed.
fn broken(features: &[Tensor], image: usize, scale: usize, value: f32) -> Result<Vec<Tensor>> {
    let mut all = features.to_vec();
    let mut values = all[scale].flatten_all()?.to_vec1::<f32>()?;
    let place = image * values.len() / all[scale].dim(0)? + 5;
    values[place] = value;
    all[scale] = Tensor::from_vec(values, all[scale].dims(), &Device::Cpu)?;
    Ok(all)
}

fn message<V>(result: Result<V>) -> String {
    result.err().map(|error| error.to_string()).unwrap_or_default()
}

fn finite(model: &dyn FeatureModel, features: &[Tensor]) -> Result<()> {
    let scores = model.score(features, (9, 9))?;
    assert!(scores.image_values()?.iter().all(|score| score.is_finite()), "{}", model.kind());
    let maps = scores.maps.flatten_all()?.to_vec1::<f32>()?;
    assert!(maps.iter().all(|score| score.is_finite()), "{}", model.kind());
    Ok(())
}

/// Features that are not finite, too few, all the same, or of other sizes.
fn check_features(settings: &impl FitFeatures) -> Result<()> {
    let good = features(5, 0.1)?;
    let mut model = settings.fit(&vec![good.clone()])?;
    for (value, scale) in [(f32::NAN, 1), (f32::INFINITY, 0), (f32::NEG_INFINITY, 1)] {
        let bad = broken(&good, 3, scale, value)?;
        let expected = format!("image 3 has a feature that is {value} at scale {scale}");
        let source = vec![good.clone(), bad.clone()];
        for error in [
            message(settings.fit(&source)),
            message(model.score(&bad, (9, 9))),
            message(model.latents(&bad).and_then(|_| model.score(&bad, (9, 9)))),
        ] {
            assert!(error.contains(&expected) || error.contains("no latents"), "{error}");
        }
        drop(model.calibrate(&source)); // An error where it looks at features, never a panic.
    }

    let none: Vec<Vec<Tensor>> = Vec::new();
    assert!(message(settings.fit(&none)).contains("no image"));
    let one = features(1, 0.1)?;
    let constant = good.iter().map(|x| Ok(x.ones_like()?)).collect::<Result<Vec<_>>>()?;
    for few in [one.clone(), constant.clone()] {
        match settings.fit(&vec![few.clone()]) {
            Ok(model) => finite(&model, &few)?,
            Err(error) => assert!(error.to_string().contains("images"), "{error}"),
        }
    }
    let huge = good.iter().map(|x| Ok((x * 1e30)?)).collect::<Result<Vec<_>>>()?;
    drop(settings.fit(&vec![huge.clone()]));
    drop(model.score(&huge, (9, 9)));

    let other = [good[1].clone(), good[0].clone()];
    assert!(message(model.score(&other, (9, 9))).contains("but the detector was fitted on 6×8×7"));
    assert!(message(model.score(&good[..1], (9, 9))).contains("features of 1 scales"));
    assert!(message(model.score(&[], (9, 9))).contains("0 scales"));
    let empty = [good[0].narrow(0, 0, 0)?, good[1].narrow(0, 0, 0)?];
    assert!(message(model.score(&empty, (9, 9))).contains("1 at least"));
    drop(model.score(&good, (0, 0)));
    finite(&model, &good)
}

fn refused(path: &Path, bytes: &[u8], what: &str) -> Result<()> {
    fs::write(path, bytes).map_err(Error::source)?;
    for loaded in [Detector::load(path, backbone(1)?), Detector::open(path, backbone(1)?)] {
        let error = message(loaded);
        assert!(error.contains("detector.safetensors"), "{what}: {error:?}");
    }
    Ok(())
}

/// Files that are cut, damaged, of another kind or of another backbone.
fn check_file(settings: &impl FitFeatures) -> Result<()> {
    let folder = tempfile::tempdir().map_err(Error::source)?;
    let path = folder.path().join("detector.safetensors");
    let detector = Detector::fit(encoder()?, settings, &vec![images(5, 0.2)?])?;
    detector.save(&path)?;
    let expected = detector.score(&images(1, 0.7)?)?.maps;
    let bytes = fs::read(&path).map_err(Error::source)?;

    let same = backbone(1)?;
    let renamed = FrozenBackbone::new("other", same.fingerprint(), same.shared_network());
    for other in [backbone(2)?, renamed] {
        for loaded in [Detector::load(&path, other.clone()), Detector::open(&path, other.clone())] {
            let error = message(loaded);
            assert!(error.contains("load the weights that it was fitted with"), "{error}");
        }
    }
    for sixteenth in 0..16 {
        let length = bytes.len() * sixteenth / 16;
        refused(&path, &bytes[..length], &format!("cut to {length} bytes"))?;
    }
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let header = 8 + u64::from_le_bytes(*bytes.first_chunk().unwrap_or(&[0; 8])) as usize;
    for start in [0, 8, header] {
        let mut garbage = bytes.clone();
        rng.fill(&mut garbage[start..]);
        refused(&path, &garbage, &format!("garbage from byte {start}"))?;
    }
    refused(&path, b"{\"format\": \"ocellus-anomaly\"}", "JSON")?;
    // A single bit anywhere: an error, or (in the blanks of the header) no difference.
    for number in 0..100 {
        let mut flipped = bytes.clone();
        let place = rng.random_range(0..if number % 2 == 0 { header } else { bytes.len() });
        flipped[place] ^= 1 << rng.random_range(0..8);
        fs::write(&path, &flipped).map_err(Error::source)?;
        if let Ok(loaded) = Detector::load(&path, backbone(1)?) {
            assert_close(&loaded.score(&images(1, 0.7)?)?.maps, &expected, 0.)?;
        }
    }
    Ok(())
}

fn check(settings: &impl FitFeatures) -> Result<()> {
    check_features(settings)?;
    check_file(settings)
}

#[test]
fn padim_says_what_is_wrong() -> Result<()> {
    check(&Padim::new(6))
}

#[test]
fn patchcore_says_what_is_wrong() -> Result<()> {
    check(&PatchCore::anomalib())?;
    check(&PatchCore::official().with_pooling(PatchPooling::Adaptive { dims: 6 }))
}

#[test]
fn cflow_says_what_is_wrong() -> Result<()> {
    check(&CflowAd::anomalib(1).with_condition(8).with_blocks(2))
}

#[test]
fn fastflow_says_what_is_wrong() -> Result<()> {
    check(&FastFlow::new(2).with_blocks(2))
}
