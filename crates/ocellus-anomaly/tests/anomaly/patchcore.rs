//! PatchCore against anomalib, and what its authors describe: see testdata/patchcore.py.

use std::path::Path;

use candle_core::{DType, Tensor};
use ocellus_anomaly::{
    AnomalyDetector as _, Detector, Error, FeatureKind, FeatureModel, FitFeatures as _, ImageScore,
    PatchCore, PatchCoreModel, PatchPooling, Result, State, Upsampling,
};
use ocellus_cluster::{CoresetSize, GreedyCoreset};
use ocellus_testing::{Golden, assert_close, check_detector, fill, with_threads};

use crate::support::{backbone, encoder, images};

const SCALES: [(usize, usize, usize); 2] = [(6, 8, 7), (10, 4, 4)];

fn features(count: usize, phase: f64) -> Result<Vec<Tensor>> {
    let fine = fill((count, 6, 8, 7), phase, DType::F64)?.affine(0.4, 0.3)?;
    let coarse = fill((count, 10, 4, 4), phase + 0.5, DType::F64)?.affine(2., 5.)?;
    Ok(vec![fine.to_dtype(DType::F32)?, coarse.to_dtype(DType::F32)?])
}

fn golden() -> Result<Golden> {
    Ok(Golden::read(env!("CARGO_MANIFEST_DIR"), "patchcore")?)
}

/// All patches, by a bank of all of them.
fn all_patches(settings: PatchCore, features: Vec<Tensor>) -> Result<Tensor> {
    let all = GreedyCoreset::new(CoresetSize::Ratio(1.)).with_projection(None);
    let model = settings.with_coreset(all).fit(&vec![features])?;
    model.bank()
}

/// The rows in the order of their first value, for a coreset is in an order of its own.
fn sorted(rows: &Tensor) -> Result<Tensor> {
    let mut values = rows.to_vec2::<f32>()?;
    values.sort_by(|a, b| a[0].total_cmp(&b[0]));
    Ok(Tensor::new(values, rows.device())?)
}

#[test]
fn matches_anomalib() -> Result<()> {
    let golden = golden()?;
    let embedding = golden.get("anomalib.embedding")?;
    let patches = all_patches(PatchCore::anomalib(), features(3, 0.1)?)?;
    assert_close(&sorted(&patches)?, &sorted(embedding)?, 1e-5)?;
    let every_fourth: Vec<u32> = (0..embedding.dim(0)? as u32).step_by(4).collect();
    let bank = embedding.index_select(&Tensor::new(every_fourth, embedding.device())?, 0)?;
    for (name, neighbors) in [("anomalib", 9), ("anomalib_few", 3)] {
        let settings = PatchCore::anomalib().with_image_score(ImageScore::Reweighted { neighbors });
        let model = PatchCoreModel::from_bank(&settings, &SCALES, &bank)?;
        let scores = model.score(&features(3, 0.9)?, (40, 35))?;
        assert_close(&scores.images, golden.get(&format!("{name}.score"))?, 1e-4)?;
        assert_close(&scores.maps, golden.get(&format!("{name}.map"))?, 1e-4)?;
    }
    Ok(())
}

#[test]
fn matches_what_the_authors_describe() -> Result<()> {
    let golden = golden()?;
    let settings = PatchCore::official().with_pooling(PatchPooling::Adaptive { dims: 20 });
    let patches = all_patches(settings.clone(), features(3, 0.9)?)?;
    assert_close(&sorted(&patches)?, &sorted(golden.get("official.embedding")?)?, 1e-5)?;
    let bank = golden.get("official.bank")?;
    let model = PatchCoreModel::from_bank(&settings, &SCALES, bank)?;
    let scores = model.score(&features(3, 0.9)?, (40, 35))?;
    assert_close(&scores.images, golden.get("official.score")?, 1e-4)?;
    assert_close(&scores.maps, golden.get("official.map")?, 1e-4)?;
    let model = PatchCoreModel::from_bank(&settings.with_neighbors(3), &SCALES, bank)?;
    let scores = model.score(&features(3, 0.9)?, (40, 35))?;
    assert_close(&scores.images, golden.get("official.score_3")?, 1e-4)?;
    Ok(())
}

#[test]
fn scores_are_the_same_bits_in_any_batch_and_at_any_number_of_threads() -> Result<()> {
    let normal = vec![features(4, 0.1)?, features(3, 0.3)?];
    for settings in [
        PatchCore::anomalib(),
        PatchCore::anomalib().with_resize(Upsampling::Nearest).with_neighbors(2),
        PatchCore::official().with_pooling(PatchPooling::Adaptive { dims: 8 }),
    ] {
        let fit = |threads| with_threads(threads, || settings.fit(&normal));
        let model = fit(1)?;
        assert_close(&model.bank()?, &fit(4)?.bank()?, 0.)?;
        let folder = tempfile::tempdir().unwrap();
        let filed = settings.clone().with_folder(folder.path()).fit(&normal)?;
        assert_close(&model.bank()?, &filed.bank()?, 0.)?;
        assert_eq!(model.bank()?.dim(0)?, 39); // A tenth of 7 · 56.

        let test = features(5, 0.9)?;
        let all = model.score(&test, (20, 20))?;
        assert_eq!(all.features(FeatureKind::Distance)?.dims(), [5, 56]);
        for image in [0, 4] {
            let alone: Vec<Tensor> =
                test.iter().map(|x| x.narrow(0, image, 1)).collect::<Result<_, _>>()?;
            let alone = with_threads(3, || model.score(&alone, (20, 20)))?;
            assert_close(&alone.images, &all.images.narrow(0, image, 1)?, 0.)?;
            assert_close(&alone.maps, &all.maps.narrow(0, image, 1)?, 0.)?;
        }
    }
    Ok(())
}

#[test]
fn a_patch_of_the_bank_is_at_no_distance() -> Result<()> {
    let normal = vec![features(2, 0.1)?];
    let all = GreedyCoreset::new(CoresetSize::Ratio(1.));
    let model = PatchCore::anomalib().with_coreset(all).fit(&normal)?;
    let scores = model.score(&normal[0], (16, 14))?;
    assert_eq!(scores.images.to_vec1::<f32>()?, [0., 0.]);
    assert_eq!(scores.maps.sum_all()?.to_scalar::<f32>()?, 0.);
    Ok(())
}

#[test]
fn a_detector_conforms() -> candle_core::Result<()> {
    for settings in [
        PatchCore::anomalib(),
        PatchCore::official().with_pooling(PatchPooling::Adaptive { dims: 6 }).with_neighbors(3),
    ] {
        let detector = Detector::fit(encoder()?, &settings, &vec![images(5, 0.2)?])?;
        assert_eq!(detector.model().kind(), "patchcore");
        let score = |detector: &Detector, images: &Tensor| {
            let scores = detector.score(images)?;
            let features = scores.features(FeatureKind::Distance)?;
            Ok(vec![scores.images, scores.maps, features])
        };
        let reload = |detector: &Detector, path: &Path| {
            detector.save(path)?;
            Ok(Detector::load(path, backbone(1)?)?)
        };
        check_detector(&detector, score, reload, &images(4, 0.7)?)?;
    }
    Ok(())
}

#[test]
fn a_bank_that_stays_in_the_file_gives_the_same_bits() -> Result<()> {
    let folder = tempfile::tempdir().map_err(Error::source)?;
    let path = folder.path().join("detector.safetensors");
    // 1,215 patches: several blocks of the checksum.
    let all = GreedyCoreset::new(CoresetSize::Ratio(0.9));
    for settings in [
        PatchCore::anomalib().with_coreset(all),
        PatchCore::official().with_pooling(PatchPooling::Adaptive { dims: 6 }).with_neighbors(3),
    ] {
        let detector = Detector::fit(encoder()?, &settings, &vec![images(15, 0.2)?])?;
        detector.save(&path)?;
        let opened = Detector::open(&path, backbone(1)?)?;
        assert_eq!(opened.calibration(), detector.calibration());
        let test = images(4, 0.7)?;
        let expected = detector.score(&test)?;
        for threads in [1, 3] {
            let scores = with_threads(threads, || opened.score(&test))?;
            assert_close(&scores.images, &expected.images, 0.)?;
            assert_close(&scores.maps, &expected.maps, 0.)?;
        }
        // Saved again it has the same bytes, also over the file that it reads.
        let bytes = std::fs::read(&path).map_err(Error::source)?;
        opened.save(&path)?;
        assert!(bytes == std::fs::read(&path).map_err(Error::source)?);
        assert_close(&opened.score(&test)?.maps, &expected.maps, 0.)?;

        let mut flipped = bytes.clone();
        let last = flipped.len() - 2;
        flipped[last] ^= 1;
        std::fs::write(&path, flipped).map_err(Error::source)?;
        let error = Detector::open(&path, backbone(1)?).unwrap_err().to_string();
        assert!(error.contains("checksum"), "{error}");
    }
    Ok(())
}

#[test]
fn says_what_does_not_fit() -> Result<()> {
    let normal = vec![features(1, 0.1)?];
    let message = |settings: PatchCore| settings.fit(&normal).unwrap_err().to_string();
    let none: Vec<Vec<Tensor>> = Vec::new();
    assert!(PatchCore::anomalib().fit(&none).unwrap_err().to_string().contains("no image"));
    assert!(message(PatchCore::anomalib().with_neighbors(0)).contains("over 0 of 5 patches"));
    assert!(message(PatchCore::anomalib().with_neighbors(6)).contains("over 6 of 5 patches"));
    let alone = ImageScore::Reweighted { neighbors: 1 };
    assert!(message(PatchCore::anomalib().with_image_score(alone)).contains("2 at least"));
    let few = GreedyCoreset::anomalib(0.001);
    assert!(message(PatchCore::anomalib().with_coreset(few)).contains("0 of 56 rows"));
    let many = GreedyCoreset::new(CoresetSize::Count(57));
    assert!(message(PatchCore::anomalib().with_coreset(many)).contains("57 are needed"));
    let nowhere = PatchCore::anomalib().with_folder("/no/such/folder".as_ref());
    assert!(message(nowhere).contains("/no/such/folder"));
    let bank = fill((9, 15), 0., DType::F32)?;
    let error = PatchCoreModel::from_bank(&PatchCore::anomalib(), &SCALES, &bank).unwrap_err();
    assert!(error.to_string().contains("15 features"), "{error}");
    let model = PatchCore::anomalib().fit(&normal)?;
    let error = model.latents(&normal[0]).unwrap_err().to_string();
    assert!(error.contains("no latents"), "{error}");
    assert!(model.score(&normal[0][..1], (8, 8)).is_err());
    let mut state = State::default();
    model.save(&mut state)?;
    assert_eq!(state.get::<usize>("bank-rows")?, 5);
    Ok(())
}
