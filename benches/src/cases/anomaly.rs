use crate::{Case, Module, Pass};

/// Anomaly detectors on the features of ResNet-18 for images of 224², of which 100 channels are read.
#[must_use]
pub fn anomaly_cases() -> Vec<Case> {
    let one = |module, batch| Case::new("resnet18", module, Pass::Forward, [batch, 100, 56, 56]);
    vec![one(Module::PadimFit, 64), one(Module::PadimScore, 32)]
}
