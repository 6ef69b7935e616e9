use std::{collections::BTreeMap, path::PathBuf};

use ocellus_parallel::ProcessGroup;

use crate::{
    error::{Error, Result},
    fit::Precision,
    gradient::{Clip, LossScaleConfig},
    schedule::Goal,
};

/// A value that tells epochs apart.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Quantity {
    /// The mean loss over the batches of the epoch.
    TrainLoss,
    /// The loss of the validation.
    ValidationLoss,
    /// A metric of the validation.
    Metric(String),
}

/// Which value tells whether an epoch is better, and in which direction.
///
/// # Examples
///
/// ```
/// use ocellus_train::{Goal, Monitor};
///
/// assert_eq!(Monitor::maximize("auc").goal, Goal::Maximize);
/// assert_eq!(Monitor::validation_loss().goal, Goal::Minimize);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Monitor {
    /// The value.
    pub quantity: Quantity,
    /// Whether it should fall or rise.
    pub goal: Goal,
}

impl Monitor {
    /// The lowest loss of the validation.
    #[must_use]
    pub fn validation_loss() -> Self {
        Self { quantity: Quantity::ValidationLoss, goal: Goal::Minimize }
    }

    /// The lowest mean loss in training.
    #[must_use]
    pub fn train_loss() -> Self {
        Self { quantity: Quantity::TrainLoss, goal: Goal::Minimize }
    }

    /// The lowest value of a metric of the validation.
    #[must_use]
    pub fn minimize(metric: impl Into<String>) -> Self {
        Self { quantity: Quantity::Metric(metric.into()), goal: Goal::Minimize }
    }

    /// The highest value of a metric of the validation.
    #[must_use]
    pub fn maximize(metric: impl Into<String>) -> Self {
        Self { quantity: Quantity::Metric(metric.into()), goal: Goal::Maximize }
    }
}

/// When to stop before the last epoch.
///
/// # Examples
///
/// ```
/// use ocellus_train::EarlyStopping;
///
/// let rule = EarlyStopping::new(5).with_min_delta(1e-3);
/// assert_eq!(rule.patience, 5);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct EarlyStopping {
    /// Training stops after that many epochs in a row without improvement.
    pub patience: usize,
    /// An improvement is by more than this.
    pub min_delta: f64,
}

impl EarlyStopping {
    /// Stops after that many epochs in a row without any improvement.
    #[must_use]
    pub fn new(patience: usize) -> Self {
        Self { patience, min_delta: 0. }
    }

    /// An improvement is by more than this.
    #[must_use]
    pub fn with_min_delta(self, min_delta: f64) -> Self {
        Self { min_delta, ..self }
    }
}

/// What to do with a checkpoint that is already in the folder.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Resume {
    /// Start from the beginning; the old checkpoint is overwritten by the second one of this run.
    #[default]
    Never,
    /// Continue if there is one.
    IfPresent,
    /// Continue; fail if there is none.
    Always,
}

/// Settings of [`fit`](crate::fit()).
///
/// # Examples
///
/// ```
/// use ocellus_train::{Clip, EarlyStopping, FitConfig, Monitor, Resume};
///
/// let config = FitConfig::new(30)
///     .with_seed(7)
///     .with_clip(Clip::Norm(1.))
///     .with_monitor(Monitor::maximize("auc"))
///     .with_early_stopping(EarlyStopping::new(5))
///     .with_restore_best(true)
///     .with_folder("runs/first")
///     .with_resume(Resume::IfPresent)
///     .with_setting("model", "vgg16");
/// assert_eq!(config.accumulate, 1);
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct FitConfig {
    /// Passes over the data.
    pub epochs: usize,
    /// What the closures should draw from, together with epoch and step.
    pub seed: u64,
    /// Batches whose gradients are averaged for one step of the optimizer.
    pub accumulate: usize,
    /// How gradients are shortened.
    pub clip: Option<Clip>,
    /// The type that the network computes in; the closure for a step is told.
    pub precision: Precision,
    /// How the loss is scaled where that is f16.
    pub loss_scale: LossScaleConfig,
    /// What makes an epoch the best so far, what early stopping and plateau schedules look at.
    pub monitor: Monitor,
    /// When to stop before the last epoch.
    pub early_stopping: Option<EarlyStopping>,
    /// Whether the weights of the best epoch are put back at the end.
    pub restore_best: bool,
    /// Where checkpoints and history go. `None` writes nothing.
    pub folder: Option<PathBuf>,
    /// A checkpoint also after every so many steps of the optimizer, not only after each epoch.
    pub checkpoint_every: Option<usize>,
    /// What to do with a checkpoint that is already in the folder.
    pub resume: Resume,
    /// Settings of the caller that a checkpoint must share to be continued from: the model, the
    /// data, the split.
    pub settings: BTreeMap<String, String>,
    /// The ranks that train together, each on its share of every batch.
    pub group: ProcessGroup,
}

impl FitConfig {
    /// That many epochs, which monitor the validation loss and write nothing.
    #[must_use]
    pub fn new(epochs: usize) -> Self {
        Self {
            epochs,
            seed: 0,
            accumulate: 1,
            clip: None,
            precision: Precision::F32,
            loss_scale: LossScaleConfig::default(),
            monitor: Monitor::validation_loss(),
            early_stopping: None,
            restore_best: false,
            folder: None,
            checkpoint_every: None,
            resume: Resume::Never,
            settings: BTreeMap::new(),
            group: ProcessGroup::default(),
        }
    }

    /// What the closures should draw from.
    #[must_use]
    pub fn with_seed(self, seed: u64) -> Self {
        Self { seed, ..self }
    }

    /// Batches whose gradients are averaged for one step.
    #[must_use]
    pub fn with_accumulate(self, accumulate: usize) -> Self {
        Self { accumulate, ..self }
    }

    /// How gradients are shortened.
    #[must_use]
    pub fn with_clip(self, clip: Clip) -> Self {
        Self { clip: Some(clip), ..self }
    }

    /// The type that the network computes in, by [`Precision::forward`] in the closure for a step.
    #[must_use]
    pub fn with_precision(self, precision: Precision) -> Self {
        Self { precision, ..self }
    }

    /// How the loss is scaled where the network computes in f16.
    #[must_use]
    pub fn with_loss_scale(self, loss_scale: LossScaleConfig) -> Self {
        Self { loss_scale, ..self }
    }

    /// What makes an epoch the best so far.
    #[must_use]
    pub fn with_monitor(self, monitor: Monitor) -> Self {
        Self { monitor, ..self }
    }

    /// When to stop before the last epoch.
    #[must_use]
    pub fn with_early_stopping(self, rule: EarlyStopping) -> Self {
        Self { early_stopping: Some(rule), ..self }
    }

    /// Whether the weights of the best epoch are put back at the end.
    #[must_use]
    pub fn with_restore_best(self, restore_best: bool) -> Self {
        Self { restore_best, ..self }
    }

    /// Where checkpoints and history go.
    #[must_use]
    pub fn with_folder(self, folder: impl Into<PathBuf>) -> Self {
        Self { folder: Some(folder.into()), ..self }
    }

    /// A checkpoint also after every so many steps.
    #[must_use]
    pub fn with_checkpoint_every(self, steps: usize) -> Self {
        Self { checkpoint_every: Some(steps), ..self }
    }

    /// What to do with a checkpoint that is already in the folder.
    #[must_use]
    pub fn with_resume(self, resume: Resume) -> Self {
        Self { resume, ..self }
    }

    /// One more setting that a checkpoint must share to be continued from.
    #[must_use]
    pub fn with_setting(mut self, name: impl Into<String>, value: impl ToString) -> Self {
        self.settings.insert(name.into(), value.to_string());
        self
    }

    /// The ranks that train together.
    #[must_use]
    pub fn with_group(self, group: ProcessGroup) -> Self {
        Self { group, ..self }
    }

    pub(crate) fn check(&self) -> Result<()> {
        let limit = match self.clip {
            Some(Clip::Norm(max) | Clip::Value(max)) => max,
            None => 1.,
        };
        let delta = self.early_stopping.map_or(0., |rule| rule.min_delta);
        let complaint = if self.accumulate == 0 || self.checkpoint_every == Some(0) {
            "`accumulate` and `checkpoint_every` must be at least 1".to_owned()
        } else if !(limit.is_finite() && limit > 0.) {
            format!("the gradient limit {limit} must be finite and above 0")
        } else if !(delta.is_finite() && delta >= 0.) {
            format!("`min_delta` {delta} must be finite and not negative")
        } else if self.early_stopping.is_some_and(|rule| rule.patience == 0) {
            "a patience of 0 would stop after the first epoch: choose at least 1".to_owned()
        } else if self.resume == Resume::Always && self.folder.is_none() {
            "to continue, name the folder of the checkpoints".to_owned()
        } else if let Some(complaint) = self.loss_scale.complaint() {
            complaint
        } else {
            return Ok(());
        };
        Err(Error::Setting(complaint))
    }
}
