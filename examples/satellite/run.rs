//! What every command that trains or evaluates needs: areas, settings, and where results go.

use std::path::PathBuf;

use anyhow::{Context, Result};
use ocellus::{candle::Device, data::TileGrid, satellite::Protocol};

use crate::{
    areas::Areas,
    cli::{Form, Settings},
    common::device::device,
    network::Card,
};

/// Which of the library's presets a run follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Preset {
    Paper,
    Practical,
    Tiny,
}

impl Preset {
    fn of(settings: &Settings) -> Self {
        match (settings.paper, &settings.data) {
            (true, _) => Self::Paper,
            (false, Some(_)) => Self::Practical,
            (false, None) => Self::Tiny,
        }
    }

    /// Maps of the first layer.
    pub(crate) fn channels(self) -> usize {
        if self == Self::Tiny { 16 } else { 64 }
    }

    /// Sides of the synthetic areas.
    pub(crate) fn synthetic_side(self, quick: bool) -> u32 {
        match (self, quick) {
            (_, true) => 384,
            (Self::Tiny, false) => 640,
            (Self::Paper | Self::Practical, false) => 1536,
        }
    }

    /// How networks are trained, with the changes that the command line asks for.
    fn protocol(self, settings: &Settings) -> Protocol {
        let mut protocol = match self {
            Self::Paper => Protocol::paper(),
            Self::Practical => Protocol::practical(),
            Self::Tiny => Protocol::tiny(),
        };
        if settings.quick {
            protocol.epochs = protocol.epochs.min(2);
            protocol.refinement.epochs = protocol.refinement.epochs.min(2);
        }
        protocol.epochs = settings.epochs.unwrap_or(protocol.epochs);
        protocol.batch_size = settings.batch_size.unwrap_or(protocol.batch_size);
        protocol.learning_rate = settings.learning_rate.unwrap_or(protocol.learning_rate);
        protocol
    }
}

/// One run of the program.
pub(crate) struct Run {
    pub(crate) settings: Settings,
    pub(crate) preset: Preset,
    pub(crate) protocol: Protocol,
    pub(crate) areas: Areas,
    pub(crate) device: Device,
    pub(crate) out: PathBuf,
}

impl Run {
    /// Opens the areas.
    pub(crate) fn open(settings: &Settings, name: &str) -> Result<Self> {
        let preset = Preset::of(settings);
        let out = settings.out.clone().unwrap_or_else(|| PathBuf::from("runs").join(name));
        for folder in ["networks", "maps"] {
            std::fs::create_dir_all(out.join(folder)).with_context(|| {
                format!("{} cannot be made: choose another --out", out.display())
            })?;
        }
        Ok(Self {
            settings: settings.clone(),
            preset,
            protocol: preset.protocol(settings),
            areas: Areas::open(settings, preset)?,
            device: device(&settings.device)?,
            out,
        })
    }

    /// The card of a network of this run, before it has seen the areas.
    pub(crate) fn card(&self, network: &str, form: Form) -> Result<Card> {
        let mut card = Card::new(network, form, self.areas.bands, &self.areas.classes)?;
        card.channels = self.settings.channels.unwrap_or(self.preset.channels());
        card.seed = self.settings.seed;
        card.data.clone_from(&self.areas.name);
        Ok(card)
    }

    /// How scenes are cut to tiles for training.
    pub(crate) fn grid(&self) -> TileGrid {
        TileGrid::new(self.protocol.tile as u32, self.protocol.tile_stride as u32)
    }
}
