//! The frozen backbone: random weights of a seed, learned ones, or those of a file.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use ocellus::{
    anomaly::{Encoder, FrozenBackbone},
    backbones::ResNetConfig,
    candle::{DType, Device},
    params::{LoadConfig, ParamStore, WeightFile},
};

use crate::pretraining::Pretraining;

/// Where the backbone's weights are from.
#[derive(Clone, Debug)]
pub(crate) enum Weights {
    /// Drawn from a seed: no file is needed, but the features are weak.
    Random(u64),
    /// Learned by finding vessels in synthetic outstanding images of that size.
    Vessels {
        seed: u64,
        side: usize,
        pretraining: Pretraining,
    },
    File(PathBuf),
}

/// A backbone, and which of its stages are looked at.
pub(crate) struct Network {
    /// As `--backbone` names it.
    pub(crate) name: String,
    pub(crate) weights: Weights,
    pub(crate) params: ParamStore,
    pub(crate) backbone: FrozenBackbone,
    stages: Vec<usize>,
}

impl Network {
    /// Stages 1 to 3; 2 to 4 where `deep`, as the paper's network has them. All that is computed of its
    /// features by tensors is, on its device.
    pub(crate) fn new(name: &str, weights: Weights, deep: bool, device: &Device) -> Result<Self> {
        let stages = if deep { vec![2, 3, 4] } else { vec![1, 2, 3] };
        let config = config(name)?.with_stage_count(stages[2]);
        let params = match &weights {
            Weights::Random(seed) => ParamStore::seeded(*seed),
            Weights::Vessels { seed, side, pretraining } => {
                pretraining.run(&config, *side, *seed, device)?
            }
            Weights::File(file) => {
                let params = ParamStore::seeded(0);
                load(&params, &config, file, device)?;
                params
            }
        };
        let backbone = FrozenBackbone::resnet(&config, &params, device)?;
        Ok(Self { name: name.to_owned(), weights, params, backbone, stages })
    }

    pub(crate) fn encoder(&self) -> Result<Encoder> {
        Ok(Encoder::new(self.backbone.clone(), &self.stages)?)
    }

    /// Channels of all stages that are looked at.
    pub(crate) fn channels(&self) -> Result<usize> {
        Ok(self.encoder()?.scales().iter().map(|stage| stage.channels).sum())
    }

    /// Bytes of the features of an image.
    pub(crate) fn feature_bytes(&self, side: usize) -> Result<usize> {
        let channels = self.encoder()?.scales().into_iter().map(|stage| stage.channels);
        Ok(channels
            .zip(self.places(side, 1)?)
            .map(|(channels, places)| 4 * channels * places)
            .sum())
    }

    /// Places of so many images at each stage.
    pub(crate) fn places(&self, side: usize, images: usize) -> Result<Vec<usize>> {
        let scales = self.encoder()?.scales();
        Ok(scales.iter().map(|stage| images * side.div_ceil(stage.stride).pow(2)).collect())
    }

    /// In words.
    pub(crate) fn describe(&self) -> String {
        match &self.weights {
            Weights::Random(seed) => {
                format!("{}, random weights of seed {seed}: nothing was learned by it", self.name)
            }
            Weights::Vessels { pretraining: Pretraining { images, epochs }, .. } => format!(
                "{}, learned here to find the vessels of {images} synthetic outstanding images in {epochs} epochs",
                self.name
            ),
            Weights::File(file) => format!("{}, weights of {}", self.name, file.display()),
        }
    }
}

/// `resnet18/16`: a ResNet with 16 channels of the first layer.
fn config(name: &str) -> Result<ResNetConfig> {
    let (network, channels) = name.split_once('/').unwrap_or((name, "64"));
    let config = match network {
        "resnet18" => ResNetConfig::resnet18(),
        "resnet34" => ResNetConfig::resnet34(),
        "resnet50" => ResNetConfig::resnet50(),
        "wide-resnet50" => ResNetConfig::wide_resnet50_2(),
        _ => bail!(
            "there is no backbone `{network}`: give `resnet18`, `resnet34`, `resnet50` or \
             `wide-resnet50`, with `/16` for a narrow one"
        ),
    };
    match channels.parse() {
        Ok(channels @ 1..=256) => Ok(config.with_channels(channels)),
        _ => bail!("the backbone `{name}` has `{channels}` channels: give 1 to 256"),
    }
}

fn load(params: &ParamStore, config: &ResNetConfig, file: &Path, device: &Device) -> Result<()> {
    if !file.is_file() {
        bail!(
            "no weights at {}. Those of networks trained on ImageNet are published by torchvision; \
             without --weights the network's are random",
            file.display()
        )
    }
    // The store takes up the network's parameters, then their values.
    ocellus::backbones::ResNet::new(config, params.var_builder(DType::F32, device))?;
    let loading = LoadConfig::default().with_allow_unexpected(true);
    params.load(&WeightFile::open(file)?, &loading).with_context(|| {
        format!("the weights {} are not those of {}", file.display(), config.name)
    })?;
    Ok(())
}
