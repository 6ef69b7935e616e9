use ndarray::ArrayView2;
use ocellus_cluster::{Error, Result};
use ocellus_metrics::{Average, BinaryCounts, ConfusionMatrix, MulticlassAuroc, auroc_multiclass};

/// What tells the better of two classifiers: the larger, the better.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[non_exhaustive]
pub enum Score {
    /// The share of right predictions.
    #[default]
    Accuracy,
    /// The mean of the classes' recalls.
    BalancedAccuracy,
    /// The mean of the classes' F1; 0 for a class that is neither there nor predicted.
    MacroF1,
    /// The area under the ROC, by [`ClassifierModel::scores`](crate::ClassifierModel::scores): of class 1 for two classes, the mean of
    /// each against the rest for more.
    Auroc,
}

impl Score {
    /// The score of predictions and of scores, (samples, classes).
    ///
    /// # Errors
    ///
    /// If there are no samples, or it is undefined for want of samples of a class.
    pub fn of(
        self,
        labels: &[usize],
        predicted: &[usize],
        scores: ArrayView2<'_, f64>,
    ) -> Result<f64> {
        let undefined = |why: String| Error::InvalidSetting {
            name: "a fold's score",
            value: why,
            remedy: "take another score, fewer folds, or more samples of each class",
        };
        let classes = scores.ncols();
        let failed = |e: ocellus_metrics::Error| undefined(e.to_string());
        let matrix = || ConfusionMatrix::from_labels(labels, predicted, classes).map_err(failed);
        let value = match self {
            Self::Accuracy => matrix()?.accuracy(),
            Self::BalancedAccuracy => matrix()?.balanced_accuracy(),
            Self::MacroF1 => {
                let f1 = |counts: &BinaryCounts| Some(counts.f1().unwrap_or(0.));
                matrix()?.averaged(Average::Macro, f1)
            }
            Self::Auroc => {
                let scores: Vec<f64> = scores.iter().copied().collect();
                let one_against_rest = MulticlassAuroc::OneVsRest;
                let area =
                    auroc_multiclass(labels, &scores, classes, one_against_rest, Average::Macro);
                Some(area.map_err(failed)?)
            }
        };
        value.ok_or_else(|| undefined("undefined".into()))
    }
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    #[test]
    fn scores_are_those_worked_out_by_hand() {
        let (labels, predicted) = ([0, 0, 0, 1], [0, 0, 1, 1]);
        let scores = array![[0.9, 0.1], [0.8, 0.2], [0.2, 0.8], [0.3, 0.7]];
        let of = |score: Score| score.of(&labels, &predicted, scores.view()).unwrap();
        assert_eq!(of(Score::Accuracy), 0.75);
        assert!((of(Score::BalancedAccuracy) - 5. / 6.).abs() < 1e-15);
        assert!((of(Score::MacroF1) - (0.8 + 2. / 3.) / 2.).abs() < 1e-15);
        assert!((of(Score::Auroc) - 2. / 3.).abs() < 1e-15);
        let error = Score::Auroc.of(&[0, 0], &[0, 0], scores.slice(ndarray::s![..2, ..]));
        assert!(error.unwrap_err().to_string().contains("more samples of each class"));
    }
}
