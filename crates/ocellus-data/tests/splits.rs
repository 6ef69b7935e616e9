//! The laws of every split.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::BTreeSet;

use ocellus_data::{Fractions, Splitter};
use proptest::prelude::*;

fn cases() -> impl Strategy<Value = (Vec<(usize, usize)>, u64)> {
    (prop::collection::vec((0usize..3, 0usize..40), 60..200), any::<u64>())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..Default::default() })]

    #[test]
    fn folds_partition_and_tear_no_group((samples, seed) in cases(), folds in 2usize..6) {
        let (labels, groups): (Vec<_>, Vec<_>) = samples.into_iter().unzip();
        let splitter = Splitter::new(&labels).with_groups(&groups).unwrap().with_seed(seed);
        let splitter = splitter.with_missing_classes(true);
        let result = splitter.k_fold(folds).unwrap();
        prop_assert_eq!(&result, &splitter.k_fold(folds).unwrap());
        let mut tested: Vec<usize> = result.iter().flat_map(|fold| fold.test.clone()).collect();
        tested.sort_unstable();
        prop_assert_eq!(tested, (0..labels.len()).collect::<Vec<_>>());
        for fold in &result {
            prop_assert_eq!(fold.train.len() + fold.test.len(), labels.len());
            let side = |part: &[usize]| part.iter().map(|&i| groups[i]).collect::<BTreeSet<_>>();
            prop_assert!(side(&fold.train).is_disjoint(&side(&fold.test)));
        }
    }

    #[test]
    fn ungrouped_counts_are_shares_rounded((samples, seed) in cases()) {
        let labels: Vec<usize> = samples.into_iter().map(|(label, _)| label).collect();
        let splitter = Splitter::new(&labels).with_seed(seed).with_missing_classes(true);
        let split = splitter.holdout(Fractions::default()).unwrap();
        let total = |part: &[usize], class| part.iter().filter(|&&i| labels[i] == class).count();
        let all: Vec<usize> = (0..labels.len()).collect();
        for (part, share) in [(&split.train, 0.75), (&split.validation, 0.15), (&split.test, 0.1)] {
            for class in 0..3 {
                let expected = total(&all, class) as f64 * share;
                prop_assert!((total(part, class) as f64 - expected).abs() < 1. + 1e-9);
            }
        }
        let union = split.train.len() + split.validation.len() + split.test.len();
        prop_assert_eq!(union, labels.len());
    }

    #[test]
    fn grouped_folds_keep_the_class_ratio(sizes in prop::collection::vec(1usize..6, 60..120), seed: u64) {
        let (mut labels, mut groups) = (Vec::new(), Vec::new());
        for (group, &size) in sizes.iter().enumerate() {
            labels.extend(std::iter::repeat_n(group % 2, size));
            groups.extend(std::iter::repeat_n(group, size));
        }
        let ratio = |part: &[usize]| part.iter().map(|&i| labels[i]).sum::<usize>() as f64 / part.len() as f64;
        let all: Vec<usize> = (0..labels.len()).collect();
        let splitter = Splitter::new(&labels).with_groups(&groups).unwrap().with_seed(seed);
        for fold in splitter.k_fold(5).unwrap() {
            prop_assert!((ratio(&fold.test) - ratio(&all)).abs() < 0.1);
            prop_assert!((fold.test.len() as f64 / labels.len() as f64 - 0.2).abs() < 0.05);
        }
    }

    #[test]
    fn an_inner_split_stays_inside((samples, seed) in cases()) {
        let (labels, groups): (Vec<_>, Vec<_>) = samples.into_iter().unzip();
        let splitter = Splitter::new(&labels).with_groups(&groups).unwrap().with_seed(seed);
        let splitter = splitter.with_missing_classes(true);
        let fold = &splitter.k_fold(4).unwrap()[1];
        let fractions = Fractions::new(0.8, 0.2, 0.).unwrap();
        let inner = splitter.within(&fold.train).unwrap().holdout(fractions).unwrap();
        let mut union = [inner.train, inner.validation].concat();
        union.sort_unstable();
        prop_assert_eq!(&union, &fold.train);
        prop_assert!(inner.test.is_empty());
    }
}

#[test]
fn the_papers_fractions_give_its_counts() {
    let labels: Vec<usize> = (0..439).map(|i| usize::from(i >= 249)).collect();
    let split = Splitter::new(&labels).holdout(Fractions::default()).unwrap();
    assert_eq!((split.train.len(), split.validation.len(), split.test.len()), (329, 66, 44));
}

#[test]
fn another_seed_gives_another_split() {
    let labels: Vec<usize> = (0..50).map(|i| i % 2).collect();
    let fold = |seed| Splitter::new(&labels).with_seed(seed).k_fold(5).unwrap()[0].test.clone();
    assert_ne!(fold(1), fold(2));
}

#[test]
fn says_what_the_samples_do_not_allow() {
    let splitter = Splitter::new(&[0, 0, 0, 1, 1, 1]).with_groups(&[0, 0, 0, 1, 1, 1]).unwrap();
    let error = splitter.k_fold(3).unwrap_err().to_string();
    assert!(error.contains("3 folds of 2 groups (6 samples)"), "{error}");
    let error = splitter.k_fold(2).unwrap_err().to_string();
    assert!(error.contains("is missing in fold") && error.contains("3 samples"), "{error}");
    assert!(splitter.with_missing_classes(true).k_fold(2).is_ok());
    assert!(Splitter::new(&[]).holdout(Fractions::default()).is_err());
    assert!(Splitter::new(&[0, 1]).k_fold(1).is_err());
    assert!(Splitter::new(&[0, 1]).with_groups(&[0]).is_err());
    assert!(Splitter::new(&[0, 1]).within(&[2]).is_err());
    assert!(Splitter::new(&[0, 1]).within(&[1, 1]).is_err());
}
