//! From the command line to the settings of a network and its training, and the file that keeps both.

use std::path::Path;

use anyhow::Result;
use ocellus::{
    backbones::Preprocessing,
    breast::{Architecture, Classifier, Config, Pooling, Protocol},
    candle::{DType, Device},
    params::{LoadConfig, ParamStore},
};
use serde::{Deserialize, Serialize};

use crate::{
    cli::{NetworkChoice, PreprocessingChoice, Settings},
    common::{published::Published, weights},
};

const WHERE_FROM: &str = "The weights of VGG16 trained on ImageNet are published by torchvision \
(https://download.pytorch.org/models/vgg16-397923af.pth, 528 MB) and, as safetensors, by timm \
(https://huggingface.co/timm/vgg16.tv_in1k). Download one and pass it with --weights FILE.";

/// Which of the library's presets a network follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Preset {
    Paper,
    Practical,
    Tiny,
}

/// What a saved network needs to be built again; stored in its file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Card {
    pub(crate) preset: Preset,
    pub(crate) attention: bool,
    pub(crate) caffe: bool,
    pub(crate) classes: Vec<String>,
    pub(crate) positive: usize,
    pub(crate) image_size: usize,
    pub(crate) neurons: usize,
    /// Whether a network with a gate averages features with the gate's weights.
    pub(crate) gate_pooling: bool,
    pub(crate) frozen_layers: usize,
    pub(crate) seed: u64,
    pub(crate) threshold: f64,
    /// The fingerprint of the images that it was trained on.
    pub(crate) data: String,
}

impl Card {
    /// The card that the command line asks for.
    pub(crate) fn new(settings: &Settings, classes: &[String]) -> Result<Self> {
        let preset = match (settings.paper, &settings.weights) {
            (true, _) => Preset::Paper,
            (false, Some(_)) => Preset::Practical,
            (false, None) => Preset::Tiny,
        };
        let base = preset.config(Architecture::AttentionVgg);
        let name = |p: usize| base.classes.get(p).map(String::as_str);
        let positive = classes.iter().position(|c| Some(c.as_str()) == name(base.positive));
        Ok(Self {
            preset,
            attention: settings.network == NetworkChoice::AttentionVgg,
            caffe: expects_caffe(settings),
            positive: positive.unwrap_or(classes.len().min(2) - 1),
            classes: classes.to_vec(),
            image_size: base.image_size,
            neurons: base.neurons,
            gate_pooling: settings.gate_pooling,
            frozen_layers: settings.frozen_layers.unwrap_or(base.frozen_layers),
            seed: settings.common.seed,
            threshold: 0.5,
            data: String::new(),
        })
    }

    pub(crate) fn architecture(&self) -> Architecture {
        if self.attention { Architecture::AttentionVgg } else { Architecture::Vgg }
    }

    /// The network's whole configuration.
    pub(crate) fn config(&self) -> Config {
        let mut config = self
            .preset
            .config(self.architecture())
            .with_classes(self.classes.clone(), self.positive)
            .with_image_size(self.image_size)
            .with_neurons(self.neurons)
            .with_frozen_layers(self.frozen_layers)
            .with_seed(self.seed);
        if self.gate_pooling && self.attention {
            config.pooling = Pooling::Attention;
        }
        if self.preset != Preset::Tiny && !self.caffe {
            config.preprocessing = Preprocessing::torchvision();
            config.feature_scale = 1.;
        }
        config
    }
}

impl Preset {
    /// "VGG16", or what the small networks truly are.
    pub(crate) fn network_name(self, architecture: Architecture) -> String {
        match self {
            Self::Tiny => architecture.name().replace("VGG16", "VGG11/8"),
            Self::Paper | Self::Practical => architecture.name().to_owned(),
        }
    }

    pub(crate) fn config(self, architecture: Architecture) -> Config {
        match self {
            Self::Paper => Config::paper(architecture),
            Self::Practical => Config::practical(architecture),
            Self::Tiny => Config::tiny(architecture),
        }
    }

    /// How such a network is trained, with the changes that the command line asks for.
    pub(crate) fn protocol(self, settings: &Settings) -> Protocol {
        let mut protocol = match self {
            Self::Paper => Protocol::paper(),
            Self::Practical => Protocol::practical(),
            Self::Tiny => Protocol::from_scratch(),
        };
        if settings.common.quick {
            protocol.epochs = protocol.epochs.min(3);
        }
        protocol.epochs = settings.common.epochs.unwrap_or(protocol.epochs);
        protocol.batch_size = settings.training.batch_size.unwrap_or(protocol.batch_size);
        protocol.learning_rate = settings.training.learning_rate.unwrap_or(protocol.learning_rate);
        protocol
    }
}

fn expects_caffe(settings: &Settings) -> bool {
    let name = |file: &Path| {
        let name = file.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
        name.contains("caffe") || name.contains("oxford") || name.contains("keras")
    };
    match settings.preprocessing {
        Some(choice) => choice == PreprocessingChoice::Caffe,
        None => settings.weights.as_deref().is_some_and(name),
    }
}

/// Builds the network of `card`, from `weights` where given, else from random weights.
pub(crate) fn build(
    card: &Card,
    weights: Option<&Path>,
    device: &Device,
) -> Result<(Classifier, ParamStore)> {
    let config = card.config();
    let params = ParamStore::seeded(card.seed);
    for pattern in config.frozen_patterns() {
        params.freeze(&pattern);
    }
    let model = Classifier::new(&config, params.var_builder(DType::F32, device))?;
    if let Some(file) = weights {
        let published = Published {
            prefix: "features.",
            what: "convolution weights of VGG16",
            source: WHERE_FROM,
        };
        published.load(&params, file, LoadConfig::default())?;
    }
    Ok((model, params))
}

/// Reads a network that `train` saved.
pub(crate) fn open(file: &Path, device: &Device) -> Result<(Card, Classifier, ParamStore)> {
    let (card, saved): (Card, _) = weights::open(file)?;
    let (model, params) = build(&card, None, device)?;
    params.load(&saved, &LoadConfig::default())?;
    Ok((card, model, params))
}
