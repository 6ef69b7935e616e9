//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

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
    /// Areas: a folder with `images` and `masks`. Synthetic where absent.
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
    /// Areas whose names begin so are for testing; by default the last group in the alphabet.
    #[arg(long, global = true, value_delimiter = ',', value_name = "GROUP")]
    pub(crate) test: Vec<String>,
    /// ImageNet weights of the encoder (safetensors or .pth) to start from.
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) weights: Option<PathBuf>,
    /// The network: `prop-18` to `prop-200`, `unet-19`, `unet-35`; `train` only.
    #[arg(long, global = true, default_value = "prop-34")]
    pub(crate) network: String,
    /// The proposed network as in the paper, or as in the authors' later code.
    #[arg(long, global = true, value_enum, default_value = "paper")]
    pub(crate) form: Form,
    /// Maps of the first layer, instead of the preset's; the paper's networks have 64.
    #[arg(long, global = true)]
    pub(crate) channels: Option<usize>,
    /// Epochs, instead of the protocol's.
    #[arg(long, global = true)]
    pub(crate) epochs: Option<usize>,
    /// Samples a step, instead of the protocol's.
    #[arg(long, global = true)]
    pub(crate) batch_size: Option<usize>,
    /// Learning rate, instead of the protocol's.
    #[arg(long, global = true)]
    pub(crate) learning_rate: Option<f64>,
    /// What is minimized; the paper has cross-entropy.
    #[arg(long, global = true, value_enum, default_value = "ce")]
    pub(crate) loss: LossChoice,
    /// Which pixels give mean and deviation of each band.
    #[arg(long, global = true, value_enum, default_value = "auto")]
    pub(crate) statistics: StatisticsChoice,
    /// Which statistics batch normalization uses on new scenes.
    #[arg(long, global = true, value_enum, default_value = "running")]
    pub(crate) norm: Norm,
    /// `cpu`, `cuda` or `cuda:N`.
    #[arg(long, global = true, default_value = "cpu")]
    pub(crate) device: String,
    /// The seed of everything random.
    #[arg(long, global = true, default_value_t = 42)]
    pub(crate) seed: u64,
    /// Where results go.
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Continue a run that was stopped.
    #[arg(long, global = true)]
    pub(crate) resume: bool,
    /// Fewer and smaller areas, fewer epochs: under a minute.
    #[arg(long, global = true)]
    pub(crate) quick: bool,
    /// The paper's own networks and protocol: 64 maps, 364-pixel tiles, SGD(0.005), batches of 8.
    #[arg(long, global = true)]
    pub(crate) paper: bool,
    /// A line an epoch on the standard error, for logs.
    #[arg(long, global = true)]
    pub(crate) verbose: bool,
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
    /// Each scene's own where scenes are large, else those of all training scenes.
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
pub(crate) enum LossChoice {
    /// Cross-entropy.
    Ce,
    Dice,
    /// Half cross-entropy, half Dice.
    CeDice,
    Focal,
    Jaccard,
    Lovasz,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum BlendChoice {
    Average,
    Linear,
    Hann,
    Clip,
}
