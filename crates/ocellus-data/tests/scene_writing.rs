//! Rasters written by rows: read again as they were, with their place, whole or not at all.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::{
    fs,
    path::{Path, PathBuf},
};

use ocellus_data::{
    Error,
    geo::{Affine, GeoReference},
    raster::{
        Probability, RasterConfig, RasterSample, RasterWriter, SampleType, SceneBlock, Window,
        open_scene,
    },
};
use proptest::prelude::*;

fn whole(path: &Path) -> SceneBlock {
    let mut scene = open_scene(path).unwrap();
    let (width, height) = (scene.info().width, scene.info().height);
    scene.read(Window::new(0, 0, width, height)).unwrap()
}

/// The values of these rows of a raster in the order (band, row, column).
fn rows<T: Copy>(values: &[T], config: &RasterConfig, from: u32, to: u32) -> Vec<T> {
    let (width, height) = (config.width as usize, config.height as usize);
    let band = |band: usize| {
        let at = band * height * width;
        &values[at + from as usize * width..at + to as usize * width]
    };
    (0..config.bands).flat_map(|index| band(index).iter().copied()).collect()
}

/// Writes a raster by so many rows at a time.
fn write<T: RasterSample>(path: &Path, config: &RasterConfig, values: &[T], step: u32) {
    let mut writer = RasterWriter::create(path, config.clone()).unwrap();
    for from in (0..config.height).step_by(step as usize) {
        let to = (from + step).min(config.height);
        writer.write_rows(&rows(values, config, from, to)).unwrap();
    }
    assert_eq!(writer.written(), config.height);
    writer.finish().unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(120))]

    #[test]
    fn what_was_written_is_read(
        width in 1..70u32, height in 1..70u32, bands in 1..4usize, kind in 0..4, step in 1..50u32,
        tiled in any::<bool>(), differences in any::<bool>(), big in any::<bool>(), seed in any::<u32>(),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.tif");
        let sample =
            [SampleType::U8, SampleType::U16, SampleType::I16, SampleType::F32][kind as usize];
        let config = RasterConfig::new(width, height, bands, sample)
            .with_tile(tiled.then_some(32))
            .with_differences(differences)
            .with_big_tiff(big);
        let count = bands * (width * height) as usize;
        let noise = |index: usize| (index as u32).wrapping_mul(2_654_435_761).wrapping_add(seed) >> 9;
        let expected: Vec<f32> = match kind {
            0 => {
                let values: Vec<u8> = (0..count).map(|i| noise(i) as u8).collect();
                write(&path, &config, &values, step);
                values.into_iter().map(f32::from).collect()
            }
            1 => {
                let values: Vec<u16> = (0..count).map(|i| noise(i) as u16).collect();
                write(&path, &config, &values, step);
                values.into_iter().map(f32::from).collect()
            }
            2 => {
                let values: Vec<i16> = (0..count).map(|i| noise(i) as i16).collect();
                write(&path, &config, &values, step);
                values.into_iter().map(f32::from).collect()
            }
            _ => {
                let values: Vec<f32> = (0..count).map(|i| noise(i) as f32 / 7.).collect();
                write(&path, &config, &values, step);
                values
            }
        };
        prop_assert_eq!(whole(&path).data, expected);
        let version = fs::read(&path).unwrap()[2];
        prop_assert_eq!(version, if big { 43 } else { 42 });
    }
}

#[test]
fn the_place_of_a_scene_is_copied_tag_by_tag() {
    let folder = tempfile::tempdir().unwrap();
    let names =
        ["tiles_u16_2", "point", "rotated_point", "own_system", "geographic", "web_mercator"];
    for name in names {
        let source =
            Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("testdata/raster/{name}.tif"));
        let source = open_scene(source).unwrap();
        let path = folder.path().join("a.tif");
        let config = RasterConfig::classes(37, 21).with_geo(source.info().geo.clone());
        write(&path, &config, &[1u8; 37 * 21], 21);
        // Equal references have equal tags.
        assert_eq!(open_scene(&path).unwrap().info().geo, source.info().geo, "{name}");
    }
}

#[test]
fn probabilities_are_rounded_to_steps_and_missing_ones_marked() {
    let folder = tempfile::tempdir().unwrap();
    let values = [0., 1., 0.5, 0.0019, 0.0021, f32::NAN, -3., 7.];
    for (kind, expected) in [
        (Probability::U8, [0., 250., 125., 0., 1., 255., 0., 250.]),
        (Probability::U16, [0., 50000., 25000., 95., 105., 65535., 0., 50000.]),
        (Probability::F32, values),
    ] {
        let path = folder.path().join("a.tif");
        let config = RasterConfig::probabilities(2, 2, 2, kind);
        let mut writer = RasterWriter::create(&path, config).unwrap();
        writer.write_probabilities(&values).unwrap();
        writer.finish().unwrap();
        let data = whole(&path).data;
        let same = data.iter().zip(&expected).all(|(a, b)| a == b || a.is_nan() && b.is_nan());
        assert!(same, "{kind:?}: {data:?}");
    }
}

#[test]
fn a_writer_that_is_dropped_or_lacks_rows_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.tif");
    for finish in [false, true] {
        let mut writer = RasterWriter::create(&path, RasterConfig::classes(4, 4)).unwrap();
        writer.write_rows(&[1u8; 12]).unwrap();
        if finish {
            let error = writer.finish().unwrap_err().to_string();
            assert!(error.contains("3 of 4 rows"), "{error}");
        } else {
            drop(writer);
        }
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_an_error_and_leaves_the_old_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.tif");
    fs::write(&path, "old").unwrap();
    // The file beside it, on a disk that is always full.
    let beside = folder.path().join(format!("a.tif.{}.tmp", std::process::id()));
    std::os::unix::fs::symlink("/dev/full", &beside).unwrap();
    let config = RasterConfig::new(512, 512, 1, SampleType::U16).with_level(1);
    let mut writer = RasterWriter::create(&path, config).unwrap();
    let noise: Vec<u16> = (0..512 * 512u32).map(|v| (v.wrapping_mul(40503) >> 7) as u16).collect();
    let error = writer.write_rows(&noise).and_then(|()| writer.finish()).unwrap_err();
    assert!(matches!(&error, Error::Io { path, .. } if path.ends_with("a.tif")), "{error}");
    assert_eq!(fs::read(&path).unwrap(), b"old");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn wrong_settings_and_rows_are_errors() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.tif");
    let base = || RasterConfig::new(4, 4, 2, SampleType::U8);
    for config in [
        RasterConfig::new(0, 4, 1, SampleType::U8),
        RasterConfig::new(4, 4, 0, SampleType::U8),
        RasterConfig::new(4, 4, 1, SampleType::F64),
        base().with_tile(Some(100)),
        base().with_colors(vec![[0, 0, 0]]),
        base().with_band_names(vec!["one".to_owned()]),
        base().with_scale(f64::NAN),
        base().with_level(0),
    ] {
        let error = RasterWriter::create(&path, config).unwrap_err();
        assert!(matches!(error, Error::Setting(_)), "{error}");
    }
    let mut writer = RasterWriter::create(&path, base()).unwrap();
    assert!(matches!(writer.write_rows(&[0u16; 8]), Err(Error::Setting(_))));
    assert!(matches!(writer.write_rows(&[0u8; 9]), Err(Error::Shape(_))));
    assert!(matches!(writer.write_rows(&[0u8; 40]), Err(Error::Shape(_))));
}

/// Files that `testdata/written.py` opens with rasterio; see there.
#[test]
fn files_for_rasterio() {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("raster");
    fs::create_dir_all(&folder).unwrap();
    let map = Affine::north_up((465_000.25, 4_220_000.75), (0.5, 0.5));
    let geo = GeoReference::new(map, 32636);
    let values = |count: usize| (0..count).map(move |v| (v * v / 7 + 3 * v) as u16);
    let plain = RasterConfig::new(300, 270, 3, SampleType::U16).with_geo(Some(geo.clone()));
    let measured: Vec<u16> = values(3 * 300 * 270).collect();
    write(&folder.join("tiles_u16.tif"), &plain, &measured, 100);
    write(&folder.join("strips_u16.tif"), &plain.clone().with_tile(None), &measured, 7);
    write(&folder.join("big_u16.tif"), &plain.with_big_tiff(true), &measured, 7);

    let colors = vec![[0, 0, 0], [220, 30, 30], [30, 200, 40]];
    let part =
        RasterConfig::classes(100, 50).with_geo(Some(geo.shifted(20, 30))).with_colors(colors);
    let classes: Vec<u8> =
        (0..5000).map(|v| if v == 77 { 255 } else { (v / 9 % 3) as u8 }).collect();
    write(&folder.join("classes.tif"), &part, &classes, 50);

    let turned = Affine { a: 0.4, b: 0.3, c: 33.5, d: 0.3, e: -0.4, f: 38.25 };
    let names = vec!["ground & more".to_owned(), "building".to_owned()];
    for (name, kind) in [
        ("chances_u8.tif", Probability::U8),
        ("chances_u16.tif", Probability::U16),
        ("chances_f32.tif", Probability::F32),
    ] {
        let config = RasterConfig::probabilities(60, 40, 2, kind)
            .with_geo(Some(GeoReference::new(turned, 4326)))
            .with_band_names(names.clone());
        let mut writer = RasterWriter::create(folder.join(name), config).unwrap();
        let mut chances: Vec<f32> = (0..4800).map(|v| (v % 101) as f32 / 100.).collect();
        chances[5] = f32::NAN;
        writer.write_probabilities(&chances).unwrap();
        writer.finish().unwrap();
        assert!(!whole(&folder.join(name)).data.is_empty());
    }
}
