//! What a classifier said of images that it had not seen, and the figures made of that.

use anyhow::{Context, Result};
use ocellus::metrics::{BinaryCounts, auroc, average_precision};
use serde::{Deserialize, Serialize};

/// The prediction for one image.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Prediction {
    /// The image's place in the data set.
    pub(crate) index: usize,
    pub(crate) file: String,
    /// The true class.
    pub(crate) truth: usize,
    /// The probability of each class.
    pub(crate) probabilities: Vec<f64>,
    /// The threshold on the positive class's probability, chosen without this image.
    pub(crate) threshold: f64,
}

impl Prediction {
    /// The predicted class: positive from the threshold on, else the likeliest of the others.
    pub(crate) fn class(&self, positive: usize) -> usize {
        if self.probabilities[positive] >= self.threshold {
            return positive;
        }
        let others = (0..self.probabilities.len()).filter(|&c| c != positive);
        others
            .max_by(|&a, &b| self.probabilities[a].total_cmp(&self.probabilities[b]))
            .unwrap_or(positive)
    }
}

/// Figures of a binary classification; the first two need no threshold.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Figures {
    pub(crate) auroc: Option<f64>,
    pub(crate) average_precision: Option<f64>,
    pub(crate) sensitivity: Option<f64>,
    pub(crate) specificity: Option<f64>,
    pub(crate) precision: Option<f64>,
    pub(crate) accuracy: Option<f64>,
    pub(crate) f1: Option<f64>,
    pub(crate) mcc: Option<f64>,
}

impl Figures {
    pub(crate) const NAMES: [&'static str; 8] =
        ["AUROC", "AP", "Sensitivity", "Specificity", "Precision", "Accuracy", "F1", "MCC"];

    /// In the order of [`Figures::NAMES`].
    pub(crate) fn values(&self) -> [Option<f64>; 8] {
        [
            self.auroc,
            self.average_precision,
            self.sensitivity,
            self.specificity,
            self.precision,
            self.accuracy,
            self.f1,
            self.mcc,
        ]
    }
}

/// Truth (is it the positive class?) and the positive class's probability.
pub(crate) fn labels_and_scores(
    predictions: &[Prediction],
    positive: usize,
) -> (Vec<bool>, Vec<f64>) {
    predictions.iter().map(|p| (p.truth == positive, p.probabilities[positive])).unzip()
}

/// Truth against prediction, positive against the rest.
pub(crate) fn counts(predictions: &[Prediction], positive: usize) -> BinaryCounts {
    let mut counts = BinaryCounts::default();
    for prediction in predictions {
        counts.add(prediction.truth == positive, prediction.class(positive) == positive);
    }
    counts
}

/// All figures of these predictions; what is undefined stays absent.
pub(crate) fn figures(predictions: &[Prediction], positive: usize) -> Figures {
    let (labels, scores) = labels_and_scores(predictions, positive);
    let counts = counts(predictions, positive);
    Figures {
        auroc: auroc(&labels, &scores).ok(),
        average_precision: average_precision(&labels, &scores).ok(),
        sensitivity: counts.sensitivity(),
        specificity: counts.specificity(),
        precision: counts.precision(),
        accuracy: counts.accuracy(),
        f1: counts.f1(),
        mcc: counts.mcc(),
    }
}

/// The rows × columns of a confusion matrix over all classes, row-major.
pub(crate) fn confusion(predictions: &[Prediction], classes: usize, positive: usize) -> Vec<u64> {
    let mut counts = vec![0; classes * classes];
    for prediction in predictions {
        counts[prediction.truth * classes + prediction.class(positive)] += 1;
    }
    counts
}

/// Predictions as CSV: one row an image, a column a class.
pub(crate) fn to_csv(
    predictions: &[Prediction],
    classes: &[String],
    positive: usize,
) -> Result<Vec<u8>> {
    let mut table = csv::Writer::from_writer(Vec::new());
    let head = ["file", "truth", "predicted", "threshold"].map(str::to_owned);
    table.write_record(head.into_iter().chain(classes.iter().map(|c| format!("p_{c}"))))?;
    for p in predictions {
        let fixed = [
            p.file.clone(),
            classes[p.truth].clone(),
            classes[p.class(positive)].clone(),
            format!("{:.6}", p.threshold),
        ];
        let probabilities = p.probabilities.iter().map(|v| format!("{v:.6}"));
        table.write_record(fixed.into_iter().chain(probabilities))?;
    }
    table.into_inner().context("writing the predictions")
}

/// Mean and sample standard deviation.
pub(crate) fn mean_and_deviation(values: &[f64]) -> Option<(f64, f64)> {
    if values.is_empty() {
        return None;
    }
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    if values.len() == 1 {
        return Some((mean, 0.));
    }
    let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (n - 1.);
    Some((mean, variance.sqrt()))
}
