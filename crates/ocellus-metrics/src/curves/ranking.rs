use super::sweep::Sweep;
use crate::Result;

/// The area under the receiver operating characteristic.
///
/// ```text
/// AUROC = P(s⁺ > s⁻) + ½ P(s⁺ = s⁻)
/// ```
///
/// for the scores s⁺ of a positive and s⁻ of a negative drawn at random. Counted from ranks in
/// integers, so ties are exact. Only the order of the scores matters: they may be probabilities,
/// logits or distances, and are never squashed.
///
/// # Examples
///
/// ```
/// use ocellus_metrics::auroc;
///
/// let labels = [false, false, false, true, true, true];
/// assert_eq!(auroc(&labels, &[18., 20., 22., 25., 30., 41.])?, 1.);
/// assert_eq!(auroc(&[false, false, true, true], &[0.1, 0.4, 0.4, 0.8])?, 0.875);
/// # Ok::<(), ocellus_metrics::Error>(())
/// ```
///
/// # Errors
///
/// If the slices are empty or differ in length, a score is not finite or all labels are the same.
///
/// # Complexity
///
/// O(n log n) for n scores, which it needs all at once.
pub fn auroc(labels: &[bool], scores: &[f64]) -> Result<f64> {
    Ok(area(&Sweep::new("AUROC", labels, scores)?))
}

/// The area under the ROC of a sweep.
pub(crate) fn area(sweep: &Sweep) -> f64 {
    let (mut twice_wins, mut tp, mut fp) = (0u128, 0, 0);
    for step in &sweep.steps {
        let positives = (step.tp - tp) as u128;
        // Negatives strictly below this score count twice, those at it once.
        let below = (sweep.negatives - step.fp) as u128;
        twice_wins += positives * (2 * below + (step.fp - fp) as u128);
        (tp, fp) = (step.tp, step.fp);
    }
    twice_wins as f64 / (2. * sweep.positives as f64 * sweep.negatives as f64)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::golden::{self, close, number};

    #[test]
    fn matches_scikit_learn() {
        for (labels, scores, case) in golden::binary() {
            close(auroc(&labels, &scores).unwrap(), number(&case["auroc"]), 1e-12);
        }
    }

    #[test]
    fn undefined_inputs_are_errors() {
        let message =
            |labels: &[bool], scores: &[f64]| auroc(labels, scores).unwrap_err().to_string();
        assert_eq!(message(&[], &[]), "labels is empty: give at least one entry");
        assert!(message(&[false, false], &[0.1, 0.2]).contains("all 2 labels are negative"));
        assert!(message(&[true, false], &[0.1, f64::NAN]).starts_with("scores[1] is NaN"));
        assert!(message(&[true, false], &[f64::INFINITY, 0.]).starts_with("scores[0] is inf"));
        assert!(message(&[true, false], &[0.1]).contains("labels has 2 entries, scores has 1"));
    }

    #[test]
    fn signed_zeros_are_a_tie() {
        assert_eq!(auroc(&[true, false], &[0., -0.]), Ok(0.5));
        assert_eq!(auroc(&[false, true], &[0., -0.]), Ok(0.5));
    }

    #[test]
    fn ranks_a_million_scores_quickly() {
        let scores: Vec<f64> =
            (0..1_000_000u32).map(|i| f64::from(i.wrapping_mul(2_654_435_761) >> 8)).collect();
        let labels: Vec<bool> = (0..1_000_000).map(|i| i % 3 == 0).collect();
        let start = std::time::Instant::now();
        let area = auroc(&labels, &scores).unwrap();
        assert!((area - 0.5).abs() < 0.01, "{area}");
        let seconds = start.elapsed().as_secs_f64();
        eprintln!("AUROC of 10⁶ scores: {seconds:.3} s");
        assert!(seconds < 5., "{seconds} s");
    }

    fn samples() -> impl Strategy<Value = (Vec<bool>, Vec<f64>)> {
        prop::collection::vec((any::<bool>(), -8i32..8), 2..60)
            .prop_map(|pairs| pairs.into_iter().map(|(l, s)| (l, f64::from(s))).unzip())
            .prop_filter("both classes", |(l, _): &(Vec<bool>, Vec<f64>)| {
                l.contains(&true) && l.contains(&false)
            })
    }

    proptest! {
        #[test]
        fn monotone_maps_change_nothing((labels, scores) in samples()) {
            let mapped: Vec<f64> = scores.iter().map(|s| (s / 3.).exp() * 1e6 - 7.).collect();
            prop_assert_eq!(auroc(&labels, &scores).unwrap(), auroc(&labels, &mapped).unwrap());
        }

        #[test]
        fn flipped_labels_give_the_complement((labels, scores) in samples()) {
            let flipped: Vec<bool> = labels.iter().map(|l| !l).collect();
            let sum = auroc(&labels, &scores).unwrap() + auroc(&flipped, &scores).unwrap();
            prop_assert!((sum - 1.).abs() < 1e-15);
        }

        #[test]
        fn equals_the_count_of_all_pairs((labels, scores) in samples()) {
            let (mut wins, mut pairs) = (0., 0.);
            for (i, &a) in scores.iter().enumerate() {
                for (j, &b) in scores.iter().enumerate() {
                    if labels[i] && !labels[j] {
                        pairs += 1.;
                        wins += if a > b { 1. } else if a == b { 0.5 } else { 0. };
                    }
                }
            }
            prop_assert_eq!(auroc(&labels, &scores).unwrap(), wins / pairs);
        }
    }
}
