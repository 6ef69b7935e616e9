//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::{
    common::{common_settings::CommonSettings, training_settings::TrainingSettings},
    parallel::ParallelSettings,
};

/// Classifies breast lesions in ultrasound images: attention-gated VGG16 with the loss ensemble of
/// Kalafi et al. (2021), its siblings, training, evaluation, prediction and attention maps.
///
/// With no arguments, trains the proposed network and its plain sibling on synthetic images and
/// writes a report. Research software: no medical device, not for diagnosis.
#[derive(Debug, Parser)]
#[command(name = "breast", version, args_conflicts_with_subcommands = false)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    #[command(flatten)]
    pub(crate) settings: Settings,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// The six rows of the paper's Table 1, cross-validated, side by side with the paper's.
    Table1 {
        /// Rows to run, as `vgg-ce`, `attention-vgg-ce-logcosh`, …; all six by default.
        #[arg(long, value_delimiter = ',')]
        rows: Vec<String>,
    },
    /// 10 against 4096 neurons, and the loss weights α : β from 0 : 1 to 1 : 0.
    Ablate,
    /// Trains one network and saves it.
    Train,
    /// Evaluates a saved network on the images of `--data`.
    Evaluate {
        /// The network that `train` saved.
        #[arg(long)]
        model: PathBuf,
    },
    /// Classifies images or folders of images; JSON lines on the standard output.
    Predict {
        /// The network that `train` saved.
        #[arg(long)]
        model: PathBuf,
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
    /// Images: a BUSI or Dataset B folder, a folder a class, or a CSV file. Synthetic where absent.
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
    /// ImageNet weights of VGG16 (safetensors or .pth) to start from.
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) weights: Option<PathBuf>,
    /// What the weights expect of an image; by default guessed from the file's name.
    #[arg(long, global = true, value_enum)]
    pub(crate) preprocessing: Option<PreprocessingChoice>,
    /// The network; `train` only.
    #[arg(long, global = true, value_enum, default_value = "attention-vgg")]
    pub(crate) network: NetworkChoice,
    /// Folds of the cross-validation.
    #[arg(long, global = true, default_value_t = 5)]
    pub(crate) folds: usize,
    /// Which images must stay on one side of a split.
    #[arg(long, global = true, value_enum, default_value = "auto")]
    pub(crate) group_by: GroupBy,
    /// Keep the class `normal` and train on three classes.
    #[arg(long, global = true)]
    pub(crate) normal: bool,
    /// Average features with the gate's weights: its map then shows where the head reads.
    #[arg(long, global = true)]
    pub(crate) gate_pooling: bool,
    /// Layers of the backbone that keep their weights, counted as in torchvision's `features`.
    #[arg(long, global = true)]
    pub(crate) frozen_layers: Option<usize>,
    /// Augmented views of each training image; where layers are frozen, their features are kept.
    #[arg(long, global = true, default_value_t = 6)]
    pub(crate) views: usize,
    /// Memory for the features of frozen layers, in MiB.
    #[arg(long, global = true, default_value_t = 4096)]
    pub(crate) cache_mib: usize,
    /// The paper's own network and protocol: VGG16 at 128², RMSprop(2e-6), 250 epochs.
    #[arg(long, global = true)]
    pub(crate) paper: bool,
    /// Stop at an unreadable image instead of naming and skipping it.
    #[arg(long, global = true)]
    pub(crate) strict: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum PreprocessingChoice {
    /// 0…1 less ImageNet's mean, divided by its standard deviation.
    Torchvision,
    /// 0…255 less the mean color: the Oxford weights, also in Keras.
    Caffe,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum NetworkChoice {
    Vgg,
    AttentionVgg,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum GroupBy {
    /// The data set's own groups, where it has any.
    Auto,
    /// Images that look almost the same.
    NearDuplicates,
    /// The file name up to the first `_`, `-` or space: a patient's number, where files are named so.
    Prefix,
    /// Every image for itself. Leaks where a patient has several images.
    None,
}
