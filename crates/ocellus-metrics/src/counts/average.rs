use super::{BinaryCounts, ConfusionMatrix, binary::ratio};

/// How the metrics of the classes become one.
///
/// # Examples
///
/// ```
/// use ocellus_metrics::{Average, BinaryCounts, ConfusionMatrix};
///
/// let matrix = ConfusionMatrix::from_rows(&[[8, 2], [1, 1]])?;
/// assert_eq!(matrix.averaged(Average::Macro, BinaryCounts::recall), Some(0.65));
/// assert_eq!(matrix.averaged(Average::Micro, BinaryCounts::recall), Some(0.75));
/// assert_eq!(matrix.averaged(Average::Weighted, BinaryCounts::recall), Some(0.75));
/// # Ok::<(), ocellus_metrics::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub enum Average {
    /// The plain mean over the classes: a rare class counts as much as a frequent one.
    Macro,
    /// The metric of the summed counts: every sample counts the same.
    Micro,
    /// The mean over the classes, each weighted by its samples in the truth.
    Weighted,
}

impl ConfusionMatrix {
    /// The share of right predictions; `None` for an empty matrix.
    #[must_use]
    pub fn accuracy(&self) -> Option<f64> {
        let right: f64 =
            (0..self.classes()).filter_map(|c| self.count(c, c)).map(|n| n as f64).sum();
        ratio(right, self.total() as f64)
    }

    /// The mean recall of the classes; `None` if a class has no samples.
    ///
    /// # Deviations
    ///
    /// scikit-learn leaves classes without samples out, with a warning.
    #[must_use]
    pub fn balanced_accuracy(&self) -> Option<f64> {
        self.averaged(Average::Macro, BinaryCounts::recall)
    }

    /// A metric of each class against all others, in the order of the classes.
    ///
    /// ```
    /// use ocellus_metrics::{BinaryCounts, ConfusionMatrix};
    ///
    /// let matrix = ConfusionMatrix::from_rows(&[[3, 1, 0], [0, 0, 0], [0, 1, 1]])?;
    /// assert_eq!(matrix.per_class(BinaryCounts::recall), [Some(0.75), None, Some(0.5)]);
    /// let f2 = matrix.per_class(|counts| counts.f_beta(2.));
    /// assert_eq!(f2[1], Some(0.));
    /// # Ok::<(), ocellus_metrics::Error>(())
    /// ```
    #[must_use]
    pub fn per_class(&self, metric: impl Fn(&BinaryCounts) -> Option<f64>) -> Vec<Option<f64>> {
        (0..self.classes()).map(|class| metric(&self.one_against_rest(class))).collect()
    }

    /// A metric of each class against all others, averaged over the classes.
    ///
    /// `None` if the metric of a class that counts is undefined; a class of weight zero does not
    /// count. To leave undefined classes out of a macro average, average the defined ones of
    /// [`per_class`](Self::per_class) and say so.
    ///
    /// # Deviations
    ///
    /// scikit-learn takes 0 for a class on which the metric is undefined, with a warning.
    #[must_use]
    pub fn averaged(
        &self,
        average: Average,
        metric: impl Fn(&BinaryCounts) -> Option<f64>,
    ) -> Option<f64> {
        match average {
            Average::Macro => {
                let values: Option<Vec<f64>> = self.per_class(metric).into_iter().collect();
                values.map(|values| values.iter().sum::<f64>() / values.len() as f64)
            }
            Average::Micro => {
                metric(&(0..self.classes()).map(|class| self.one_against_rest(class)).sum())
            }
            Average::Weighted => {
                let mut sum = 0.;
                for (value, n) in self.per_class(metric).into_iter().zip(self.truth_totals()) {
                    if n > 0 {
                        sum += value? * n as f64;
                    }
                }
                ratio(sum, self.total() as f64)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::golden::{self, Multiclass, close, number};

    #[test]
    fn matches_scikit_learn() {
        for Multiclass { classes, truth, predicted, expected: case, .. } in golden::multiclass() {
            let matrix = ConfusionMatrix::from_labels(&truth, &predicted, classes).unwrap();
            let flat: Vec<f64> = matrix.rows().flatten().map(|&n| n as f64).collect();
            golden::all_close(&flat, &golden::numbers(&case["confusion"]), 0.);
            close(matrix.accuracy().unwrap(), number(&case["accuracy"]), 1e-12);
            close(matrix.balanced_accuracy().unwrap(), number(&case["balanced_accuracy"]), 1e-12);
            type Metric = fn(&BinaryCounts) -> Option<f64>;
            let metrics: [(&str, Metric); 5] = [
                ("precision", BinaryCounts::precision),
                ("recall", BinaryCounts::recall),
                ("f1", BinaryCounts::f1),
                ("f2", |counts| counts.f_beta(2.)),
                ("jaccard", BinaryCounts::jaccard),
            ];
            for (name, metric) in metrics {
                let expected = &case[name];
                let values: Vec<f64> = matrix.per_class(metric).into_iter().flatten().collect();
                golden::all_close(&values, &golden::numbers(&expected["per_class"]), 1e-12);
                for (average, key) in [
                    (Average::Macro, "macro"),
                    (Average::Micro, "micro"),
                    (Average::Weighted, "weighted"),
                ] {
                    let value = matrix.averaged(average, metric).unwrap();
                    close(value, number(&expected[key]), 1e-12);
                }
            }
        }
    }

    #[test]
    fn an_absent_class_leaves_the_macro_average_undefined() {
        let matrix = ConfusionMatrix::from_labels(&[0, 1, 0], &[0, 1, 1], 3).unwrap();
        assert_eq!(matrix.averaged(Average::Macro, BinaryCounts::f1), None);
        assert_eq!(matrix.balanced_accuracy(), None);
        assert!(matrix.averaged(Average::Weighted, BinaryCounts::f1).is_some());
        let empty = ConfusionMatrix::new(3).unwrap();
        assert_eq!(empty.accuracy(), None);
        for average in [Average::Macro, Average::Micro, Average::Weighted] {
            assert_eq!(empty.averaged(average, BinaryCounts::precision), None);
        }
    }
}
