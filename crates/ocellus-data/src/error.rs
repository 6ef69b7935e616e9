use std::path::{Path, PathBuf};

/// What can go wrong with images, data sets, splits and loaders.
///
/// A message names the file, the value that was wrong, and what to do about it.
///
/// # Examples
///
/// ```
/// use ocellus_data::{Error, Image};
///
/// let error = Image::open("no/such/file.png").unwrap_err();
/// assert!(matches!(error, Error::Io { .. }));
/// assert!(error.to_string().starts_with("no/such/file.png: "));
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The operating system refused to read or write a file.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the operating system says.
        source: std::io::Error,
    },

    /// A file is no image, or a damaged one.
    #[error("{}: {reason}", path.display())]
    Decode {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },

    /// An image or file is larger than the caller allows.
    #[error("{}: {what}, more than the limit of {limit}; raise `DecodeConfig` if that is meant", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Its size.
        what: String,
        /// The limit that it breaks.
        limit: String,
    },

    /// A data set's folder or table is not as its reader expects.
    #[error("{}: {reason}", path.display())]
    Dataset {
        /// The folder or table.
        path: PathBuf,
        /// What is missing or wrong, and the remedy.
        reason: String,
    },

    /// A split that the samples do not allow.
    #[error("{0}")]
    Split(String),

    /// A setting that makes no sense.
    #[error("{0}")]
    Setting(String),

    /// Sizes or channels that do not fit together.
    #[error("{0}")]
    Shape(String),

    /// A sample that the loader could not deliver.
    #[error("sample {index}: {source}")]
    Sample {
        /// Index in the data set.
        index: usize,
        /// Why.
        source: Box<Error>,
    },

    /// A sample whose loading panicked: an error of the data set's code, not of the data.
    #[error("sample {index} ({name}): the worker panicked: {message}")]
    Panic {
        /// Index in the data set.
        index: usize,
        /// Its name.
        name: String,
        /// The panic's message.
        message: String,
    },

    /// An error of the tensor library.
    #[error(transparent)]
    Tensor(#[from] candle_core::Error),
}

/// The result of this crate's functions.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    pub(crate) fn io(path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { path, source }
    }

    pub(crate) fn decode(path: &Path, reason: impl ToString) -> Self {
        Self::Decode { path: path.to_owned(), reason: reason.to_string() }
    }

    pub(crate) fn dataset(path: &Path, reason: impl ToString) -> Self {
        Self::Dataset { path: path.to_owned(), reason: reason.to_string() }
    }
}

impl From<Error> for candle_core::Error {
    fn from(error: Error) -> Self {
        match error {
            Error::Tensor(error) => error,
            other => Self::wrap(other),
        }
    }
}
