use std::collections::BTreeMap;

use candle_core::{DType, Device, Result, Tensor};
use ocellus_backbones::{ResNetClassifier, ResNetConfig};
use ocellus_params::{LoadConfig, ParamStore, WeightFile};
use ocellus_satellite::{Config, ResidualSegNetConfig};
use ocellus_testing::assert_close;

/// A file like torchvision's, of a classifier for three channels.
#[test]
fn the_encoder_takes_a_classifiers_weights_as_the_docs_say() -> Result<()> {
    let encoder = ResNetConfig::resnet18().with_channels(4);
    let published = ParamStore::seeded(1);
    ResNetClassifier::new(&encoder, published.var_builder(DType::F32, &Device::Cpu))?;
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("resnet18.safetensors");
    published.save(&file, &BTreeMap::new())?;

    let network = ResidualSegNetConfig::paper(encoder);
    let params = ParamStore::seeded(2);
    network_of(network, &params)?;
    let config = LoadConfig::default()
        .with_allow_missing(true)
        .with_ignore("fc.*")
        .with_add_prefix("encoder.")
        .with_inflate_stem("encoder.conv1.weight");
    let report = params.load(&WeightFile::open(&file)?, &config)?;
    assert_eq!(report.loaded.len(), published.names().len() - 2);
    let fresh = Config::tiny().with_network(network.into()).with_pretrained(true).fresh_patterns();
    let is_fresh = |name: &str| fresh.iter().any(|p| name.starts_with(p.trim_end_matches('*')));
    let kept: Vec<String> = params.names().into_iter().filter(|name| is_fresh(name)).collect();
    assert_eq!(report.missing, kept);
    let get = |params: &ParamStore, name: &str| params.get(name).expect("a weight");
    let name = "layer3.1.conv2.weight";
    assert_close(&get(&params, &format!("encoder.{name}")), &get(&published, name), 0.)?;
    assert_eq!(get(&params, "encoder.conv1.weight").dims(), [4, 4, 7, 7]);

    let network = network_of(network, &params)?;
    let x = Tensor::ones((1, 4, 32, 32), DType::F32, &Device::Cpu)?;
    assert_eq!(network.predict(&x)?.dims(), [1, 2, 32, 32]);
    Ok(())
}

fn network_of(
    config: ResidualSegNetConfig,
    params: &ParamStore,
) -> Result<Box<dyn ocellus_satellite::SegmentationNetwork>> {
    ocellus_satellite::NetworkConfig::from(config)
        .build(params.var_builder(DType::F32, &Device::Cpu))
}
