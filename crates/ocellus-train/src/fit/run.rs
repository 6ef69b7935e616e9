use std::{collections::BTreeMap, path::PathBuf};

use candle_core::{DType, Tensor, Var, backprop::GradStore};

use crate::{
    checkpoint::Folder,
    error::{BoxError, Error, Result},
    fit::{
        Ended, EpochRecord, FitConfig, FitReport, Learner, Observer, Precision, StepContext,
        Validation, ranks::Ranks, state::State,
    },
    gradient::{Accumulator, Clip, LossScale, PendingNorm, clip_value, shorten},
    schedule::Position,
};

mod checkpoints;

/// A training under way: what [`fit`](crate::fit()) does at its joints.
pub(crate) struct Run<'a, 'o> {
    config: &'o FitConfig,
    learner: Learner<'a>,
    observer: &'o mut dyn Observer,
    folder: Option<Folder>,
    trainable: Vec<(String, Var)>,
    base_rate: f64,
    /// The best weights, if there is no folder for them.
    best: Option<BTreeMap<String, Tensor>>,
    last_good: Option<PathBuf>,
    ranks: Ranks,
    pub(crate) state: State,
}

/// The gradients of a step, and their norm.
pub(crate) struct Mean {
    grads: GradStore,
    norm: PendingNorm,
}

impl<'a, 'o> Run<'a, 'o> {
    pub(crate) fn new(
        config: &'o FitConfig,
        learner: Learner<'a>,
        observer: &'o mut dyn Observer,
    ) -> Result<Self> {
        config.check()?;
        let trainable = learner.params.trainable();
        if trainable.is_empty() {
            let message = "no parameter to train: build the model on the store before `fit`, and \
                           leave some of it unfrozen";
            return Err(Error::Setting(message.to_owned()));
        }
        check_masters(config.precision, &trainable)?;
        let state = State::new(config, learner.optimizer, learner.schedule)?;
        let base_rate = learner.optimizer.learning_rate();
        let ranks = Ranks::new(&config.group);
        let folder = config.folder.as_deref().filter(|_| ranks.is_first());
        let folder = folder.map(Folder::open).transpose()?;
        let (best, last_good) = (None, None);
        Ok(Self {
            config,
            learner,
            observer,
            folder,
            trainable,
            base_rate,
            best,
            last_good,
            ranks,
            state,
        })
    }

    pub(crate) fn ranks(&self) -> &Ranks {
        &self.ranks
    }

    pub(crate) fn trainable(&self) -> &[(String, Var)] {
        &self.trainable
    }

    pub(crate) fn observer(&mut self) -> &mut dyn Observer {
        self.observer
    }

    /// Where training stands.
    pub(crate) fn context(&self) -> StepContext {
        let State { epoch, batch, step, update, .. } = self.state;
        let (seed, precision) = (self.config.seed, self.config.precision);
        StepContext { seed, epoch, batch, step, update, precision }
    }

    pub(crate) fn count_batch(&mut self, loss: f64) {
        self.state.loss_sum += loss;
        self.state.batch += 1;
        self.state.step += 1;
    }

    pub(crate) fn failed(&self, closure: &'static str, source: BoxError) -> Error {
        let State { epoch, batch, .. } = self.state;
        Error::Closure { closure, epoch, batch, source }
    }

    /// What gradients are computed of: the loss, scaled in f16.
    pub(crate) fn scaled(&self, loss: &Tensor) -> Result<Tensor> {
        Ok(match &self.state.loss_scale {
            Some(scale) => scale.scaled(loss)?,
            None => loss.clone(),
        })
    }

    /// What the loss of the next batch is multiplied by.
    pub(crate) fn loss_scale(&self) -> Option<f64> {
        self.state.loss_scale.as_ref().map(LossScale::scale)
    }

    /// The mean gradients of the batches since the last step, of all ranks, of the loss as it was before
    /// scaling.
    pub(crate) fn mean(&self, gradients: &mut Accumulator) -> Result<Mean> {
        let mut grads = gradients.take()?;
        // What overflowed on one rank does so in the sum: all of them skip the step then.
        self.ranks.sum(&mut grads, &self.trainable)?;
        if let Some(scale) = &self.state.loss_scale {
            scale.unscale(&mut grads, &self.trainable)?;
        }
        Ok(Mean { norm: PendingNorm::start(&grads, &self.trainable)?, grads })
    }

    /// One step of the optimizer. Returns the norm of the gradient before clipping; none if the step was
    /// skipped. That norm, which is read in any case, also says whether scaled gradients overflowed.
    pub(crate) fn update(&mut self, Mean { mut grads, norm }: Mean) -> Result<Option<f64>> {
        let norm = norm.read()?;
        if let Some(name) = norm.not_finite {
            return self.skip(&name).map(|()| None);
        }
        if let Some(scale) = &mut self.state.loss_scale {
            scale.update(true);
        }
        match self.config.clip {
            Some(Clip::Norm(max)) => shorten(&mut grads, &self.trainable, norm.value, max)?,
            Some(Clip::Value(max)) => clip_value(&mut grads, &self.trainable, max)?,
            None => {}
        }
        let rate = self.learning_rate();
        self.learner.optimizer.set_learning_rate(rate);
        let stepped = self.learner.optimizer.step(&grads);
        self.learner.optimizer.set_learning_rate(self.base_rate);
        stepped?;
        self.state.learning_rate = rate;
        self.state.update += 1;
        Ok(Some(norm.value))
    }

    /// Goes on without a step, if a smaller loss scale may help.
    fn skip(&mut self, name: &str) -> Result<()> {
        match &mut self.state.loss_scale {
            Some(scale) if scale.can_back_off() => {
                scale.update(false);
                self.state.skipped += 1;
                Ok(())
            }
            _ => Err(self.not_finite(format!("the gradient of `{name}` is not finite"))),
        }
    }

    /// The learning rate of the next step.
    pub(crate) fn learning_rate(&self) -> f64 {
        let at = Position::new(self.state.epoch, self.state.update);
        self.base_rate * self.learner.schedule.factor(at)
    }

    pub(crate) fn not_finite(&self, what: String) -> Error {
        let State { epoch, step, .. } = self.state;
        Error::NotFinite { what, epoch, step, last_good: self.last_good.clone() }
    }

    pub(crate) fn not_finite_loss(&self, loss: f64) -> Error {
        // No scale of the loss helps against what overflows on the way to it.
        let cause = match self.config.precision {
            Precision::F16 => " (f16 ends at 65504, bf16 does not)",
            _ => "",
        };
        self.not_finite(format!("the loss is {loss}{cause}"))
    }

    /// Closes an epoch: history, best weights, early stopping, checkpoint.
    pub(crate) fn end_epoch(&mut self, validation: Option<Validation>) -> Result<()> {
        let State { epoch, batch, step, loss_sum, learning_rate, skipped, .. } = self.state;
        let validation = self.ranks.validation(validation)?;
        let (validation_loss, metrics) =
            validation.map_or((None, BTreeMap::new()), |v| (Some(v.loss), v.metrics));
        let train_loss = loss_sum / batch as f64;
        let record = EpochRecord {
            epoch,
            steps: step,
            learning_rate,
            train_loss,
            validation_loss,
            metrics,
            loss_scale: self.loss_scale(),
            skipped_steps: skipped,
        };
        let is_best = self.watch(&record)?;
        self.state.history.epochs.push(record.clone());
        self.state.epoch += 1;
        (self.state.batch, self.state.loss_sum, self.state.skipped) = (0, 0., 0);
        if is_best {
            self.keep_best()?;
        }
        self.save()?;
        self.save_history()?;
        self.observer.on_epoch_end(&record, is_best);
        Ok(())
    }

    /// Looks at the monitored value of an epoch that has one.
    fn watch(&mut self, record: &EpochRecord) -> Result<bool> {
        let monitor = &self.config.monitor;
        let Some(value) = record.value(&monitor.quantity) else {
            if record.validation_loss.is_some() {
                let names: Vec<_> = record.metrics.keys().collect();
                let message =
                    format!("no {:?} in the validation: it has {names:?}", monitor.quantity);
                return Err(Error::Setting(message));
            }
            return Ok(false);
        };
        if !value.is_finite() {
            let what = format!("the monitored {:?} is {value}", monitor.quantity);
            return Err(self.not_finite(what));
        }
        self.learner.schedule.observe(value);
        let rule = self.config.early_stopping.as_ref();
        Ok(self.state.watch.observe(record.epoch, value, monitor, rule))
    }

    pub(crate) fn into_report(self, ended: Ended, resumed_at: Option<(usize, usize)>) -> FitReport {
        let State { history, watch, .. } = self.state;
        let best_value = watch.best_epoch.map(|_| watch.best);
        FitReport { history, ended, best_epoch: watch.best_epoch, best_value, resumed_at }
    }
}

/// An error if weights lack the digits that mixed precision keeps them for.
fn check_masters(precision: Precision, trainable: &[(String, Var)]) -> Result<()> {
    let is_half = |var: &Var| matches!(var.dtype(), DType::F16 | DType::BF16);
    match trainable.iter().find(|(_, var)| precision != Precision::F32 && is_half(var)) {
        None => Ok(()),
        Some((name, var)) => Err(Error::Setting(format!(
            "to train in {precision}, weights stay f32, but `{name}` is {:?}: build the model with f32",
            var.dtype()
        ))),
    }
}
