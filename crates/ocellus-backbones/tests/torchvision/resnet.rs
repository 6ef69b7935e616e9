use candle_core::{DType, ModuleT, Result, Tensor, Var};
use ocellus_backbones::{Backbone, ResNet, ResNetClassifier, ResNetConfig};
use ocellus_ops::{ConvAlgorithm, with_conv_algorithm};
use ocellus_testing::{
    Filled, Golden, assert_relative, assert_summary, fill, parameter_counts, relative_error,
};

use crate::support::golden;

fn image(batch: usize, dtype: DType) -> Result<Tensor> {
    fill((batch, 3, 75, 64), 0.25, dtype)
}

fn filled(config: &ResNetConfig, dtype: DType) -> Result<(ResNetClassifier, Filled)> {
    Filled::build(dtype, 0, |vb| ResNetClassifier::new(config, vb))
}

/// Stages and logits of one image in evaluation.
fn check_evaluation(
    network: &ResNetClassifier,
    golden: &Golden,
    pass: &str,
    dtype: DType,
    tol: f64,
) -> Result<()> {
    let x = image(1, dtype)?;
    for (i, features) in network.backbone().features(&x)?.iter().enumerate() {
        assert_summary(features, golden.get(&format!("output.{pass}.{i}"))?, tol)?;
    }
    let (logits, expected) =
        (network.forward_t(&x, false)?, golden.get(&format!("output.{pass}.logits"))?);
    let (name, error) = (network.backbone().config().name, relative_error(&logits, expected)?);
    eprintln!("{name}: logits, {pass}, {dtype:?}: {error:.1e}");
    assert_relative(&logits, expected, tol)
}

/// Names, stages and logits, as built and packed.
fn check_names_and_outputs(config: &ResNetConfig, file: &str) -> Result<()> {
    let golden = golden(file)?;
    let (mut network, weights) = filled(config, DType::F32)?;
    let names = golden.get("output.names")?.to_vec1::<u8>()?;
    assert_eq!(weights.names().join("\n").into_bytes(), names);
    check_evaluation(&network, &golden, "eval", DType::F32, 1e-4)?;
    network.pack()?;
    check_evaluation(&network, &golden, "eval", DType::F32, 1e-4)
}

#[test]
fn names_and_outputs_are_torchvisions() -> Result<()> {
    check_names_and_outputs(&ResNetConfig::resnet18(), "resnet18")?;
    check_names_and_outputs(&ResNetConfig::resnet50(), "resnet50")?;
    check_names_and_outputs(&ResNetConfig::wide_resnet50_2(), "wide_resnet50_2")
}

/// The stages of a training step and the gradients of their weighted sum, by name.
fn step(network: &ResNetClassifier, weights: &Filled) -> Result<Step> {
    let dtype = weights.var("fc.weight").dtype();
    let stages = network.backbone().features_t(&image(2, dtype)?, true)?;
    let weighted = |y: &Tensor| (y * fill(y.shape().clone(), 0.5, dtype)?)?.sum_all();
    let sums = stages.iter().map(weighted).collect::<Result<Vec<_>>>()?;
    let grads = Tensor::stack(&sums, 0)?.sum_all()?.backward()?;
    let parameters = weights.names().into_iter().filter(|name| !name.contains("running_"));
    let gradient = |name: &str| Some((name.to_owned(), grads.get(&weights.var(name))?.clone()));
    Ok(Step { stages, gradients: parameters.filter_map(gradient).collect() })
}

struct Step {
    stages: Vec<Tensor>,
    gradients: Vec<(String, Tensor)>,
}

fn check_training(config: &ResNetConfig, file: &str) -> Result<()> {
    let golden = golden(file)?;
    let (network, weights) = filled(config, DType::F64)?;
    let Step { stages, gradients } = step(&network, &weights)?;
    for (i, features) in stages.iter().enumerate() {
        assert_summary(features, golden.get(&format!("output.train.{i}"))?, 1e-9)?;
    }
    // All but the classifier's two.
    let all = weights.names().into_iter().filter(|name| !name.contains("running_"));
    assert_eq!(gradients.len(), all.count() - 2);
    for (name, gradient) in &gradients {
        assert_summary(gradient, golden.get(&format!("gradient.{name}"))?, 1e-7)?;
    }
    let running = |name: &&str| name.contains("running_");
    for name in weights.names().into_iter().filter(running) {
        let var: Var = weights.var(name);
        assert_summary(&var, golden.get(&format!("statistics.{name}"))?, 1e-9)?;
    }
    let (name, first) =
        gradients.iter().find(|(name, _)| name == "conv1.weight").expect("a gradient");
    let error = relative_error(&first.narrow(0, 0, 4)?, golden.get(&format!("first.{name}"))?)?;
    eprintln!("{}: gradient of the stem, F64: {error:.1e}", config.name);
    assert!(error <= 1e-9, "{}: relative error {error}", config.name);
    check_evaluation(&network, &golden, "after", DType::F64, 1e-9)
}

#[test]
fn gradients_and_statistics_of_basic_units_are_torchvisions() -> Result<()> {
    check_training(&ResNetConfig::resnet18(), "resnet18")
}

#[test]
fn gradients_and_statistics_of_bottlenecks_are_torchvisions() -> Result<()> {
    check_training(&ResNetConfig::resnet50(), "resnet50")
}

#[test]
fn single_precision_is_near() -> Result<()> {
    let golden = golden("resnet18")?;
    for (algorithm, tol) in [(ConvAlgorithm::Direct, 1e-3), (ConvAlgorithm::Auto, 1e-2)] {
        let (network, weights) = filled(&ResNetConfig::resnet18(), DType::F32)?;
        let Step { stages, gradients } =
            with_conv_algorithm(algorithm, || step(&network, &weights))?;
        for (i, features) in stages.iter().enumerate() {
            assert_summary(features, golden.get(&format!("output.train.{i}"))?, 1e-3)?;
        }
        let stem = gradients.iter().find(|(name, _)| name == "conv1.weight").expect("a gradient");
        let error = relative_error(&stem.1.narrow(0, 0, 4)?, golden.get("first.conv1.weight")?)?;
        eprintln!("gradient of the stem, F32, {algorithm:?}: {error:.1e}");
        assert!(error <= tol, "{algorithm:?}: relative error {error}");
    }
    Ok(())
}

#[test]
fn has_as_many_parameters_as_torchvision() -> Result<()> {
    for (config, features, whole, buffers) in [
        (ResNetConfig::resnet18(), 11_176_512, 11_689_512, 9_600),
        (ResNetConfig::resnet34(), 21_284_672, 21_797_672, 17_024),
        (ResNetConfig::resnet50(), 23_508_032, 25_557_032, 53_120),
        (ResNetConfig::resnet101(), 42_500_160, 44_549_160, 105_344),
        (ResNetConfig::resnet152(), 58_143_808, 60_192_808, 151_424),
        (ResNetConfig::resnet200(), 62_624_832, 64_673_832, 176_000),
        (ResNetConfig::wide_resnet50_2(), 66_834_240, 68_883_240, 68_224),
        (ResNetConfig::wide_resnet101_2(), 124_837_696, 126_886_696, 137_856),
    ] {
        let name = config.name;
        assert_eq!(parameter_counts(|vb| ResNet::new(&config, vb))?, (features, buffers), "{name}");
        let counts = parameter_counts(|vb| ResNetClassifier::new(&config, vb))?;
        assert_eq!(counts, (whole, buffers), "{name}");
    }
    for (config, expected) in [
        (ResNetConfig::resnet18().with_stage_count(3), 2_782_784),
        (ResNetConfig::wide_resnet50_2().with_stage_count(3), 24_862_528),
        (ResNetConfig::resnet200().with_in_channels(4), 62_627_968),
    ] {
        assert_eq!(parameter_counts(|vb| ResNet::new(&config, vb))?.0, expected, "{config:?}");
    }
    Ok(())
}
