use std::collections::BTreeMap;

use ocellus_params::ParamStore;

use crate::{Optimizer, Precision, Schedule};

/// What is trained, and with what.
#[derive(Debug)]
pub struct Learner<'a> {
    /// The weights and buffers of the model: a checkpoint holds all of them.
    pub params: &'a ParamStore,
    /// The optimizer. Its learning rate is the schedule's factor 1.
    pub optimizer: &'a mut dyn Optimizer,
    /// The factor on the learning rate over time.
    pub schedule: &'a mut dyn Schedule,
}

/// Where training stands when a batch comes up.
///
/// Whatever is random in a step should depend on these alone: training that was interrupted then
/// continues as if it had not been.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StepContext {
    /// The seed of the run.
    pub seed: u64,
    /// The epoch, from 0.
    pub epoch: usize,
    /// The batch within the epoch, from 0.
    pub batch: usize,
    /// The batches before this one, over all epochs: a number of its own for each batch.
    pub step: usize,
    /// The steps of the optimizer before this batch. Fewer than `step` if gradients accumulate.
    pub update: usize,
    /// The type to compute in: see [`Precision::forward`].
    pub precision: Precision,
}

impl StepContext {
    /// The place of a batch in a training in f32 with one step of the optimizer per batch.
    #[must_use]
    pub fn new(seed: u64, epoch: usize, batch: usize, step: usize) -> Self {
        Self { seed, epoch, batch, step, update: step, precision: Precision::F32 }
    }

    /// The same place in a training that computes in that type.
    #[must_use]
    pub fn with_precision(self, precision: Precision) -> Self {
        Self { precision, ..self }
    }
}

/// What a look at held-out data gives.
///
/// # Examples
///
/// ```
/// use ocellus_train::Validation;
///
/// let validation = Validation::new(0.3).with_metric("auc", 0.94);
/// assert_eq!(validation.metrics["auc"], 0.94);
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Validation {
    /// The mean loss.
    pub loss: f64,
    /// Other values by name.
    pub metrics: BTreeMap<String, f64>,
}

impl Validation {
    /// That loss and no metrics.
    #[must_use]
    pub fn new(loss: f64) -> Self {
        Self { loss, metrics: BTreeMap::new() }
    }

    /// With one more metric.
    #[must_use]
    pub fn with_metric(mut self, name: impl Into<String>, value: f64) -> Self {
        self.metrics.insert(name.into(), value);
        self
    }
}
