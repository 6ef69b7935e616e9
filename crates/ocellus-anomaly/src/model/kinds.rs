use candle_core::Device;

use super::{FeatureModel, State};
use crate::{CflowAdModel, Error, FastFlowModel, PadimModel, PatchCoreModel, Result};

type Restore = fn(&State, &Device) -> Result<Box<dyn FeatureModel>>;

/// Every kind of detector by its name in files: one row each.
const KINDS: [(&str, Restore); 4] = [
    (CflowAdModel::KIND, |state, device| Ok(Box::new(CflowAdModel::restore(state, device)?))),
    (FastFlowModel::KIND, |state, device| Ok(Box::new(FastFlowModel::restore(state, device)?))),
    (PadimModel::KIND, |state, _| Ok(Box::new(PadimModel::restore(state)?))),
    (PatchCoreModel::KIND, |state, _| Ok(Box::new(PatchCoreModel::restore(state)?))),
];

/// What was learned, from the state that [`FeatureModel::save`] wrote. What computes with tensors does so
/// on that device.
pub(crate) fn restore(kind: &str, state: &State, device: &Device) -> Result<Box<dyn FeatureModel>> {
    match KINDS.iter().find(|(name, _)| *name == kind) {
        Some((_, restore)) => restore(state, device),
        None => {
            let known: Vec<&str> = KINDS.iter().map(|(name, _)| *name).collect();
            Err(Error::Value(format!("is a detector `{kind}`, but known are {}", known.join(", "))))
        }
    }
}
