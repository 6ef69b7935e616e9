use std::path::{Path, PathBuf};

/// An error of any kind, as closures given to [`fit`](crate::fit()) return it: `?` makes it from
/// candle's errors, from those of a data loader, or from text.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// What training can fail with.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A setting makes no sense.
    #[error("{0}")]
    Setting(String),
    /// A loss, gradient or weight is NaN or infinite. The weights are those before the step.
    #[error("{what} in epoch {epoch}, step {step}{}", kept(.last_good))]
    NotFinite {
        /// What is not finite: the loss, or which parameter.
        what: String,
        /// The epoch, from 0.
        epoch: usize,
        /// The steps of all epochs before this one.
        step: usize,
        /// The last checkpoint, whose weights are finite.
        last_good: Option<PathBuf>,
    },
    /// A closure given to [`fit`](crate::fit()) failed.
    #[error("{closure} failed in epoch {epoch}, batch {batch}: {source}")]
    Closure {
        /// Which closure: `batches`, `step` or `validate`.
        closure: &'static str,
        /// The epoch, from 0.
        epoch: usize,
        /// The batch of the epoch, from 0.
        batch: usize,
        /// What it returned.
        source: BoxError,
    },
    /// The system refused to read or write a file. What was there before is unharmed.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was tried: `read`, `write`, …
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A checkpoint is truncated or altered.
    #[error("{} is damaged: {reason}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A checkpoint is of another model or of other settings.
    #[error(
        "{} is of another run: {difference}; continue with its settings, or start in another folder",
        path.display()
    )]
    Mismatch {
        /// The file.
        path: PathBuf,
        /// The first difference.
        difference: String,
    },
    /// There is no checkpoint to continue from.
    #[error("no checkpoint to continue from in {}", .0.display())]
    NoCheckpoint(PathBuf),
    /// The ranks of a training cannot go on together.
    #[error(transparent)]
    Ranks(#[from] ocellus_parallel::Error),
    /// A tensor operation failed.
    #[error(transparent)]
    Tensor(#[from] candle_core::Error),
}

/// So that training can be called in functions of candle's kind.
impl From<Error> for candle_core::Error {
    fn from(error: Error) -> Self {
        match error {
            Error::Tensor(error) => error,
            error => Self::wrap(error),
        }
    }
}

/// The result of training.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    pub(crate) fn io(action: &'static str, path: &Path, source: std::io::Error) -> Self {
        Self::Io { action, path: path.to_owned(), source }
    }

    pub(crate) fn damaged(path: &Path, reason: impl ToString) -> Self {
        Self::Damaged { path: path.to_owned(), reason: reason.to_string() }
    }
}

fn kept(last_good: &Option<PathBuf>) -> String {
    match last_good {
        Some(path) => format!("; the last good weights are in {}", path.display()),
        None => "; lower the learning rate, clip the gradients, or look at the data".to_owned(),
    }
}
