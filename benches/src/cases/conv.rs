use crate::{Case, Module, Pass};

/// A size: its name, the input, the module.
type Shape = (&'static str, [usize; 4], Module);

const fn conv(
    size: &'static str,
    input: [usize; 4],
    (out, kernel, stride): (usize, usize, usize),
) -> Shape {
    (size, input, Module::Conv { out, kernel, stride, padding: kernel / 2 })
}

const fn deconv(size: &'static str, input: [usize; 4], out: usize) -> Shape {
    (size, input, Module::Deconv { out })
}

/// VGG16 on 128², batch 8 (and 32 for one layer), and the attention gate: breast ultrasound.
const VGG: [Shape; 14] = [
    conv("vgg_1_1", [8, 3, 128, 128], (64, 3, 1)),
    conv("vgg_1_2", [8, 64, 128, 128], (64, 3, 1)),
    conv("vgg_2_1", [8, 64, 64, 64], (128, 3, 1)),
    conv("vgg_2_2", [8, 128, 64, 64], (128, 3, 1)),
    conv("vgg_3_1", [8, 128, 32, 32], (256, 3, 1)),
    conv("vgg_3_2", [8, 256, 32, 32], (256, 3, 1)),
    conv("vgg_4_1", [8, 256, 16, 16], (512, 3, 1)),
    conv("vgg_4_2", [8, 512, 16, 16], (512, 3, 1)),
    conv("vgg_5", [8, 512, 8, 8], (512, 3, 1)),
    conv("vgg_5_batch_32", [32, 512, 8, 8], (512, 3, 1)),
    conv("gate_x", [8, 512, 16, 16], (256, 1, 1)),
    conv("gate_signal", [8, 512, 4, 4], (256, 1, 1)),
    conv("gate_psi", [8, 256, 16, 16], (1, 1, 1)),
    conv("gate_merge", [8, 1024, 16, 16], (512, 1, 1)),
];

/// Wide-ResNet50-2 on 320², batch 2: retinal OCTA. A block's convolutions are a (1×1), b (3×3) and
/// c (1×1), `down` the 1×1 beside its first; `first` where the block before has another size.
const WIDE: [Shape; 21] = [
    conv("wide_stem", [2, 3, 320, 320], (64, 7, 2)),
    conv("wide_1_first_a", [2, 64, 80, 80], (128, 1, 1)),
    conv("wide_1_down", [2, 64, 80, 80], (256, 1, 1)),
    conv("wide_1_a", [2, 256, 80, 80], (128, 1, 1)),
    conv("wide_1_b", [2, 128, 80, 80], (128, 3, 1)),
    conv("wide_1_c", [2, 128, 80, 80], (256, 1, 1)),
    conv("wide_2_first_a", [2, 256, 80, 80], (256, 1, 1)),
    conv("wide_2_first_b", [2, 256, 80, 80], (256, 3, 2)),
    conv("wide_2_down", [2, 256, 80, 80], (512, 1, 2)),
    conv("wide_2_a", [2, 512, 40, 40], (256, 1, 1)),
    conv("wide_2_b", [2, 256, 40, 40], (256, 3, 1)),
    conv("wide_2_c", [2, 256, 40, 40], (512, 1, 1)),
    conv("wide_3_first_b", [2, 512, 40, 40], (512, 3, 2)),
    conv("wide_3_down", [2, 512, 40, 40], (1024, 1, 2)),
    conv("wide_3_a", [2, 1024, 20, 20], (512, 1, 1)),
    conv("wide_3_b", [2, 512, 20, 20], (512, 3, 1)),
    conv("wide_3_c", [2, 512, 20, 20], (1024, 1, 1)),
    conv("wide_4_first_b", [2, 1024, 20, 20], (1024, 3, 2)),
    conv("wide_4_a", [2, 2048, 10, 10], (1024, 1, 1)),
    conv("wide_4_b", [2, 1024, 10, 10], (1024, 3, 1)),
    conv("wide_4_c", [2, 1024, 10, 10], (2048, 1, 1)),
];

/// A small network on 64², batch 32: blood cells.
const BLOOD: [Shape; 2] =
    [conv("blood_1", [32, 3, 64, 64], (32, 3, 1)), conv("blood_2", [32, 32, 64, 64], (64, 3, 1))];

/// The residual encoder-decoder's encoder on 256², batch 2, four bands: satellite images.
const RESNET: [Shape; 13] = [
    conv("resnet_stem", [2, 4, 256, 256], (64, 7, 2)),
    conv("resnet_1", [2, 64, 64, 64], (64, 3, 1)),
    conv("resnet_2_first", [2, 64, 64, 64], (128, 3, 2)),
    conv("resnet_2_down", [2, 64, 64, 64], (128, 1, 2)),
    conv("resnet_2", [2, 128, 32, 32], (128, 3, 1)),
    conv("resnet_3_first", [2, 128, 32, 32], (256, 3, 2)),
    conv("resnet_3_down", [2, 128, 32, 32], (256, 1, 2)),
    conv("resnet_3", [2, 256, 16, 16], (256, 3, 1)),
    conv("resnet_4_first", [2, 256, 16, 16], (512, 3, 2)),
    conv("resnet_4_down", [2, 256, 16, 16], (512, 1, 2)),
    conv("resnet_4", [2, 512, 8, 8], (512, 3, 1)),
    conv("decoder_full", [2, 4, 256, 256], (64, 3, 1)),
    conv("decoder_head", [2, 128, 256, 256], (2, 1, 1)),
];

/// Its decoder.
const DECODER: [Shape; 5] = [
    deconv("decoder_1", [2, 512, 8, 8], 256),
    deconv("decoder_2", [2, 512, 16, 16], 128),
    deconv("decoder_3", [2, 256, 32, 32], 64),
    deconv("decoder_4", [2, 128, 64, 64], 64),
    deconv("decoder_5", [2, 128, 128, 128], 64),
];

/// Convolutions and transposed convolutions: forward, each gradient alone, both.
#[must_use]
pub fn conv_cases() -> Vec<Case> {
    let shapes = VGG.iter().chain(&WIDE).chain(&BLOOD).chain(&RESNET).chain(&DECODER);
    let passes = [Pass::Forward, Pass::ByX, Pass::ByW, Pass::Backward];
    let case = |&(size, input, module): &Shape, pass| Case::new(size, module, pass, input);
    shapes.flat_map(|shape| passes.map(|pass| case(shape, pass))).collect()
}
