use candle_core::{DType, Device, Var};

use super::{
    LoadConfig, LoadReport,
    names::Names,
    prepare::{Prepared, Wanted, prepare},
};
use crate::{Result, WeightFile};

/// A file whose tensors wait for the model to ask for them.
#[derive(Clone, Debug)]
pub(crate) struct Pending {
    file: WeightFile,
    pub(crate) config: LoadConfig,
    names: Names,
    report: LoadReport,
}

impl Pending {
    pub(crate) fn new(file: &WeightFile, config: &LoadConfig) -> Result<Self> {
        let names = Names::new(file, config)?;
        let report = LoadReport {
            path: file.path().to_path_buf(),
            ignored: names.ignored.clone(),
            ..LoadReport::default()
        };
        Ok(Self { file: file.clone(), config: config.clone(), names, report })
    }

    /// What is known before the model asks.
    pub(crate) fn waiting(&self) -> LoadReport {
        let waiting = self.names.sources.keys().cloned().collect();
        LoadReport { waiting, ..self.report.clone() }
    }

    pub(crate) fn contains(&self, name: &str) -> bool {
        self.names.sources.contains_key(name)
    }

    /// The shape that the file has for a weight.
    pub(crate) fn shape(&self, name: &str) -> Option<&[usize]> {
        self.file.shape(self.names.sources.get(name)?)
    }

    /// The file's values for a new weight; `None` if it has none that fit.
    pub(crate) fn take(
        &mut self,
        name: &str,
        shape: &[usize],
        dtype: DType,
        device: &Device,
    ) -> Result<Option<Var>> {
        let Some(source) = self.names.sources.get(name) else {
            self.report.missing.push(name.to_owned());
            return Ok(None);
        };
        let wanted = Wanted { name, shape, dtype, device };
        let prepared = prepare(&self.file, source, wanted, &self.config)?;
        self.names.sources.remove(name);
        match prepared {
            Prepared::Ready(tensor, reshaped) => {
                self.report.loaded.push(name.to_owned());
                self.report.reshaped.extend(reshaped);
                Ok(Some(Var::from_tensor(&tensor)?))
            }
            Prepared::OtherShape(reshaped) => {
                self.report.reshaped.push(reshaped);
                Ok(None)
            }
        }
    }

    /// What came of it, now that the model is built.
    pub(crate) fn finish(self) -> LoadReport {
        let mut report = self.report;
        report.unexpected.extend(self.names.sources.into_values());
        report
    }
}
