//! The simulated images: repeatable, of any size, neither trivial nor hopeless.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use ocellus_data::{Color, Example, Image, synthetic::BMode};
use rayon::prelude::*;

fn examples(generator: BMode, count: usize) -> Vec<Example> {
    (0..count).into_par_iter().map(|index| generator.example(index).unwrap()).collect()
}

/// The share of pairs (malignant, benign) that the score puts in order, or the reverse.
fn auc(examples: &[Example], score: impl Fn(&Example) -> f64) -> f64 {
    let scores: Vec<(f64, usize)> = examples.iter().map(|e| (score(e), e.label)).collect();
    let (mut wins, mut pairs) = (0., 0.);
    for &(a, _) in scores.iter().filter(|s| s.1 == 1) {
        for &(b, _) in scores.iter().filter(|s| s.1 == 0) {
            wins += if a > b {
                1.
            } else if a == b {
                0.5
            } else {
                0.
            };
            pairs += 1.;
        }
    }
    let share: f64 = wins / pairs;
    share.max(1. - share)
}

fn mean(values: impl Iterator<Item = f32>) -> f64 {
    let (sum, count) = values.fold((0., 0.), |(sum, count), v| (sum + f64::from(v), count + 1.));
    if count > 0. { sum / count } else { 0. }
}

fn mask(example: &Example) -> &Image {
    example.mask.as_ref().unwrap()
}

/// Height over width of the mask's box.
fn aspect(example: &Example) -> f64 {
    let (mut rows, mut columns) = ((usize::MAX, 0), (usize::MAX, 0));
    let width = example.image.width();
    for at in mask(example).data().iter().enumerate().filter(|(_, v)| **v > 0.5).map(|(at, _)| at) {
        rows = (rows.0.min(at / width), rows.1.max(at / width));
        columns = (columns.0.min(at % width), columns.1.max(at % width));
    }
    (rows.1 + 1 - rows.0) as f64 / (columns.1 + 1 - columns.0) as f64
}

/// Perimeter² over area: least for a disk.
fn roughness(example: &Example) -> f64 {
    let (mask, width) = (mask(example).data(), example.image.width());
    let area = mask.iter().filter(|v| **v > 0.5).count() as f64;
    let turns = |step: usize| (step..mask.len()).filter(|&i| mask[i] != mask[i - step]).count();
    ((turns(1) + turns(width)) as f64).powi(2) / area
}

#[test]
fn the_same_key_gives_the_same_image() {
    let generator = BMode::new(40, 56).with_seed(2);
    assert_eq!(generator.example(3).unwrap(), generator.example(3).unwrap());
    assert_ne!(generator.example(3).unwrap().image, generator.example(4).unwrap().image);
    let other = BMode::new(40, 56).with_seed(3);
    assert_ne!(generator.example(3).unwrap().image, other.example(3).unwrap().image);
}

#[test]
fn every_image_has_the_mask_of_a_mass() {
    for example in examples(BMode::new(64, 64), 100) {
        let share = mean(mask(&example).data().iter().copied());
        assert!((0.008..0.35).contains(&share), "{share}");
        assert!(mask(&example).data().iter().all(|&v| v == 0. || v == 1.));
        assert!(example.image.data().iter().all(|v| (0. ..=1.).contains(v)));
        let light = mean(example.image.data().iter().copied());
        assert!((0.08..0.75).contains(&light), "{light}");
    }
}

#[test]
fn any_size_color_and_mix_of_classes() {
    for (height, width) in [(16, 16), (33, 90), (200, 140)] {
        let example = BMode::new(height, width).with_color(Color::Rgb).example(0).unwrap();
        assert_eq!(example.image.dims(), (3, height, width));
        assert_eq!(mask(&example).dims(), (1, height, width));
    }
    let generator = BMode::new(16, 16).with_normal(0.25).with_malignant(0.4);
    let mut counts = [0; 3];
    (0..200).for_each(|index| counts[generator.label(index)] += 1);
    assert!(counts.iter().zip([90, 60, 50]).all(|(a, e)| (*a - e) as f64 <= 2.), "{counts:?}");
    let normal = (0..200).find(|&index| generator.label(index) == 2).unwrap();
    let example = generator.example(normal).unwrap();
    assert!(mask(&example).data().iter().all(|&v| v == 0.));
    assert_eq!(generator.classes().len(), 3);
}

#[test]
fn rejects_sizes_and_shares_that_make_no_sense() {
    let message = |generator: BMode| generator.example(0).unwrap_err().to_string();
    assert!(message(BMode::new(8, 64)).contains("8×64"));
    assert!(message(BMode::new(64, 9000)).contains("64×9000"));
    assert!(message(BMode::new(64, 64).with_atypical(1.5)).contains("`atypical` is 1.5"));
    assert!(message(BMode::new(64, 64).with_normal(f32::NAN)).contains("`normal` is NaN"));
}

#[test]
fn no_single_sign_tells_the_classes_apart() {
    let examples = examples(BMode::new(64, 64).with_seed(5), 500);
    let brightness = auc(&examples, |e| mean(e.image.data().iter().copied()));
    let within = auc(&examples, |e| {
        let pixels = e.image.data().iter().zip(mask(e).data());
        mean(pixels.filter(|(_, m)| **m > 0.5).map(|(v, _)| *v))
    });
    let (aspect, rough) = (auc(&examples, aspect), auc(&examples, roughness));
    eprintln!(
        "AUC: brightness {brightness:.3}, of the mass {within:.3}, aspect {aspect:.3}, roughness {rough:.3}"
    );
    assert!(brightness < 0.75, "{brightness}");
    assert!(within < 0.75, "{within}");
    for shape in [aspect, rough] {
        assert!((0.65..0.93).contains(&shape), "{shape}");
    }
}
