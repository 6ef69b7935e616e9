/// What can go wrong when images are graded.
///
/// A message holds the value that was wrong, where it was, and what to do about it.
///
/// # Examples
///
/// ```
/// use ocellus_octa::Error;
///
/// let error = Error::Setting("scale 3: there are 2, from 0".into());
/// assert_eq!(error.to_string(), "scale 3: there are 2, from 0");
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The detector could not be fitted, read or asked.
    #[error(transparent)]
    Anomaly(#[from] ocellus_anomaly::Error),

    /// The features could not be reduced or clustered.
    #[error(transparent)]
    Cluster(#[from] ocellus_cluster::Error),

    /// A tensor operation failed.
    #[error(transparent)]
    Tensor(#[from] candle_core::Error),

    /// Settings that make no sense, or do not fit each other or the images.
    #[error("{0}")]
    Setting(String),

    /// Data that are not what they must be.
    #[error("{0}")]
    Value(String),
}

/// A result with [`Error`].
pub type Result<T> = std::result::Result<T, Error>;
