//! The command line.

use std::{path::PathBuf, str::FromStr};

use clap::{
    Args, Parser, Subcommand, ValueEnum,
    builder::{PossibleValuesParser, TypedValueParser},
};
use ocellus::satellite::Objective;

use crate::{
    common::{common_settings::CommonSettings, training_settings::TrainingSettings},
    parallel::ParallelSettings,
};

/// Segments satellite images: the residual encoder-decoder of Ghassemi et al. (2018), the U-Net
/// reference, training, evaluation, refinement on a part of a scene, and whole scenes.
///
/// With no arguments, trains both on synthetic areas of three sensors, tests them on a sensor that
/// neither has seen, refines them there, and writes a report.
#[derive(Debug, Parser)]
#[command(name = "satellite", version)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    #[command(flatten)]
    pub(crate) settings: Settings,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// The paper's Table II: every network, trained alike, on areas that none has seen.
    Table2 {
        /// Networks, as `prop-34`, `unet-19`; the paper's eight by default.
        #[arg(long, value_delimiter = ',')]
        rows: Vec<String>,
    },
    /// The paper's Table III: refined on about 7 and 15 percent of each test area, tested on the rest.
    Table3 {
        /// Networks, as `prop-34`, `unet-19`; the paper's two by default.
        #[arg(long, value_delimiter = ',')]
        rows: Vec<String>,
    },
    /// Trains one network and saves it.
    Train,
    /// Evaluates a saved network on the areas of `--data`.
    Evaluate {
        /// The network that `train` or `refine` saved.
        #[arg(long)]
        model: PathBuf,
    },
    /// Trains a saved network further on a part of an area, and evaluates it on the rest.
    Refine {
        /// The network that `train` saved.
        #[arg(long)]
        model: PathBuf,
        /// The share of each area of `--data` that is annotated.
        #[arg(long, default_value_t = 0.07)]
        share: f64,
    },
    /// Writes a synthetic scene of the unseen sensor as GeoTIFF, with its truth.
    Synthesize {
        /// Columns.
        #[arg(long, default_value_t = 2048)]
        width: u32,
        /// Rows.
        #[arg(long, default_value_t = 2048)]
        height: u32,
    },
    /// Segments a scene of any size: GeoTIFF, PNG or JPEG.
    Segment {
        /// The network that `train` or `refine` saved.
        #[arg(long)]
        model: PathBuf,
        /// The scene.
        scene: PathBuf,
        #[command(flatten)]
        tiles: Tiles,
    },
}

#[derive(Args, Clone, Debug)]
pub(crate) struct Settings {
    #[command(flatten)]
    pub(crate) common: CommonSettings,
    #[command(flatten)]
    pub(crate) training: TrainingSettings,
    #[command(flatten)]
    pub(crate) parallel: ParallelSettings,
    /// Areas: a folder with `images` and `masks`. Synthetic where absent; repeated, the areas of
    /// several sensors are mixed.
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) data: Vec<PathBuf>,
    /// The bands to take, as `3,2,1`, all by default; repeated, of each folder of `--data` in turn.
    #[arg(long, global = true, value_name = "NUMBERS")]
    pub(crate) bands: Vec<BandChoice>,
    /// How masks say what a pixel is.
    #[arg(long, global = true, value_enum, default_value = "binary")]
    pub(crate) masks: MaskChoice,
    /// Areas whose names begin so are for testing; by default the last group in the alphabet.
    #[arg(long, global = true, value_delimiter = ',', value_name = "GROUP")]
    pub(crate) test: Vec<String>,
    /// ImageNet weights of the encoder (safetensors or .pth) to start from.
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) weights: Option<PathBuf>,
    /// The network: `prop-18` to `prop-200`, `unet-19`, `unet-35`; `train` only. By default depth 18 on
    /// synthetic areas, 34 with `--data`, 152 with `--paper`.
    #[arg(long, global = true)]
    pub(crate) network: Option<String>,
    /// The proposed network as in the paper, or as in the authors' later code.
    #[arg(long, global = true, value_enum, default_value = "paper")]
    pub(crate) form: Form,
    /// Maps of the first layer, instead of the preset's; the paper's networks have 64.
    #[arg(long, global = true)]
    pub(crate) channels: Option<usize>,
    /// What is minimized; the paper has cross-entropy, `ce`.
    #[arg(long, global = true, value_parser = objective(), default_value = "ce")]
    pub(crate) loss: Objective,
    /// The weight of each class in the loss, as `1,3`, or `balanced`: the rarer, the heavier.
    #[arg(long, global = true, value_name = "WEIGHTS")]
    pub(crate) class_weights: Option<ClassWeights>,
    /// Greatest random change of a sample's brightness, in standard deviations of its bands.
    #[arg(long, global = true, default_value_t = 0.)]
    pub(crate) brightness: f64,
    /// Greatest random change of its contrast, as a share.
    #[arg(long, global = true, default_value_t = 0.)]
    pub(crate) contrast: f64,
    /// Greatest random change of both in each band on its own.
    #[arg(long, global = true, default_value_t = 0.)]
    pub(crate) color: f64,
    /// Stages of the encoder that keep their weights: 1 the stem, 2 the stem and its first layer, …
    #[arg(long, global = true, default_value_t = 0)]
    pub(crate) frozen_stages: usize,
    /// Which pixels give mean and deviation of each band.
    #[arg(long, global = true, value_enum, default_value = "auto")]
    pub(crate) statistics: StatisticsChoice,
    /// Which statistics batch normalization uses on new scenes.
    #[arg(long, global = true, value_enum, default_value = "running")]
    pub(crate) norm: Norm,
    /// The paper's own networks and protocol: 64 maps, 364-pixel tiles, SGD(0.005), batches of 8.
    #[arg(long, global = true)]
    pub(crate) paper: bool,
}

#[derive(Args, Clone, Debug)]
pub(crate) struct Tiles {
    /// Height and width of a tile.
    #[arg(long, default_value_t = 512)]
    pub(crate) tile: usize,
    /// How many rows or columns neighbors share.
    #[arg(long, default_value_t = 128)]
    pub(crate) overlap: usize,
    /// How neighbors are blended.
    #[arg(long, value_enum, default_value = "hann")]
    pub(crate) blend: BlendChoice,
    /// Tiles that the network sees at once.
    #[arg(long, default_value_t = 1)]
    pub(crate) tiles_at_once: usize,
    /// Refine each tile with a fully connected CRF.
    #[arg(long)]
    pub(crate) crf: bool,
    /// Polygons are simplified by at most that many pixels.
    #[arg(long, default_value_t = 1.)]
    pub(crate) tolerance: f64,
    /// Write polygons in longitude and latitude instead of the scene's coordinates.
    #[arg(long)]
    pub(crate) wgs84: bool,
    /// Polygons of fewer pixels are left out.
    #[arg(long, default_value_t = 16)]
    pub(crate) smallest: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Form {
    /// 2×2 pooling, one transposed convolution a block, full-resolution skip.
    Paper,
    /// 3×3 pooling, two more convolutions a block, no full-resolution skip.
    Authors,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum StatisticsChoice {
    /// Each scene's own where scenes are large or of several sensors, else those of all training
    /// scenes.
    Auto,
    /// Each scene's own, also of those that are segmented: differences of gain and offset between
    /// sensors are gone before a network sees them.
    EachScene,
    /// Those of all training scenes together.
    AllScenes,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Norm {
    /// Those of the training images.
    Running,
    /// Those of the batch at hand, as in the authors' code.
    Batch,
    /// The running ones, set anew from the new scenes without their truth (`AdaBN`).
    Recalibrated,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum MaskChoice {
    /// 0 is ground, the greatest number (255 of 8 bits) a building.
    Binary,
    /// 0 is ground, 1 a building, 255 counts for nothing: as `synthesize` writes them.
    Classes,
}

/// Numbers of bands, counted from 0 here and from 1 on the command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BandChoice(pub(crate) Vec<usize>);

impl FromStr for BandChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let band = |number: &str| number.trim().parse().ok().and_then(|n: usize| n.checked_sub(1));
        let bands: Option<Vec<usize>> = text.split(',').map(band).collect();
        bands.map(Self).ok_or_else(|| "give numbers from 1 on, as 3,2,1".to_owned())
    }
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum ClassWeights {
    Balanced,
    Given(Vec<f64>),
}

impl FromStr for ClassWeights {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "balanced" {
            return Ok(Self::Balanced);
        }
        let weights: Result<_, _> = text.split(',').map(|weight| weight.trim().parse()).collect();
        weights.map(Self::Given).map_err(|_| "give `balanced`, or numbers as 1,3".to_owned())
    }
}

fn objective() -> impl TypedValueParser<Value = Objective> {
    PossibleValuesParser::new(Objective::ALL.map(Objective::slug))
        .map(|slug| Objective::named(&slug).unwrap_or_default())
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum BlendChoice {
    Average,
    Linear,
    Hann,
    Clip,
}
