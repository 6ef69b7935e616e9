//! Weights that others publish.

use std::path::Path;

use anyhow::{Context, Result, bail};
use ocellus::params::{LoadConfig, ParamStore, WeightFile};

/// Weights that others publish, of a part of a network.
pub(crate) struct Published<'a> {
    /// What the names of all these weights begin with.
    pub(crate) prefix: &'a str,
    /// What they are, as `weights of the encoder`.
    pub(crate) what: &'a str,
    /// Where they can be had.
    pub(crate) source: &'a str,
}

impl Published<'_> {
    /// Loads them, all of them; what else a network or the file has may be missing in the other.
    pub(crate) fn load(&self, params: &ParamStore, file: &Path, config: LoadConfig) -> Result<()> {
        let (path, source) = (file.display(), self.source);
        if !file.is_file() {
            bail!("no weights at {path}. {source}")
        }
        let config = config.with_allow_missing(true).with_allow_unexpected(true);
        let report = params
            .load(&WeightFile::open(file)?, &config)
            .with_context(|| format!("{path} is damaged or another network's. {source}"))?;
        let count =
            |names: &[String]| names.iter().filter(|name| name.starts_with(self.prefix)).count();
        let (expected, loaded) = (count(&params.names()), count(&report.loaded));
        if loaded != expected {
            bail!(
                "{path} holds {loaded} of the {expected} {}: it is another network's. {source}",
                self.what
            )
        }
        Ok(())
    }
}
