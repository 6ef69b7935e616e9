//! What `fit` leaves: the detector with its threshold in one file, beside it how the rest is divided.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use ocellus::{
    anomaly::{AnomalyDetector, Detector},
    candle::Device,
    octa::{Representation, Represented, SubdivisionModel, UnoQa},
};
use serde::{Deserialize, Serialize};

use crate::{
    common::files,
    encoder::{Network, Weights},
    run::Run,
};

/// The file beside the detector's.
#[derive(Debug, Serialize, Deserialize)]
struct Card {
    /// Of this form.
    version: u32,
    backbone: String,
    /// Where random weights are from; none where they are from a file.
    backbone_seed: Option<u64>,
    /// The file's name, for people.
    backbone_weights: Option<String>,
    paper: bool,
    image_size: usize,
    representation: Representation,
    subdivision: SubdivisionModel,
}

const VERSION: u32 = 1;

/// The weights of a backbone that learned here, beside the detector.
const BACKBONE: &str = "backbone.safetensors";

/// Writes both.
pub(crate) fn save(
    run: &Run,
    detector: &Detector,
    representation: Representation,
    subdivision: &SubdivisionModel,
) -> Result<PathBuf> {
    let (seed, weights) = match &run.network.weights {
        Weights::Random(seed) => (Some(*seed), None),
        Weights::Vessels { .. } => {
            run.network.params.save(run.out.join(BACKBONE), &Default::default())?;
            (None, Some(BACKBONE.to_owned()))
        }
        Weights::File(file) => {
            (None, file.file_name().map(|name| name.to_string_lossy().into_owned()))
        }
    };
    let card = Card {
        version: VERSION,
        backbone: run.network.name.clone(),
        backbone_seed: seed,
        backbone_weights: weights,
        paper: run.preset.paper,
        image_size: run.preset.side,
        representation,
        subdivision: subdivision.clone(),
    };
    let file = run.out.join("detector.safetensors");
    detector.save(&file)?;
    files::write(card_of(&file), serde_json::to_vec_pretty(&card)?)?;
    Ok(file)
}

fn card_of(detector: &Path) -> PathBuf {
    detector.with_extension("json")
}

/// What can grade an image.
pub(crate) struct Grader {
    pub(crate) detector: Detector,
    pub(crate) system: UnoQa,
    pub(crate) image_size: usize,
    representation: Representation,
}

impl Grader {
    /// Reads both files; weights that were from a file must be given again.
    pub(crate) fn open(model: &Path, weights: Option<&Path>, device: &Device) -> Result<Self> {
        let path = card_of(model);
        let text = std::fs::read(&path).with_context(|| {
            format!("{} cannot be read: give the detector that `fit` saved", path.display())
        })?;
        let card: Card = serde_json::from_slice(&text).with_context(|| {
            format!("{} is not what `fit` writes beside a detector", path.display())
        })?;
        if card.version != VERSION {
            bail!("{} is of version {}, this program reads {VERSION}", path.display(), card.version)
        }
        let weights = match (weights, card.backbone_seed) {
            (None, Some(seed)) => Weights::Random(seed),
            (Some(file), None) => Weights::File(file.to_owned()),
            (Some(_), Some(_)) => {
                bail!("the detector's backbone has random weights: leave --weights out")
            }
            (None, None) if card.backbone_weights.as_deref() == Some(BACKBONE) => {
                Weights::File(model.with_file_name(BACKBONE))
            }
            (None, None) => bail!(
                "the detector's backbone has weights of a file, {}: give it as --weights",
                card.backbone_weights.as_deref().unwrap_or("whose name is not known")
            ),
        };
        let network = Network::new(&card.backbone, weights, card.paper, device)?;
        let detector = Detector::load(model, network.backbone)?;
        let Some(threshold) = detector.calibration().image_threshold else {
            bail!("{} has no threshold: `fit` writes one", model.display())
        };
        Ok(Self {
            detector,
            system: UnoQa::new(threshold, card.subdivision),
            image_size: card.image_size,
            representation: card.representation,
        })
    }

    /// Score and features of images of the right size.
    pub(crate) fn represent(&self, image: &ocellus::candle::Tensor) -> Result<Represented> {
        let images = vec![image.clone()];
        Ok(Represented::of(&self.detector, &images, self.representation)?)
    }
}
