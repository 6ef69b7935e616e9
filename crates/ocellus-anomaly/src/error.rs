use std::path::PathBuf;

/// What can go wrong with detectors, their images and their files.
///
/// A message holds the value that was wrong, where it was, and what to do about it.
///
/// # Examples
///
/// ```
/// use ocellus_anomaly::Error;
///
/// let error = Error::Setting("a quantile of 1.5: give one of 0 to 1".into());
/// assert_eq!(error.to_string(), "a quantile of 1.5: give one of 0 to 1");
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A tensor operation failed.
    #[error(transparent)]
    Tensor(#[from] candle_core::Error),
    /// A file of weights cannot be read or written.
    #[error(transparent)]
    Params(#[from] ocellus_params::Error),
    /// A threshold or a curve is undefined.
    #[error(transparent)]
    Metrics(#[from] ocellus_metrics::Error),
    /// A flow could not be trained.
    #[error(transparent)]
    Training(#[from] ocellus_train::Error),
    /// Vectors that cannot be searched or chosen from.
    #[error(transparent)]
    Cluster(#[from] ocellus_cluster::Error),
    /// The images could not be had: see [`Error::source`].
    #[error(transparent)]
    Source(Box<dyn std::error::Error + Send + Sync>),
    /// Settings that make no sense, or do not fit each other or the backbone.
    #[error("{0}")]
    Setting(String),
    /// Sizes that do not fit together.
    #[error("{0}")]
    Shape(String),
    /// An entry of the data that is not what it must be.
    #[error("{0}")]
    Value(String),
    /// A file that is no detector, or not one for this backbone.
    #[error("`{}` {what}: {remedy}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What it holds or lacks.
        what: String,
        /// What to do about it.
        remedy: &'static str,
    },
}

impl Error {
    /// The error of whatever loads the images.
    ///
    /// # Examples
    ///
    /// ```
    /// use ocellus_anomaly::Error;
    ///
    /// let error = Error::source(std::io::Error::other("the camera is off"));
    /// assert_eq!(error.to_string(), "the camera is off");
    /// ```
    pub fn source(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Source(error.into())
    }
}

impl From<Error> for candle_core::Error {
    fn from(error: Error) -> Self {
        match error {
            Error::Tensor(error) => error,
            error => Self::wrap(error),
        }
    }
}

/// A result with [`enum@Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;
