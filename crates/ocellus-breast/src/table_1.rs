use crate::{Architecture, Objective};

/// One row of the paper's Table 1: a model, its loss and the figures printed beside it.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Table1Row {
    /// The network.
    pub architecture: Architecture,
    /// The name of the loss as printed.
    pub loss: &'static str,
    /// Sensitivity.
    pub sensitivity: f64,
    /// Specificity.
    pub specificity: f64,
    /// Precision.
    pub precision: f64,
    /// Accuracy.
    pub accuracy: f64,
    /// F1 score.
    pub f1: f64,
    /// Matthews correlation coefficient.
    pub mcc: f64,
}

impl Table1Row {
    /// The loss of this row.
    #[must_use]
    pub fn objective(&self) -> Objective {
        match self.loss {
            "CE" => Objective::cross_entropy(),
            "Logcosh" => Objective::log_cosh(),
            _ => Objective::paper(),
        }
    }

    /// A name for tables and files: `attention-vgg-ce-logcosh`.
    #[must_use]
    pub fn slug(&self) -> String {
        format!("{}-{}", self.architecture.slug(), self.loss.to_lowercase())
    }
}

const fn row(architecture: Architecture, loss: &'static str, figures: [f64; 6]) -> Table1Row {
    let [sensitivity, specificity, precision, accuracy, f1, mcc] = figures;
    Table1Row { architecture, loss, sensitivity, specificity, precision, accuracy, f1, mcc }
}

/// Table 1 as printed. The positive class is benign: only so do sensitivity, precision and
/// specificity of a row fit the data set's 249 benign and 190 malignant images. No single test set
/// gives all six rows, so the figures are context, not something to assert.
///
/// ```
/// use ocellus_breast::TABLE_1;
///
/// let best = TABLE_1.iter().max_by(|a, b| a.accuracy.total_cmp(&b.accuracy)).unwrap();
/// assert_eq!(best.slug(), "attention-vgg-ce-logcosh");
/// ```
pub const TABLE_1: [Table1Row; 6] = [
    row(Architecture::Vgg, "CE", [0.80, 0.78, 0.84, 0.80, 0.82, 0.59]),
    row(Architecture::Vgg, "Logcosh", [0.84, 0.80, 0.84, 0.82, 0.84, 0.62]),
    row(Architecture::Vgg, "CE-logcosh", [0.95, 0.82, 0.84, 0.89, 0.89, 0.79]),
    row(Architecture::AttentionVgg, "CE", [0.88, 0.85, 0.88, 0.87, 0.88, 0.73]),
    row(Architecture::AttentionVgg, "Logcosh", [0.85, 0.84, 0.88, 0.84, 0.86, 0.68]),
    row(Architecture::AttentionVgg, "CE-logcosh", [0.96, 0.90, 0.92, 0.93, 0.94, 0.87]),
];
