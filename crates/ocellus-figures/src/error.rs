/// What can be wrong with the data of a figure or with writing it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// There is nothing to draw.
    #[error("{what} is empty: give at least one")]
    Empty {
        /// What is missing.
        what: String,
    },
    /// Two slices that belong together differ in length.
    #[error("{what} has {got} values where {expected} are needed")]
    Length {
        /// The slice that is too long or too short.
        what: String,
        /// How many values it should have.
        expected: usize,
        /// How many it has.
        got: usize,
    },
    /// A value cannot be drawn.
    #[error("{what} is {value} at index {index}: it must be {remedy}")]
    Value {
        /// The slice in question.
        what: String,
        /// Where in the slice.
        index: usize,
        /// The offending value.
        value: f64,
        /// What would be right.
        remedy: &'static str,
    },
    /// A size in pixels is zero or too large.
    #[error("a picture of {width}×{height} pixels cannot be made: each side must be 1 to {limit}")]
    Size {
        /// Width in pixels.
        width: usize,
        /// Height in pixels.
        height: usize,
        /// The longest side allowed.
        limit: usize,
    },
    /// A setting makes no sense.
    #[error("{what} is {value}: {remedy}")]
    Setting {
        /// The setting.
        what: &'static str,
        /// Its value.
        value: String,
        /// What would be right.
        remedy: &'static str,
    },
    /// An image could not be decoded or encoded.
    #[error("the image could not be decoded or encoded")]
    Image(#[from] image::ImageError),
    /// A file could not be read or written.
    #[error("{}: {source}", path.display())]
    File {
        /// The file.
        path: std::path::PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A value could not be written as JSON.
    #[error("the run record could not be written as JSON")]
    Json(#[from] serde_json::Error),
    /// The chart could not be laid out.
    #[error("the chart could not be laid out: {0}")]
    Layout(String),
}

/// The result of drawing a figure.
pub type Result<T> = std::result::Result<T, Error>;
