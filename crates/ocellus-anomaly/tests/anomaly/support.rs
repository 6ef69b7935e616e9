//! A small backbone and images.

use candle_core::{DType, Device, Tensor};
use ocellus_anomaly::{Encoder, FrozenBackbone, Preparation, Result};
use ocellus_backbones::ResNetConfig;
use ocellus_params::ParamStore;
use ocellus_testing::fill;

pub(crate) fn backbone(seed: u64) -> Result<FrozenBackbone> {
    let config = ResNetConfig::resnet18().with_channels(6).with_stage_count(3);
    FrozenBackbone::resnet(&config, &ParamStore::seeded(seed), &Device::Cpu)
}

pub(crate) fn encoder() -> Result<Encoder> {
    let preparation = Preparation::torchvision().with_resize(44, 40).with_crop(40, 36);
    Ok(Encoder::new(backbone(1)?, &[1, 2, 3])?.with_preparation(preparation))
}

/// Images of values in [0, 1].
pub(crate) fn images(count: usize, phase: f64) -> Result<Tensor> {
    Ok(fill((count, 3, 50, 45), phase, DType::F32)?.affine(0.5, 0.5)?)
}
