//! Against NumPy and scikit-image (`testdata/features.py`), laws, and what is no image.

use std::path::PathBuf;

use ndarray::{Array3, ArrayView3, s};
use serde_json::Value;

use super::*;
use crate::Result;

fn golden() -> Value {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("testdata/features.json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// As in the script.
fn fill(height: usize, width: usize, channels: usize) -> Array3<u8> {
    let noise = |i: usize| {
        let mut h = (i as u32).wrapping_mul(0x9E37_79B9);
        h ^= h >> 15;
        h = h.wrapping_mul(0x85EB_CA6B);
        h ^= h >> 13;
        (h >> 25) as usize
    };
    Array3::from_shape_fn((height, width, channels), |(r, c, k)| {
        let place = (r * width + c) * channels + k;
        ((noise(place) + 3 * r + 5 * c * (k + 1)) % 256) as u8
    })
}

fn none() -> ImageFeatures {
    ImageFeatures::default().with_gray_bins(0).with_rgb_bins(0).with_hsv_bins(0).with_dft(None)
}

#[track_caller]
fn close<'a>(found: impl IntoIterator<Item = &'a f64>, expected: &Value) {
    let expected: Vec<f64> = serde_json::from_value(expected.clone()).unwrap();
    let found: Vec<f64> = found.into_iter().copied().collect();
    assert_eq!(found.len(), expected.len());
    for (i, (a, e)) in found.iter().zip(&expected).enumerate() {
        assert!((a - e).abs() <= 1e-9 * e.abs().max(1.), "{i}: {a}, expected {e}");
    }
}

#[test]
fn features_equal_numpys() -> Result<()> {
    let counts = none().with_gray_bins(10).with_rgb_bins(7).with_hsv_bins(9).with_normalized(false);
    let dft = Dft::default().with_block(3).with_rings(4).with_sectors(6).with_log(false);
    let log = Dft::default().with_block(2).with_rings(3).with_sectors(4);
    for case in golden().as_array().unwrap() {
        let size: Vec<usize> = serde_json::from_value(case["size"].clone()).unwrap();
        let image = fill(size[0], size[1], size[2]);
        close(&counts.extract(image.view())?, &case["histograms"]);
        close(&none().with_dft(Some(dft.clone())).extract(image.view())?, &case["dft"]);
        close(&none().with_dft(Some(log.clone())).extract(image.view())?, &case["log"]);
    }
    Ok(())
}

#[test]
fn each_feature_has_a_name_of_its_own() -> Result<()> {
    let features = ImageFeatures::default();
    let mut names = features.names();
    assert_eq!(features.extract(fill(64, 64, 3).view())?.len(), names.len());
    assert_eq!((names[0].as_str(), names[32].as_str()), ("gray_0", "red_0"));
    assert_eq!(names[32 + 6 * 16..][..2], ["dft_u0_v0", "dft_u1_v0"]);
    assert_eq!(names.last().map(String::as_str), Some("dft_sector_7"));
    names.sort();
    names.dedup();
    assert_eq!(names.len(), 32 + 6 * 16 + 113 + 16 + 8);
    Ok(())
}

#[test]
fn shares_of_each_channel_add_up_to_one() -> Result<()> {
    let features = none().with_gray_bins(5).with_rgb_bins(5).with_hsv_bins(5);
    let found = features.extract(fill(13, 11, 3).view())?.to_vec();
    assert!(found.chunks(5).all(|shares| (shares.iter().sum::<f64>() - 1.).abs() < 1e-12));
    assert_eq!(found.len(), 35);
    Ok(())
}

#[test]
fn a_quarter_turn_keeps_colors_and_rings_and_moves_sectors() -> Result<()> {
    let image = fill(24, 30, 3);
    let turned = image.view().permuted_axes([1, 0, 2]);
    let turned = turned.slice(s![.., ..;-1, ..]);
    let colors = none().with_gray_bins(32).with_rgb_bins(8).with_hsv_bins(8);
    assert_eq!(colors.extract(image.view())?, colors.extract(turned)?);
    let dft = Dft::default().with_block(1).with_rings(6).with_sectors(4);
    let transform = none().with_dft(Some(dft));
    let (before, after) = (transform.extract(image.view())?, transform.extract(turned)?);
    let order = [0, 1, 2, 3, 4, 5, 6, 9, 10, 7, 8];
    for (i, &j) in order.iter().enumerate() {
        assert!((before[i] - after[j]).abs() < 1e-9, "{i}: {} and {}", before[i], after[j]);
    }
    Ok(())
}

#[test]
fn the_first_magnitude_is_the_sum_and_stripes_are_a_direction() -> Result<()> {
    let dft = Dft::default().with_block(2).with_rings(8).with_sectors(4).with_log(false);
    let features = none().with_dft(Some(dft));
    let stripes = Array3::from_shape_fn((32, 32, 1), |(_, c, _)| if c % 8 < 4 { 200 } else { 0 });
    let found = features.extract(stripes.view())?;
    assert!((found[0] - 32. * 16. * 200.).abs() < 1e-9);
    let sectors = found.slice(s![-4..]);
    assert!(sectors[0] > 100. && sectors.slice(s![1..]).iter().all(|&m| m < 1e-9));
    let rings = found.slice(s![-12..-4]);
    assert!(rings.iter().enumerate().all(|(i, &m)| (m > 1.) == (i == 1 || i == 5)), "{rings}");
    Ok(())
}

#[test]
fn many_images_are_as_each_alone_at_any_number_of_threads() -> Result<()> {
    let sizes = [(40, 33), (16, 40), (40, 33), (64, 64), (16, 40), (17, 16)];
    let images: Vec<Array3<u8>> = sizes.iter().map(|&(h, w)| fill(h, w, 3)).collect();
    let views: Vec<ArrayView3<'_, u8>> = images.iter().map(|image| image.view()).collect();
    let dft = Dft::default().with_rings(4);
    let features = ImageFeatures::default().with_dft(Some(dft));
    let all = features.extract_all(&views)?;
    for (row, image) in all.outer_iter().zip(&views) {
        assert_eq!(row, features.extract(*image)?);
        let mut wide = Array3::zeros((image.dim().0, 2 * image.dim().1, 3));
        wide.slice_mut(s![.., ..;2, ..]).assign(image);
        assert_eq!(row, features.extract(wide.slice(s![.., ..;2, ..]))?);
    }
    for threads in [1, 3] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        assert_eq!(pool.install(|| features.extract_all(&views))?, all);
    }
    assert_eq!(features.extract_all(&[])?.dim(), (0, features.names().len()));
    Ok(())
}

#[test]
fn gray_images_are_gray_colors() -> Result<()> {
    let gray = fill(20, 20, 1);
    let color = Array3::from_shape_fn((20, 20, 3), |(r, c, _)| gray[[r, c, 0]]);
    let features = ImageFeatures::default().with_dft(Some(Dft::default().with_rings(4)));
    assert_eq!(features.extract(gray.view())?, features.extract(color.view())?);
    Ok(())
}

#[test]
fn says_what_is_wrong() {
    let features = ImageFeatures::default();
    let message = |features: &ImageFeatures, images: &[Array3<u8>]| {
        let views: Vec<ArrayView3<'_, u8>> = images.iter().map(|image| image.view()).collect();
        features.extract_all(&views).unwrap_err().to_string()
    };
    let good = fill(64, 64, 3);
    let error = message(&features, &[good.clone(), fill(64, 64, 4)]);
    assert!(error.starts_with("image 1 has 4 channels"), "{error}");
    assert!(message(&features, &[fill(0, 9, 3)]).starts_with("image 0 is 0 × 9"));
    let error = message(&features, &[good.clone(), fill(90, 9, 3), fill(8, 8, 1)]);
    assert!(error.starts_with("image 1 is 90 × 9, a block of 8"), "{error}");
    let rings = none().with_dft(Some(Dft::default().with_rings(60)));
    assert!(message(&rings, &[fill(20, 20, 1)]).contains("too small for 60 rings: ring 0"));
    let sectors = none().with_dft(Some(Dft::default().with_block(0).with_rings(0).with_sectors(9)));
    assert!(message(&sectors, &[fill(3, 3, 1)]).contains("too small for 9 sectors: sector 1"));
    assert!(
        message(&none(), std::slice::from_ref(&good)).starts_with("the number of features is 0")
    );
    assert!(
        message(&features.with_hsv_bins(257), std::slice::from_ref(&good)).contains("bins is 257")
    );
    let huge = none().with_dft(Some(Dft::default().with_rings(99_999)));
    assert!(message(&huge, &[good]).starts_with("rings is 99999"));
}
