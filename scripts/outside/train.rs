//! A user of the facade: a network of ten lines that learns exclusive or.

use ocellus::candle::{DType, Device, Module, Result, Tensor};
use ocellus::layers::{Linear, LinearConfig};
use ocellus::losses::{CrossEntropy, Loss};
use ocellus::params::ParamStore;
use ocellus::train::{Adam, AdamConfig, Optimizer};

fn main() -> Result<()> {
    let params = ParamStore::seeded(1);
    let vb = params.var_builder(DType::F32, &Device::Cpu);
    let hidden = Linear::new(&LinearConfig::new(2, 16), vb.pp("hidden"))?;
    let output = Linear::new(&LinearConfig::new(16, 2), vb.pp("output"))?;
    let model = |x: &Tensor| output.forward(&ocellus::ops::relu(&hidden.forward(x)?)?);

    let x = Tensor::new(&[[0f32, 0.], [0., 1.], [1., 0.], [1., 1.]], &Device::Cpu)?;
    let y = Tensor::new(&[0u32, 1, 1, 0], &Device::Cpu)?;
    let mut optimizer = Adam::new(AdamConfig::new(0.02), params.trainable())
        .map_err(ocellus::candle::Error::wrap)?;
    for _ in 0..300 {
        let loss = CrossEntropy::default().forward(&model(&x)?, &y)?;
        optimizer.step(&loss.backward()?).map_err(ocellus::candle::Error::wrap)?;
    }
    let learned = model(&x)?.argmax(1)?.to_vec1::<u32>()?;
    assert_eq!(learned, [0, 1, 1, 0]);
    println!("exclusive or: {learned:?}");
    Ok(())
}
