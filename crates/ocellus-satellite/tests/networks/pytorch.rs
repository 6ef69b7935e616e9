use candle_core::{DType, Result, Tensor};
use ocellus_backbones::ResNetConfig;
use ocellus_ops::{ConvAlgorithm, with_conv_algorithm};
use ocellus_satellite::{NetworkConfig, ResidualSegNetConfig, SegmentationNetwork, UNetConfig};
use ocellus_testing::{Filled, Golden, assert_relative, assert_summary, fill};

type Built = (Box<dyn SegmentationNetwork>, Filled);

fn built(config: &NetworkConfig, dtype: DType) -> Result<Built> {
    Filled::build(dtype, 0, |vb| config.with_channels(4).with_classes(3).build(vb))
}

/// Neither side is a multiple of a stride: the network continues the image by its mirror image.
fn odd_image(dtype: DType) -> Result<Tensor> {
    fill((1, 4, 50, 40), 0.25, dtype)
}

/// The output of a training step, and the gradients of its weighted sum by name.
fn step((network, weights): &Built, dtype: DType) -> Result<(Tensor, Vec<(String, Tensor)>)> {
    let y = network.forward_t(&fill((2, 4, 64, 32), 0.25, dtype)?, true)?;
    let grads = (&y * fill(y.shape().clone(), 0.5, dtype)?)?.sum_all()?.backward()?;
    let parameters = weights.names().into_iter().filter(|name| !name.contains("running_"));
    let gradients = parameters.map(|name| {
        let gradient = grads.get(&weights.var(name)).expect("a gradient");
        (name.to_owned(), gradient.clone())
    });
    Ok((y, gradients.collect()))
}

/// A bias before a batch normalization has none but the gradient of rounding.
fn assert_gradient(name: &str, gradient: &Tensor, golden: &Golden, tol: f64) -> Result<()> {
    let expected = golden.get(&format!("gradient.{name}"))?;
    let squares = expected.get(1)?.to_scalar::<f64>()?;
    if squares > 1e-16 {
        return assert_summary(gradient, expected, tol);
    }
    assert!(name.ends_with("conv.bias"), "{name} has no gradient in PyTorch");
    let most = gradient.abs()?.max_all()?.to_dtype(DType::F64)?.to_scalar::<f64>()?;
    assert!(most < 1e-8, "{name}: {most}");
    Ok(())
}

/// Names, an evaluation, a training step, the evaluation after it, and the same packed.
fn check(file: &str, config: impl Into<NetworkConfig>) -> Result<()> {
    let config = config.into();
    let golden = Golden::read(env!("CARGO_MANIFEST_DIR"), file)?;
    let mut all = built(&config, DType::F64)?;
    let names = golden.get("output.names")?.to_vec1::<u8>()?;
    assert_eq!(all.1.names().join("\n").into_bytes(), names);
    let odd = odd_image(DType::F64)?;
    assert_summary(&all.0.forward_t(&odd, false)?, golden.get("output.eval")?, 1e-9)?;

    let (y, gradients) = step(&all, DType::F64)?;
    assert_summary(&y, golden.get("output.train")?, 1e-9)?;
    for (name, gradient) in &gradients {
        assert_gradient(name, gradient, &golden, 1e-7)?;
    }
    for name in all.1.names().into_iter().filter(|name| name.contains("running_")) {
        let expected = golden.get(&format!("statistics.{name}"))?;
        assert_summary(&all.1.var(name), expected, 1e-9)?;
    }
    assert_summary(&all.0.forward_t(&odd, false)?, golden.get("output.after")?, 1e-9)?;
    all.0.pack()?;
    assert_summary(&all.0.forward_t(&odd, false)?, golden.get("output.after")?, 1e-9)?;

    let (mut network, _) = built(&config, DType::F32)?;
    let plain = network.forward_t(&odd_image(DType::F32)?, false)?;
    assert_summary(&plain, golden.get("output.eval")?, 1e-4)?;
    network.pack()?;
    assert_relative(&network.forward_t(&odd_image(DType::F32)?, false)?, &plain, 1e-5)
}

#[test]
fn the_papers_network_is_pytorchs() -> Result<()> {
    check("prop18", ResidualSegNetConfig::paper(ResNetConfig::resnet18()))?;
    check("prop50", ResidualSegNetConfig::paper(ResNetConfig::resnet50()))
}

#[test]
fn the_authors_later_network_is_pytorchs() -> Result<()> {
    check("prop18_authors", ResidualSegNetConfig::authors(ResNetConfig::resnet18()))?;
    check("prop50_authors", ResidualSegNetConfig::authors(ResNetConfig::resnet50()))
}

#[test]
fn u_net_is_pytorchs() -> Result<()> {
    check("unet19", UNetConfig::unet19())?;
    check("unet19_bn", UNetConfig::unet19().with_batch_norm(true))
}

#[test]
fn gradients_in_single_precision_are_near() -> Result<()> {
    let config = ResidualSegNetConfig::paper(ResNetConfig::resnet18()).into();
    let golden = Golden::read(env!("CARGO_MANIFEST_DIR"), "prop18")?;
    let all = built(&config, DType::F32)?;
    let (y, gradients) = with_conv_algorithm(ConvAlgorithm::Direct, || step(&all, DType::F32))?;
    assert_summary(&y, golden.get("output.train")?, 1e-4)?;
    for (name, gradient) in gradients.iter().filter(|(name, _)| name.ends_with("weight")) {
        assert_summary(gradient, golden.get(&format!("gradient.{name}"))?, 1e-3)?;
    }
    Ok(())
}
