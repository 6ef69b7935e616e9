//! A network with what it needs to be built again and to see images as in training.

use std::{collections::BTreeMap, path::Path};

use anyhow::{Context, Result, bail};
use ocellus::{
    candle::{DType, Device, Tensor, Var},
    data::{ChannelStatistics, LabeledScene, Normalize},
    params::{LoadConfig, ParamStore, WeightFile},
    satellite::{NetworkConfig, ResidualSegNetConfig, SegmentationNetwork},
};
use serde::{Deserialize, Serialize};

use crate::cli::Form;

const WHERE_FROM: &str = "The weights of ResNets trained on ImageNet are published by torchvision \
(https://download.pytorch.org/models/resnet34-b627a593.pth, for one) and, as safetensors, by timm \
(https://huggingface.co/timm/resnet34.tv_in1k). Download those of the same depth and pass them with --weights FILE.";

/// What a saved network needs to be built again; stored in its file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Card {
    /// As `prop-34`.
    pub(crate) network: String,
    /// Whether the proposed network is that of the authors' later code.
    pub(crate) authors: bool,
    pub(crate) channels: usize,
    pub(crate) bands: usize,
    pub(crate) classes: Vec<String>,
    /// Whether each scene is normalized by its own mean and deviation.
    pub(crate) each_scene: bool,
    /// Of the training images, a value a band.
    pub(crate) mean: Vec<f32>,
    pub(crate) std: Vec<f32>,
    pub(crate) seed: u64,
    /// What it was trained on.
    pub(crate) data: String,
}

impl Card {
    /// A network of that name.
    pub(crate) fn new(network: &str, form: Form, bands: usize, classes: &[String]) -> Result<Self> {
        let card = Self {
            network: network.to_owned(),
            authors: form == Form::Authors,
            channels: 64,
            bands,
            classes: classes.to_vec(),
            each_scene: false,
            mean: vec![0.; bands],
            std: vec![1.; bands],
            seed: 0,
            data: String::new(),
        };
        card.config().map(|_| card)
    }

    /// The network's whole configuration.
    pub(crate) fn config(&self) -> Result<NetworkConfig> {
        let Some(config) = NetworkConfig::named(&self.network) else {
            bail!(
                "there is no network `{}`: choose from unet-19, unet-35, prop-18, prop-34, prop-50, \
                 prop-101, prop-152 and prop-200",
                self.network
            )
        };
        let config = match config {
            NetworkConfig::Residual(residual) if self.authors => {
                ResidualSegNetConfig::authors(residual.encoder).into()
            }
            other => other,
        };
        Ok(config
            .with_bands(self.bands)
            .with_classes(self.classes.len())
            .with_channels(self.channels))
    }

    /// The scale of the values that it sees; `own` are a scene's statistics.
    pub(crate) fn normalize(
        &self,
        own: impl FnOnce() -> Result<ChannelStatistics>,
    ) -> Result<Normalize> {
        Ok(match self.each_scene {
            true => own()?.normalize()?,
            false => Normalize::constants(&self.mean, &self.std)?,
        })
    }

    /// The scale of a labeled scene's values.
    pub(crate) fn normalize_scene(&self, scene: &dyn LabeledScene) -> Result<Normalize> {
        self.normalize(|| Ok(ChannelStatistics::of_scene(scene, None)?))
    }
}

/// A network and its weights.
pub(crate) struct Network {
    pub(crate) card: Card,
    pub(crate) model: Box<dyn SegmentationNetwork>,
    pub(crate) params: ParamStore,
    pub(crate) device: Device,
}

impl Network {
    /// With weights drawn from the card's seed.
    pub(crate) fn new(card: &Card, device: &Device) -> Result<Self> {
        let params = ParamStore::seeded(card.seed);
        let model = card.config()?.build(params.var_builder(DType::F32, device))?;
        Ok(Self { card: card.clone(), model, params, device: device.clone() })
    }

    /// Sets the encoder's weights to those of a ResNet's file; its first layer is fitted to the bands.
    pub(crate) fn load_encoder(&self, file: &Path) -> Result<()> {
        if !file.is_file() {
            bail!("no weights at {}. {WHERE_FROM}", file.display())
        }
        let loading = LoadConfig::default()
            .with_add_prefix("encoder.")
            .with_inflate_stem("encoder.conv1.weight")
            .with_allow_missing(true)
            .with_allow_unexpected(true);
        let report = self.params.load(&WeightFile::open(file)?, &loading).with_context(|| {
            format!("{} is damaged or another network's. {WHERE_FROM}", file.display())
        })?;
        let of_encoder =
            |names: &[String]| names.iter().filter(|name| name.starts_with("encoder.")).count();
        let (expected, loaded) = (of_encoder(&self.params.names()), of_encoder(&report.loaded));
        if loaded != expected {
            bail!(
                "{} holds {loaded} of the {expected} weights of {}'s encoder: it is another \
                 network's. {WHERE_FROM}",
                file.display(),
                self.model.name()
            )
        }
        Ok(())
    }

    /// The same weights, packed for inference.
    pub(crate) fn packed(&self) -> Result<Box<dyn SegmentationNetwork>> {
        let vb = self.params.var_builder(DType::F32, &self.device);
        let mut model = self.card.config()?.build(vb)?;
        model.pack()?;
        Ok(model)
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
        let copy = Self::new(&self.card, &self.device)?;
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
        let card = serde_json::to_string(&self.card)?;
        self.params.save(file, &BTreeMap::from([("card".to_owned(), card)]))?;
        Ok(())
    }

    /// Reads one that [`save`](Self::save) wrote.
    pub(crate) fn open(file: &Path, device: &Device) -> Result<Self> {
        let weights = WeightFile::open(file)
            .with_context(|| format!("{} is no saved network: train one first", file.display()))?;
        let Some(card) = weights.metadata().get("card") else {
            bail!("{} was not saved by this program: it has no card", file.display())
        };
        let card: Card = serde_json::from_str(card)
            .with_context(|| format!("the card in {} is damaged", file.display()))?;
        let params = ParamStore::seeded(card.seed);
        // Before the network is built: no weight is drawn, and none is in memory twice.
        params.load(&weights, &LoadConfig::default())?;
        let model = card.config()?.build(params.var_builder(DType::F32, device))?;
        params.finish_load()?;
        Ok(Self { card, model, params, device: device.clone() })
    }
}
