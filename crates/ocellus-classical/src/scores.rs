//! Rows of scores: (samples, classes).

use ndarray::{Array2, ArrayView1};

/// The class of the largest score in each row, the first of several.
pub(crate) fn largest(scores: &Array2<f64>) -> Vec<usize> {
    let first = |row: ArrayView1<'_, f64>| {
        let best = (0, f64::NEG_INFINITY);
        row.iter().enumerate().fold(best, |best, (i, &v)| if v > best.1 { (i, v) } else { best }).0
    };
    scores.outer_iter().map(first).collect()
}

/// ln of each row's softmax; where no class is possible, all are equally likely.
pub(crate) fn log_softmax(mut scores: Array2<f64>) -> Array2<f64> {
    let equal = -(scores.ncols() as f64).ln();
    for mut row in scores.outer_iter_mut() {
        let max = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        if max.is_finite() {
            row.mapv_inplace(|v| v - max);
            let total = row.iter().map(|v| v.exp()).sum::<f64>().ln();
            row.mapv_inplace(|v| v - total);
        } else {
            row.fill(equal);
        }
    }
    scores
}

pub(crate) fn softmax(scores: Array2<f64>) -> Array2<f64> {
    let mut probabilities = log_softmax(scores);
    probabilities.mapv_inplace(f64::exp);
    probabilities
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    #[test]
    fn extreme_scores_become_probabilities() {
        let inf = f64::INFINITY;
        let scores = array![[1e300, 1e300], [-1e300, 0.], [-inf, -inf], [-inf, 3.]];
        assert_eq!(largest(&scores), [0, 1, 0, 1]);
        let expected = array![[0.5, 0.5], [0., 1.], [0.5, 0.5], [0., 1.]];
        let close = (softmax(scores) - expected).iter().all(|d| d.abs() < 1e-15);
        assert!(close);
    }
}
