//! Exact parameter counts, as published.

use ocellus::{
    backbones::{ResNetClassifier, ResNetConfig, Vgg, VggClassifier, VggConfig},
    breast::{Architecture, Classifier, Config, Fusion, Pooling},
    candle::{DType, Device, Result},
    layers::Noise,
    params::ParamStore,
};

fn of(config: &Config) -> Result<usize> {
    let params = ParamStore::seeded(0);
    Classifier::new(config, params.var_builder(DType::F32, &Device::Cpu))?;
    Ok(params.parameter_count())
}

#[test]
fn of_the_networks_of_paper_1_are_exact() -> Result<()> {
    let vgg = Config::paper(Architecture::Vgg);
    assert_eq!(of(&vgg)?, 14_796_750);
    assert_eq!(of(&vgg.with_neurons(4096))?, 65_062_722);

    let attention = Config::paper(Architecture::AttentionVgg);
    assert_eq!(of(&attention)?, 16_813_007);
    assert_eq!(of(&attention.clone().with_pooling(Pooling::Average))?, 15_507_407);
    assert_eq!(of(&attention.with_fusion(Fusion::Pooled))?, 14_987_727);
    Ok(())
}

#[test]
fn of_vgg16_are_torchvisions() -> Result<()> {
    for (batch_norm, features, whole, buffers) in
        [(false, 14_714_688, 138_357_544, 0), (true, 14_723_136, 138_365_992, 8_448)]
    {
        let config = VggConfig::vgg16().with_batch_norm(batch_norm);
        let params = ParamStore::seeded(0);
        Vgg::new(&config, params.var_builder(DType::F32, &Device::Cpu))?;
        assert_eq!(params.parameter_count(), features);

        let params = ParamStore::seeded(0);
        let vb = params.var_builder(DType::F32, &Device::Cpu);
        VggClassifier::new(&config, &Noise::seeded(0), vb)?;
        assert_eq!(params.parameter_count(), whole);
        let kept: usize = params.buffers().iter().map(|(_, b)| b.elem_count()).sum();
        assert_eq!(kept, buffers);
    }
    Ok(())
}

#[test]
fn of_a_resnet_are_torchvisions() -> Result<()> {
    let params = ParamStore::seeded(0);
    let vb = params.var_builder(DType::F32, &Device::Cpu);
    ResNetClassifier::new(&ResNetConfig::resnet34(), vb)?;
    assert_eq!(params.parameter_count(), 21_797_672);
    let kept: usize = params.buffers().iter().map(|(_, b)| b.elem_count()).sum();
    assert_eq!(kept, 17_024);
    Ok(())
}
