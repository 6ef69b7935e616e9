//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use ocellus::{anomaly::ImagePooling, octa::Method};

use crate::common::common_settings::CommonSettings;

/// Grades OCTA images as outstanding, gradable or ungradable: UNO-QA of Chen et al. (2023), learned
/// from outstanding images alone.
///
/// With no arguments, fits all four detectors of the paper's comparison on synthetic outstanding
/// images, grades a mixed set, and writes a report.
#[derive(Debug, Parser)]
#[command(name = "octa", version)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    #[command(flatten)]
    pub(crate) settings: Settings,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Fits a detector on outstanding images, clusters the mixed ones, and saves both.
    Fit,
    /// Grades images by what `fit` saved, each on its own.
    Grade {
        /// The detector that `fit` saved.
        #[arg(long)]
        model: PathBuf,
        /// PNG, JPEG or BMP files, or folders of these.
        #[arg(required = true)]
        images: Vec<PathBuf>,
    },
    /// The paper's Table 1: four detectors, two reductions, three clusterings.
    #[command(name = "table1")]
    Table1,
    /// The paper's Table 2: of the score alone, of one scale, of all.
    #[command(name = "table2")]
    Table2,
    /// Beyond the paper: finds defects of surfaces with all four detectors, in a category of `MVTec` AD's
    /// layout or the magnetic tiles. AUROC of images and pixels, AUPRO.
    Defects,
}

#[derive(Args, Clone, Debug)]
pub(crate) struct Settings {
    #[command(flatten)]
    pub(crate) common: CommonSettings,
    /// Images: OCTA-25K-IQA-SEG, DRIMDB, a folder of folders of grades, or a folder of good images
    /// without grades, which are then spoiled to three. Synthetic where absent.
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
    /// The part of `--data` whose outstanding images are learned from, if it has several.
    #[arg(long, global = true, default_value = "train", value_name = "PART")]
    pub(crate) train: String,
    /// The part of `--data` that is graded, if it has several.
    #[arg(long, global = true, default_value = "test", value_name = "PART")]
    pub(crate) test: String,
    /// The detector of `fit` and `table2`, and of the figures.
    #[arg(long, global = true, value_enum, default_value = "cflow")]
    pub(crate) detector: DetectorChoice,
    /// The backbone: `resnet18`, `resnet34`, `resnet50` or `wide-resnet50`, with `/16` for 16 channels
    /// of the first layer instead of 64.
    #[arg(long, global = true)]
    pub(crate) backbone: Option<String>,
    /// The backbone's weights, such as torchvision's for ImageNet (safetensors or .pth); else random.
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) weights: Option<PathBuf>,
    /// What a backbone without `--weights` is: one that first learns to find vessels in synthetic images
    /// (by default where the images are synthetic, too), or random.
    #[arg(long, global = true, value_enum, conflicts_with = "weights")]
    pub(crate) encoder: Option<Untrained>,
    /// From which score on an image is not outstanding: `quantile=Q` or `sigmas=K` of outstanding
    /// images, a number, or by the grades of the very images that are graded `oracle-f1`,
    /// `oracle-youden`.
    #[arg(long, global = true, value_name = "RULE")]
    pub(crate) threshold: Option<Rule>,
    /// The score of an image: `method` (the strangest place), `mean` of the map, or `top=0.1`, the mean of
    /// the strangest tenth. By default `mean`, for quality is of the whole image, but `method` for
    /// `defects` and with `--paper`.
    #[arg(long, global = true, value_name = "POOLING", value_parser = pooling)]
    pub(crate) score: Option<ImagePooling>,
    /// Whether an image that is less strange than outstanding ones is strange, too: its score is the
    /// distance from their median. By default yes where images are graded, but not with `--paper`.
    #[arg(long, global = true, value_name = "YES_OR_NO", action = clap::ArgAction::Set)]
    pub(crate) two_sided: Option<bool>,
    /// What CFLOW-AD's density is before it is fitted: `gaussian`, that of outstanding images' features.
    #[arg(long, global = true, value_enum, default_value = "standard")]
    pub(crate) start: Start,
    /// Components that features are reduced to.
    #[arg(long, global = true)]
    pub(crate) components: Option<usize>,
    /// Height and width of the images.
    #[arg(long, global = true)]
    pub(crate) size: Option<usize>,
    /// How many outstanding images a detector is fitted on, instead of 45 % of them; a third as many are
    /// held back for thresholds, the others are graded.
    #[arg(long, global = true, value_name = "COUNT")]
    pub(crate) fit_on: Option<usize>,
    /// `cpu`, `cuda`, `cuda:N`, or `auto`: a GPU where there is one, else the CPU.
    #[arg(long, global = true, default_value = "cpu")]
    pub(crate) device: String,
    /// Repeats `table1` or `defects` with so many seeds, one after the other, and gives means and
    /// standard deviations.
    #[arg(long, global = true, default_value_t = 1, value_name = "COUNT")]
    pub(crate) seeds: u64,
    /// The paper's own settings: Wide-ResNet-50-2, 320 pixels, CFLOW-AD, oracle thresholds.
    #[arg(long, global = true)]
    pub(crate) paper: bool,
}

/// A backbone without weights of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Untrained {
    /// It learns to find vessels in synthetic outstanding images. No grade is seen.
    Vessels,
    /// Nothing is learned by it.
    Random,
}

/// What a flow is before it is fitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Start {
    /// About N(0, 1) of each channel.
    Standard,
    /// About the Gaussian of the outstanding images' features, as the paper says.
    Gaussian,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum DetectorChoice {
    /// PaDiM: a Gaussian for each place.
    Padim,
    /// PatchCore: distances to a bank of patches.
    Patchcore,
    /// FastFlow: a convolutional flow for each scale.
    Fastflow,
    /// CFLOW-AD: a conditional flow for each scale, the paper's.
    Cflow,
}

impl DetectorChoice {
    pub(crate) fn method(self) -> Method {
        match self {
            Self::Padim => Method::Padim,
            Self::Patchcore => Method::PatchCore,
            Self::Fastflow => Method::FastFlow,
            Self::Cflow => Method::Cflow,
        }
    }
}

fn pooling(text: &str) -> Result<ImagePooling, String> {
    let share = || text.strip_prefix("top=")?.parse().ok().filter(|&s: &f64| s > 0. && s <= 1.);
    match (text, share()) {
        ("method", _) => Ok(ImagePooling::OfMethod),
        ("mean", _) => Ok(ImagePooling::Mean),
        (_, Some(share)) => Ok(ImagePooling::Top { share }),
        _ => Err("give `method`, `mean`, or a share of the pixels as `top=0.1`".to_owned()),
    }
}

/// From which score on an image is not outstanding.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Rule {
    Quantile(f64),
    Sigmas(f64),
    Given(f64),
    OracleF1,
    OracleYouden,
}

impl Rule {
    /// Whether no grade is needed.
    pub(crate) fn is_label_free(self) -> bool {
        !matches!(self, Self::OracleF1 | Self::OracleYouden)
    }
}

impl std::str::FromStr for Rule {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = |text: &str| text.parse().ok().filter(|value: &f64| value.is_finite());
        let rule = match text.split_once('=') {
            Some(("quantile", q)) => number(q).map(Self::Quantile),
            Some(("sigmas", sigmas)) => number(sigmas).map(Self::Sigmas),
            Some(_) => None,
            None if text == "oracle-f1" => Some(Self::OracleF1),
            None if text == "oracle-youden" => Some(Self::OracleYouden),
            None => number(text).map(Self::Given),
        };
        rule.ok_or_else(|| {
            "give `quantile=0.95`, `sigmas=3`, a number, `oracle-f1` or `oracle-youden`".to_owned()
        })
    }
}
