//! VGG16 and ResNet-18 with published weights give the reference activations; skipped without the files.

use std::path::{Path, PathBuf};

use candle_core::{D, DType, Device, Result, Tensor};
use ocellus_backbones::{Backbone, Preprocessing, ResNet, ResNetConfig, Vgg, VggConfig};
use ocellus_ops::{MaxPool2dConfig, max_pool2d};
use ocellus_params::{LoadConfig, ParamStore, WeightFile};
use ocellus_testing::assert_close;
use serde_json::Value;

/// The folder of weights: under `OCELLUS_DATA`, or `../shared/data` beside the workspace.
fn folder() -> Option<PathBuf> {
    let data = match std::env::var_os("OCELLUS_DATA") {
        Some(folder) => PathBuf::from(folder),
        None => PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data")),
    };
    let folder = data.join("weights_imagenet");
    if folder.is_dir() {
        return Some(folder);
    }
    eprintln!("skipped: no published weights in {}", folder.display());
    None
}

fn picture(folder: &Path) -> Result<Tensor> {
    let image = image::open(folder.join("reference_input_chelsea_224.png"))
        .map_err(candle_core::Error::wrap)?
        .to_rgb8();
    let (width, height) = (image.width() as usize, image.height() as usize);
    let pixels = Tensor::from_vec(image.into_raw(), (height, width, 3), &Device::Cpu)?;
    pixels.permute((2, 0, 1))?.unsqueeze(0)?.to_dtype(DType::F32)? / 255.
}

fn vgg16(files: &[PathBuf]) -> Result<Vgg> {
    let store = ParamStore::seeded(0);
    store.freeze("*");
    let vgg = Vgg::new(&VggConfig::vgg16(), store.var_builder(DType::F32, &Device::Cpu))?;
    for (i, file) in files.iter().enumerate() {
        let config = LoadConfig::default().with_allow_missing(i > 0);
        store.load(&WeightFile::open(file)?, &config)?;
    }
    Ok(vgg)
}

/// The reference's scalars of each tensor.
fn statistics(folder: &Path) -> Result<Value> {
    let text = std::fs::read_to_string(folder.join("reference_activations.json"))?;
    serde_json::from_str(&text).map_err(candle_core::Error::wrap)
}

/// The scalars of a tensor that the reference file holds.
fn check_statistics(name: &str, x: &Tensor, expected: &Value) -> Result<()> {
    let number = |v: &Value| v.as_f64().expect("a number");
    let x = x.to_dtype(DType::F64)?;
    let flat = x.flatten_all()?;
    let mean = flat.mean_all()?.to_scalar::<f64>()?;
    let std = flat.var(0)?.sqrt()?.to_scalar::<f64>()?;
    let max = flat.max(0)?.to_scalar::<f64>()?;
    for (what, a, e) in [("mean", mean, "mean"), ("std", std, "std"), ("max", max, "max")] {
        let e = number(&expected[e]);
        assert!((a - e).abs() <= 1e-4 * e.abs(), "{name}: {what} {a}, expected {e}");
    }
    let scale = number(&expected["std"]);
    let firsts = flat.narrow(0, 0, 8)?.to_vec1::<f64>()?;
    let channels = x.mean(D::Minus1)?.mean(D::Minus1)?.get(0)?.narrow(0, 0, 8)?.to_vec1::<f64>()?;
    for (key, actual) in [("first8", firsts), ("channel_means_first8", channels)] {
        for (i, a) in actual.iter().enumerate() {
            let e = number(&expected[key][i]);
            assert!((a - e).abs() <= 1e-4 * scale, "{name}: {key} {i} is {a}, expected {e}");
        }
    }
    Ok(())
}

#[test]
fn vgg16_gives_the_reference_activations() -> Result<()> {
    let Some(folder) = folder() else { return Ok(()) };
    let vgg = vgg16(&[folder.join("vgg16_conv_caffe_rgb.safetensors")])?;
    let reference = statistics(&folder)?;
    let x = Preprocessing::caffe().apply(&picture(&folder)?)?;
    let layers = [3, 8, 15, 22, 30];
    let features = vgg.features_at(&x, &layers, false)?;
    for (layer, features) in layers.iter().zip(&features) {
        let name = format!("vgg16.features.{layer}");
        check_statistics(&name, features, &reference[&name])?;
    }
    check_whole(&folder, "vgg16.features.30", &features[4])
}

/// Each stage, as built and packed: the file holds no fourth.
#[test]
fn resnet18_gives_the_reference_activations() -> Result<()> {
    let Some(folder) = folder() else { return Ok(()) };
    let params = ParamStore::seeded(0);
    params.freeze("*");
    let config = ResNetConfig::resnet18().with_stage_count(3);
    let mut resnet = ResNet::new(&config, params.var_builder(DType::F32, &Device::Cpu))?;
    let file = WeightFile::open(folder.join("resnet18_to_layer3_bnfolded.safetensors"))?;
    params.load(&file, &LoadConfig::default())?;
    let reference = statistics(&folder)?;
    let x = Preprocessing::torchvision().apply(&picture(&folder)?)?;
    for packed in [false, true] {
        if packed {
            resnet.pack()?;
        }
        let mut stages = resnet.features(&x)?;
        let pool = MaxPool2dConfig::new(3).with_stride((2, 2)).with_padding((1, 1));
        stages[0] = max_pool2d(&stages[0], &pool)?;
        for (name, stage) in ["maxpool", "layer1", "layer2", "layer3"].iter().zip(&stages) {
            let name = format!("resnet18.{name}");
            check_statistics(&name, stage, &reference[&name])?;
        }
        check_whole(&folder, "resnet18.layer2", &stages[2])?;
        check_whole(&folder, "resnet18.layer3", &stages[3])?;
    }
    Ok(())
}

/// A tensor that the reference file holds whole.
fn check_whole(folder: &Path, name: &str, x: &Tensor) -> Result<()> {
    let file = folder.join("reference_activations.safetensors");
    let expected = &candle_core::safetensors::load(file, &Device::Cpu)?[name];
    let scale = f64::from(expected.max_all()?.to_scalar::<f32>()?);
    assert_close(&(x / scale)?, &(expected / scale)?, 1e-4)
}

/// The first layer for torchvision's normalization says the same but for the picture's edge.
#[test]
fn both_first_layers_agree_inside_the_picture() -> Result<()> {
    let Some(folder) = folder() else { return Ok(()) };
    let caffe = folder.join("vgg16_conv_caffe_rgb.safetensors");
    let first = folder.join("vgg16_first_layer_for_torchvision_normalised_input.safetensors");
    let picture = picture(&folder)?;
    let run = |files: &[PathBuf], preprocessing: Preprocessing| -> Result<Tensor> {
        let y = vgg16(files)?.forward_range(&preprocessing.apply(&picture)?, 0..2, false)?;
        y.narrow(2, 1, 222)?.narrow(3, 1, 222)? / 1000.
    };
    let one = run(std::slice::from_ref(&caffe), Preprocessing::caffe())?;
    let two = run(&[caffe, first], Preprocessing::torchvision())?;
    assert_close(&two, &one, 1e-5)
}
