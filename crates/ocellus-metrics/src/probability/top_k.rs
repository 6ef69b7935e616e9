use crate::{Error, Result, check};

/// The share of samples whose true class is among the `k` highest scores.
///
/// `scores` is row-major `(samples, classes)`. Of equal scores the lower class index comes first,
/// so `k = 1` is the accuracy of [`ConfusionMatrix::from_scores`](crate::ConfusionMatrix).
///
/// # Examples
///
/// ```
/// use ocellus_metrics::top_k_accuracy;
///
/// let scores = [0.5, 0.2, 0.3, 0.1, 0.6, 0.3];
/// assert_eq!(top_k_accuracy(&[2, 0], &scores, 3, 1)?, 0.);
/// assert_eq!(top_k_accuracy(&[2, 0], &scores, 3, 2)?, 0.5);
/// # Ok::<(), ocellus_metrics::Error>(())
/// ```
///
/// # Errors
///
/// If the lengths do not fit, a label is no class, a score is not finite, or `k` is not between 1
/// and the number of classes less one (with all classes every answer is right).
///
/// # Deviations
///
/// Of equal scores scikit-learn puts the higher class index first.
pub fn top_k_accuracy(labels: &[usize], scores: &[f64], classes: usize, k: usize) -> Result<f64> {
    check::table(labels, scores, classes)?;
    if !(1..classes).contains(&k) {
        return Err(Error::setting("k", k, "give 1 to the number of classes less one"));
    }
    let hit = |(&label, row): (&usize, &[f64])| {
        let before = |(class, &score): (usize, &f64)| {
            score > row[label] || (score == row[label] && class < label)
        };
        row.iter().enumerate().filter(|&entry| before(entry)).count() < k
    };
    let hits = labels.iter().zip(scores.chunks_exact(classes)).filter(|&row| hit(row)).count();
    Ok(hits as f64 / labels.len() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        ConfusionMatrix,
        golden::{self, Multiclass, close, number},
    };

    #[test]
    fn matches_scikit_learn() {
        for Multiclass { classes, truth: labels, scores, expected: case, .. } in
            golden::multiclass()
        {
            let top = |k| top_k_accuracy(&labels, &scores, classes, k).unwrap();
            for (i, expected) in case["top_k"].as_array().into_iter().flatten().enumerate() {
                close(top(i + 1), number(expected), 1e-12);
            }
            let matrix = ConfusionMatrix::from_scores(&labels, &scores, classes).unwrap();
            assert_eq!(matrix.accuracy(), Some(top(1)));
        }
    }

    #[test]
    fn rejects_a_k_that_says_nothing() {
        let scores = [0.5, 0.2, 0.3];
        assert!(top_k_accuracy(&[0], &scores, 3, 0).is_err());
        let error = top_k_accuracy(&[0], &scores, 3, 3).unwrap_err().to_string();
        assert_eq!(error, "k is 3: give 1 to the number of classes less one");
        assert!(top_k_accuracy(&[3], &scores, 3, 1).is_err());
    }
}
