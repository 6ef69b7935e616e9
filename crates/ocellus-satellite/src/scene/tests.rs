use std::fs;
use std::path::Path;

use candle_core::{DType, Result as TensorResult, Tensor};
use ocellus_data::raster::{MemoryScene, SceneBlock, SceneInfo, SceneSource, Window};
use ocellus_data::{Blend, Normalize, TileConfig};
use ocellus_ops::{Conv2dConfig, conv2d, softmax, upsample_nearest2d};
use ocellus_testing::fill;

use super::{Classified, PieceSink, Record, ScenePiece, SegmentConfig, Segmenter};
use crate::{Error, Result};

/// Of total stride 2; a pixel sees at most 6 pixels to each side.
fn network(x: &Tensor) -> TensorResult<Tensor> {
    let weight = |shape: (usize, usize, usize, usize), seed| fill(shape, seed, DType::F32);
    let padded = Conv2dConfig::default().with_padding(1);
    let down = padded.with_stride((2, 2));
    let y = conv2d(x, &weight((3, 2, 3, 3), 0.1)?, None, &down)?.relu()?;
    let y = conv2d(&y, &weight((3, 3, 3, 3), 0.2)?, None, &padded)?.relu()?;
    let (_, _, height, width) = x.dims4()?;
    let y = upsample_nearest2d(&y, (height, width))?;
    softmax(&conv2d(&y, &weight((3, 3, 3, 3), 0.3)?, None, &padded)?, 1)
}

const HEIGHT: usize = 90;
const WIDTH: usize = 74;

fn values() -> Vec<f32> {
    (0..2 * HEIGHT * WIDTH).map(|n| ((n * 7919) % 1009) as f32).collect()
}

fn scene(values: Vec<f32>) -> MemoryScene {
    MemoryScene::new(2, HEIGHT as u32, WIDTH as u32, values).unwrap()
}

fn normalize() -> Normalize {
    Normalize::constants(&[500., 480.], &[300., 290.]).unwrap()
}

/// Keeps all pieces in memory.
struct Whole {
    probabilities: Vec<f32>,
    valid: Vec<bool>,
}

impl Whole {
    fn new() -> Self {
        let pixels = HEIGHT * WIDTH;
        Self { probabilities: vec![f32::NAN; 3 * pixels], valid: vec![true; pixels] }
    }
}

impl PieceSink for Whole {
    fn piece(&mut self, piece: &ScenePiece) -> Result<()> {
        let at = &piece.piece;
        for (n, row) in at.values.chunks_exact(at.width).enumerate() {
            let to = (n / at.height * HEIGHT + at.y + n % at.height) * WIDTH + at.x;
            self.probabilities[to..to + at.width].copy_from_slice(row);
        }
        for (n, row) in piece.valid.chunks_exact(at.width).enumerate() {
            let to = (at.y + n) * WIDTH + at.x;
            self.valid[to..to + at.width].copy_from_slice(row);
        }
        Ok(())
    }

    fn row_finished(&mut self) -> Result<()> {
        Ok(())
    }
}

fn segmented(config: &SegmentConfig, values: Vec<f32>) -> Whole {
    let (mut whole, normalize) = (Whole::new(), normalize());
    let segmenter = Segmenter::new(&network, 3, &normalize, config.clone()).unwrap();
    segmenter.run(&mut scene(values), &mut whole, &mut |_, _| {}).unwrap();
    whole
}

fn largest_difference(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0., |max, d| if d <= max { max } else { d })
}

#[test]
fn tiles_that_overlap_by_the_receptive_field_give_one_pass() {
    let one_pass = segmented(&SegmentConfig::new(TileConfig::new(96, 0)), values());
    for batch in [1, 3] {
        let tiles = TileConfig::new(32, 14).with_blend(Blend::Clip);
        let stitched = segmented(&SegmentConfig::new(tiles).with_batch(batch), values());
        let difference = largest_difference(&stitched.probabilities, &one_pass.probabilities);
        assert!(difference <= 1e-5, "{difference}");
    }
    // Less overlap, or steps that are no multiple of the stride, show.
    for (size, overlap) in [(32, 4), (33, 14)] {
        let tiles = TileConfig::new(size, overlap).with_blend(Blend::Clip);
        let stitched = segmented(&SegmentConfig::new(tiles), values());
        assert!(largest_difference(&stitched.probabilities, &one_pass.probabilities) > 1e-4);
    }
}

#[test]
fn pixels_without_data_change_nothing_far_away_and_are_marked() {
    let tiles = SegmentConfig::new(TileConfig::new(32, 14).with_blend(Blend::Clip));
    let all = segmented(&tiles, values());
    let mut holes = values();
    for (n, value) in holes.iter_mut().enumerate() {
        let (y, x) = (n / WIDTH % HEIGHT, n % WIDTH);
        if y < 40 && x < 40 {
            *value = f32::NAN;
        }
    }
    let part = segmented(&tiles, holes);
    for (n, &valid) in part.valid.iter().enumerate() {
        let (y, x) = (n / WIDTH, n % WIDTH);
        assert_eq!(valid, y >= 40 || x >= 40);
        if y >= 46 || x >= 46 {
            assert_eq!(all.probabilities[n], part.probabilities[n]);
        }
    }
}

/// All rows of a record, as one.
fn recorded(folder: &Path, config: &SegmentConfig) -> Vec<Classified> {
    let normalize = normalize();
    let segmenter = Segmenter::new(&network, 3, &normalize, config.clone()).unwrap();
    let plan = segmenter.plan(&scene(values())).unwrap();
    let count = plan.row_count();
    let mut record = Record::open(folder, plan, 3, "").unwrap();
    segmenter.run(&mut scene(values()), &mut record, &mut |_, _| {}).unwrap();
    assert!(record.is_complete());
    (0..count).map(|row| record.read(row).unwrap()).collect()
}

#[test]
fn a_run_that_was_broken_off_ends_with_the_same_bytes() {
    for (overlap, blend) in [(14, Blend::Hann), (22, Blend::Average), (0, Blend::Clip)] {
        let config = SegmentConfig::new(TileConfig::new(32, overlap).with_blend(blend));
        let root = tempfile::tempdir().unwrap();
        let whole = recorded(root.path(), &config);
        assert_eq!(whole.iter().map(|rows| rows.rows().len()).sum::<usize>(), HEIGHT);
        for kept in 0..whole.len() {
            for index in kept..whole.len() {
                let part = root.path().join(format!("part-{index:06}.bin"));
                fs::remove_file(part).unwrap();
            }
            assert_eq!(recorded(root.path(), &config), whole, "{kept} rows of tiles were kept");
        }
    }
}

/// Fails from some row on.
struct Broken(MemoryScene);

impl SceneSource for Broken {
    fn info(&self) -> &SceneInfo {
        self.0.info()
    }

    fn read(&mut self, window: Window) -> ocellus_data::Result<SceneBlock> {
        if window.y > 30 {
            return Err(ocellus_data::Error::Shape("the file ends in row 30".into()));
        }
        self.0.read(window)
    }
}

/// Has no room.
struct Full;

impl PieceSink for Full {
    fn piece(&mut self, _: &ScenePiece) -> Result<()> {
        Err(Error::Setting("no space left".into()))
    }

    fn row_finished(&mut self) -> Result<()> {
        Ok(())
    }
}

#[test]
fn errors_of_scene_network_and_sink_are_told() {
    let config = SegmentConfig::new(TileConfig::new(32, 14));
    let normalize = normalize();
    let segmenter = Segmenter::new(&network, 3, &normalize, config.clone()).unwrap();
    let mut broken = Broken(scene(values()));
    let error = segmenter.run(&mut broken, &mut Whole::new(), &mut |_, _| {}).unwrap_err();
    assert_eq!(error.to_string(), "the file ends in row 30");
    let error = segmenter.run(&mut scene(values()), &mut Full, &mut |_, _| {}).unwrap_err();
    assert_eq!(error.to_string(), "no space left");
    let segmenter = Segmenter::new(&network, 2, &normalize, config).unwrap();
    let error = segmenter.run(&mut scene(values()), &mut Whole::new(), &mut |_, _| {}).unwrap_err();
    assert!(error.to_string().contains("probabilities of 2 classes"), "{error}");
}

#[test]
fn rejects_settings_that_make_no_sense() {
    let config = SegmentConfig::default();
    let normalize = normalize();
    assert!(Segmenter::new(&network, 1, &normalize, config.clone()).is_err());
    assert!(Segmenter::new(&network, 2, &Normalize::Standardize, config.clone()).is_err());
    assert!(Segmenter::new(&network, 2, &normalize, config.with_batch(0)).is_err());
}

#[test]
fn progress_counts_every_tile() {
    let (normalize, mut seen) = (normalize(), Vec::new());
    let config = SegmentConfig::new(TileConfig::new(32, 14)).with_batch(2);
    let segmenter = Segmenter::new(&network, 3, &normalize, config).unwrap();
    let mut told = |done, of| seen.push((done, of));
    segmenter.run(&mut scene(values()), &mut Whole::new(), &mut told).unwrap();
    let expected: Vec<_> = (0..=5 * 4).map(|done| (done, 5 * 4)).collect();
    assert_eq!(seen, expected);
}
