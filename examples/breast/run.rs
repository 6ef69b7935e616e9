//! What every command that trains needs: data, settings, views, and where results go.

use std::path::PathBuf;

use anyhow::{Result, bail};
use ocellus::{breast::Protocol, candle::Device, data::Augment, parallel::ProcessGroup};

use crate::{
    cli::Settings,
    dataset::{self, Dataset},
    setup::{self, Card},
    views::Views,
};

/// One run of the program.
pub(crate) struct Run {
    pub(crate) settings: Settings,
    pub(crate) data: Dataset,
    pub(crate) views: Views,
    pub(crate) card: Card,
    pub(crate) protocol: Protocol,
    pub(crate) device: Device,
    /// The processes that train together.
    pub(crate) group: ProcessGroup,
    pub(crate) out: PathBuf,
}

impl Run {
    /// Opens the data and, where layers are frozen, computes their features once.
    pub(crate) fn open(settings: &Settings, name: &str) -> Result<Self> {
        let (device, group) = settings.parallel.meet(&settings.training.device)?;
        let mut card = Card::new(settings, &two_classes())?;
        let mut data = dataset::open(settings, card.image_size)?;
        card = Card::new(settings, &data.classes)?;
        card.data.clone_from(&data.fingerprint);
        let protocol = card.preset.protocol(settings);
        let out = settings.common.out_folder(name, &["folds"])?;
        let augment = protocol.augment.then(augmentation);
        let images = std::mem::take(&mut data.images);
        let mut views = Views::new(images, augment, settings.common.seed, device.clone());
        if card.frozen_layers > 0 {
            let (model, _) = setup::build(&card, settings.weights.as_deref(), &device)?;
            let limit = settings.cache_mib << 20;
            views.keep_features(&model, card.frozen_layers, settings.views, limit)?;
        }
        Ok(Self { settings: settings.clone(), data, views, card, protocol, device, group, out })
    }

    /// All images of `--data`, seen through a saved network's settings.
    pub(crate) fn evaluation(settings: &Settings, card: &Card, device: Device) -> Result<Self> {
        let mut data = dataset::open(settings, card.image_size)?;
        if data.classes != card.classes {
            bail!(
                "the network knows the classes {}, the images are of {}",
                card.classes.join(", "),
                data.classes.join(", ")
            )
        }
        let images = std::mem::take(&mut data.images);
        Ok(Self {
            settings: settings.clone(),
            views: Views::new(images, None, settings.common.seed, device.clone()),
            card: card.clone(),
            protocol: card.preset.protocol(settings),
            out: settings.common.out_folder("breast-evaluation", &["folds"])?,
            data,
            device,
            group: ProcessGroup::default(),
        })
    }

    /// How many numbers the network of `card` learns or holds.
    pub(crate) fn parameter_count(&self, card: &Card) -> Result<usize> {
        Ok(setup::build(card, None, &self.device)?.1.parameter_count())
    }

    /// The name of the positive class.
    pub(crate) fn positive(&self) -> &str {
        &self.card.classes[self.card.positive]
    }
}

fn two_classes() -> Vec<String> {
    vec!["benign".to_owned(), "malignant".to_owned()]
}

/// Flips, small turns, shifts and scalings, and other light: what another hold of the probe and
/// another gain would give.
fn augmentation() -> Augment {
    Augment::default()
        .with_flip_horizontal(0.5)
        .with_rotation(15.)
        .with_shift(0.1)
        .with_scale((0.85, 1.15))
        .with_brightness(0.1)
        .with_contrast(0.2)
        .with_gamma(0.35)
}
