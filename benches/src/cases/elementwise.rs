use super::table;
use crate::{Case, Module, Pass};

const IMAGES: [(&str, [usize; 4]); 2] =
    [("vgg_1", [8, 64, 128, 128]), ("resnet_stem", [2, 64, 128, 128])];

/// ReLU, sigmoid and softmax over channels: forward and backward.
#[must_use]
pub fn activation_cases() -> Vec<Case> {
    let passes = [Pass::Forward, Pass::Backward];
    let mut cases = table(&[Module::Relu, Module::Sigmoid], &IMAGES, &passes);
    let scores = [("satellite", [2, 2, 256, 256]), ("gate", [8, 512, 16, 16])];
    cases.extend(table(&[Module::Softmax], &scores, &passes));
    cases
}

/// Batch normalization, with sum and ReLU: inference, training, backward.
#[must_use]
pub fn norm_cases() -> Vec<Case> {
    let sizes = [
        ("wide_1", [2, 256, 80, 80]),
        ("wide_3", [2, 1024, 20, 20]),
        ("resnet_stem", [2, 64, 128, 128]),
        ("resnet_1", [2, 64, 64, 64]),
        ("resnet_4", [2, 512, 8, 8]),
        ("decoder_5", [2, 64, 256, 256]),
    ];
    let modules = [
        Module::BatchNorm { add: false, relu: false },
        Module::BatchNorm { add: false, relu: true },
        Module::BatchNorm { add: true, relu: true },
    ];
    table(&modules, &sizes, &[Pass::Forward, Pass::Training, Pass::Backward])
}

/// Cross-entropy over the pixels of a segmentation, and over images: forward and backward.
#[must_use]
pub fn loss_cases() -> Vec<Case> {
    let sizes = [("satellite", [2, 2, 256, 256]), ("satellite_batch_8", [8, 2, 256, 256])];
    table(&[Module::CrossEntropy], &sizes, &[Pass::Forward, Pass::Backward])
}
