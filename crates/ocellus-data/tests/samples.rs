//! Training samples of scenes: disjoint, aligned, repeatable.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::sync::Arc;

use candle_core::{DType, Device};
use ocellus_data::{
    AnnotatedBlocks, Augment, ChannelStatistics, Dataset, IGNORED, Image, Jitter, LabeledImage,
    LabeledScene, Loader, LoaderConfig, PatchDraw, PreparedTiles, Regions, Sampler, Sampling,
    StatisticsOf, TileGrid, TilePreparation, Tiles, Turn, Validation,
    raster::Window,
    synthetic::{Landscape, Sensor},
};
use ocellus_testing::with_threads;
use proptest::prelude::*;

/// A scene of two textures, the right half rough and labeled.
fn halves(width: usize, height: usize, gain: f32, offset: f32) -> LabeledImage {
    let value = |at: usize| {
        let (y, x) = (at / width % height, at % width);
        let rough = if 2 * x >= width { 20. * ((x * 7 + y * 13) % 5) as f32 } else { 0. };
        gain * (x as f32 / 10. + (y % 17) as f32 + rough) + offset
    };
    let image = Image::new(2, height, width, (0..2 * width * height).map(value).collect()).unwrap();
    let class = |at: usize| f32::from(2 * (at % width) >= width);
    let mask = Image::new(1, height, width, (0..width * height).map(class).collect()).unwrap();
    LabeledImage::new("halves", image, &mask).unwrap()
}

/// Planes that hold each pixel's own row and column.
fn coordinates(side: usize) -> Image {
    let rows = (0..side * side).map(|at| (at / side) as f32);
    let columns = (0..side * side).map(|at| (at % side) as f32);
    Image::new(2, side, side, rows.chain(columns).collect()).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..Default::default() })]

    #[test]
    fn no_pixel_of_a_validation_tile_is_in_a_training_tile(
        width in 120usize..400,
        height in 120usize..300,
        size in 10u32..40,
        stride in 3u32..50,
        seed in 0u64..1000,
    ) {
        let scene = halves(width, height, 1., 0.);
        let regions = Validation::new(50).with_seed(seed).choose(&scene).unwrap();
        let grid = TileGrid::new(size.min(regions.windows()[0].width.min(40)), stride);
        let train = regions.tiles_outside(&grid).unwrap();
        let validation = regions.tiles_within(&grid).unwrap();
        prop_assert!(!validation.is_empty());
        let mut trained = vec![false; width * height];
        for tile in train {
            for y in tile.y..tile.y + tile.height {
                let from = y as usize * width + tile.x as usize;
                trained[from..from + tile.width as usize].fill(true);
            }
        }
        for tile in validation {
            for y in tile.y..tile.y + tile.height {
                let from = y as usize * width + tile.x as usize;
                prop_assert!(!trained[from..from + tile.width as usize].contains(&true));
            }
        }
    }

    #[test]
    fn image_and_mask_move_alike_and_see_nothing_beyond_the_tile(seed: u64, sample in 0u64..1 << 45) {
        // 24 √2 = 33.94
        let tile = coordinates(34);
        let draw = PatchDraw::paper().with_size(24);
        let (image, mask) = draw.apply(&tile, Some(&tile), [seed, 1, sample]).unwrap();
        let mask = mask.unwrap();
        for (a, b) in image.data().iter().zip(mask.data()) {
            // The nearest pixel is at most half a pixel away each way.
            prop_assert!((a - b).abs() <= 0.501 && b.fract() == 0.);
        }
        // Were anything clamped at the border, neighbors would not be one pixel apart.
        for y in 0..24 {
            for x in 1..24 {
                let step = |plane| image.get(plane, y, x) - image.get(plane, y, x - 1);
                prop_assert!((step(0).hypot(step(1)) - 1.).abs() < 1e-3);
            }
        }
        let nearest = draw.with_turn(Turn::Any, Sampler::Nearest);
        let (image, mask) = nearest.apply(&tile, Some(&tile), [seed, 1, sample]).unwrap();
        prop_assert_eq!(image, mask.unwrap());
    }

    #[test]
    fn regions_and_the_rest_are_the_scene(x in 0u32..30, y in 0u32..30, width in 1u32..40, height in 1u32..40) {
        let regions =
            Regions::new(70, 70, vec![Window::new(5, 10, 20, 30), Window::new(25, 10, 9, 60)]).unwrap();
        let window = Window::new(x, y, width, height);
        let outside = regions.outside(window);
        for (at, outside) in (0u32..).zip(outside) {
            let place = (x + at % width, y + at / width);
            prop_assert_eq!(outside, !regions.contains(place.0, place.1));
        }
    }
}

#[test]
fn validation_samples_both_textures_by_their_share() {
    let scene = halves(1000, 500, 1., 0.);
    for seed in 0..20 {
        let regions = Validation::new(100).with_seed(seed).choose(&scene).unwrap();
        assert_eq!((regions.windows().len(), regions.share()), (10, 0.2));
        let left = regions.windows().iter().filter(|window| window.x < 500).count();
        assert_eq!(left, 5, "{regions:?}");
    }
    let choose = |seed| Validation::new(100).with_seed(seed).choose(&scene).unwrap();
    assert_eq!(choose(3), choose(3));
    assert!((1..9).any(|seed| choose(seed) != choose(0)));
    assert_eq!(with_threads(1, || choose(3)), with_threads(5, || choose(3)));
}

#[test]
fn annotation_takes_its_share_in_compact_blocks_without_looking_at_the_truth() {
    let scene = halves(600, 400, 1., 0.);
    let (image, _) = scene.read(Window::new(0, 0, 600, 400)).unwrap();
    let blind = LabeledImage::new("b", image, &Image::filled(1, 400, 600, 0.).unwrap()).unwrap();
    for blocks in [AnnotatedBlocks::small(), AnnotatedBlocks::large(), AnnotatedBlocks::new(0.3, 7)]
    {
        for seed in 0..10 {
            let blocks = blocks.with_seed(seed);
            let regions = blocks.choose(&scene).unwrap();
            assert_eq!(regions, blocks.choose(&blind).unwrap());
            assert_eq!(regions.windows().len(), blocks.blocks);
            assert!((regions.share() / blocks.share - 1.).abs() < 0.02, "{}", regions.share());
            for block in regions.windows() {
                assert!(block.width.abs_diff(block.height) <= 2, "{block:?}");
            }
            let all = regions.outside(Window::new(0, 0, 600, 400));
            let share = all.iter().filter(|outside| **outside).count() as f64 / 240_000.;
            assert!((share + regions.share() - 1.).abs() < 1e-9);
        }
    }
}

/// Whether a patch of `coordinates` was cut out, its angle in degrees, and whether it is mirrored.
fn read_off(patch: &Image) -> (bool, f32, bool) {
    let step = |plane, y: usize, x: usize| patch.get(plane, y, x) - patch.get(plane, 0, 0);
    let (right, down) = ([step(0, 0, 1), step(1, 0, 1)], [step(0, 1, 0), step(1, 1, 0)]);
    let mirrored = right[1] * down[0] - right[0] * down[1] < 0.;
    let straight = right[0].abs() < 1e-4 && right[1].abs() > 0.99;
    (straight, right[0].atan2(right[1]).to_degrees().rem_euclid(360.), mirrored)
}

#[test]
fn half_are_cut_out_and_half_turned_by_any_angle() {
    let tile = coordinates(20);
    let draw = PatchDraw::paper().with_size(12).with_flips(0., 0.);
    let (mut cut, mut bins) = (0, [0; 12]);
    for sample in 0..6000 {
        let (straight, angle, _) = read_off(&draw.apply(&tile, None, [4, 0, sample]).unwrap().0);
        cut += i32::from(straight);
        if !straight {
            bins[(angle / 30.) as usize % 12] += 1;
        }
    }
    assert!((2850..3150).contains(&cut), "{cut}");
    assert!(bins.iter().all(|count| (190..310).contains(count)), "{bins:?}");
    let flips = |flips: (f32, f32)| {
        let draw = draw.with_flips(flips.0, flips.1);
        let patch = |sample| draw.apply(&tile, None, [4, 0, sample]).unwrap().0;
        (0..4000).filter(|&sample| read_off(&patch(sample)).2).count()
    };
    assert_eq!(flips((0., 0.)), 0);
    assert!((1850..2150).contains(&flips((0.5, 0.))) && (1850..2150).contains(&flips((0.5, 0.5))));
}

#[test]
fn the_authors_turn_by_multiples_of_30_degrees() {
    let tile = coordinates(91);
    let draw = PatchDraw::authors().with_size(64).with_crop(0.).with_flips(0., 0.);
    let mut seen = [false; 12];
    for sample in 0..300 {
        let (patch, _) = draw.apply(&tile, None, [4, 0, sample]).unwrap();
        let steps = |plane| f64::from(patch.get(plane, 32, 62) - patch.get(plane, 32, 2)) / 60.;
        let angle = steps(0).atan2(steps(1)).to_degrees().rem_euclid(360.);
        let nearest = (angle / 30.).round();
        assert!((angle - 30. * nearest).abs() < 1.5, "{angle}");
        seen[nearest as usize % 12] = true;
        assert!(patch.data().iter().all(|v| v.fract() == 0.));
    }
    assert_eq!(seen, [true; 12]);
}

#[test]
fn a_draw_depends_on_its_key_and_on_no_other_setting() {
    let tile = coordinates(40);
    let draw = PatchDraw::paper().with_size(24);
    let patch = |draw: PatchDraw, key| draw.apply(&tile, Some(&tile), key).unwrap();
    assert_eq!(patch(draw, [1, 2, 3]), patch(draw, [1, 2, 3]));
    for other in [[2, 2, 3], [1, 3, 3], [1, 2, 4]] {
        assert_ne!(patch(draw, [1, 2, 3]), patch(draw, other));
    }
    // Light does not move the mask; `Nearest` and the same angle show the same places.
    let light = draw.with_jitter(Jitter::new(0.3, 0.2, 0.1));
    for sample in 0..20 {
        let (plain, lit) = (patch(draw, [1, 0, sample]), patch(light, [1, 0, sample]));
        assert_eq!(plain.1, lit.1);
        // Each band is scaled and shifted as a whole.
        for (a, b) in plain.0.planes().zip(lit.0.planes()) {
            let slope = |i: usize| (b[i] - b[0]) / (a[i] - a[0]);
            let gain = slope(24 * 24 - 1);
            assert!((0.7..1.3).contains(&gain), "{gain}");
            assert!((b[300] - (b[0] + gain * (a[300] - a[0]))).abs() < 1e-3);
        }
    }
}

fn prepared(statistics: StatisticsOf, validation: Option<Validation>) -> PreparedTiles {
    let scenes: [Arc<dyn LabeledScene>; 2] =
        [Arc::new(halves(300, 200, 1., 0.)), Arc::new(halves(300, 200, 3., 50.))];
    TilePreparation::new(TileGrid::new(46, 15), 32)
        .with_validation(validation)
        .with_statistics(statistics)
        .prepare(&scenes)
        .unwrap()
}

#[test]
fn own_statistics_undo_gain_and_offset_of_a_sensor() {
    let spread = |statistics| {
        let tiles = prepared(statistics, None);
        let mut own = ChannelStatistics::default();
        let mut others = ChannelStatistics::default();
        for index in 0..tiles.train.len() {
            let image = tiles.train.load(index).unwrap().image;
            let (scene, _) = tiles.train.place(index).unwrap();
            if scene == 0 { own.add(&image) } else { others.add(&image) }.unwrap();
        }
        [own.mean()[0], own.std()[0], others.mean()[0], others.std()[0]]
    };
    let [mean, std, other_mean, other_std] = spread(StatisticsOf::EachScene);
    assert!(mean.abs() < 0.3 && (std - 1.).abs() < 0.2, "{mean} {std}");
    assert!((mean - other_mean).abs() < 1e-4 && (std - other_std).abs() < 1e-4);
    let [mean, std, other_mean, other_std] = spread(StatisticsOf::AllScenes);
    assert!(
        other_mean - mean > 1. && other_std / std > 2.,
        "{mean} {std} {other_mean} {other_std}"
    );
}

#[test]
fn statistics_count_training_pixels_alone() {
    let mut values: Vec<f32> = (0..1200 * 3).map(|v| (v % 7) as f32).collect();
    values[5] = 1e6; // In the region.
    values[3599] = -1e6; // Ignored.
    let mut mask = Image::filled(1, 3, 1200, 0.).unwrap();
    mask.data_mut()[3599] = IGNORED as f32;
    let image = Image::new(1, 3, 1200, values.clone()).unwrap();
    let scene = LabeledImage::new("s", image, &mask).unwrap();
    let regions = Regions::new(1200, 3, vec![Window::new(5, 0, 1, 1)]).unwrap();
    let count = || ChannelStatistics::of_scene(&scene, Some(&regions)).unwrap();
    let statistics = with_threads(3, count);
    let kept: Vec<f64> =
        (0..3600).filter(|i| ![5, 3599].contains(i)).map(|i| f64::from(values[i])).collect();
    let mean = kept.iter().sum::<f64>() / kept.len() as f64;
    let variance = kept.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / kept.len() as f64;
    assert!((statistics.mean()[0] - mean).abs() < 1e-12);
    assert!((statistics.std()[0] - variance.sqrt()).abs() < 1e-12);
    assert_eq!(with_threads(1, count), statistics);
}

fn epoch(loader: &Loader) -> Vec<(usize, Vec<f32>, Vec<u32>)> {
    let mut samples = Vec::new();
    for batch in loader.epoch(1, &Device::Cpu).unwrap() {
        let batch = batch.unwrap();
        let classes = batch.classes().unwrap();
        assert_eq!((classes.dtype(), classes.dims()[1..].to_vec()), (DType::U32, vec![32, 32]));
        let images = batch.images.flatten_from(1).unwrap().to_vec2().unwrap();
        let classes = classes.flatten_from(1).unwrap().to_vec2().unwrap();
        for ((index, image), classes) in batch.indices.into_iter().zip(images).zip(classes) {
            samples.push((index, image, classes));
        }
    }
    samples
}

#[test]
fn tiles_are_loaded_in_the_background_with_the_same_bits_on_any_threads() {
    let tiles = Arc::new(prepared(StatisticsOf::EachScene, Some(Validation::new(60))).train);
    let all: Vec<usize> = (0..tiles.len()).collect();
    let config = |workers| {
        LoaderConfig::new(8)
            .with_patches(PatchDraw::paper().with_size(32).with_jitter(Jitter::new(0.1, 0.1, 0.05)))
            .with_masks(true)
            .with_sampling(Sampling::Shuffled)
            .with_seed(5)
            .with_workers(workers)
    };
    let one = epoch(&Loader::new(tiles.clone(), &all, &config(1)).unwrap());
    assert_eq!(one.len(), tiles.len());
    assert!(epoch(&Loader::new(tiles.clone(), &all, &config(4)).unwrap()) == one);
    let both = config(1).with_augment(Augment::default());
    let error = Loader::new(tiles, &all, &both).unwrap_err().to_string();
    assert!(error.contains("`augment` and `patches`"), "{error}");
}

#[test]
fn balanced_tiles_show_buildings_more_often() {
    let scene: Arc<dyn LabeledScene> = Arc::new(halves(1600, 100, 1., 0.));
    let mut tiles = Tiles::default();
    // Few of the tiles are in the right half.
    let windows: Vec<Window> = TileGrid::new(46, 15)
        .tiles(1600, 100)
        .unwrap()
        .into_iter()
        .filter(|tile| tile.x < 820)
        .collect();
    tiles.add(scene, &windows, ocellus_data::Normalize::Keep).unwrap();
    let tiles = Arc::new(tiles.with_labels(0.05).unwrap());
    let all: Vec<usize> = (0..tiles.len()).collect();
    let share = |sampling| {
        let config = LoaderConfig::new(8)
            .with_patches(PatchDraw::paper().with_size(32))
            .with_masks(true)
            .with_sampling(sampling);
        let samples = epoch(&Loader::new(tiles.clone(), &all, &config).unwrap());
        let labeled = |(index, ..): &&(usize, Vec<f32>, Vec<u32>)| tiles.label(*index) == 1;
        samples.iter().filter(labeled).count() as f64 / samples.len() as f64
    };
    assert!(share(Sampling::Sequential) < 0.15, "{}", share(Sampling::Sequential));
    assert!((share(Sampling::Balanced) - 0.5).abs() < 0.02, "{}", share(Sampling::Balanced));
}

#[test]
fn classes_beyond_one_survive() {
    let classes = Image::new(1, 60, 60, (0..3600).map(|v| (v % 60 / 15) as f32).collect()).unwrap();
    let image = Image::filled(4, 60, 60, 1.).unwrap();
    let scene: Arc<dyn LabeledScene> =
        Arc::new(LabeledImage::new("four", image, &classes).unwrap());
    let mut tiles = Tiles::default();
    tiles.add(scene, &[Window::new(0, 0, 60, 60)], ocellus_data::Normalize::Keep).unwrap();
    let config =
        LoaderConfig::new(1).with_patches(PatchDraw::paper().with_size(32)).with_masks(true);
    let samples = epoch(&Loader::new(Arc::new(tiles), &[0], &config).unwrap());
    assert!([0, 1, 2, 3].iter().filter(|class| samples[0].2.contains(class)).count() >= 2);
    assert!(samples[0].2.iter().all(|&class| class < 4));
}

#[test]
fn a_landscape_is_cut_as_a_file_would_be() {
    let scene = Landscape::new(260, 200, 6).with_sensor(Sensor::unseen());
    let memory = LabeledImage::of(&scene).unwrap();
    let window = Window::new(31, 57, 64, 40);
    assert_eq!(scene.read(window).unwrap(), memory.read(window).unwrap());
    assert!(memory.read(Window::new(200, 0, 64, 40)).is_err());
}

#[test]
fn says_what_does_not_fit() {
    let scene = halves(90, 90, 1., 0.);
    let message = |validation: Validation| validation.choose(&scene).unwrap_err().to_string();
    assert!(message(Validation::new(80)).contains("no two blocks of 80"));
    assert!(message(Validation::new(20).with_share(1.)).contains("a share of 1"));
    let error = AnnotatedBlocks::new(0.9, 5).choose(&scene).unwrap_err().to_string();
    assert!(error.contains("do not make 5 blocks"), "{error}");
    assert!(AnnotatedBlocks::new(0.1, 0).choose(&scene).is_err());

    let overlap = vec![Window::new(0, 0, 9, 9), Window::new(8, 8, 9, 9)];
    assert!(Regions::new(90, 90, overlap).unwrap_err().to_string().contains("share pixels"));
    let all = Regions::new(90, 90, vec![Window::new(0, 0, 90, 80)]).unwrap();
    let error = all.tiles_outside(&TileGrid::new(20, 5)).unwrap_err().to_string();
    assert!(error.contains("every tile of 20 pixels"), "{error}");

    let mut tiles = Tiles::default();
    let keep = || ocellus_data::Normalize::Keep;
    let error = tiles.add(Arc::new(scene), &[Window::new(80, 0, 20, 20)], keep()).unwrap_err();
    assert!(error.to_string().contains("not within the scene of 90×90"), "{error}");
    tiles.add(Arc::new(halves(50, 50, 1., 0.)), &[], keep()).unwrap();
    let error = tiles.add(Arc::new(Landscape::new(50, 50, 1)), &[], keep()).unwrap_err();
    assert!(error.to_string().contains("has 4 bands"), "{error}");
    assert!(TilePreparation::paper().prepare(&[]).is_err());

    let tile = coordinates(20);
    let message = |draw: PatchDraw| draw.apply(&tile, None, [0; 3]).unwrap_err().to_string();
    assert!(message(PatchDraw::paper()).contains("20×20 is too small for samples of 256"));
    let small = PatchDraw::paper().with_size(8);
    assert!(message(small.with_crop(f32::NAN)).contains("`crop` is NaN"));
    assert!(message(small.with_turn(Turn::Steps(0.), Sampler::Nearest)).contains("`turn`"));
    assert!(message(small.with_jitter(Jitter::new(0., -1., 0.))).contains("`contrast` is -1"));
}
