use std::path::Path;

use crate::fit::EpochRecord;

/// What one batch gave.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct StepReport {
    /// The epoch, from 0.
    pub epoch: usize,
    /// The batch of the epoch, from 0.
    pub batch: usize,
    /// The batches before this one, over all epochs.
    pub step: usize,
    /// The loss of the batch.
    pub loss: f64,
    /// The learning rate.
    pub learning_rate: f64,
    /// The norm of the gradient before clipping; `None` if this batch ended in no step.
    pub gradient_norm: Option<f64>,
    /// What the loss was multiplied by, where the network computes in f16.
    pub loss_scale: Option<f64>,
    /// Whether a step was due, but not taken: scaled so, gradients were not finite.
    pub skipped: bool,
}

/// Someone who looks on: a progress bar, a log.
///
/// Every method does nothing unless it is written; `()` is the observer who does not care. Of several
/// ranks, each has its own; what is about files is told to that of rank 0 alone.
///
/// # Examples
///
/// ```
/// use ocellus_train::{Observer, StepReport};
///
/// #[derive(Default)]
/// struct Losses(Vec<f64>);
///
/// impl Observer for Losses {
///     fn on_step(&mut self, report: &StepReport) {
///         self.0.push(report.loss);
///     }
/// }
/// # Losses::default().on_epoch_start(0);
/// ```
pub trait Observer {
    /// Training continues from a checkpoint, in that epoch after so many of its batches.
    fn on_resume(&mut self, checkpoint: &Path, epoch: usize, batch: usize) {
        let _ = (checkpoint, epoch, batch);
    }

    /// An epoch starts, or goes on after a resume.
    fn on_epoch_start(&mut self, epoch: usize) {
        let _ = epoch;
    }

    /// A batch is done.
    fn on_step(&mut self, report: &StepReport) {
        let _ = report;
    }

    /// An epoch is done; `is_best` if its monitored value is the best so far.
    fn on_epoch_end(&mut self, record: &EpochRecord, is_best: bool) {
        let _ = (record, is_best);
    }

    /// A checkpoint has been written.
    fn on_checkpoint(&mut self, path: &Path) {
        let _ = path;
    }

    /// Asked after every step of the optimizer: `true` writes a checkpoint and ends the training,
    /// which can be continued later. Of several ranks, any may ask.
    fn wants_to_stop(&mut self) -> bool {
        false
    }
}

impl Observer for () {}
