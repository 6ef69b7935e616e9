//! Simulated smears: repeatable at any thread count, told apart by shape and not by mean color.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use ocellus_data::{
    CellPart, Dataset, Image,
    synthetic::{Smear, SmearCell, SmearScene},
};
use rayon::prelude::*;

/// The share of pairs in which the one of class 1 has the larger value: 0.5 if it says nothing.
fn auc(values: &[(f64, usize)]) -> f64 {
    let (mut wins, mut pairs) = (0., 0.);
    for (a, _) in values.iter().filter(|(_, label)| *label == 1) {
        for (b, _) in values.iter().filter(|(_, label)| *label == 0) {
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
    wins / pairs
}

/// The pixels of a mask, and their mean place.
fn moments(mask: &Image) -> (f64, (f64, f64)) {
    let marked = || (0..mask.data().len()).filter(|&at| mask.data()[at] > 0.5);
    let area = marked().count() as f64;
    let (y, x) = marked().fold((0., 0.), |(y, x), at| {
        (y + (at / mask.width()) as f64, x + (at % mask.width()) as f64)
    });
    (area, (y / area, x / area))
}

fn draw(smear: Smear, count: usize) -> Vec<(SmearScene, usize)> {
    let one = |index| (smear.cell(index).unwrap(), smear.label(index));
    (0..count).into_par_iter().map(one).collect()
}

#[test]
fn the_same_key_gives_the_same_bits_at_any_thread_count() {
    let smear = Smear::new(64).with_seed(4);
    let draw = |threads: usize| -> Vec<(SmearScene, SmearScene)> {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let one = |i| (smear.cell(i).unwrap(), smear.field(i, 70, 90).unwrap());
        pool.install(|| (0..6).into_par_iter().map(one).collect())
    };
    let (one, four) = (draw(1), draw(4));
    assert_eq!(one, four);
    assert_ne!(one[0].0.image, one[1].0.image);
    assert_ne!(smear.with_seed(5).cell(0).unwrap().image, one[0].0.image);
}

#[test]
fn mean_color_does_not_tell_the_kinds_apart_but_shape_does() {
    let cells = draw(Smear::new(48).with_seed(1), 480);
    let of = |value: &dyn Fn(&SmearScene) -> f64| {
        auc(&cells.iter().map(|(scene, label)| (value(scene), *label)).collect::<Vec<_>>())
    };
    let mean =
        |plane: &[f32]| plane.iter().map(|&v| f64::from(v)).sum::<f64>() / plane.len() as f64;
    let channel = |c: usize| of(&|scene| mean(scene.image.planes().nth(c).unwrap()));
    let gray = of(&|scene| mean(scene.image.to_gray().unwrap().data()));
    let colors = [channel(0), channel(1), channel(2), gray];
    let share = of(&|scene| {
        let (nucleus, cell) = (&scene.nuclei, scene.mask(CellPart::Cell).unwrap());
        -moments(nucleus).0 / moments(&cell).0
    });
    let off_center = of(&|scene| {
        let (cell, middle) = moments(&scene.mask(CellPart::Cell).unwrap());
        let (_, at) = moments(&scene.nuclei);
        (at.0 - middle.0).hypot(at.1 - middle.1) / cell.sqrt()
    });
    eprintln!(
        "AUC of mean red, green, blue, gray: {colors:.3?}; of the nucleus' share {share:.3}, its place {off_center:.3}"
    );
    assert!(colors.iter().all(|auc| (0.25..0.75).contains(auc)), "{colors:?}");
    assert!(share > 0.93 && off_center > 0.9, "{share} {off_center}");
}

#[test]
fn nuclei_are_darker_than_cytoplasm_and_that_than_the_rest() {
    for (scene, _) in draw(Smear::new(64).with_seed(2).with_shares([1., 1., 1.]), 36) {
        let green = scene.image.planes().nth(1).unwrap();
        let mean = |mask: &dyn Fn(usize) -> bool| {
            let (sum, count) = (0..green.len())
                .filter(|&at| mask(at))
                .fold((0., 0.), |(sum, count), at| (sum + f64::from(green[at]), count + 1.));
            sum / count
        };
        let (nuclei, cytoplasm) = (scene.nuclei.data(), scene.cytoplasm.data());
        assert!(nuclei.iter().zip(cytoplasm).all(|(a, b)| a + b <= 1.));
        let nucleus = mean(&|at| nuclei[at] == 1.);
        let rim = mean(&|at| cytoplasm[at] == 1.);
        let rest = mean(&|at| nuclei[at] + cytoplasm[at] == 0.);
        assert!(nucleus < 0.9 * rim && rim < rest, "{nucleus} {rim} {rest}");
        assert!(scene.image.data().iter().all(|v| (0. ..=1.).contains(v)));
    }
}

#[test]
fn images_of_a_slide_are_of_one_kind_and_share_its_stain() {
    let smear = Smear::new(32).with_per_slide(5).with_shares([2., 1., 1.]);
    let dataset = smear.dataset(400);
    let (labels, groups) = (dataset.labels(), dataset.groups());
    assert_eq!((groups[4], groups[5], groups[399]), (0, 1, 79));
    assert!((0..400).all(|i| labels[i] == labels[i / 5 * 5]));
    let counts = [0, 1, 2].map(|label| labels.iter().filter(|&&l| l == label).count() as i32 / 5);
    assert!(counts.iter().zip([40, 20, 20]).all(|(a, e)| (a - e).abs() <= 2), "{counts:?}");
    assert_eq!(smear.classes(), ["lymphoblast", "plasma cell", "lymphocyte"]);
    assert_eq!(Smear::new(32).classes().len(), 2);

    // The empty slide's blue against its red varies more between slides than within them.
    let tint = |index: usize| {
        let image = dataset.load(index).unwrap().image;
        let top = |c: usize| {
            let mut values = image.planes().nth(c).unwrap().to_vec();
            values.sort_by(f32::total_cmp);
            f64::from(values[values.len() * 95 / 100])
        };
        top(2) / top(0)
    };
    let (mut within, mut between) = (0., 0.);
    for slide in 0..20 {
        within += (tint(5 * slide) - tint(5 * slide + 1)).abs();
        between += (tint(5 * slide) - tint(5 * slide + 5)).abs();
    }
    assert!(between > 3. * within, "{between} {within}");
    assert!(dataset.load(400).is_err());
}

#[test]
fn boxes_of_a_field_hold_its_cells() {
    let smear = Smear::new(80).with_seed(9).with_shares([1., 1., 1.]);
    for index in 0..8 {
        let scene = smear.field(index, 200, 260).unwrap();
        assert_eq!(scene.image.dims(), (3, 200, 260));
        let cell = scene.mask(CellPart::Cell).unwrap();
        let mut outside = cell.clone();
        for cell in &scene.cells {
            let w = cell.window;
            assert!(w.pixels() > 0 && w.right() <= 260 && w.bottom() <= 200, "{w:?}");
            for y in w.y..w.y + w.height {
                for x in w.x..w.x + w.width {
                    outside.data_mut()[y as usize * 260 + x as usize] = 0.;
                }
            }
        }
        let left = outside.data().iter().sum::<f32>() / cell.data().iter().sum::<f32>();
        assert!(left < 0.01, "{left}");
        let kinds = scene.cells.iter().map(|cell| cell.kind);
        assert!(kinds.into_iter().all(|k| k == smear.kind(index) || k == SmearCell::Lymphocyte));
    }
}

#[test]
fn any_size_and_scale() {
    for (side, extent) in [(16, 12.), (33, 20.), (257, 23.), (64, 200.)] {
        let scene = Smear::new(side).with_extent(extent).cell(3).unwrap();
        assert_eq!((scene.image.dims(), scene.nuclei.dims()), ((3, side, side), (1, side, side)));
        assert!(scene.nuclei.data().contains(&1.));
    }
}

#[test]
fn rejects_settings_that_make_no_sense() {
    let message = |smear: Smear| smear.example(0).unwrap_err().to_string();
    assert!(message(Smear::new(15)).contains("a side of 15"));
    assert!(Smear::new(32).field(0, 32, 4000).unwrap_err().to_string().contains("4000"));
    assert!(message(Smear::new(32).with_extent(f32::NAN)).contains("`extent` is NaN"));
    assert!(message(Smear::new(32).with_atypical(1.5)).contains("`atypical` is 1.5"));
    assert!(message(Smear::new(32).with_per_slide(0)).contains("`per_slide`"));
    assert!(message(Smear::new(32).with_shares([0.; 3])).contains("kinds of cells"));
    assert!((0..3).all(|label| SmearCell::of_label(label).unwrap().label() == label));
    assert_eq!(SmearCell::of_label(3), None);
}
