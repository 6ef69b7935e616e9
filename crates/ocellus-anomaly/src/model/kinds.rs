use super::{FeatureModel, State};
use crate::{CflowAdModel, Error, FastFlowModel, PadimModel, PatchCoreModel, Result};

type Restore = fn(&State) -> Result<Box<dyn FeatureModel>>;

/// Every kind of detector by its name in files: one row each.
const KINDS: [(&str, Restore); 4] = [
    (CflowAdModel::KIND, |state| Ok(Box::new(CflowAdModel::restore(state)?))),
    (FastFlowModel::KIND, |state| Ok(Box::new(FastFlowModel::restore(state)?))),
    (PadimModel::KIND, |state| Ok(Box::new(PadimModel::restore(state)?))),
    (PatchCoreModel::KIND, |state| Ok(Box::new(PatchCoreModel::restore(state)?))),
];

/// What was learned, from the state that [`FeatureModel::save`] wrote.
pub(crate) fn restore(kind: &str, state: &State) -> Result<Box<dyn FeatureModel>> {
    match KINDS.iter().find(|(name, _)| *name == kind) {
        Some((_, restore)) => restore(state),
        None => {
            let known: Vec<&str> = KINDS.iter().map(|(name, _)| *name).collect();
            Err(Error::Value(format!("is a detector `{kind}`, but known are {}", known.join(", "))))
        }
    }
}
