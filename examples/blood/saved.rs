//! What `train` leaves and `predict` reads: a card, and the file of a network or of a classical model.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use ndarray::Array2;
use ocellus::{
    blood::{DcnnConfig, PixelSelectionModel, TransferConfig},
    candle::Device,
    classical::{self as models, ClassifierModel},
    data::Image,
    params::{LoadConfig, WeightFile},
};
use serde::{Deserialize, Serialize};

use crate::{
    classical, common::files, method::Method, network::Network, preparation::Preparation,
    views::Views,
};

/// What a saved model needs to be used again.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Card {
    pub(crate) method: Method,
    pub(crate) classes: Vec<String>,
    /// What was done to every image that it has seen.
    pub(crate) preparation: Preparation,
    /// Of the small network.
    pub(crate) dcnn: Option<DcnnConfig>,
    pub(crate) pixels: Option<PixelSelectionModel>,
    pub(crate) vgg: Vgg,
    /// The fingerprint of the images that it was trained on.
    pub(crate) data: String,
}

/// The network that is transferred.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Vgg {
    /// Whether it is the paper's size, else the small one.
    pub(crate) is_paper: bool,
    /// Height and width of what it sees.
    pub(crate) side: usize,
}

const CARD: &str = "card.json";
const WEIGHTS: &str = "model.safetensors";
const MODEL: &str = "model.json";

/// The file that keeps a method's model.
pub(crate) fn file(folder: &Path, method: Method) -> PathBuf {
    folder.join(if method.is_network() { WEIGHTS } else { MODEL })
}

impl Card {
    /// Writes the card, once the model is there.
    pub(crate) fn save(&self, folder: &Path) -> Result<()> {
        files::write(folder.join(CARD), serde_json::to_vec_pretty(self)?)
    }
}

/// A model that can classify.
pub(crate) struct Predictor {
    pub(crate) card: Card,
    device: Device,
    kind: Kind,
}

enum Kind {
    Network(Box<Network>),
    Classical(Box<dyn ClassifierModel<f32>>),
}

impl Predictor {
    /// Reads what `train` wrote, on whatever device that was; a network will be computed on this one.
    pub(crate) fn open(folder: &Path, device: &Device) -> Result<Self> {
        let path = folder.join(CARD);
        let text = std::fs::read(&path)
            .with_context(|| format!("{} cannot be read: train a model first", path.display()))?;
        let card: Card = serde_json::from_slice(&text)
            .with_context(|| format!("{} is not what `train` writes", path.display()))?;
        let file = file(folder, card.method);
        if !card.method.is_network() {
            let model = models::load::<f32>(&file)?;
            return Ok(Self { card, device: device.clone(), kind: Kind::Classical(model) });
        }
        let network = match &card.dcnn {
            Some(config) => Network::dcnn(config, card.pixels.clone(), device)?,
            None => {
                let config = match card.vgg.is_paper {
                    true => TransferConfig::paper(),
                    false => TransferConfig::tiny(),
                };
                let config = config.with_classes(card.classes.len());
                Network::vgg(&config, None, device)?
            }
        };
        network.params.load(&WeightFile::open(&file)?, &LoadConfig::default())?;
        Ok(Self { card, device: device.clone(), kind: Kind::Network(Box::new(network)) })
    }

    /// The probability of each class; the image is in color and of the card's size.
    pub(crate) fn probabilities(&self, image: &Image) -> Result<Vec<f64>> {
        let image = std::slice::from_ref(image);
        let found = match &self.kind {
            Kind::Classical(model) => {
                let features = classical::handmade(image)?;
                rows(&model.predict_proba(features.view())?)
            }
            Kind::Network(network) => {
                let form = match &self.card.dcnn {
                    Some(config) => (config.image_size, config.in_channels == 1),
                    None => (self.card.vgg.side, false),
                };
                let x = Views::new(image, form, &self.device)?.plain(&[0])?;
                network.probabilities(&network.logits(&x, false)?)?
            }
        };
        found.into_iter().next().context("an image has one row of probabilities")
    }
}

fn rows(table: &Array2<f64>) -> Vec<Vec<f64>> {
    table.outer_iter().map(|row| row.to_vec()).collect()
}
