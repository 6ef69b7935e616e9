//! Simulated OCTA images: repeatable at any thread count, graded as said, of any size.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use ocellus_data::{
    Dataset, Example, Image,
    synthetic::{Degradation, Graded, Octa, OctaField, OctaGrade},
};
use rayon::prelude::*;

fn octa(side: usize) -> Octa {
    Octa::new(OctaField::ThreeMm).with_side(side).with_seed(4)
}

fn mean(values: impl Iterator<Item = f32>) -> f64 {
    let (sum, count) = values.fold((0., 0.), |(sum, count), v| (sum + f64::from(v), count + 1.));
    if count > 0. { sum / count } else { 0. }
}

/// The mean over the disk of that radius around a place, in shares of the side.
fn disk(image: &Image, center: (f32, f32), radius: f32) -> f64 {
    let side = image.width() as f32;
    let within = |i: &usize| {
        let (x, y) = ((i % image.width()) as f32 / side, (i / image.width()) as f32 / side);
        (x - center.0).hypot(y - center.1) < radius
    };
    mean((0..image.data().len()).filter(within).map(|i| image.data()[i]))
}

#[test]
fn the_same_key_gives_the_same_bits_at_any_thread_count() {
    let draw = |threads: usize| -> Vec<Example> {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| (0..6).into_par_iter().map(|i| octa(96).example(i).unwrap()).collect())
    };
    let (one, four) = (draw(1), draw(4));
    assert_eq!(one, four);
    assert_ne!(one[0].image, one[3].image);
    assert_ne!(octa(96).with_seed(5).example(0).unwrap().image, one[0].image);
}

#[test]
fn the_avascular_zone_is_dark_and_vessels_are_bright() {
    for index in 0..12 {
        let example = octa(160).example(index).unwrap();
        let clean = octa(160).spoiled(index, &Degradation::none()).unwrap();
        assert!(clean.data().iter().all(|v| (0. ..=1.).contains(v)));
        let mask = example.mask.unwrap();
        let share = mean(mask.data().iter().copied());
        assert!((0.02..0.25).contains(&share), "{share}");
        let all = mean(clean.data().iter().copied());
        let vessels = clean.data().iter().zip(mask.data()).filter(|(_, m)| **m > 0.5);
        let vessels = mean(vessels.map(|(v, _)| *v));
        assert!((0.2..0.5).contains(&all), "{all}");
        assert!(vessels > 1.4 * all, "{vessels} {all}");
        assert!(disk(&clean, (0.5, 0.5), 0.04) < 0.7 * all);
    }
}

#[test]
fn decentering_moves_the_fovea_and_brings_other_vessels() {
    // Bright where the dark zone was in at least most images.
    let aside = Degradation::none().with_decentering(1.);
    let brighter = (0..12)
        .filter(|&index| {
            let center = |degradation| {
                disk(&octa(128).spoiled(index, degradation).unwrap(), (0.5, 0.5), 0.06)
            };
            center(&aside) > 1.6 * center(&Degradation::none())
        })
        .count();
    assert!(brighter >= 11, "{brighter}");
}

#[test]
fn grades_are_spread_as_the_shares_say() {
    let generator = octa(32).with_shares([2., 1., 1.]);
    let mut counts = [0i32; 3];
    (0..400).for_each(|index| counts[generator.grade(index).label()] += 1);
    assert!(counts.iter().zip([200, 100, 100]).all(|(a, e)| (a - e).abs() <= 2), "{counts:?}");
    assert_eq!(generator.classes(), ["outstanding", "gradable", "ungradable"]);
    let dataset = generator.dataset(9);
    assert_eq!(dataset.labels().len(), 9);
    for index in 0..9 {
        let example = dataset.load(index).unwrap();
        assert_eq!(example.label, dataset.label(index));
        assert_eq!(generator.degradation(index), generator.grade(index).draw(4, index));
    }
    assert!(dataset.load(9).is_err());
}

#[test]
fn what_is_worse_is_farther_from_its_best() {
    let distance = |grade: OctaGrade| {
        let changes = (0..12).map(|index| {
            let best = octa(96).spoiled(index, &Degradation::none()).unwrap();
            // Looking aside shows other vessels: no measure of quality.
            let degradation = grade.draw(4, index).with_decentering(0.);
            let spoiled = octa(96).spoiled(index, &degradation).unwrap();
            let pairs = best.data().iter().zip(spoiled.data());
            mean(pairs.map(|(a, b)| (a - b).abs()))
        });
        changes.sum::<f64>() / 12.
    };
    let [good, fair, bad] = OctaGrade::ALL.map(distance);
    eprintln!("mean change: outstanding {good:.3}, gradable {fair:.3}, ungradable {bad:.3}");
    assert!(good < 0.8 * fair && fair < 0.9 * bad, "{good} {fair} {bad}");
}

#[test]
fn any_size_of_both_fields() {
    for field in [OctaField::ThreeMm, OctaField::SixMm] {
        for side in [32, 77, 320] {
            let example = Octa::new(field).with_side(side).example(1).unwrap();
            assert_eq!(example.image.dims(), (1, side, side));
            assert_eq!(example.mask.unwrap().dims(), (1, side, side));
        }
    }
    assert_eq!((Octa::new(OctaField::ThreeMm).side, Octa::new(OctaField::SixMm).side), (304, 400));
}

#[test]
fn graded_images_keep_their_size_and_lose_their_mask() {
    let clean = octa(48).with_shares([1., 0., 0.]).dataset(8);
    let graded = Graded::new(clean, 7).unwrap().with_shares([0., 1., 1.]).unwrap();
    for index in 0..8 {
        let example = graded.load(index).unwrap();
        assert!(example.label > 0 && example.mask.is_none());
        assert_eq!(example, graded.load(index).unwrap());
        assert_eq!(example.image.dims(), (1, 48, 48));
    }
    assert_eq!(graded.labels().len(), 8);
    assert!(graded.name(0).contains("gradable"));
}

#[test]
fn rejects_settings_that_make_no_sense() {
    let message = |octa: Octa| octa.example(0).unwrap_err().to_string();
    assert!(message(octa(31)).contains("31×31"));
    assert!(message(octa(4000)).contains("4000×4000"));
    assert!(message(octa(64).with_shares([0.; 3])).contains("not all 0"));
    assert!(message(octa(64).with_shares([1., -1., 0.])).contains("-1"));
    let wrong = Degradation::none().with_noise(2.);
    assert!(octa(64).spoiled(0, &wrong).unwrap_err().to_string().contains("is 2"));
    assert!(Graded::new(octa(64).dataset(0), 1).is_err());
    let one = Graded::new(octa(64).dataset(1), 1).unwrap();
    assert!(one.with_shares([f32::NAN, 1., 1.]).is_err());
}
