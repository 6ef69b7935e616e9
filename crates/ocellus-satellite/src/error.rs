/// What can go wrong with scenes, their probabilities and the settings.
///
/// A message holds the value that was wrong, where it was, and what to do about it.
///
/// # Examples
///
/// ```
/// use ocellus_satellite::Error;
///
/// let error = Error::Setting("tiles of 0 pixels".into());
/// assert_eq!(error.to_string(), "tiles of 0 pixels");
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A scene cannot be read, or a result not be written.
    #[error(transparent)]
    Data(#[from] ocellus_data::Error),

    /// A tensor operation failed.
    #[error(transparent)]
    Tensor(#[from] candle_core::Error),

    /// Settings that make no sense, or do not fit each other or the scene.
    #[error("{0}")]
    Setting(String),

    /// Sizes that do not fit together.
    #[error("{0}")]
    Shape(String),

    /// An entry of the data that is not what it must be.
    #[error("{0}")]
    Value(String),
}

/// A result with [`Error`].
pub type Result<T> = std::result::Result<T, Error>;
