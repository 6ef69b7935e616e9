//! What a training keeps and takes up again: checkpoints, the best weights, the history.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use candle_core::Tensor;

use super::Run;
use crate::{
    checkpoint::{Contents, read, write, write_text},
    error::{Error, Result},
    fit::{Resume, state::State},
    gradient::has_not_finite,
};

/// The names of the optimizer's tensors in a checkpoint begin with this.
const OPTIMIZER: &str = "optimizer.";

impl Run<'_, '_> {
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

    pub(super) fn keep_best(&mut self) -> Result<()> {
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

    pub(super) fn save_history(&self) -> Result<()> {
        if let Some(folder) = &self.folder {
            write_text(&folder.file("history.csv"), &self.state.history.to_csv())?;
            write_text(&folder.file("history.json"), &self.state.history.to_json())?;
        }
        Ok(())
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
