//! PaDiM and PatchCore as they measure features that stay on a device, beside the CPU's way; and that
//! the CPU's way is the one of `ocellus-cluster` and packed systems, to the bit.

use std::path::Path;

use candle_core::{DType, Device, Tensor};
use ndarray::Array2;
use ocellus_backbones::ResNetConfig;
use ocellus_cluster::{CoresetStart, GreedyCoreset, NearestNeighbors, NeighborDistance};
use ocellus_ops::{Implementation, SOLVE_LANES, solve_packed, with_implementation};
use ocellus_params::ParamStore;
use ocellus_testing::{assert_close, assert_relative, check_detector, fill};

use crate::on_device::as_on_a_device;
use crate::*;

fn features(count: usize, phase: f64) -> Result<Vec<Tensor>> {
    let fine = fill((count, 6, 8, 7), phase, DType::F32)?.affine(0.4, 0.3)?;
    Ok(vec![fine, fill((count, 10, 4, 4), phase + 0.5, DType::F32)?.affine(2., 5.)?])
}

type Saved = (Vec<(String, String)>, Vec<Vec<f32>>);

fn saved(model: &impl FeatureModel) -> Result<Saved> {
    let mut state = State::default();
    model.save(&mut state)?;
    let texts = state.texts().iter().map(|(name, text)| (name.clone(), text.clone())).collect();
    let tensors = state.tensors().values().map(on_cpu::values);
    Ok((texts, tensors.collect::<Result<_>>()?))
}

fn assert_same_scores(found: &Scores, expected: &Scores, tolerance: f64) -> Result<()> {
    assert_relative(&found.images, &expected.images, tolerance)?;
    assert_relative(&found.maps, &expected.maps, tolerance)?;
    let kind = FeatureKind::Distance;
    Ok(assert_relative(&found.features(kind)?, &expected.features(kind)?, tolerance)?)
}

/// Settings, and how far scores there may be from the CPU's.
fn patch_cores() -> Vec<(PatchCore, f64)> {
    let official = PatchCore::official().with_pooling(PatchPooling::Adaptive { dims: 8 });
    vec![
        (PatchCore::anomalib(), 0.),
        (PatchCore::anomalib().with_resize(Upsampling::Nearest).with_neighbors(3), 0.),
        (official.clone(), 1e-5),
        (official.with_neighbors(2), 1e-5),
    ]
}

#[test]
fn a_bank_that_is_chosen_on_a_device_is_the_cpus() -> Result<()> {
    let normal = vec![features(4, 0.1)?, features(3, 0.3)?];
    for start in
        [CoresetStart::Random, CoresetStart::Row(20), CoresetStart::Approximate { rows: 10 }]
    {
        for coreset in [GreedyCoreset::anomalib(0.2), GreedyCoreset::official(0.2)] {
            let coreset = coreset.with_start(start).with_seed(5);
            let settings = PatchCore::anomalib().with_coreset(coreset);
            let (mut told, model) = (Vec::new(), settings.fit(&normal)?);
            let there = as_on_a_device(|| {
                settings.fit_with_progress(&normal, |done, all| told.push((done, all)))
            })?;
            assert_close(&there.bank()?, &model.bank()?, 0.)?;
            assert_eq!(saved(&there)?, saved(&model)?);
            assert_eq!(told, [(78, 78)]);
        }
    }
    let large = vec![features(2, 0.1)?.iter().map(|x| x * 1e37).collect::<Result<Vec<_>, _>>()?];
    let settings =
        PatchCore::anomalib().with_coreset(GreedyCoreset::anomalib(0.2).with_projection(None));
    let error = as_on_a_device(|| settings.fit(&large)).unwrap_err().to_string();
    assert!(error.contains("scale the features down"), "{error}");
    Ok(())
}

#[test]
fn patches_that_stay_on_a_device_have_the_scores_of_the_cpu() -> Result<()> {
    let normal = vec![features(4, 0.1)?, features(3, 0.3)?];
    let test = features(5, 0.9)?;
    for (settings, tolerance) in patch_cores() {
        let model = settings.fit(&normal)?;
        let expected = model.score(&test, (20, 20))?;
        let score = |test: &[Tensor]| as_on_a_device(|| model.score(test, (20, 20)));
        assert_same_scores(&score(&test)?, &expected, tolerance)?;
        let composed = with_implementation(Implementation::Composed, || score(&test))?;
        assert_same_scores(&composed, &expected, 1e-5)?;
        let all = score(&test)?;
        for image in [0, 4] {
            let alone =
                test.iter().map(|x| x.narrow(0, image, 1)).collect::<Result<Vec<_>, _>>()?;
            let alone = score(&alone)?;
            assert_close(&alone.images, &all.images.narrow(0, image, 1)?, 0.)?;
            assert_close(&alone.maps, &all.maps.narrow(0, image, 1)?, 0.)?;
        }
    }
    Ok(())
}

#[test]
fn patches_of_the_bank_are_at_no_distance_on_a_device() -> Result<()> {
    let bank = fill((56, 16), 0.2, DType::F32)?;
    let features = vec![bank.narrow(1, 0, 6)?.t()?.reshape((1, 6, 8, 7))?];
    let settings = PatchCore::anomalib().with_coreset(GreedyCoreset::anomalib(1.));
    let model = settings.fit(&vec![features.clone()])?;
    let scores = as_on_a_device(|| model.score(&features, (16, 14)))?;
    assert_eq!(scores.maps.sum_all()?.to_scalar::<f32>()?, 0.);
    Ok(())
}

#[test]
fn patches_on_the_cpu_have_the_neighbors_of_the_cluster_crate() -> Result<()> {
    let (normal, test) = (vec![features(7, 0.1)?], features(3, 0.9)?);
    let rows = |features: &[Tensor], images: usize| -> Result<Array2<f32>> {
        let means = |x: &Tensor| {
            let windows = ocellus_ops::AvgPool2dConfig::new(3);
            ocellus_ops::avg_pool2d(x, &windows.with_stride((1, 1)).with_padding((1, 1)))
        };
        let coarse = Upsampling::Bilinear.apply(&means(&features[1])?, (8, 7))?;
        let rows = Tensor::cat(&[means(&features[0])?, coarse], 1)?;
        let rows = rows.flatten_from(2)?.transpose(1, 2)?.contiguous()?;
        let rows = rows.flatten_all()?.to_vec1::<f32>()?;
        Ok(Array2::from_shape_vec((images * 56, 16), rows).expect("as many values"))
    };
    for (distance, coreset) in [
        (NeighborDistance::Euclidean, GreedyCoreset::anomalib(0.2)),
        (NeighborDistance::Squared, GreedyCoreset::official(0.2)),
    ] {
        let settings = PatchCore::anomalib()
            .with_coreset(coreset)
            .with_distance(distance)
            .with_image_score(ImageScore::Maximum);
        let model = settings.fit(&normal)?;
        let all = rows(&normal[0], 7)?;
        let bank = all.select(ndarray::Axis(0), &coreset.select(&all)?.indices);
        assert_eq!(on_cpu::values(&model.bank()?)?, bank.as_slice().expect("rows"));
        let index = NearestNeighbors::new().with_distance(distance).index(bank)?;
        let found = index.find(rows(&test, 3)?.view(), 1)?.distances;
        let scores = model.score(&test, (8, 7))?;
        let distances = on_cpu::values(&scores.features(FeatureKind::Distance)?)?;
        assert_eq!(distances, found.as_slice().expect("rows"));
        let greatest = |image: &[f32]| image.iter().copied().fold(0., f32::max);
        let images: Vec<f32> = distances.chunks(56).map(greatest).collect();
        assert_eq!(on_cpu::values(&scores.images)?, images);
    }
    Ok(())
}

#[test]
fn gaussians_on_a_device_give_the_distances_of_the_cpu() -> Result<()> {
    let (train, test) = (features(40, 0.1)?, features(20, 0.9)?);
    for channels in [1, 9, 16] {
        let model = Padim::new(channels).fit(&vec![train.clone()])?;
        let there = as_on_a_device(|| Padim::new(channels).fit(&vec![train.clone()]))?;
        assert_eq!(saved(&there)?, saved(&model)?);
        let expected = model.score(&test, (20, 20))?;
        let latents = &model.latents(&test)?[0];
        for implementation in [Implementation::Auto, Implementation::Composed] {
            let (scores, white) = with_implementation(implementation, || {
                as_on_a_device(|| -> Result<_> {
                    Ok((model.score(&test, (20, 20))?, model.latents(&test)?))
                })
            })?;
            assert_same_scores(&scores, &expected, 1e-5)?;
            for kind in [FeatureKind::LogLikelihood, FeatureKind::Probability] {
                assert_relative(&scores.features(kind)?, &expected.features(kind)?, 1e-4)?;
            }
            assert_relative(&white[0], latents, 1e-4)?;
        }
        let all = as_on_a_device(|| model.score(&test, (20, 20)))?;
        let alone = test.iter().map(|x| x.narrow(0, 13, 1)).collect::<Result<Vec<_>, _>>()?;
        let alone = as_on_a_device(|| model.score(&alone, (20, 20)))?;
        assert_close(&alone.maps, &all.maps.narrow(0, 13, 1)?, 0.)?;
    }
    Ok(())
}

#[test]
fn gaussians_on_the_cpu_are_solved_as_packed_systems() -> Result<()> {
    let (train, test) = (features(40, 0.1)?, features(3, 0.9)?);
    let drawn = ChannelSelection::Given((0..6).collect());
    let model = Padim::new(6).with_selection(drawn).fit(&vec![train])?;
    let mut state = State::default();
    model.save(&mut state)?;
    let mean = state.tensor("mean", DType::F32, &[56, 6])?.to_vec2::<f32>()?;
    let factors = state.tensor("factors", DType::F32, &[56, 21])?.to_vec2::<f32>()?;
    let vectors = test[0].flatten_from(2)?.transpose(1, 2)?.to_vec3::<f32>()?;
    let found = model.score(&test, (8, 7))?.features(FeatureKind::Distance)?.to_vec2::<f32>()?;
    for (vectors, found) in vectors.iter().zip(&found) {
        for (place, (vector, found)) in vectors.iter().zip(found).enumerate() {
            let lanes = vector.iter().zip(&mean[place]).map(|(x, mean)| [x - mean; SOLVE_LANES]);
            let mut lanes: Vec<_> = lanes.collect();
            solve_packed(&factors[place], &mut lanes)?;
            let squared = lanes.iter().fold(0f32, |sum, y| sum + y[0] * y[0]);
            assert_eq!(*found, f64::from(squared).sqrt() as f32, "place {place}");
        }
    }
    Ok(())
}

fn backbone() -> Result<FrozenBackbone> {
    let config = ResNetConfig::resnet18().with_channels(6).with_stage_count(2);
    FrozenBackbone::resnet(&config, &ParamStore::seeded(1), &Device::Cpu)
}

fn images(count: usize, phase: f64) -> Result<Tensor> {
    Ok(fill((count, 3, 32, 32), phase, DType::F32)?.affine(0.5, 0.5)?)
}

fn conforms(settings: &impl FitFeatures) -> candle_core::Result<()> {
    let encoder = Encoder::new(backbone()?, &[1, 2])?.with_preparation(Preparation::none());
    as_on_a_device(|| {
        let detector = Detector::fit(encoder, settings, &vec![images(5, 0.2)?])?;
        let score = |detector: &Detector, images: &Tensor| {
            let scores = detector.score(images)?;
            let features = scores.features(FeatureKind::Distance)?;
            Ok(vec![scores.images, scores.maps, features])
        };
        let reload = |detector: &Detector, path: &Path| {
            detector.save(path)?;
            Ok(Detector::load(path, backbone()?)?)
        };
        check_detector(&detector, score, reload, &images(4, 0.7)?)
    })
}

#[test]
fn detectors_that_measure_on_a_device_conform() -> candle_core::Result<()> {
    conforms(&Padim::new(8))?;
    patch_cores().iter().try_for_each(|(settings, _)| conforms(settings))
}

#[test]
#[cfg(feature = "cuda")]
fn a_gpu_gives_the_scores_of_the_processor() -> Result<()> {
    let Ok(device) = ocellus_ops::cuda_device(0) else {
        eprintln!("no GPU: skipped");
        return Ok(());
    };
    let there = |features: &[Tensor]| -> Result<Vec<Tensor>> {
        Ok(features.iter().map(|x| x.to_device(&device)).collect::<Result<_, _>>()?)
    };
    let (normal, test) = (features(40, 0.1)?, features(5, 0.9)?);
    let check = |model: &dyn FeatureModel| -> Result<()> {
        let (found, again) =
            (model.score(&there(&test)?, (20, 20))?, model.score(&there(&test)?, (20, 20))?);
        assert!(found.scales[0].distance.as_ref().is_some_and(|x| x.device().is_cuda()));
        let cpu = |scores: Scores| -> Result<Scores> {
            let distance = scores.scales[0].distance.as_ref().map(|x| x.to_device(&Device::Cpu));
            let scale = ScaleEvidence { distance: distance.transpose()?, ..Default::default() };
            Ok(Scores {
                images: scores.images.to_device(&Device::Cpu)?,
                maps: scores.maps.to_device(&Device::Cpu)?,
                scales: vec![scale],
            })
        };
        let found = cpu(found)?;
        assert_same_scores(&cpu(again)?, &found, 0.)?;
        assert_same_scores(&found, &model.score(&test, (20, 20))?, 1e-4)
    };
    check(&Padim::new(9).fit(&vec![normal.clone()])?)?;
    for (settings, _) in patch_cores() {
        let model = settings.fit(&vec![normal.clone()])?;
        check(&model)?;
        let fitted_there = settings.fit(&vec![there(&normal)?])?;
        assert_eq!(fitted_there.bank()?.dims(), model.bank()?.dims());
    }
    Ok(())
}
