use std::path::PathBuf;

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
