use super::table;
use crate::{Case, Module, Pass};

const PASSES: [Pass; 2] = [Pass::Forward, Pass::Backward];

/// Maximum and mean of windows and of whole channels: forward and backward.
#[must_use]
pub fn pool_cases() -> Vec<Case> {
    let halving = Module::MaxPool { kernel: 2, stride: 2, padding: 0 };
    let stem = Module::MaxPool { kernel: 3, stride: 2, padding: 1 };
    let patches = Module::AvgPool { kernel: 3, stride: 1, padding: 1 };
    let vgg = [("vgg_1", [8, 64, 128, 128]), ("vgg_3", [8, 256, 32, 32])];
    let stems = [("wide_stem", [2, 64, 160, 160]), ("resnet_stem", [2, 64, 128, 128])];
    let features = [("wide_2", [2, 512, 40, 40]), ("wide_3", [2, 1024, 20, 20])];
    let last = [("vgg_5", [8, 512, 4, 4]), ("resnet_4", [2, 512, 8, 8])];
    let mut cases = table(&[halving], &vgg, &PASSES);
    cases.extend(table(&[stem], &stems, &PASSES));
    cases.extend(table(&[patches], &features, &PASSES));
    cases.extend(table(&[Module::GlobalAvgPool], &last, &PASSES));
    cases
}

/// Resizing of attention maps, features and anomaly maps: forward and backward.
#[must_use]
pub fn upsample_cases() -> Vec<Case> {
    let bilinear = |size, corners| Module::Bilinear { size, corners };
    let mut cases = table(&[bilinear(16, false)], &[("gate", [8, 256, 4, 4])], &PASSES);
    cases.extend(table(&[bilinear(40, false)], &[("wide_3", [2, 1024, 20, 20])], &PASSES));
    cases.extend(table(&[bilinear(320, true)], &[("anomaly_map", [8, 1, 40, 40])], &PASSES));
    let nearest = Module::Nearest { size: 80 };
    cases.extend(table(&[nearest], &[("wide_2", [2, 512, 40, 40])], &PASSES));
    cases
}
