//! The networks: the paper's small one, and VGG with weights from elsewhere.

use std::path::Path;

use anyhow::Result;
use ocellus::{
    blood::{Dcnn, DcnnConfig, PixelSelectionModel, Transfer, TransferConfig},
    candle::{DType, Device, ModuleT, Tensor},
    layers::Noise,
    losses::{CrossEntropy, Loss},
    ops::softmax,
    params::{LoadConfig, ParamStore},
};

use crate::common::published::Published;

const WHERE_FROM: &str = "The weights of VGG16 trained on ImageNet are published by torchvision and timm; \
without --weights a small VGG is trained whole.";

/// A network with its weights.
pub(crate) struct Network {
    kind: Kind,
    pub(crate) params: ParamStore,
}

enum Kind {
    Dcnn { network: Box<Dcnn>, pixels: Option<PixelSelectionModel> },
    Vgg(Box<Transfer>),
}

impl Network {
    /// The small one, with fresh weights. Chosen pixels make another image of what it sees.
    pub(crate) fn dcnn(
        config: &DcnnConfig,
        pixels: Option<PixelSelectionModel>,
        device: &Device,
    ) -> Result<Self> {
        let config = match &pixels {
            Some(pixels) => config.clone().with_in_channels(1).with_image_size(pixels.side()),
            None => config.clone(),
        };
        let params = ParamStore::seeded(config.seed);
        let network = Box::new(Dcnn::new(&config, params.var_builder(DType::F32, device))?);
        Ok(Self { kind: Kind::Dcnn { network, pixels }, params })
    }

    /// VGG, with convolutions of that file that will not change, or fresh ones that will.
    pub(crate) fn vgg(
        config: &TransferConfig,
        weights: Option<&Path>,
        device: &Device,
    ) -> Result<Self> {
        let params = ParamStore::seeded(config.seed);
        if weights.is_some() {
            params.freeze(Transfer::FROZEN);
        }
        let network = Box::new(Transfer::new(config, params.var_builder(DType::F32, device))?);
        if let Some(file) = weights {
            load_vgg(&params, file)?;
        }
        Ok(Self { kind: Kind::Vgg(network), params })
    }

    /// What draws the dropout masks.
    pub(crate) fn noise(&self) -> &Noise {
        match &self.kind {
            Kind::Dcnn { network, .. } => network.noise(),
            Kind::Vgg(network) => network.noise(),
        }
    }

    pub(crate) fn loss(&self) -> Box<dyn Loss> {
        match &self.kind {
            Kind::Dcnn { network, .. } => network.config().output_activation.loss(),
            Kind::Vgg(_) => Box::new(CrossEntropy::default()),
        }
    }

    /// The pixels that were chosen before it.
    pub(crate) fn pixels(&self) -> Option<&PixelSelectionModel> {
        match &self.kind {
            Kind::Dcnn { pixels, .. } => pixels.as_ref(),
            Kind::Vgg(_) => None,
        }
    }

    /// What frozen layers say of images, for [`classify`](Self::classify); of a network that has such
    /// layers.
    pub(crate) fn features(&self, images: &Tensor) -> Result<Option<Tensor>> {
        match &self.kind {
            Kind::Dcnn { .. } => Ok(None),
            Kind::Vgg(network) => Ok(Some(network.features(images)?)),
        }
    }

    /// The logits of images.
    pub(crate) fn logits(&self, images: &Tensor, train: bool) -> Result<Tensor> {
        Ok(match &self.kind {
            Kind::Dcnn { network, pixels: None } => network.forward_t(images, train)?,
            Kind::Dcnn { network, pixels: Some(pixels) } => {
                network.forward_t(&pixels.apply(images)?, train)?
            }
            Kind::Vgg(network) => network.forward_t(images, train)?,
        })
    }

    /// The logits of features.
    pub(crate) fn classify(&self, features: &Tensor, train: bool) -> Result<Tensor> {
        match &self.kind {
            Kind::Dcnn { .. } => self.logits(features, train),
            Kind::Vgg(network) => Ok(network.classify(features, train)?),
        }
    }

    /// The probabilities that go with logits.
    pub(crate) fn probabilities(&self, logits: &Tensor) -> Result<Vec<Vec<f64>>> {
        let probabilities = match &self.kind {
            Kind::Dcnn { network, .. } => network.probabilities(logits)?,
            Kind::Vgg(_) => softmax(logits, 1)?,
        };
        Ok(probabilities.to_dtype(DType::F64)?.to_device(&Device::Cpu)?.to_vec2()?)
    }
}

/// Loads the convolutions of VGG16.
pub(crate) fn load_vgg(params: &ParamStore, file: &Path) -> Result<()> {
    let published =
        Published { prefix: "features.", what: "convolution weights of VGG16", source: WHERE_FROM };
    published.load(params, file, LoadConfig::default())
}
