//! Derived images stay with their origin, unless a split says in its name that they do not.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::BTreeSet;

use ocellus_data::{
    Canny, Dataset, Derived, Example, Fractions, Image, LeakySplit, Result, Splitter, Variant,
    synthetic::{Smear, SmearDataset},
};
use proptest::prelude::*;

/// Images that are numbers, of classes and groups.
struct Numbers {
    labels: Vec<usize>,
}

impl Dataset for Numbers {
    fn len(&self) -> usize {
        self.labels.len()
    }

    fn label(&self, index: usize) -> usize {
        self.labels[index]
    }

    fn name(&self, index: usize) -> String {
        format!("image {index}")
    }

    fn load(&self, index: usize) -> Result<Example> {
        Ok(Example::new(Image::new(1, 1, 2, vec![index as f32, 0.])?, self.label(index)))
    }
}

const FOUR: [Variant; 4] =
    [Variant::Original, Variant::Rotated(1), Variant::Rotated(2), Variant::Sobel];

proptest! {
    #[test]
    fn no_honest_split_tests_on_what_it_trained_on(
        groups in 6usize..20,
        of_group in 1usize..5,
        folds in 2usize..4,
        seed in 0u64..1000,
        test_variants in any::<bool>(),
    ) {
        let labels: Vec<usize> = (0..groups * of_group).map(|i| i / of_group % 2).collect();
        let group: Vec<usize> = (0..labels.len()).map(|i| i / of_group).collect();
        let splitter = Splitter::new(&labels).with_groups(&group).unwrap().with_seed(seed);
        let derived =
            Derived::new(Numbers { labels }, &FOUR).unwrap().with_test_variants(test_variants);
        let groups_of = |part: &[usize]| -> BTreeSet<usize> {
            part.iter().map(|&index| derived.origin(index) / of_group).collect()
        };
        let mut tested = Vec::new();
        for fold in derived.k_fold(&splitter, folds).unwrap() {
            prop_assert_eq!(derived.leaked(&fold.train, &fold.test), 0.);
            prop_assert!(groups_of(&fold.train).is_disjoint(&groups_of(&fold.test)));
            prop_assert!(fold.train.iter().all(|index| *index < derived.len()));
            tested.extend(fold.test);
        }
        tested.sort_unstable();
        let step = if test_variants { 1 } else { 4 };
        prop_assert_eq!(tested, (0..derived.len()).step_by(step).collect::<Vec<_>>());
        let split = derived.holdout(&splitter, Fractions::new(0.6, 0., 0.4).unwrap()).unwrap();
        prop_assert_eq!(derived.leaked(&split.train, &split.test), 0.);
        prop_assert!(groups_of(&split.train).is_disjoint(&groups_of(&split.test)));
    }

    #[test]
    fn the_leaky_split_says_how_much_it_leaks(seed in 0u64..200) {
        let labels: Vec<usize> = (0..60).map(|i| i % 2).collect();
        let derived = Derived::new(Numbers { labels }, &FOUR).unwrap();
        let split = LeakySplit::holdout(&derived, Fractions::new(0.5, 0.25, 0.25).unwrap(), seed).unwrap();
        let mut all = [split.train.clone(), split.validation, split.test.clone()].concat();
        all.sort_unstable();
        prop_assert_eq!(all, (0..240).collect::<Vec<_>>());
        let origins: BTreeSet<usize> = split.train.iter().map(|i| i / 4).collect();
        let seen = split.test.iter().filter(|i| origins.contains(&(*i / 4))).count();
        prop_assert_eq!(split.leaked, seen as f64 / split.test.len() as f64);
        prop_assert!(split.leaked > 0.6, "{}", split.leaked);
        for fold in LeakySplit::k_fold(&derived, 5, seed).unwrap() {
            prop_assert!(fold.leaked > 0.8 && fold.validation.is_empty());
            prop_assert_eq!(fold.train.len() + fold.test.len(), 240);
        }
    }
}

fn cells() -> SmearDataset {
    Smear::new(24).with_seed(2).dataset(12)
}

#[test]
fn variants_are_those_of_their_origin() {
    let cells = cells();
    let derived = Derived::new(cells, &Variant::PAPER).unwrap();
    assert_eq!((derived.len(), derived.variants().len(), derived.inner().len()), (36, 3, 12));
    for index in 0..36 {
        let origin = cells.load(derived.origin(index)).unwrap();
        let example = derived.load(index).unwrap();
        assert_eq!(example.label, derived.label(index));
        assert_eq!(example.image.dims(), (3, 24, 24));
        match index % 3 {
            0 => assert_eq!(example, origin),
            1 => assert_eq!(
                (example.image, example.mask),
                (origin.image.rotated(1), origin.mask.map(|mask| mask.rotated(1)))
            ),
            _ => {
                let edges = Canny::default().apply(&origin.image).unwrap();
                assert_eq!((example.image, example.mask), (edges.to_rgb().unwrap(), origin.mask));
            }
        }
    }
    assert_eq!(derived.name(4), "synthetic 1 (turned 90°)");
    assert_eq!(
        (derived.originals(&[2, 5]), derived.derived_from(&[2])),
        (vec![6, 15], vec![6, 7, 8])
    );
}

#[test]
fn a_splitter_of_derived_images_is_refused() {
    let derived = Derived::new(cells(), &Variant::PAPER).unwrap();
    let labels: Vec<usize> = (0..derived.len()).map(|index| derived.label(index)).collect();
    let torn = Splitter::new(&labels);
    let message = derived.k_fold(&torn, 2).unwrap_err().to_string();
    assert!(message.contains("36 samples for 12 origins"), "{message}");
    assert!(derived.holdout(&torn, Fractions::default()).is_err());
    // And one that was made all the same is found out.
    let fold = &torn.k_fold(3).unwrap()[0];
    assert!(derived.leaked(&fold.train, &fold.test) > 0.5);
}

#[test]
fn rejects_settings_that_make_no_sense() {
    let message = |variants: &[Variant]| Derived::new(cells(), variants).unwrap_err().to_string();
    assert!(message(&[]).contains("must begin with the original"));
    assert!(message(&[Variant::Sobel]).contains("must begin with the original"));
    assert!(message(&[Variant::Original, Variant::Rotated(4)]).contains("4 quarters"));
    let canny = Variant::Canny(Canny::default().with_sigma(-1.));
    assert!(message(&[Variant::Original, canny]).contains("sigma -1"));
    let gray = Example::new(Image::filled(2, 4, 4, 0.).unwrap(), 0);
    assert!(Variant::Sobel.apply(gray).is_err());
}
