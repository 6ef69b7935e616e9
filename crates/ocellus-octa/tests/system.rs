//! The whole system: from outstanding images to the grade of a single new one, from its files.
#![allow(clippy::unwrap_used, reason = "tests")]

use candle_core::{Device, Tensor};
use ocellus_anomaly::{
    AnomalyDetector, CflowAd, Detector, Encoder, FitFeatures, FrozenBackbone, Padim, Threshold,
};
use ocellus_backbones::ResNetConfig;
use ocellus_data::{
    Image,
    synthetic::{Octa, OctaField, OctaGrade},
};
use ocellus_octa::{
    Clustering, Config, Method, Naming, Reduction, Represented, Scales, Subdivision,
    SubdivisionModel, UnoQa,
};
use ocellus_params::ParamStore;

fn backbone() -> FrozenBackbone {
    let config = ResNetConfig::resnet18().with_channels(4).with_stage_count(2);
    FrozenBackbone::resnet(&config, &ParamStore::seeded(1), &Device::Cpu).unwrap()
}

/// Batches of four images.
fn images(shares: [f32; 3], seed: u64, count: usize) -> Vec<Tensor> {
    let octa = Octa::new(OctaField::ThreeMm).with_side(48).with_seed(seed).with_shares(shares);
    let all: Vec<Image> = (0..count).map(|i| octa.example(i).unwrap().image).collect();
    all.chunks(4).map(|batch| Image::stack(batch, &Device::Cpu).unwrap()).collect()
}

/// Grades a mixed set together, then each image alone by what was written and read again.
fn check(method: Method, settings: &impl FitFeatures) {
    let config = Config::practical().with_method(method).with_image_size(48);
    let encoder = Encoder::new(backbone(), &[1, 2]).unwrap();
    let mut detector = Detector::fit(encoder, settings, &images([1., 0., 0.], 3, 16)).unwrap();
    let threshold = Threshold::normal_quantile(&detector.calibration().images, 0.5).unwrap();
    detector.set_image_threshold(threshold);

    let mixed = images([1., 1., 1.], 4, 20);
    let represented = Represented::of(&detector, &mixed, config.representation).unwrap();
    let settings = Subdivision::new(Reduction::pca(2), Clustering::k_means());
    let graded = UnoQa::fit(&settings, threshold, &represented, &Naming::MeanScore).unwrap();
    assert!(graded.rest().len() > 4, "{:?}", graded.grades());
    for grade in [OctaGrade::Gradable, OctaGrade::Ungradable] {
        assert!(graded.grades().contains(&grade), "{:?}", graded.grades());
    }

    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("detector.safetensors");
    detector.save(&file).unwrap();
    let json = serde_json::to_string(graded.subdivided().model()).unwrap();

    let detector = Detector::load(&file, backbone()).unwrap();
    let subdivision: SubdivisionModel = serde_json::from_str(&json).unwrap();
    let system = UnoQa::new(detector.calibration().image_threshold.unwrap(), subdivision);
    for (index, grade) in graded.grades().iter().enumerate() {
        let image = vec![mixed[index / 4].narrow(0, index % 4, 1).unwrap()];
        let alone = Represented::of(&detector, &image, config.representation).unwrap();
        assert_eq!(alone.scores()[0], represented.scores()[index]);
        let row = represented.select(&[index]).unwrap();
        assert_eq!(alone.features(Scales::All).unwrap(), row.features(Scales::All).unwrap());
        assert_eq!(system.grade(&alone).unwrap(), [*grade]);
    }
}

#[test]
fn padim_grades_one_image_from_its_files_as_it_graded_the_set() {
    check(Method::Padim, &Padim::new(8));
}

#[test]
fn cflow_grades_one_image_from_its_files_as_it_graded_the_set() {
    check(Method::Cflow, &CflowAd::anomalib(1).with_condition(4).with_blocks(2));
}
