use candle_core::Tensor;

use super::{
    LoadConfig, LoadReport, Pending,
    names::{Names, hint},
    prepare::{Prepared, Wanted, prepare},
};
use crate::{Error, ParamStore, Result, WeightFile, pattern::some_of, store::is_counter};

impl ParamStore {
    /// Gives the weights of the store the values of a file.
    ///
    /// All or nothing: on an error no weight has changed. Values are converted to the weights' type
    /// and moved to their device; models that are built see them at once, frozen weights included.
    ///
    /// **Before the model is built**, while the store is empty, the file waits: weights that the
    /// model asks for come from it instead of being drawn. Nothing is known of the model yet, so
    /// the report lists all as [`waiting`](LoadReport::waiting); call
    /// [`finish_load`](Self::finish_load) after building.
    ///
    /// # Examples
    ///
    /// ```
    /// use candle_core::{DType, Device};
    /// use ocellus_params::{LoadConfig, ParamStore, WeightFile};
    ///
    /// let params = ParamStore::seeded(0);
    /// let vb = params.var_builder(DType::F32, &Device::Cpu);
    /// candle_nn::conv2d(1, 4, 3, Default::default(), vb.pp("body.conv"))?; // One channel.
    /// candle_nn::linear(4, 2, vb.pp("classes"))?;
    ///
    /// let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/testdata");
    /// let file = WeightFile::open(format!("{folder}/nested.pth"))?; // Three channels, another head.
    /// let config = LoadConfig::default()
    ///     .with_ignore("norm.*")
    ///     .with_ignore("head.*")
    ///     .with_add_prefix("body.")
    ///     .with_inflate_stem("body.conv.weight")
    ///     .with_allow_missing(true);
    /// let report = params.load(&file, &config)?;
    /// assert_eq!(report.loaded, ["body.conv.bias", "body.conv.weight"]);
    /// assert_eq!(report.missing, ["classes.bias", "classes.weight"]);
    /// # Ok::<(), ocellus_params::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// If weights are missing, unexpected or of another shape and `config` does not allow it; if
    /// nothing at all fits; if the model lacks the stem that `config` names; if values are not
    /// finite; if the file cannot be read.
    pub fn load(&self, file: &WeightFile, config: &LoadConfig) -> Result<LoadReport> {
        if self.names().is_empty() {
            let pending = Pending::new(file, config)?;
            let report = pending.waiting();
            self.lock(|state| match &state.pending {
                Some(other) => Err(Error::InvalidSetting(format!(
                    "`{}` already waits for the model: build it before loading `{}`",
                    other.waiting().path.display(),
                    file.path().display()
                ))),
                None => {
                    state.pending = Some(pending);
                    Ok(())
                }
            })?;
            return Ok(report);
        }
        let (report, values) = self.prepare_all(file, config)?;
        let report = settle(report, config)?;
        self.lock(|state| -> Result<()> {
            for (name, tensor) in &values {
                if let Some(var) = state.vars.get(name) {
                    var.set(tensor)?;
                }
            }
            Ok(())
        })?;
        Ok(report)
    }

    /// Ends a [`load`](Self::load) that came before the model was built: says what the model took
    /// from the file. `None` if no file waits.
    ///
    /// # Examples
    ///
    /// ```
    /// use candle_core::{DType, Device};
    /// use ocellus_params::{LoadConfig, ParamStore, WeightFile};
    ///
    /// let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/testdata");
    /// let file = WeightFile::open(format!("{folder}/nested.pth"))?;
    /// let params = ParamStore::seeded(0);
    /// params.load(&file, &LoadConfig::partial())?;
    /// let vb = params.var_builder(DType::F32, &Device::Cpu);
    /// let conv = candle_nn::conv2d(3, 4, 3, Default::default(), vb.pp("conv"))?;
    ///
    /// let report = params.finish_load()?.expect("a file waited");
    /// assert_eq!(report.loaded, ["conv.bias", "conv.weight"]);
    /// # Ok::<(), ocellus_params::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`load`](Self::load), for what its settings do not allow. The weights are then a mixture
    /// of loaded and drawn ones: start again with a new store.
    pub fn finish_load(&self) -> Result<Option<LoadReport>> {
        let Some(pending) = self.lock(|state| state.pending.take()) else { return Ok(None) };
        let config = pending.config.clone();
        settle(pending.finish(), &config).map(Some)
    }

    /// Reads all that fits; changes nothing.
    fn prepare_all(
        &self,
        file: &WeightFile,
        config: &LoadConfig,
    ) -> Result<(LoadReport, Vec<(String, Tensor)>)> {
        let Names { mut sources, ignored } = Names::new(file, config)?;
        let path = file.path().to_path_buf();
        let mut report = LoadReport { path, ignored, ..LoadReport::default() };
        let mut values = vec![];
        for (name, weight) in self.tensors() {
            let Some(source) = sources.remove(&name) else {
                report.missing.push(name);
                continue;
            };
            let wanted = Wanted {
                name: &name,
                shape: weight.dims(),
                dtype: weight.dtype(),
                device: weight.device(),
            };
            match prepare(file, &source, wanted, config)? {
                Prepared::Ready(tensor, reshaped) => {
                    report.loaded.push(name.clone());
                    report.reshaped.extend(reshaped);
                    values.push((name, tensor));
                }
                Prepared::OtherShape(reshaped) => report.reshaped.push(reshaped),
            }
        }
        report.unexpected.extend(sources.into_values());
        Ok((report, values))
    }
}

/// The report if `config` allows what is in it, else the error.
fn settle(mut report: LoadReport, config: &LoadConfig) -> Result<LoadReport> {
    let (counters, unexpected) =
        std::mem::take(&mut report.unexpected).into_iter().partition(|name| is_counter(name));
    report.unexpected = unexpected;
    report.ignored.extend::<Vec<String>>(counters);
    report.sort();
    check_stem(&report, config)?;
    let missing = report.missing.iter().any(|name| !is_counter(name));
    let mut remedies = vec![];
    if missing && !config.allow_missing {
        remedies.push("with_allow_missing");
    }
    if !report.unexpected.is_empty() && !config.allow_unexpected {
        remedies.push("with_allow_unexpected");
    }
    if report.skipped().next().is_some() && !config.allow_reshape {
        remedies.push("with_allow_reshape");
    }
    if remedies.is_empty() && !report.loaded.is_empty() {
        return Ok(report);
    }
    let message = mismatch(&report, &remedies);
    Err(Error::Mismatch { message, report: Box::new(report) })
}

/// A stem of a name that the model does not have would be fitted by nobody.
fn check_stem(report: &LoadReport, config: &LoadConfig) -> Result<()> {
    let skipped: Vec<String> = report.skipped().map(|r| r.name.clone()).collect();
    let weights = [&report.loaded, &report.missing, &skipped];
    match &config.inflate_stem {
        Some(stem) if !weights.iter().any(|names| names.contains(stem)) => {
            Err(Error::InvalidSetting(format!(
                "the model has no weight `{stem}` to fit to its input channels; it has {}",
                some_of(&weights.map(Vec::as_slice).concat(), 4)
            )))
        }
        _ => Ok(()),
    }
}

/// What does not fit, the first few, and what to do.
fn mismatch(report: &LoadReport, remedies: &[&str]) -> String {
    let path = report.path.display();
    let all = report.loaded.len() + report.missing.len() + report.skipped().count();
    let mut lines = vec![match report.loaded.len() {
        0 => format!(
            "no tensor of `{path}` fits any of the model's {all} weights: is it of another \
             architecture?"
        ),
        fits => format!("`{path}` does not fit the model: {fits} of {all} weights are in it"),
    }];
    for (what, names) in [("missing", &report.missing), ("unexpected", &report.unexpected)] {
        if !names.is_empty() {
            lines.push(format!("{what}: {}", some_of(names, 3)));
        }
    }
    lines.extend(report.skipped().take(3).map(ToString::to_string));
    if let Some(hint) = hint(&report.missing, &report.unexpected) {
        lines.push(hint);
    } else if !remedies.is_empty() && !report.loaded.is_empty() {
        lines.push(format!(
            "if this is meant, allow it with `LoadConfig::{}`",
            remedies.join("`, `")
        ));
    } else {
        lines.push(
            "choose the model that the file was made for, or `LoadConfig::with_rename`".into(),
        );
    }
    lines.join("; ")
}
