//! What augmentation changes, and what it must not.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use ocellus_data::{Augment, Border, Image};
use proptest::prelude::*;

fn ramp(height: usize, width: usize) -> Image {
    let count = height * width;
    Image::new(1, height, width, (0..count).map(|v| v as f32 / count as f32).collect()).unwrap()
}

/// A smooth blob off the center, and its mask.
fn blob(side: usize) -> (Image, Image) {
    let value = |i: usize| {
        let (y, x) = ((i / side) as f32 / side as f32, (i % side) as f32 / side as f32);
        (-((y - 0.4).powi(2) + (x - 0.6).powi(2)) / 0.02).exp()
    };
    let data: Vec<f32> = (0..side * side).map(value).collect();
    let mask = data.iter().map(|&v| f32::from(v >= 0.5)).collect();
    (Image::new(1, side, side, data).unwrap(), Image::new(1, side, side, mask).unwrap())
}

#[test]
fn the_default_is_the_identity_to_the_bit() {
    let (image, mask) = blob(33);
    let (same, moved) = Augment::default().apply(&image, Some(&mask), [5, 6, 7]).unwrap();
    assert_eq!((same, moved), (image, Some(mask)));
}

#[test]
fn mirroring_is_exact() {
    let image = ramp(4, 5);
    let (flipped, _) =
        Augment::default().with_flip_horizontal(1.).apply(&image, None, [0; 3]).unwrap();
    let (upside, _) =
        Augment::default().with_flip_vertical(1.).apply(&image, None, [0; 3]).unwrap();
    for y in 0..4 {
        for x in 0..5 {
            assert_eq!(flipped.get(0, y, x), image.get(0, y, 4 - x));
            assert_eq!(upside.get(0, y, x), image.get(0, 3 - y, x));
        }
    }
}

#[test]
fn scaling_enlarges_about_the_center() {
    let (image, _) = blob(65);
    let (large, _) = Augment::default().with_scale((2., 2.)).apply(&image, None, [0; 3]).unwrap();
    assert!((large.get(0, 32, 32) - image.get(0, 32, 32)).abs() < 1e-5);
    assert!((large.get(0, 32 + 20, 32 - 10) - image.get(0, 42, 27)).abs() < 1e-5);
}

#[test]
fn a_mask_follows_its_image() {
    let (image, mask) = blob(64);
    let augment = Augment::default()
        .with_rotation(40.)
        .with_shift(0.1)
        .with_scale((0.8, 1.3))
        .with_crop(0.8)
        .with_flip_horizontal(0.5)
        .with_elastic(0.03)
        .with_border(Border::Constant(0.));
    for sample in 0..20 {
        let (image, mask) = augment.apply(&image, Some(&mask), [1, 2, sample]).unwrap();
        let mask = mask.unwrap();
        // The mask is where the blob is bright, but for a pixel's width along the border.
        let wrong = image.data().iter().zip(mask.data());
        let wrong = wrong.filter(|(v, m)| (**v > 0.6) != (**m == 1.) && !(0.4..0.6).contains(*v));
        assert!(wrong.count() < 8);
        assert!(mask.data().iter().all(|&m| m == 0. || m == 1.));
    }
}

#[test]
fn borders_mirror_stretch_or_fill() {
    let image = Image::new(1, 1, 4, vec![0.1, 0.2, 0.3, 0.4]).unwrap();
    // Shrunk to half: the source runs from -1.5 to 4.5 in steps of 2.
    let shrink = |border| {
        let augment = Augment::default().with_scale((0.5, 0.5)).with_border(border);
        let (small, _) = augment.apply(&image, None, [0; 3]).unwrap();
        small.data().iter().map(|v| (v * 100.).round() as i32).collect::<Vec<_>>()
    };
    assert_eq!(shrink(Border::Edge), [10, 15, 35, 40]);
    assert_eq!(shrink(Border::Reflect), [25, 15, 35, 25]);
    assert_eq!(shrink(Border::Constant(0.)), [0, 15, 35, 0]);
}

#[test]
fn one_setting_does_not_change_the_draw_of_another() {
    let (image, mask) = blob(32);
    let turn = Augment::default().with_rotation(30.);
    let both = turn.clone().with_noise(0.2).with_gamma(0.5).with_flip_vertical(1e-9);
    let mask_of = |augment: &Augment| augment.apply(&image, Some(&mask), [3, 4, 5]).unwrap().1;
    assert_eq!(mask_of(&turn), mask_of(&both));
}

#[test]
fn noise_has_the_strength_that_was_set() {
    let gray = Image::filled(1, 64, 64, 0.5).unwrap();
    let mut strongest = 0f32;
    for sample in 0..50 {
        let (noisy, _) =
            Augment::default().with_noise(0.1).apply(&gray, None, [0, 0, sample]).unwrap();
        let var: f32 = noisy.data().iter().map(|v| (v - 0.5).powi(2)).sum::<f32>() / 4096.;
        strongest = strongest.max(var.sqrt());
    }
    assert!((0.08..0.105).contains(&strongest), "{strongest}");
}

#[test]
fn one_pixel_survives_everything() {
    let dot = Image::filled(3, 1, 1, 0.5).unwrap();
    let augment = Augment::ultrasound().with_elastic(0.2).with_crop(0.5).with_flip_vertical(0.5);
    for border in [Border::Reflect, Border::Edge, Border::Constant(0.)] {
        let (image, _) = augment.clone().with_border(border).apply(&dot, None, [1; 3]).unwrap();
        assert!(image.data().iter().all(|v| (0. ..=1.).contains(v)));
    }
}

#[test]
fn names_the_field_that_is_wrong() {
    let dot = Image::filled(1, 1, 1, 0.5).unwrap();
    let message = |augment: Augment| augment.apply(&dot, None, [0; 3]).unwrap_err().to_string();
    assert!(message(Augment::default().with_rotation(f32::NAN)).contains("`rotation` is NaN"));
    assert!(message(Augment::default().with_scale((2., 1.))).contains("`scale`"));
    assert!(message(Augment::default().with_crop(0.)).contains("`crop` is 0.0"));
    assert!(message(Augment::default().with_elastic_cells(0)).contains("`elastic_cells`"));
    let other = Image::filled(1, 2, 2, 0.).unwrap();
    assert!(Augment::default().apply(&dot, Some(&other), [0; 3]).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, failure_persistence: None, ..Default::default() })]

    #[test]
    fn values_stay_between_0_and_1(seed: u64, epoch in 0u64..9, sample in 0u64..9) {
        let augment = Augment::ultrasound().with_elastic(0.05).with_noise(0.3).with_crop(0.6);
        let (image, _) = augment.apply(&ramp(9, 13), None, [seed, epoch, sample]).unwrap();
        prop_assert_eq!(image.dims(), (1, 9, 13));
        prop_assert!(image.data().iter().all(|v| (0. ..=1.).contains(v)));
    }
}
