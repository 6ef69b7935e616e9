use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use candle_core::{DType, Tensor, Var, backprop::GradStore};

use crate::{
    checkpoint::{Contents, Folder, read, write, write_text},
    error::{BoxError, Error, Result},
    fit::{
        Ended, EpochRecord, FitConfig, FitReport, Learner, Observer, Precision, Resume,
        StepContext, Validation, ranks::Ranks, state::State,
    },
    gradient::{Accumulator, Clip, LossScale, PendingNorm, clip_value, has_not_finite, shorten},
    schedule::Position,
};

/// The names of the optimizer's tensors in a checkpoint begin with this.
const OPTIMIZER: &str = "optimizer.";

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

    /// Takes up the last checkpoint, if there is one and the settings ask for it; all ranks that of
    /// rank 0, or else its weights.
    pub(crate) fn resume(&mut self) -> Result<Option<(usize, usize)>> {
        self.check_settings()?;
        let (path, own) = self.last_checkpoint()?.unzip();
        let Some(contents) = self.ranks.checkpoint(own)? else {
            self.ranks.take_firsts(&self.learner.params.tensors())?;
            return Ok(None);
        };
        self.take_up(path.as_deref().unwrap_or(Path::new("the checkpoint of rank 0")), contents)?;
        self.check_best()?;
        // The stop may have come between checkpoint and history.
        self.save_history()?;
        if let Some(path) = path {
            self.observer.on_resume(&path, self.state.epoch, self.state.batch);
            self.last_good = Some(path);
        }
        Ok(Some((self.state.epoch, self.state.batch)))
    }

    fn last_checkpoint(&mut self) -> Result<Option<(PathBuf, Contents)>> {
        let Some(folder) = &mut self.folder else { return Ok(None) };
        if self.config.resume == Resume::Never {
            folder.start_over();
            return Ok(None);
        }
        let found = folder.load_last()?;
        if found.is_none() && self.config.resume == Resume::Always {
            return Err(Error::NoCheckpoint(self.config.folder.clone().unwrap_or_default()));
        }
        Ok(found)
    }

    /// An error if another rank trains by other settings.
    fn check_settings(&self) -> Result<()> {
        let config = self.config;
        let own = (config.epochs, config.checkpoint_every, config.restore_best);
        let (first, firsts) = self.ranks.first((self.state.clone(), own))?;
        let difference = first.difference(&self.state).or_else(|| {
            let names = "(epochs, checkpoint_every, restore_best)";
            (firsts != own).then(|| format!("{names} are {firsts:?} there, {own:?} here"))
        });
        match difference {
            None => Ok(()),
            Some(difference) => Err(Error::Setting(format!(
                "this rank trains by other settings than rank 0: {difference}"
            ))),
        }
    }

    fn take_up(&mut self, path: &Path, contents: Contents) -> Result<()> {
        let saved: State =
            serde_json::from_value(contents.state).map_err(|e| Error::damaged(path, e))?;
        let mismatch = |difference| Error::Mismatch { path: path.to_owned(), difference };
        if let Some(difference) = saved.difference(&self.state) {
            return Err(mismatch(difference));
        }
        let mut optimizer = BTreeMap::new();
        let mut weights = BTreeMap::new();
        for (name, tensor) in contents.tensors {
            match name.strip_prefix(OPTIMIZER) {
                Some(name) => optimizer.insert(name.to_owned(), tensor),
                None => weights.insert(name, tensor),
            };
        }
        let own = self.learner.params.tensors();
        if let Some(difference) = other_weights(&weights, &own) {
            return Err(mismatch(difference));
        }
        self.learner.optimizer.load_state(&optimizer).map_err(|e| mismatch(e.to_string()))?;
        self.learner.schedule.load_state(&saved.schedule)?;
        set_weights(&own, &weights)?;
        self.state = saved;
        Ok(())
    }

    /// A best checkpoint that will be needed at the end had better be there now.
    fn check_best(&self) -> Result<()> {
        if let (Some(folder), Some(epoch), true) =
            (&self.folder, self.state.watch.best_epoch, self.config.restore_best)
        {
            read(&folder.best()).map_err(|error| {
                let reason = format!("it holds the best weights, of epoch {epoch}; {error}");
                Error::damaged(&folder.best(), reason)
            })?;
        }
        Ok(())
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

    fn keep_best(&mut self) -> Result<()> {
        if !self.ranks.is_first() {
            return Ok(());
        }
        let weights = self.finite_weights()?;
        let state = self.saved_state()?;
        if let Some(folder) = &self.folder {
            write(&folder.best(), &weights, &state)?;
            self.observer.on_checkpoint(&folder.best());
        } else if self.config.restore_best {
            let copies = weights.into_iter().map(|(name, x)| Ok((name, x.copy()?)));
            self.best = Some(copies.collect::<Result<_>>()?);
        }
        Ok(())
    }

    /// Writes the last checkpoint, if there is a folder for it.
    pub(crate) fn save(&mut self) -> Result<()> {
        self.ranks.check_equal(&self.learner.params.tensors())?;
        if self.folder.is_none() {
            return Ok(());
        }
        let mut tensors = self.finite_weights()?;
        for (name, tensor) in self.learner.optimizer.state()? {
            tensors.insert(format!("{OPTIMIZER}{name}"), tensor);
        }
        let state = self.saved_state()?;
        if let Some(folder) = &mut self.folder {
            folder.save_last(&tensors, &state)?;
            self.last_good = Some(folder.last());
            self.observer.on_checkpoint(&folder.last());
        }
        Ok(())
    }

    /// All weights and buffers; never a poisoned one, which would replace good ones.
    fn finite_weights(&self) -> Result<BTreeMap<String, Tensor>> {
        let weights = self.learner.params.tensors();
        for (name, tensor) in &weights {
            if has_not_finite(tensor)? {
                return Err(self.not_finite(format!("the weight `{name}` is not finite")));
            }
        }
        Ok(weights)
    }

    fn saved_state(&mut self) -> Result<serde_json::Value> {
        self.state.schedule = self.learner.schedule.state();
        serde_json::to_value(&self.state).map_err(|e| Error::Setting(e.to_string()))
    }

    fn save_history(&self) -> Result<()> {
        if let Some(folder) = &self.folder {
            write_text(&folder.file("history.csv"), &self.state.history.to_csv())?;
            write_text(&folder.file("history.json"), &self.state.history.to_json())?;
        }
        Ok(())
    }

    pub(crate) fn into_report(self, ended: Ended, resumed_at: Option<(usize, usize)>) -> FitReport {
        let State { history, watch, .. } = self.state;
        let best_value = watch.best_epoch.map(|_| watch.best);
        FitReport { history, ended, best_epoch: watch.best_epoch, best_value, resumed_at }
    }

    /// Puts the weights of the best epoch back, if there is one.
    pub(crate) fn restore_best(&mut self) -> Result<()> {
        if self.state.watch.best_epoch.is_none() {
            return Ok(());
        }
        let own = self.learner.params.tensors();
        match (&self.folder, self.best.take()) {
            (Some(folder), _) => set_weights(&own, &read(&folder.best())?.tensors)?,
            (None, Some(best)) => set_weights(&own, &best)?,
            (None, None) => {}
        }
        self.ranks.take_firsts(&own)
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

/// The first difference in name, shape or type, in words.
fn other_weights(
    saved: &BTreeMap<String, Tensor>,
    own: &BTreeMap<String, Tensor>,
) -> Option<String> {
    for (name, tensor) in saved {
        let Some(x) = own.get(name) else {
            return Some(format!("its weight `{name}` is not in the model"));
        };
        if x.shape() != tensor.shape() || x.dtype() != tensor.dtype() {
            return Some(format!(
                "its weight `{name}` is {:?} of {:?}, the model's {:?} of {:?}",
                tensor.dims(),
                tensor.dtype(),
                x.dims(),
                x.dtype()
            ));
        }
    }
    let missing = own.keys().find(|name| !saved.contains_key(*name));
    missing.map(|name| format!("it has no weight `{name}`"))
}

/// Writes into the memory that the model shares.
fn set_weights(own: &BTreeMap<String, Tensor>, from: &BTreeMap<String, Tensor>) -> Result<()> {
    for (name, to) in own {
        if let Some(x) = from.get(name) {
            let x = x.to_device(to.device())?.flatten_all()?;
            to.flatten_all()?.slice_set(&x, 0, 0)?;
        }
    }
    Ok(())
}
