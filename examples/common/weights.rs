//! Files of weights: a trained network with what it needs to be built again, and published ones.

use std::{collections::BTreeMap, path::Path};

use anyhow::{Context, Result, bail};
use ocellus::params::{LoadConfig, ParamStore, WeightFile};
use serde::{Serialize, de::DeserializeOwned};

/// Saves a network with its card.
pub(crate) fn save<C: Serialize>(card: &C, params: &ParamStore, file: &Path) -> Result<()> {
    let card = serde_json::to_string(card)?;
    params.save(file, &BTreeMap::from([("card".to_owned(), card)]))?;
    Ok(())
}

/// The card and the weights of a network that [`save`] wrote.
pub(crate) fn open<C: DeserializeOwned>(file: &Path) -> Result<(C, WeightFile)> {
    let weights = WeightFile::open(file)
        .with_context(|| format!("{} is no saved network: train one first", file.display()))?;
    let Some(card) = weights.metadata().get("card") else {
        bail!("{} was not saved by this program: it has no card", file.display())
    };
    let card = serde_json::from_str(card)
        .with_context(|| format!("the card in {} is damaged", file.display()))?;
    Ok((card, weights))
}

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
