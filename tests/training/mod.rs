//! A whole network learns, deterministically, and leaves frozen weights alone.

use ocellus::{
    breast::{Architecture, Classifier, Config, Objective},
    candle::{DType, Device, ModuleT, Result, Tensor},
    data::{Image, synthetic::BMode},
    losses::Loss,
    params::ParamStore,
    train::{Adam, AdamConfig, Optimizer},
};
use ocellus_testing::with_threads;

fn images(count: usize) -> Result<(Tensor, Tensor)> {
    let generator = BMode::new(64, 64);
    let mut images = Vec::new();
    let mut labels = Vec::new();
    for i in 0..count {
        let example = generator.example(i).map_err(ocellus::candle::Error::wrap)?;
        images.push(example.image.to_rgb().map_err(ocellus::candle::Error::wrap)?);
        labels.push(example.label as u32);
    }
    let x = Image::stack(&images, &Device::Cpu).map_err(ocellus::candle::Error::wrap)?;
    Ok((x, Tensor::new(labels, &Device::Cpu)?))
}

/// The losses of a few steps on one batch, and the weights after them.
fn train(config: &Config, steps: u64) -> Result<(Vec<f32>, ParamStore)> {
    let params = ParamStore::seeded(3);
    for pattern in config.frozen_patterns() {
        params.freeze(&pattern);
    }
    let model = Classifier::new(config, params.var_builder(DType::F32, &Device::Cpu))?;
    let (x, y) = images(8)?;
    let mut optimizer = Adam::new(AdamConfig::adamw(3e-3), params.trainable())?;
    let mut losses = Vec::new();
    for step in 0..steps {
        model.noise().at(step);
        let loss = Objective::paper().forward(&model.forward_t(&x, true)?, &y)?;
        losses.push(loss.to_scalar::<f32>()?);
        optimizer.step(&loss.backward()?)?;
    }
    Ok((losses, params))
}

#[test]
fn the_proposed_network_learns_a_batch_by_heart() -> Result<()> {
    let (losses, _) = train(&Config::tiny(Architecture::AttentionVgg).with_dropout(0.), 40)?;
    assert!(losses[39] < 0.3 * losses[0], "{losses:?}");
    Ok(())
}

#[test]
fn threads_do_not_change_a_bit() -> Result<()> {
    let config = Config::tiny(Architecture::AttentionVgg);
    let one = with_threads(1, || train(&config, 4))?;
    let two = with_threads(2, || train(&config, 4))?;
    assert_eq!(one.0, two.0);
    assert_eq!(
        one.1.fingerprint().map_err(ocellus::candle::Error::wrap)?,
        two.1.fingerprint().map_err(ocellus::candle::Error::wrap)?
    );
    Ok(())
}

#[test]
fn frozen_layers_keep_their_weights() -> Result<()> {
    let config = Config::tiny(Architecture::Vgg).with_frozen_layers(4);
    let fresh = train(&config, 0)?.1.tensors();
    let after = train(&config, 2)?.1.tensors();
    let moved = |name: &str| -> Result<f32> {
        (&after[name] - &fresh[name])?.abs()?.max_all()?.to_scalar::<f32>()
    };
    assert_eq!(moved("features.0.weight")?, 0.);
    assert!(moved("features.4.weight")? > 0.);
    Ok(())
}
