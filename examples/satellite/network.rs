//! A network with what it needs to be built again and to see images as in training.

use std::path::Path;

use anyhow::Result;
use ocellus::{
    candle::{DType, Device, Tensor, Var},
    data::{
        Image, Normalize,
        raster::{SceneSource, look_around},
    },
    params::{LoadConfig, ParamStore},
    satellite::{Config, SegmentationNetwork},
};
use serde::{Deserialize, Serialize};

use crate::{
    common::{published::Published, weights},
    scale::Scale,
};

const WHERE_FROM: &str = "The weights of ResNets trained on ImageNet are published by torchvision \
(https://download.pytorch.org/models/resnet34-b627a593.pth, for one) and, as safetensors, by timm \
(https://huggingface.co/timm/resnet34.tv_in1k). Download those of the same depth and pass them with --weights FILE.";

/// What is kept beside the weights of a network.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Card {
    pub(crate) config: Config,
    pub(crate) scale: Scale,
    /// What it was trained on.
    pub(crate) data: String,
}

/// A network and its weights.
pub(crate) struct Network {
    pub(crate) card: Card,
    pub(crate) model: Box<dyn SegmentationNetwork>,
    pub(crate) params: ParamStore,
    pub(crate) device: Device,
}

impl Network {
    /// With weights drawn from its seed.
    pub(crate) fn new(card: Card, device: &Device) -> Result<Self> {
        let params = ParamStore::seeded(card.config.seed);
        card.config.frozen_patterns().iter().for_each(|pattern| params.freeze(pattern));
        let model = card.config.network.build(params.var_builder(DType::F32, device))?;
        Ok(Self { card, model, params, device: device.clone() })
    }

    /// Sets the encoder's weights to those of a ResNet's file; its first layer is fitted to the bands.
    pub(crate) fn load_encoder(&self, file: &Path) -> Result<()> {
        let config = LoadConfig::default()
            .with_add_prefix("encoder.")
            .with_inflate_stem("encoder.conv1.weight");
        let what = format!("weights of {}'s encoder", self.model.name());
        let published = Published { prefix: "encoder.", what: &what, source: WHERE_FROM };
        published.load(&self.params, file, config)
    }

    /// The same weights, packed for inference.
    pub(crate) fn packed(&self) -> Result<Box<dyn SegmentationNetwork>> {
        let vb = self.params.var_builder(DType::F32, &self.device);
        let mut model = self.card.config.network.build(vb)?;
        model.pack()?;
        Ok(model)
    }

    /// At most so many parts of a scene as the network sees them.
    pub(crate) fn views(
        &self,
        scene: &mut dyn SceneSource,
        normalize: &Normalize,
        size: usize,
        most: u32,
    ) -> Result<Vec<Tensor>> {
        let mut views = Vec::new();
        for block in look_around(scene, size as u32, most) {
            let (image, _) = block?.into_image()?;
            views.push(Image::stack(&[normalize.apply(image)?], &self.device)?);
        }
        Ok(views)
    }

    /// A copy of the running statistics of batch normalization.
    pub(crate) fn statistics(&self) -> Result<Vec<(Var, Tensor)>> {
        let buffers = self.params.buffers().into_iter();
        buffers.map(|(_, var)| Ok((var.clone(), var.as_tensor().copy()?))).collect()
    }

    /// Puts back what [`statistics`](Self::statistics) gave.
    pub(crate) fn restore(&self, statistics: &[(Var, Tensor)]) -> Result<()> {
        statistics.iter().try_for_each(|(var, value)| Ok(var.set(value)?))
    }

    /// A network of its own with the same weights.
    pub(crate) fn duplicate(&self) -> Result<Self> {
        let copy = Self::new(self.card.clone(), &self.device)?;
        let own = copy.params.tensors();
        for (name, value) in self.params.tensors() {
            if let Some(to) = own.get(&name) {
                to.flatten_all()?.slice_set(&value.flatten_all()?, 0, 0)?;
            }
        }
        Ok(copy)
    }

    /// Saves it with its card.
    pub(crate) fn save(&self, file: &Path) -> Result<()> {
        weights::save(&self.card, &self.params, file)
    }

    /// Reads one that [`save`](Self::save) wrote.
    pub(crate) fn open(file: &Path, device: &Device) -> Result<Self> {
        let (card, saved): (Card, _) = weights::open(file)?;
        let params = ParamStore::seeded(card.config.seed);
        card.config.frozen_patterns().iter().for_each(|pattern| params.freeze(pattern));
        // Before the network is built: no weight is drawn, and none is in memory twice.
        params.load(&saved, &LoadConfig::default())?;
        let model = card.config.network.build(params.var_builder(DType::F32, device))?;
        params.finish_load()?;
        Ok(Self { card, model, params, device: device.clone() })
    }
}
