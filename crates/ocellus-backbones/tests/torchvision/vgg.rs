use candle_core::{DType, ModuleT, Result, Tensor, Var};
use ocellus_backbones::{Backbone, Vgg, VggClassifier, VggConfig};
use ocellus_layers::Noise;
use ocellus_ops::{ConvAlgorithm, with_conv_algorithm};
use ocellus_testing::{
    Filled, assert_relative, assert_summary, fill, parameter_counts, relative_error,
};

use crate::support::golden;

/// In torchvision's state dict the six tensors of the classifier come first by name.
const CLASSIFIER: usize = 6;

#[test]
fn vgg16_gives_torchvisions_outputs() -> Result<()> {
    let golden = golden("vgg16")?;
    let config = VggConfig::vgg16();
    let (network, _) =
        Filled::build(DType::F32, 0, |vb| VggClassifier::new(&config, &Noise::seeded(0), vb))?;
    let x = fill((1, 3, 64, 96), 0.25, DType::F32)?;
    let stages = network.backbone().features(&x)?;
    for (layer, features) in config.stage_layers().iter().zip(&stages) {
        let expected = golden.get(&format!("output.features.{layer}"))?;
        assert_summary(features, expected, 1e-4)?;
    }
    assert_relative(&network.forward_t(&x, false)?, golden.get("output.logits")?, 1e-4)
}

/// The convolutions of VGG16, their output at 64², and the gradients.
fn vgg16_gradients(dtype: DType) -> Result<(Tensor, Vec<Tensor>)> {
    let (vgg, weights) = Filled::build(dtype, CLASSIFIER, |vb| Vgg::new(&VggConfig::vgg16(), vb))?;
    let y = vgg.forward_t(&fill((2, 3, 64, 64), 0.25, dtype)?, true)?;
    let grads = (&y * fill(y.shape().clone(), 0.5, dtype)?)?.sum_all()?.backward()?;
    let gradient = |layer: usize| {
        let weight = weights.var(&format!("features.{layer}.weight"));
        grads.get(weight.as_tensor()).expect("a gradient").clone()
    };
    Ok((y, [0, 2, 12, 28].map(gradient).to_vec()))
}

#[test]
fn the_gradient_of_vgg16s_first_layer_is_torchvisions() -> Result<()> {
    let golden = golden("vgg16")?;
    let (exact, fast) = (ConvAlgorithm::Direct, ConvAlgorithm::Auto);
    // The fast algorithm rounds a little more. The outputs hardly show it, but some inputs of ReLUs
    // are so near to zero that they come out on the other side, and the gradient jumps with each.
    for (dtype, algorithm, output, tol) in [
        (DType::F64, exact, 1e-9, 1e-9),
        (DType::F64, fast, 1e-9, 1e-9),
        (DType::F32, exact, 1e-4, 1e-4),
        (DType::F32, fast, 1e-4, 3e-3),
    ] {
        let (y, gradients) = with_conv_algorithm(algorithm, || vgg16_gradients(dtype))?;
        assert_summary(&y, golden.get("output.train")?, output)?;
        let expected = golden.get("gradient.features.0.weight")?;
        let error = relative_error(&gradients[0], expected)?;
        eprintln!("gradient of the first layer, {dtype:?}, {algorithm:?}: {error:.1e}");
        assert!(error <= tol, "{dtype:?}, {algorithm:?}: relative error {error}");
        for (layer, gradient) in [0, 2, 12, 28].iter().zip(&gradients) {
            let expected = golden.get(&format!("gradient.summary.{layer}"))?;
            assert_summary(gradient, expected, 10. * tol)?;
        }
    }
    Ok(())
}

#[test]
fn vgg11_with_batch_norm_gives_torchvisions_outputs_and_gradients() -> Result<()> {
    let golden = golden("vgg11_bn")?;
    let config = VggConfig::vgg11().with_batch_norm(true);
    let (vgg, weights) = Filled::build(DType::F64, 0, |vb| Vgg::new(&config, vb))?;
    let x = fill((2, 3, 64, 64), 0.25, DType::F64)?;
    let evaluated = vgg.forward_t(&x, false)?;
    assert_relative(&evaluated.flatten_from(2)?, golden.get("output.eval")?, 1e-9)?;

    let y = vgg.forward_t(&x, true)?;
    assert_summary(&y, golden.get("output.train")?, 1e-9)?;
    let grads = (&y * fill(y.shape().clone(), 0.5, DType::F64)?)?.sum_all()?.backward()?;
    for name in ["features.0.weight", "features.1.weight"] {
        let gradient = grads.get(weights.var(name).as_tensor()).expect("a gradient");
        let error = relative_error(gradient, golden.get(&format!("gradient.{name}"))?)?;
        assert!(error <= 1e-8, "{name}: relative error {error}");
    }

    let running = |name: &str| -> Var { weights.var(&format!("features.26.{name}")) };
    for name in ["running_mean", "running_var"] {
        let expected = golden.get(&format!("output.{name}"))?;
        assert_summary(running(name).as_tensor(), expected, 1e-9)?;
    }
    assert_summary(&vgg.forward_t(&x, false)?, golden.get("output.after")?, 1e-9)
}

#[test]
fn has_as_many_parameters_as_torchvision() -> Result<()> {
    for (config, expected, buffers) in [
        (VggConfig::vgg11(), 9_220_480, 0),
        (VggConfig::vgg13(), 9_404_992, 0),
        (VggConfig::vgg16(), 14_714_688, 0),
        (VggConfig::vgg19(), 20_024_384, 0),
        (VggConfig::vgg16().with_batch_norm(true), 14_723_136, 8_448),
    ] {
        let counts = parameter_counts(|vb| Vgg::new(&config, vb))?;
        assert_eq!(counts, (expected, buffers), "{config:?}");
    }
    let whole = |vb| VggClassifier::new(&VggConfig::vgg16(), &Noise::seeded(0), vb);
    assert_eq!(parameter_counts(whole)?, (138_357_544, 0));
    Ok(())
}
