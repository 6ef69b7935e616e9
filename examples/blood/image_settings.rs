//! How images are read: the settings of it.

use std::path::PathBuf;

use anyhow::{Result, bail};
use clap::{Args, ValueEnum};
use ocellus::data::{CellPart, DecodeConfig, Error};
use serde::{Deserialize, Serialize};

use crate::layout::Layout;

#[derive(Args, Clone, Debug)]
pub(crate) struct ImageSettings {
    /// The layout of the folders of `--data`, where it is not told by what is in them.
    #[arg(long, global = true, value_enum)]
    pub(crate) layout: Option<Layout>,
    /// Gives every image the stain of a reference, before it is cropped and resized.
    #[arg(long, global = true, value_enum)]
    pub(crate) stain: Option<StainMethod>,
    /// The image whose stain all get, none of the tested ones; by default that of the median of
    /// simulated smears.
    #[arg(long, global = true, value_name = "IMAGE", requires = "stain")]
    pub(crate) stain_reference: Option<PathBuf>,
    /// Cuts cells out by their masks, the rest is black: SN-AM has masks of nuclei and, for myeloma, of
    /// cytoplasm; `SegPC` and `images/CLASS` with `masks/CLASS` of cells.
    #[arg(long, global = true, value_enum)]
    pub(crate) crop: Option<Crop>,
    /// Keeps images as they are after decoding, cropping and resizing, for the next run.
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) cache: Option<PathBuf>,
    /// The most pixels of an image, in millions.
    #[arg(long, global = true, value_name = "MILLIONS")]
    pub(crate) max_megapixels: Option<f64>,
}

/// How a stain is normalized.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum StainMethod {
    /// Mean and deviation of three opponent colors.
    Reinhard,
    /// The colors of two stains, and how much of each there is.
    Macenko,
}

/// The part of a cell that is cut out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Crop {
    /// The nucleus.
    Nucleus,
    /// Nucleus and cytoplasm, as far as they are marked.
    Cell,
    /// The cytoplasm.
    Cytoplasm,
}

impl Crop {
    /// Whose masks it needs.
    pub(crate) fn part(self) -> CellPart {
        match self {
            Self::Nucleus => CellPart::Nucleus,
            Self::Cell => CellPart::Cell,
            Self::Cytoplasm => CellPart::Cytoplasm,
        }
    }

    /// As `--crop` has it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Nucleus => "nucleus",
            Self::Cell => "cell",
            Self::Cytoplasm => "cytoplasm",
        }
    }
}

/// The most bytes of a pixel in a file: four channels of 16 bits.
const PIXEL: f64 = 8.;

impl ImageSettings {
    /// Limits of decoding: those of micrographs, unless more is allowed.
    pub(crate) fn decode(&self) -> Result<DecodeConfig> {
        let config = DecodeConfig::micrograph();
        let Some(millions) = self.max_megapixels else { return Ok(config) };
        if !(0.001..=10_000.).contains(&millions) {
            bail!("--max-megapixels is {millions}: give 0.001 to 10000")
        }
        let pixels = 1e6 * millions;
        let bytes = (PIXEL * pixels) as u64 + config.max_file_bytes;
        Ok(config.with_max_pixels(pixels as u64).with_max_file_bytes(bytes))
    }
}

/// What an error says to the program's user.
pub(crate) fn explained(error: &Error) -> String {
    match error {
        Error::TooLarge { path, what, limit } => {
            let path = path.display();
            format!(
                "{path}: {what}, more than the limit of {limit}; allow it with --max-megapixels"
            )
        }
        other => other.to_string(),
    }
}
