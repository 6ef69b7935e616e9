use super::table;
use crate::{Case, Module, Pass};

/// Whole networks: inference, gradients, training steps.
#[must_use]
pub fn network_cases() -> Vec<Case> {
    use Pass::{Forward, ForwardBackward, Step};
    let one = |size, module, pass, input| Case::new(size, module, pass, input);
    let vgg = [8, 3, 128, 128];
    vec![
        one("vgg16_8x3x128", Module::Vgg16, Forward, vgg),
        one("vgg16_8x3x128", Module::Vgg16, ForwardBackward, vgg),
        one("wide_resnet50_2x3x320", Module::WideResnet50, Forward, [2, 3, 320, 320]),
        one("resnet34_2x3x256", Module::Resnet34, Forward, [2, 3, 256, 256]),
        one("encoder_decoder34_2x4x256", Module::EncoderDecoder34, Forward, [2, 4, 256, 256]),
        one("encoder_decoder34_2x4x256", Module::EncoderDecoder34, Step, [2, 4, 256, 256]),
        one("vgg16_32x3x128", Module::Vgg16, Step, [32, 3, 128, 128]),
    ]
}

/// What is timed on a GPU alone: the sizes of the papers and of training on ImageNet, too large for a
/// table that a CPU is to fill.
#[must_use]
pub fn gpu_cases() -> Vec<Case> {
    use Pass::{Forward, Step};
    let one = |size, module, pass, input| Case::new(size, module, pass, input);
    let fibers = |size, channels| one(size, Module::FlowDecoder, Step, [1, channels, 1, 4096]);
    vec![
        one("vgg16_classifier_32x3x224", Module::Vgg16Classifier, Step, [32, 3, 224, 224]),
        one("resnet50_32x3x224", Module::Resnet50, Step, [32, 3, 224, 224]),
        one("wide_resnet50_32x3x320", Module::WideResnet50, Forward, [32, 3, 320, 320]),
        one("encoder_decoder152_8x4x256", Module::EncoderDecoder152, Step, [8, 4, 256, 256]),
        fibers("gpu_512", 512),
        fibers("gpu_1024", 1024),
        fibers("gpu_2048", 2048),
    ]
}

/// CFLOW-AD's decoders for the three scales of Wide-ResNet-50-2: a training step and inference.
#[must_use]
pub fn flow_cases() -> Vec<Case> {
    let fibers = |channels, count| [1, channels, 1, count];
    let sizes =
        [("512", fibers(512, 4096)), ("1024", fibers(1024, 2048)), ("2048", fibers(2048, 1024))];
    table(&[Module::FlowDecoder], &sizes, &[Pass::Step, Pass::Forward])
}

/// Optimizers on the weights of VGG16's convolutions and of the encoder-decoder.
#[must_use]
pub fn optimizer_cases() -> Vec<Case> {
    let passes = [Pass::Sgd, Pass::Rmsprop, Pass::Adam];
    let mut cases = table(&[Module::Vgg16], &[("vgg16", [1, 3, 32, 32])], &passes);
    let size = [("encoder_decoder34", [1, 4, 32, 32])];
    cases.extend(table(&[Module::EncoderDecoder34], &size, &passes));
    cases
}
