use super::{ConfusionMatrix, binary::ratio};

/// How much a disagreement between two classes weighs in [`ConfusionMatrix::kappa`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub enum KappaWeights {
    /// All disagreements weigh the same: Cohen's kappa for classes without an order.
    Unweighted,
    /// By the distance of the class indices, `|i − j|`, for ordered classes.
    Linear,
    /// By the squared distance, `(i − j)²`, for ordered classes.
    Quadratic,
}

impl ConfusionMatrix {
    /// Cohen's kappa: agreement of prediction and truth beyond chance, at most 1.
    ///
    /// ```text
    /// κ = 1 − Σ w_ij n_ij / Σ w_ij e_ij,  e_ij = n_i· n_·j / n                    [1], [2]
    /// ```
    ///
    /// `None` for an empty matrix or if chance alone agrees fully: truth and prediction are one
    /// and the same class throughout.
    ///
    /// # Examples
    ///
    /// ```
    /// use ocellus_metrics::{ConfusionMatrix, KappaWeights};
    ///
    /// let matrix = ConfusionMatrix::from_rows(&[[1, 1, 0], [0, 2, 1], [1, 0, 2]])?;
    /// let kappa = |weights| (matrix.kappa(weights).unwrap() * 1e7).round() / 1e7;
    /// assert_eq!(kappa(KappaWeights::Unweighted), 0.4285714);
    /// assert_eq!(kappa(KappaWeights::Linear), 0.4074074);
    /// assert_eq!(kappa(KappaWeights::Quadratic), 0.3846154);
    /// # Ok::<(), ocellus_metrics::Error>(())
    /// ```
    ///
    /// # References
    ///
    /// 1. J. Cohen. *A coefficient of agreement for nominal scales.* Educational and Psychological
    ///    Measurement 20 (1960).
    /// 2. J. Cohen. *Weighted kappa: nominal scale agreement with provision for scaled disagreement
    ///    or partial credit.* Psychological Bulletin 70 (1968).
    #[must_use]
    pub fn kappa(&self, weights: KappaWeights) -> Option<f64> {
        let (truth, predicted) = (self.truth_totals(), self.predicted_totals());
        let (mut observed, mut expected) = (0., 0.);
        for (i, row) in self.rows().enumerate() {
            for (j, &n) in row.iter().enumerate() {
                let distance = i.abs_diff(j) as f64;
                let weight = match weights {
                    KappaWeights::Unweighted => f64::from(i != j),
                    KappaWeights::Linear => distance,
                    KappaWeights::Quadratic => distance * distance,
                };
                observed += weight * n as f64;
                expected += weight * truth[i] as f64 * predicted[j] as f64;
            }
        }
        Some(1. - ratio(observed * self.total() as f64, expected)?)
    }

    /// Matthews's correlation coefficient of any number of classes, between −1 and 1.
    ///
    /// ```text
    /// MCC = (c n − Σ t_k p_k) / √((n² − Σ t_k²)(n² − Σ p_k²))                          [1]
    /// ```
    ///
    /// for `c` right predictions among `n`, `t_k` samples and `p_k` predictions of class k. `None`
    /// if truth or prediction has one class only.
    ///
    /// ```
    /// use ocellus_metrics::ConfusionMatrix;
    ///
    /// let matrix = ConfusionMatrix::from_rows(&[[1, 1, 0], [0, 2, 1], [1, 0, 2]])?;
    /// assert!((matrix.mcc().unwrap() - 0.4285714).abs() < 1e-7);
    /// let lazy = ConfusionMatrix::from_rows(&[[9, 0], [1, 0]])?;
    /// assert_eq!(lazy.mcc(), None);
    /// # Ok::<(), ocellus_metrics::Error>(())
    /// ```
    ///
    /// # References
    ///
    /// 1. J. Gorodkin. *Comparing two K-category assignments by a K-category correlation
    ///    coefficient.* Computational Biology and Chemistry 28 (2004).
    #[must_use]
    pub fn mcc(&self) -> Option<f64> {
        let (truth, predicted) = (self.truth_totals(), self.predicted_totals());
        let n = self.total() as f64;
        let right: f64 = self.rows().enumerate().map(|(class, row)| row[class] as f64).sum();
        let dot = |a: &[u64], b: &[u64]| -> f64 {
            a.iter().zip(b).map(|(&a, &b)| a as f64 * b as f64).sum()
        };
        let spread = |totals: &[u64]| n * n - dot(totals, totals);
        let scale = spread(&truth).max(0.).sqrt() * spread(&predicted).max(0.).sqrt();
        ratio(right * n - dot(&truth, &predicted), scale)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::golden::{self, Multiclass, close, number};

    const ALL: [(KappaWeights, &str); 3] = [
        (KappaWeights::Unweighted, "kappa"),
        (KappaWeights::Linear, "kappa_linear"),
        (KappaWeights::Quadratic, "kappa_quadratic"),
    ];

    #[test]
    fn matches_scikit_learn() {
        for Multiclass { classes, truth, predicted, expected: case, .. } in golden::multiclass() {
            let matrix = ConfusionMatrix::from_labels(&truth, &predicted, classes).unwrap();
            close(matrix.mcc().unwrap(), number(&case["mcc"]), 1e-12);
            for (weights, key) in ALL {
                close(matrix.kappa(weights).unwrap(), number(&case[key]), 1e-12);
            }
        }
    }

    #[test]
    fn one_class_throughout_is_undefined() {
        let matrix = ConfusionMatrix::from_rows(&[[4, 0], [0, 0]]).unwrap();
        assert_eq!(matrix.mcc(), None);
        for (weights, _) in ALL {
            assert_eq!(matrix.kappa(weights), None);
            assert_eq!(ConfusionMatrix::new(3).unwrap().kappa(weights), None);
        }
    }

    fn matrices() -> impl Strategy<Value = ConfusionMatrix> {
        prop::collection::vec(prop::collection::vec(0u64..30, 4), 4)
            .prop_map(|rows| ConfusionMatrix::from_rows(&rows).unwrap())
    }

    fn transposed(matrix: &ConfusionMatrix) -> ConfusionMatrix {
        let rows: Vec<Vec<u64>> =
            (0..4).map(|j| matrix.rows().map(|row| row[j]).collect()).collect();
        ConfusionMatrix::from_rows(&rows).unwrap()
    }

    proptest! {
        #[test]
        fn truth_and_prediction_can_change_places(matrix in matrices()) {
            let other = transposed(&matrix);
            let same = |a: Option<f64>, b: Option<f64>| match (a, b) {
                (Some(a), Some(b)) => (a - b).abs() < 1e-12 && a < 1. + 1e-12,
                (a, b) => a == b,
            };
            prop_assert!(same(matrix.mcc(), other.mcc()));
            for (weights, _) in ALL {
                prop_assert!(same(matrix.kappa(weights), other.kappa(weights)));
            }
        }

        #[test]
        fn two_classes_agree_with_binary_counts(tp in 0u64..99, fp in 0u64..99, fn_ in 0u64..99, tn in 0u64..99) {
            let counts = crate::BinaryCounts { tp, fp, fn_, tn };
            let matrix = ConfusionMatrix::from(counts);
            let near = |a: Option<f64>, b: Option<f64>| match (a, b) {
                (Some(a), Some(b)) => (a - b).abs() < 1e-12,
                (a, b) => a == b,
            };
            prop_assert!(near(matrix.mcc(), counts.mcc()));
            for (weights, _) in ALL {
                prop_assert!(near(matrix.kappa(weights), counts.kappa()));
            }
        }
    }
}
