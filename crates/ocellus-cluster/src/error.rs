use std::path::PathBuf;

/// Why something could not be learned or computed.
///
/// # Examples
///
/// ```
/// use ndarray::array;
/// use ocellus_cluster::{Fit, StandardScaler};
///
/// let error = StandardScaler::default().fit(array![[1., 2.], [f64::NAN, 3.]].view()).unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     "row 1, column 0 is NaN: finite numbers only; drop the row or fill the gap"
/// );
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No samples, or no features.
    #[error("{what} is empty ({rows} × {columns}): give at least one row and one column")]
    Empty {
        /// Which argument.
        what: &'static str,
        /// Its rows.
        rows: usize,
        /// Its columns.
        columns: usize,
    },
    /// A value is NaN or infinite.
    #[error(
        "row {row}, column {column} is {value}: finite numbers only; drop the row or fill the gap"
    )]
    NotFinite {
        /// The first such entry's row.
        row: usize,
        /// Its column.
        column: usize,
        /// Its value.
        value: f64,
    },
    /// A value is negative where none may be.
    #[error("row {row}, column {column} is {value}: {method} takes no negative values; {remedy}")]
    Negative {
        /// What takes none.
        method: &'static str,
        /// The first such entry's row.
        row: usize,
        /// Its column.
        column: usize,
        /// Its value.
        value: f64,
        /// What to do.
        remedy: &'static str,
    },
    /// The data have another number of features than the model.
    #[error("the samples have {found} features, the model was fitted on {expected}")]
    Features {
        /// Those of the data.
        found: usize,
        /// Those of the model.
        expected: usize,
    },
    /// Fewer samples, or features, than a setting needs.
    #[error("{found} {what}, but {needed} are needed: {remedy}")]
    TooFew {
        /// Of what.
        what: &'static str,
        /// How many there are.
        found: usize,
        /// How many are needed.
        needed: usize,
        /// What to do.
        remedy: String,
    },
    /// A class has no sample, though a larger one has.
    #[error(
        "no sample is of class {class}, but one is of class {largest}: number the classes from 0 \
         without gaps, and give each a sample"
    )]
    MissingClass {
        /// The first such class.
        class: usize,
        /// The largest class.
        largest: usize,
    },
    /// Two arguments that go together differ in length.
    #[error("{left} has {left_len} entries, {right} has {right_len}: give one each")]
    LengthMismatch {
        /// The first argument.
        left: &'static str,
        /// Its length.
        left_len: usize,
        /// The second argument.
        right: &'static str,
        /// Its length.
        right_len: usize,
    },
    /// Matrices whose sizes do not go together.
    #[error(
        "{operation}: {left_rows} × {left_columns} and {right_rows} × {right_columns} do not fit"
    )]
    Shapes {
        /// What was to be computed.
        operation: &'static str,
        /// Rows of the first.
        left_rows: usize,
        /// Columns of the first.
        left_columns: usize,
        /// Rows of the second.
        right_rows: usize,
        /// Columns of the second.
        right_columns: usize,
    },
    /// A matrix has no Cholesky factor.
    #[error(
        "the matrix is not positive definite (pivot {pivot} of {size}): add to its diagonal, or use \
         more samples or fewer features"
    )]
    NotPositiveDefinite {
        /// The first pivot that is not positive.
        pivot: usize,
        /// Rows of the matrix.
        size: usize,
    },
    /// A Gaussian's covariance cannot be inverted.
    #[error(
        "the covariance of {component} is not positive definite: raise `regularization`, drop \
         constant features, or take fewer components or another covariance type"
    )]
    Covariance {
        /// Which component's.
        component: String,
    },
    /// A decomposition did not converge.
    #[error("the {what} did not converge: look for values of extreme magnitude, and scale them")]
    NotConverged {
        /// Of which decomposition.
        what: &'static str,
    },
    /// The sums over a feature are too large for a number.
    #[error("the sums over column {column} overflow: scale its values")]
    Overflow {
        /// Which feature.
        column: usize,
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
    /// A file of rows cannot be made, written or read.
    #[error(
        "rows cannot be kept in, or read from, `{}`: {source}: give a folder with room for them, or a \
         whole file",
        path.display()
    )]
    Store {
        /// The file or its folder.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A [`RowSource`](crate::RowSource) failed.
    #[error("the rows from {row} on, from column {column}, could not be read")]
    Source {
        /// Its first row.
        row: usize,
        /// Its first column.
        column: usize,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// A result whose error is [`Error`](enum@Error).
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    pub(crate) fn setting(name: &'static str, value: impl ToString, remedy: &'static str) -> Self {
        Self::InvalidSetting { name, value: value.to_string(), remedy }
    }
}
