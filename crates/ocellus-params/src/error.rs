use std::path::PathBuf;

use candle_core::DType;

use crate::LoadReport;

/// What can go wrong with weights and their files.
///
/// It turns into [`candle_core::Error`] with `?`, so that functions of either kind can call the
/// other.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The operating system refused.
    #[error("cannot {action} `{}`: {source}", path.display())]
    Io {
        /// What was tried: `open`, `write`.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The system's answer.
        source: std::io::Error,
    },
    /// The file is cut short or changed.
    #[error(
        "`{}` is damaged at byte {offset}: {what}; copy or download it again", path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Where the damage shows.
        offset: u64,
        /// What is wrong there.
        what: String,
    },
    /// The file holds something else than weights that can be read.
    #[error("`{}` {what}; {remedy}", path.display())]
    Unsupported {
        /// The file.
        path: PathBuf,
        /// What it holds or is.
        what: String,
        /// What to do about it.
        remedy: &'static str,
    },
    /// A tensor that the file does not have.
    #[error("`{}` has no tensor `{name}`; it has {present}", path.display())]
    NoTensor {
        /// The file.
        path: PathBuf,
        /// What was asked for.
        name: String,
        /// A few of the names it has.
        present: String,
    },
    /// Weights that are no numbers.
    #[error(
        "`{name}` of `{}` has {count} of {of} values that are not finite as {dtype:?}, {first} the \
         first: take another file, or allow it with `LoadConfig::with_allow_non_finite`",
        path.display()
    )]
    NotFinite {
        /// The file.
        path: PathBuf,
        /// The tensor, as the file calls it.
        name: String,
        /// The type that it was converted to.
        dtype: DType,
        /// How many values are NaN or infinite.
        count: usize,
        /// How many values there are.
        of: usize,
        /// The first of them.
        first: f64,
    },
    /// The file and the model do not fit together; nothing was loaded.
    #[error("{message}")]
    Mismatch {
        /// The whole message: the first few that do not fit, and the remedy.
        message: String,
        /// All of them.
        report: Box<LoadReport>,
    },
    /// A pattern matches nothing in the model.
    #[error("{message}")]
    UnmatchedPattern {
        /// The pattern.
        pattern: String,
        /// The whole message, with names that exist.
        message: String,
    },
    /// A setting is out of its range.
    #[error("{0}")]
    InvalidSetting(String),
    /// A tensor operation failed.
    #[error(transparent)]
    Tensor(#[from] candle_core::Error),
}

impl From<Error> for candle_core::Error {
    fn from(error: Error) -> Self {
        match error {
            Error::Tensor(error) => error,
            error => Self::wrap(error),
        }
    }
}

/// A result whose error is this crate's [`enum@Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn converts_to_candle_and_keeps_its_words() {
        let error = Error::InvalidSetting("lr_scale −1 is negative".into());
        let text = error.to_string();
        assert!(candle_core::Error::from(error).to_string().contains(&text));
    }
}
