/// Why a metric has no value.
///
/// A metric that is undefined is never reported as 0 or 0.5. Functions that take data return this
/// error; ratios of counts that are already checked return `None`.
///
/// # Examples
///
/// ```
/// use ocellus_metrics::auroc;
///
/// let error = auroc(&[true, true], &[0.2, 0.7]).unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     "AUROC is undefined: all 2 labels are positive; it needs samples of both classes"
/// );
/// ```
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No samples.
    #[error("{what} is empty: give at least one entry")]
    Empty {
        /// Which argument.
        what: &'static str,
    },
    /// Two arguments that go together differ in length.
    #[error("{left} has {left_len} entries, {right} has {right_len}: {expected}")]
    LengthMismatch {
        /// The first argument.
        left: &'static str,
        /// Its length.
        left_len: usize,
        /// The second argument.
        right: &'static str,
        /// Its length.
        right_len: usize,
        /// What their lengths must be.
        expected: &'static str,
    },
    /// A value is NaN or infinite.
    #[error("{what}[{index}] is {value}: finite numbers only; look for a diverged model or 0/0")]
    NotFinite {
        /// Which argument.
        what: &'static str,
        /// The first such entry.
        index: usize,
        /// Its value.
        value: f64,
    },
    /// A value is no probability.
    #[error("{what}[{index}] is {value}, outside 0 to 1: give probabilities, not raw scores")]
    NotAProbability {
        /// Which argument.
        what: &'static str,
        /// The first such entry.
        index: usize,
        /// Its value.
        value: f64,
    },
    /// A row of class probabilities does not sum to one.
    #[error("row {row} of the probabilities sums to {sum}, not 1: apply a softmax first")]
    NotNormalized {
        /// The first such row.
        row: usize,
        /// Its sum.
        sum: f64,
    },
    /// A label is no class index.
    #[error("{what}[{index}] is class {label}, but there are {classes} classes, numbered from 0")]
    UnknownClass {
        /// Which argument.
        what: &'static str,
        /// The first such entry.
        index: usize,
        /// Its value.
        label: usize,
        /// How many classes there are.
        classes: usize,
    },
    /// The data are valid, but the metric has no value on them.
    #[error("{metric} is undefined: {reason}")]
    Undefined {
        /// The metric.
        metric: &'static str,
        /// Why, and what it needs.
        reason: String,
    },
    /// A setting is out of its range.
    #[error("{name} is {value}: {remedy}")]
    InvalidSetting {
        /// The setting.
        name: &'static str,
        /// Its value.
        value: String,
        /// What it must be.
        remedy: &'static str,
    },
    /// Two accumulators with different settings cannot be merged.
    #[error("cannot merge: {left} against {right}; accumulate both with the same settings")]
    Unmergeable {
        /// The settings of the first.
        left: String,
        /// The settings of the second.
        right: String,
    },
}

/// A result with this crate's [`Error`](enum@Error).
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    pub(crate) fn undefined(metric: &'static str, reason: impl Into<String>) -> Self {
        Self::Undefined { metric, reason: reason.into() }
    }

    pub(crate) fn setting(name: &'static str, value: impl ToString, remedy: &'static str) -> Self {
        Self::InvalidSetting { name, value: value.to_string(), remedy }
    }
}
