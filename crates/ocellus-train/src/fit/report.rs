use crate::fit::History;

/// Why training ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Ended {
    /// All epochs are done.
    Completed,
    /// The monitored value did not improve any more.
    EarlyStopping,
    /// The observer asked for it.
    Observer,
}

/// How training went.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct FitReport {
    /// What the epochs gave, those before a resume included.
    pub history: History,
    /// Why training ended.
    pub ended: Ended,
    /// The epoch with the best monitored value, if any had one.
    pub best_epoch: Option<usize>,
    /// That value.
    pub best_value: Option<f64>,
    /// The epoch and batch where a checkpoint was taken up.
    pub resumed_at: Option<(usize, usize)>,
}
