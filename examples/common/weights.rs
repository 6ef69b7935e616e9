//! Files of weights: a trained network with what it needs to be built again.

use std::{collections::BTreeMap, path::Path};

use anyhow::{Context, Result, bail};
use ocellus::params::{ParamStore, WeightFile};
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
