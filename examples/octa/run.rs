//! What every command that fits needs: images, settings, and where results go.

use std::path::PathBuf;

use anyhow::Result;
use ocellus::{
    anomaly::{ImagePooling, ImageScoring},
    octa::{Clustering, Config, Method, Reduction, Subdivision},
};

use crate::{
    cli::{Rule, Settings, Untrained},
    common::device::device,
    encoder::{Network, Weights},
    pretraining::Pretraining,
    sets::Sets,
};

/// How large everything is.
#[derive(Clone, Debug)]
pub(crate) struct Preset {
    /// Height and width of the images.
    pub(crate) side: usize,
    /// Synthetic images: to fit on, to find thresholds on, to grade.
    pub(crate) train: usize,
    pub(crate) calibration: usize,
    pub(crate) test: usize,
    pub(crate) backbone: &'static str,
    pub(crate) components: usize,
    /// Coupling blocks of the flows, channels of the positional encoding.
    pub(crate) blocks: usize,
    pub(crate) condition: usize,
    pub(crate) cflow_epochs: usize,
    pub(crate) fastflow_epochs: usize,
    /// Channels that `PaDiM` reads, at most.
    pub(crate) padim_channels: usize,
    /// The share of patches that `PatchCore` keeps.
    pub(crate) bank: f64,
    /// How a backbone without weights learns, if it does.
    pub(crate) pretraining: Option<Pretraining>,
    /// Whether all is as in the paper.
    pub(crate) paper: bool,
}

impl Preset {
    pub(crate) fn of(settings: &Settings) -> Self {
        let mut preset = match (settings.paper, &settings.data, settings.common.quick) {
            (true, ..) => Self::paper(),
            (_, _, true) => Self::quick(),
            (_, Some(_), _) => Self::real(),
            (_, None, _) => Self::tiny(),
        };
        preset.side = settings.size.unwrap_or(preset.side);
        preset.components = settings.components.unwrap_or(preset.components);
        preset.cflow_epochs = settings.common.epochs.unwrap_or(preset.cflow_epochs);
        if settings.encoder == Some(Untrained::Vessels) {
            preset.pretraining = Self::tiny().pretraining;
        }
        preset.fastflow_epochs = settings.common.epochs.unwrap_or(preset.fastflow_epochs);
        preset
    }

    fn tiny() -> Self {
        Self {
            side: 96,
            train: 72,
            calibration: 24,
            test: 120,
            backbone: "resnet18/16",
            components: 8,
            blocks: 4,
            condition: 32,
            cflow_epochs: 12,
            fastflow_epochs: 30,
            padim_channels: 40,
            bank: 0.02,
            pretraining: Some(Pretraining { images: 96, epochs: 30 }),
            paper: false,
        }
    }

    fn quick() -> Self {
        Self {
            side: 64,
            train: 24,
            calibration: 12,
            test: 45,
            backbone: "resnet18/8",
            components: 4,
            cflow_epochs: 3,
            fastflow_epochs: 6,
            padim_channels: 20,
            pretraining: None,
            ..Self::tiny()
        }
    }

    fn real() -> Self {
        Self {
            side: 160,
            backbone: "resnet18",
            components: 32,
            blocks: 8,
            condition: 128,
            cflow_epochs: 8,
            fastflow_epochs: 40,
            padim_channels: 100,
            pretraining: None,
            ..Self::tiny()
        }
    }

    fn paper() -> Self {
        Self {
            side: 320,
            train: 961,
            calibration: 100,
            test: 300,
            backbone: "wide-resnet50",
            components: 32,
            blocks: 8,
            condition: 128,
            cflow_epochs: 50,
            fastflow_epochs: 500,
            padim_channels: 550,
            bank: 0.1,
            pretraining: None,
            paper: true,
        }
    }
}

/// One run of the program.
pub(crate) struct Run {
    pub(crate) settings: Settings,
    pub(crate) preset: Preset,
    pub(crate) sets: Sets,
    pub(crate) network: Network,
    /// What the score of an image is.
    pub(crate) scoring: ImageScoring,
    pub(crate) out: PathBuf,
}

impl Run {
    /// Opens images to be graded, and the backbone.
    pub(crate) fn open(settings: &Settings, name: &str) -> Result<Self> {
        let preset = Preset::of(settings);
        let sets = Sets::open(settings, &preset)?;
        let usual = match preset.paper {
            true => ImageScoring::default(),
            // Quality is of the whole image, and a blurred one may surprise less than a sharp one.
            false => ImageScoring::new(ImagePooling::Mean).with_two_sided(true),
        };
        Self::of(settings, name, preset, sets, usual)
    }

    /// Opens the backbone for these images, whose scores are the usual ones unless others are wanted.
    pub(crate) fn of(
        settings: &Settings,
        name: &str,
        preset: Preset,
        sets: Sets,
        usual: ImageScoring,
    ) -> Result<Self> {
        let backbone = settings.backbone.as_deref().unwrap_or(preset.backbone);
        let weights = match &settings.weights {
            Some(file) => Weights::File(file.clone()),
            None => {
                match preset.pretraining.filter(|_| settings.encoder != Some(Untrained::Random)) {
                    Some(pretraining) => Weights::Vessels {
                        seed: settings.common.seed,
                        side: preset.side,
                        pretraining,
                    },
                    None => Weights::Random(settings.common.seed),
                }
            }
        };
        let network = Network::new(backbone, weights, preset.paper, &device(&settings.device)?)?;
        let out = settings.common.out_folder(name, &[])?;
        let scoring = ImageScoring::new(settings.score.unwrap_or(usual.pooling))
            .with_two_sided(settings.two_sided.unwrap_or(usual.two_sided));
        Ok(Self { settings: settings.clone(), preset, sets, network, scoring, out })
    }

    /// The system's settings with this detector.
    pub(crate) fn config(&self, method: Method) -> Config {
        let base = if self.preset.paper { Config::paper() } else { Config::practical() };
        base.with_method(method).with_image_size(self.preset.side).with_subdivision(
            Subdivision::new(Reduction::pca(self.preset.components), Clustering::hierarchical()),
        )
    }

    /// The threshold that needs no grade.
    pub(crate) fn label_free_rule(&self) -> Rule {
        let wanted = self.settings.threshold.filter(|rule| rule.is_label_free());
        wanted.unwrap_or(Rule::Quantile(0.95))
    }

    /// The threshold by the grades of the images that are graded: the paper's.
    pub(crate) fn oracle_rule(&self) -> Rule {
        let wanted = self.settings.threshold.filter(|rule| !rule.is_label_free());
        wanted.unwrap_or(Rule::OracleF1)
    }

    /// Whether figures and saved models follow the oracle.
    pub(crate) fn follows_oracle(&self) -> bool {
        match self.settings.threshold {
            Some(rule) => !rule.is_label_free(),
            None => self.preset.paper,
        }
    }
}
