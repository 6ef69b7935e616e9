//! Scenes of every kind that GDAL writes, read whole and by windows, cut off and damaged.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::{
    fs,
    io::Cursor,
    path::{Path, PathBuf},
};

use ocellus_data::{
    Error,
    geo::GeoReference,
    raster::{
        AlphaBand, GeoTiff, SceneBlock, SceneConfig, SceneInfo, SceneSource, Window, open_scene,
        open_scene_with,
    },
};
use proptest::prelude::*;

const WIDTH: u32 = 37;
const HEIGHT: u32 = 21;

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("testdata/raster/{name}.tif"))
}

fn whole(name: &str) -> (SceneInfo, SceneBlock) {
    let mut scene = open_scene(fixture(name)).unwrap();
    let info = scene.info().clone();
    let block = scene.read(Window::new(0, 0, info.width, info.height)).unwrap();
    (info, block)
}

/// The rows of `raster.csv`: what rasterio reads.
fn table() -> Vec<(String, Vec<String>)> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/raster.csv");
    let table = fs::read_to_string(path).unwrap();
    let row = |line: &str| {
        let mut cells = line.split(',').map(str::to_owned);
        (cells.next().unwrap(), cells.collect())
    };
    table.lines().skip(1).map(row).collect()
}

/// The formula of `raster.py`.
fn pixel(kind: &str, band: u32, y: u32, x: u32) -> f32 {
    let v = f64::from(3 * x + 5 * y + 40 * band);
    let value = match kind {
        "noise" => f64::from((7919 * x + 104_729 * y + 1_299_709 * band) % 65536),
        "uint8" => v % 256.,
        "int8" => v % 256. - 128.,
        "uint16" => v * 150.,
        "int16" => v * 60. - 8000.,
        "uint32" => v * 3.,
        "int32" => v * 1000. - 100_000.,
        _ => v / 8. - 7.5,
    };
    value as f32
}

#[test]
fn reads_every_pixel_of_every_kind_of_file() {
    let mut read = 0;
    for (name, row) in table() {
        if name.starts_with("jpeg") || name == "sparse" || name.starts_with("no_data") {
            continue;
        }
        let kind = if name.contains("noise") { "noise" } else { &row[0] };
        let (info, block) = whole(&name);
        assert_eq!((info.width, info.height, info.bands), (WIDTH, HEIGHT, row[1].parse().unwrap()));
        let mut values = block.data.iter();
        for band in 0..info.bands as u32 {
            for y in 0..HEIGHT {
                for x in 0..WIDTH {
                    let hidden = name == "alpha" && band == 3 && y < 5;
                    let expected = if hidden { 0. } else { pixel(kind, band, y, x) };
                    assert_eq!(*values.next().unwrap(), expected, "{name} ({band}, {y}, {x})");
                }
            }
        }
        read += 1;
    }
    assert_eq!(read, 27);
}

#[test]
fn agrees_with_rasterio_on_place_sums_and_missing_pixels() {
    for (name, row) in table() {
        let (info, block) = whole(&name);
        let sum: f64 = block.data.iter().filter(|v| v.is_finite()).map(|&v| f64::from(v)).sum();
        let expected: f64 = row[10].parse().unwrap();
        // Decoders of JPEG may differ by one step here and there.
        let tolerance = if name.starts_with("jpeg") { 0.2 * block.data.len() as f64 } else { 0. };
        assert!((sum - expected).abs() <= tolerance, "{name}: {sum} for {expected}");
        let valid = block.valid.iter().filter(|&&valid| valid).count();
        assert_eq!(valid.to_string(), row[11], "{name}");
        let no_data: Option<f64> = row[2].parse().ok();
        assert_eq!(info.no_data.map(f64::to_bits), no_data.map(f64::to_bits), "{name}");
        let epsg: Option<u16> = row[3].parse().ok();
        assert_eq!(info.geo.as_ref().and_then(GeoReference::epsg), epsg, "{name}");
        let expected: Vec<f64> = row[4..10].iter().filter_map(|cell| cell.parse().ok()).collect();
        let map = info.geo.map(|geo| *geo.transform());
        let map = map.map_or(vec![], |m| vec![m.a, m.b, m.c, m.d, m.e, m.f]);
        assert_eq!(map.len(), expected.len(), "{name}");
        for (ours, theirs) in map.iter().zip(&expected) {
            assert!((ours - theirs).abs() <= 1e-15 * theirs.abs(), "{name}: {map:?}");
        }
    }
}

#[test]
fn jpeg_color_is_near_the_picture_that_was_packed() {
    let (_, block) = whole("jpeg_color");
    let mut worst: f32 = 0.;
    for (index, &value) in block.data.iter().enumerate() {
        let (x, rest) = (index as u32 % WIDTH, index as u32 / WIDTH);
        let expected = pixel("uint8", rest / HEIGHT, rest % HEIGHT, x);
        // The third band wraps from 255 to 0, which JPEG blurs.
        if rest / HEIGHT < 2 && expected < 220. {
            worst = worst.max((value - expected).abs());
        }
    }
    assert!(worst < 40., "{worst}");
}

#[test]
fn an_alpha_band_masks_if_it_shall() {
    let config = SceneConfig::default().with_alpha(AlphaBand::Mask);
    let mut scene = open_scene_with(fixture("alpha"), &config).unwrap();
    assert_eq!(scene.info().bands, 3);
    let block = scene.read(Window::new(0, 3, 2, 4)).unwrap();
    assert_eq!(block.valid, [false, false, false, false, true, true, true, true]);
    assert_eq!(block.data.len(), 24);
}

#[test]
fn left_out_tiles_hold_no_data() {
    let (_, block) = whole("sparse");
    for (index, &valid) in block.valid.iter().enumerate() {
        let (x, y) = (index as u32 % WIDTH, index as u32 / WIDTH);
        assert_eq!(valid, (16..32).contains(&x) && y < 16, "({x}, {y})");
        assert_eq!(block.data[index], if valid { pixel("uint16", 0, y, x) } else { 77. });
    }
}

#[test]
fn names_what_it_does_not_read() {
    for (name, what) in [("zstd", "ZSTD"), ("lerc", "LERC"), ("complex", "complex")] {
        let error = open_scene(fixture(name)).err().unwrap().to_string();
        assert!(error.contains(what) && error.contains(name), "{error}");
        assert!(error.contains("gdal_translate"), "{error}");
    }
}

#[test]
fn a_window_that_is_not_within_the_scene_is_an_error() {
    let mut scene = open_scene(fixture("tiles_u16_2")).unwrap();
    for window in [
        Window::new(0, 0, WIDTH + 1, 1),
        Window::new(WIDTH, 0, 1, 1),
        Window::new(0, 0, 0, 1),
        Window::new(u32::MAX, u32::MAX, u32::MAX, u32::MAX),
    ] {
        let error = scene.read(window).unwrap_err();
        assert!(matches!(error, Error::Shape(_)), "{error}");
    }
}

/// A file's bytes as a scene with a small cache.
fn from_bytes(name: &str, bytes: Vec<u8>) -> Result<GeoTiff<Cursor<Vec<u8>>>, Error> {
    let config = SceneConfig::default().with_cache_bytes(4096);
    GeoTiff::from_reader(Cursor::new(bytes), name, &config)
}

/// A window of the scene, at most 64 pixels wide and high and of few bands.
fn glance(bytes: Vec<u8>) -> Result<SceneBlock, Error> {
    let mut scene = from_bytes("damaged.tif", bytes)?;
    let info = scene.info();
    let (width, height) = (info.width.min(64), info.height.min(64));
    if info.bands > 64 {
        return Err(Error::Shape("not now".to_owned()));
    }
    scene.read(Window::new(0, 0, width, height))
}

const KINDS: [&str; 8] = [
    "strips_u8",
    "strips_i16_packbits",
    "tiles_u16_2",
    "tiles_noise_lzw",
    "big_endian_f32_3",
    "big_endian_big_tiff",
    "sparse",
    "jpeg_color",
];

#[test]
fn a_file_cut_off_anywhere_is_an_error_or_still_whole() {
    for name in KINDS {
        let bytes = fs::read(fixture(name)).unwrap();
        let expected = glance(bytes.clone()).unwrap();
        let step = 1 + bytes.len() / 400;
        for len in (0..bytes.len()).step_by(step) {
            match glance(bytes[..len].to_vec()) {
                Err(error) => assert!(error.to_string().contains("damaged.tif"), "{error}"),
                Ok(block) => {
                    assert_eq!(block, expected, "{name} of {len} bytes");
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn any_window_is_that_part_of_the_whole(
        kind in 0..7usize, x in 0..WIDTH, y in 0..HEIGHT, width in 1..=WIDTH, height in 1..=HEIGHT,
    ) {
        let name = KINDS[kind];
        let (_, whole) = whole(name);
        let window = Window::new(x, y, width.min(WIDTH - x), height.min(HEIGHT - y));
        let mut scene = from_bytes(name, fs::read(fixture(name)).unwrap()).unwrap();
        // Twice: from the file, then from the cache.
        for _ in 0..2 {
            let part = scene.read(window).unwrap();
            let mut values = part.data.iter();
            for band in 0..part.bands {
                for row in y..y + window.height {
                    let at = ((band as u32 * HEIGHT + row) * WIDTH + x) as usize;
                    for expected in &whole.data[at..at + window.width as usize] {
                        prop_assert_eq!(values.next().unwrap(), expected);
                    }
                }
            }
        }
    }

    #[test]
    fn flipped_bytes_never_panic(
        kind in 0..KINDS.len(), flips in prop::collection::vec((any::<u32>(), any::<u8>()), 1..6),
    ) {
        let mut bytes = fs::read(fixture(KINDS[kind])).unwrap();
        for (at, value) in flips {
            let at = at as usize % bytes.len();
            bytes[at] = value;
        }
        let _ = glance(bytes);
    }

    #[test]
    fn a_flipped_directory_never_panics(
        kind in 0..KINDS.len(), at in 0..260usize, value in any::<u8>(), more in any::<u8>(),
    ) {
        let mut bytes = fs::read(fixture(KINDS[kind])).unwrap();
        let at = at.min(bytes.len() - 2);
        bytes[at] = value;
        bytes[at + 1] = more;
        let _ = glance(bytes);
    }
}
