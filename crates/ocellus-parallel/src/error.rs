/// What ranks that work together can fail with.
///
/// After an error of a collective operation the group is of no more use: the ranks no longer stand at
/// the same place.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A setting or an environment variable makes no sense.
    #[error("{0}")]
    Setting(String),
    /// The ranks did not find each other.
    #[error("the ranks cannot meet at {address}: {reason}")]
    Rendezvous {
        /// Where rank 0 listens.
        address: String,
        /// What happened, and what to do.
        reason: String,
    },
    /// A rank is gone, or does not answer.
    #[error("rank {rank} is lost ({place}): {reason}")]
    Lost {
        /// The rank.
        rank: usize,
        /// Its address, or that it is a thread.
        place: String,
        /// What happened, and what to do.
        reason: String,
    },
    /// A rank gave up and said why.
    #[error("rank {rank} gave up: {reason}")]
    GaveUp {
        /// The rank.
        rank: usize,
        /// Its own error.
        reason: String,
    },
    /// Two ranks are at different places of the program.
    #[error(
        "the ranks do different things: {0}; all must call the same operations in the same order, on tensors of the same shapes and types"
    )]
    Order(String),
    /// An earlier operation failed.
    #[error("the group is broken since an earlier error: {0}")]
    Broken(String),
    /// A process could not be started or ended badly.
    #[error("{0}")]
    Launch(String),
    /// A library of NVIDIA's failed.
    #[error("{0}")]
    Gpu(String),
    /// A tensor operation failed.
    #[error("{0}")]
    Tensor(String),
}

/// The result of an operation of several ranks.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl From<candle_core::Error> for Error {
    fn from(error: candle_core::Error) -> Self {
        Self::Tensor(error.to_string())
    }
}

/// So that collectives can be called in functions of candle's kind.
impl From<Error> for candle_core::Error {
    fn from(error: Error) -> Self {
        Self::wrap(error)
    }
}
