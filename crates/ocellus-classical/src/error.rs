use std::{io, path::PathBuf};

/// Why something could not be learned, computed, saved or loaded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Data or settings are not as they must be.
    #[error(transparent)]
    Data(#[from] ocellus_cluster::Error),
    /// An image that has no features.
    #[error("image {index} {problem}")]
    Image {
        /// Its place among those that were given.
        index: usize,
        /// What is wrong with it, and what to do.
        problem: String,
    },
    /// A file cannot be read or written.
    #[error("`{}`: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file holds no model, or one that cannot be used here.
    #[error("`{}` {problem}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it, and what to do.
        problem: String,
    },
}

/// A result whose error is [`Error`](enum@Error).
pub type Result<T> = std::result::Result<T, Error>;
