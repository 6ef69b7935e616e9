//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::{
    common::{common_settings::CommonSettings, training_settings::TrainingSettings},
    image_settings::ImageSettings,
    method::Method,
    parallel::ParallelSettings,
};

/// Tells kinds of blood cells apart: the small network of Kumar et al. (2020), the classical methods
/// that it was compared with, and VGG16 transfer.
///
/// With no arguments, compares them on synthetic cells and writes a report. Research software: no
/// medical device, not for diagnosis.
#[derive(Debug, Parser)]
#[command(name = "blood", version)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    #[command(flatten)]
    pub(crate) settings: Settings,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// The paper's Table 2, cross-validated: all methods on the images of `--data`.
    #[command(name = "table2")]
    Table2,
    /// The paper's Table 3: the network on each folder of `--data` by itself.
    #[command(name = "table3")]
    Table3,
    /// What it does to the scores to make turned and edge images first and to split them then, as the
    /// paper did.
    Leakage,
    /// Trains one method on all of `--data` but a part held out, and saves it.
    Train,
    /// Classifies images by what `train` saved; JSON lines on the standard output.
    Predict {
        /// The folder that `train` wrote.
        #[arg(long)]
        model: PathBuf,
        /// Masks with the images' names, for a model of images that were cropped.
        #[arg(long, value_name = "DIR")]
        masks: Option<PathBuf>,
        /// Images, or folders of images.
        #[arg(required = true)]
        images: Vec<PathBuf>,
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
    #[command(flatten)]
    pub(crate) images: ImageSettings,
    /// Images: ALL-IDB, SN-AM, C-NMC, BCCD, Taleqani's B-ALL, `SegPC`, BUSI, or a folder a class.
    /// Synthetic where absent. Repeated, several sources are one set, but for `table3`.
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) data: Vec<PathBuf>,
    /// Only these classes, as `healthy,leukemic`; the last one is the positive one.
    #[arg(long, global = true, value_delimiter = ',', value_name = "NAMES")]
    pub(crate) classes: Vec<String>,
    /// Methods, all by default.
    #[arg(long, global = true, value_enum, value_delimiter = ',')]
    pub(crate) methods: Vec<Method>,
    /// Folds of the cross-validation; whole groups are in one of them.
    #[arg(long, global = true, default_value_t = 5)]
    pub(crate) folds: usize,
    /// What classical methods see of an image.
    #[arg(long, global = true, value_enum, default_value = "classical")]
    pub(crate) features: FeatureChoice,
    /// ImageNet weights of VGG16 (safetensors or .pth). Without, a small VGG is trained whole.
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) weights: Option<PathBuf>,
    /// The small network: `literal` has the paper's softmax layers and its loss.
    #[arg(long, global = true, value_enum, default_value = "practical")]
    pub(crate) network: NetworkChoice,
    /// Pixels that are chosen by chi² before the network, as in the paper.
    #[arg(long, global = true, value_name = "COUNT")]
    pub(crate) pixels: Option<usize>,
    /// The paper's settings: the literal network, 1024 pixels by chi², Adam at 0.01 for 1000 iterations.
    #[arg(long, global = true, conflicts_with_all = ["network", "pixels"])]
    pub(crate) paper: bool,
}

/// The form of the small network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum NetworkChoice {
    /// ReLU and logits.
    Practical,
    /// Softmax layers, and a sigmoid twice.
    Literal,
}

/// What classical methods see of an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum FeatureChoice {
    /// Histograms of gray, color and hue, and Fourier magnitudes: the paper's.
    Classical,
    /// What the convolutions of VGG16 say, with `--weights`.
    Vgg,
}
