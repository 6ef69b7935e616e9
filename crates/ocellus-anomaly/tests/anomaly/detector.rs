//! A detector as a whole: bit-identical scores, files, calibration, bad input.

use std::{fs, path::Path};

use candle_core::{DType, Device, Tensor};
use ocellus_anomaly::{
    AnomalyDetector, Detector, Encoder, Error, FeatureKind, FrozenBackbone, ImageSource, MapConfig,
    Padim, Preparation, Result, Smoothing, Threshold, Upsampling,
};
use ocellus_params::{WeightFile, write_tensors};
use ocellus_testing::check_detector;
use tempfile::tempdir;

use crate::support::{backbone, encoder, images};

fn detector() -> Result<Detector> {
    let map = MapConfig::default()
        .with_upsampling(Upsampling::BilinearCorners)
        .with_smoothing(Smoothing::Scipy { sigma: 1.3 });
    let settings = Padim::xiahaifeng(20).with_map(map);
    let mut detector =
        Detector::fit(encoder()?, &settings, &vec![images(10, 0.1)?, images(7, 0.3)?])?;
    let (normal, pixels) = (&detector.calibration().images, &detector.calibration().pixels);
    let thresholds =
        (Threshold::normal_quantile(normal, 0.9)?, Threshold::normal_sigmas(pixels, 3.)?);
    detector.set_image_threshold(thresholds.0);
    detector.set_pixel_threshold(thresholds.1);
    Ok(detector)
}

#[test]
fn conforms() -> candle_core::Result<()> {
    let score = |detector: &Detector, images: &Tensor| {
        let scores = detector.score(images)?;
        let features = scores.features(FeatureKind::LogLikelihood)?;
        Ok(vec![scores.images, scores.maps, features, detector.pooled_latents(images)?])
    };
    let reload = |detector: &Detector, path: &Path| {
        detector.save(path)?;
        Ok(Detector::load(path, backbone(1)?)?)
    };
    check_detector(&detector()?, score, reload, &images(5, 0.7)?)
}

#[test]
fn all_of_it_comes_back() -> Result<()> {
    let (detector, folder) = (detector()?, tempdir().map_err(Error::source)?);
    let path = folder.path().join("a.safetensors");
    detector.save(&path)?;
    let loaded = Detector::load(&path, backbone(1)?)?;
    assert_eq!(loaded.kind(), "padim");
    assert_eq!(loaded.calibration(), detector.calibration());
    assert_eq!(loaded.encoder().stages(), [1, 2, 3]);
    assert_eq!(loaded.encoder().preparation(), detector.encoder().preparation());
    Ok(())
}

#[test]
fn calibration_is_that_of_the_given_images() -> Result<()> {
    let mut detector = detector()?;
    assert_eq!(detector.calibration().images.count(), 17);
    assert_eq!(detector.calibration().pixels.count(), 17 * 40 * 36);
    detector.calibrate(&vec![images(3, 0.5)?])?;
    let scores = detector.score(&images(3, 0.5)?)?.image_values()?;
    let calibration = detector.calibration();
    assert_eq!(calibration.images.max(), scores.iter().copied().fold(0., f64::max));
    assert_eq!(calibration.images.max(), calibration.pixels.max()); // The score is the map's maximum.
    assert_eq!(calibration.image_threshold, None);
    assert!(
        detector.calibrate(&Vec::<Tensor>::new()).unwrap_err().to_string().contains("no image")
    );
    Ok(())
}

#[test]
fn another_backbone_is_refused() -> Result<()> {
    let folder = tempdir().map_err(Error::source)?;
    let path = folder.path().join("a.safetensors");
    detector()?.save(&path)?;
    let error = Detector::load(&path, backbone(2)?).unwrap_err().to_string();
    assert!(error.contains("weights of ResNet-18 that have the fingerprint"), "{error}");
    assert!(error.contains("load the weights that it was fitted with"), "{error}");
    let same = backbone(1)?;
    let renamed = FrozenBackbone::new("other", same.fingerprint(), same.shared_network());
    let error = Detector::load(&path, renamed).unwrap_err().to_string();
    assert!(error.contains("was made with the backbone ResNet-18, not other"), "{error}");
    Ok(())
}

#[test]
fn damaged_and_foreign_files_are_refused() -> Result<()> {
    let folder = tempdir().map_err(Error::source)?;
    let path = folder.path().join("a.safetensors");
    detector()?.save(&path)?;
    let bytes = fs::read(&path).map_err(Error::source)?;
    let load = |bytes: &[u8]| -> Result<String> {
        fs::write(&path, bytes).map_err(Error::source)?;
        Ok(Detector::load(&path, backbone(1)?).unwrap_err().to_string())
    };
    for length in [0, 7, 100, bytes.len() / 2, bytes.len() - 1] {
        let error = load(&bytes[..length])?;
        assert!(error.contains("a.safetensors"), "{length}: {error}");
    }
    for place in [bytes.len() - 1, bytes.len() / 2] {
        let mut flipped = bytes.clone();
        flipped[place] ^= 4;
        let error = load(&flipped)?;
        assert!(error.contains("checksum") && error.contains("damaged"), "{error}");
    }
    fs::write(&path, &bytes).map_err(Error::source)?;
    let file = WeightFile::open(&path)?;
    let (tensors, mut texts) = (file.tensors()?, file.metadata().clone());
    for (name, text, expected) in [
        ("version", "2", "is of version 2, but this program reads 1"),
        ("format", "weights", "holds no detector"),
        ("kind", "oracle", "checksum"),
    ] {
        let old = texts.insert(name.to_owned(), text.to_owned());
        write_tensors(&path, &tensors, &texts)?;
        let error = Detector::load(&path, backbone(1)?).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
        texts.extend(old.map(|old| (name.to_owned(), old)));
    }
    assert!(Detector::load(folder.path().join("none"), backbone(1)?).is_err());
    Ok(())
}

#[test]
fn a_file_that_cannot_be_written_leaves_the_old_one() -> Result<()> {
    let folder = tempdir().map_err(Error::source)?;
    assert!(detector()?.save(folder.path().join("missing/a.safetensors")).is_err());
    assert_eq!(fs::read_dir(folder.path()).map_err(Error::source)?.count(), 0);
    Ok(())
}

#[test]
fn a_source_is_passed_over_batch_by_batch() -> Result<()> {
    let source = |pass: u64| -> Result<_> {
        Ok((0..4).map(move |batch| images(3, 0.1 * batch as f64 + pass as f64)))
    };
    let detector = Detector::fit(encoder()?, &Padim::new(12), &source)?;
    assert_eq!(detector.calibration().images.count(), 12);
    let broken = |_: u64| -> Result<_> {
        Ok([images(3, 0.1), Err(Error::source(std::io::Error::other("the disk is gone")))])
    };
    assert_eq!(broken.pass(0)?.count(), 2);
    let error = Detector::fit(encoder()?, &Padim::new(12), &broken).unwrap_err().to_string();
    assert!(error.contains("the disk is gone"), "{error}");
    Ok(())
}

#[test]
fn images_that_do_not_fit_are_refused() -> Result<()> {
    let detector = detector()?;
    let message = |shape: (usize, usize, usize, usize)| -> Result<String> {
        let x = Tensor::zeros(shape, DType::F32, &Device::Cpu)?;
        Ok(detector.score(&x).unwrap_err().to_string())
    };
    assert!(message((0, 3, 50, 45))?.contains("no image"));
    assert!(
        message((1, 2, 50, 45))?.contains("[1, 2, 44, 40]")
            || message((1, 2, 50, 45))?.contains("preprocessing")
    );
    let nan = (images(2, 0.)? * f64::NAN)?;
    assert!(detector.score(&nan).unwrap_err().to_string().contains("image 0"));
    let one = vec![images(1, 0.)?];
    let error = Detector::fit(encoder()?, &Padim::new(12), &one).unwrap_err().to_string();
    assert!(error.contains("a covariance of 1 images"), "{error}");

    let plain = Encoder::new(backbone(1)?, &[1])?.with_preparation(Preparation::none());
    let sizes = vec![images(2, 0.)?, images(2, 0.1)?.narrow(2, 0, 40)?];
    let error = Detector::fit(plain, &Padim::new(4), &sizes).unwrap_err().to_string();
    assert!(error.contains("give images of the same size"), "{error}");
    Ok(())
}
