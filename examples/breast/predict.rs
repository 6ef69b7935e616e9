//! `predict`: a saved network on other images.

use std::{
    io::Write,
    path::{Path, PathBuf},
};

use anyhow::{Result, bail};
use ocellus::{
    breast::Classifier,
    candle::{Device, Tensor},
    data::{DecodeConfig, Image, Resize},
    figures::Panels,
};
use serde::Serialize;

use crate::{
    cli::Settings,
    common::{device::device, files},
    compared::predictions::Prediction,
    explain::Explained,
    image_files::image_files,
    maps::{self, Maps},
    setup::{self, Card},
};

/// One line of the output of `predict`.
#[derive(Debug, Serialize)]
struct Line<'a> {
    file: String,
    class: &'a str,
    probability: f64,
    probabilities: std::collections::BTreeMap<&'a str, f64>,
    threshold: f64,
    positive_class: &'a str,
    overlay: PathBuf,
}

/// Classifies each image; what cannot be read is named, and makes the exit code 1 at the end.
pub(crate) fn predict(settings: &Settings, model: &Path, inputs: &[PathBuf]) -> Result<()> {
    let device = device(&settings.training.device)?;
    let (card, network, _) = setup::open(model, &device)?;
    let mirror = card.preset.protocol(settings).mirror;
    let with = With { card, network, device, mirror };
    let images = image_files(inputs)?;
    let out = settings.common.out_folder("predictions", &[])?;
    let mut failed = 0;
    for file in &images {
        match one(file, &with, &out) {
            Ok(line) => writeln!(std::io::stdout(), "{line}")?,
            Err(error) if settings.strict => return Err(error),
            Err(error) => {
                failed += 1;
                eprintln!("skipped: {error:#}");
            }
        }
    }
    if failed > 0 {
        bail!("{failed} of {} images could not be read", images.len())
    }
    Ok(())
}

fn one(file: &Path, with: &With, out: &Path) -> Result<String> {
    let (card, network) = (&with.card, &with.network);
    let original = Image::open_with(file, &DecodeConfig::default())?.to_gray()?;
    let size = card.image_size;
    let small = Resize::new(size, size).apply(&original)?;
    let x = Image::stack(&[small.to_rgb()?], &with.device)?;
    let probabilities = with.probabilities(&x)?;
    let prediction = Prediction {
        index: 0,
        file: file.display().to_string(),
        truth: 0,
        threshold: card.threshold,
        probabilities: probabilities.clone(),
    };
    let class = prediction.class(card.positive);
    let maps = maps::of(network, &x, &[class], with.mirror)?.remove(0);
    let overlay = overlay(card, &prediction, class, &original, &maps, out)?;
    let line = Line {
        file: file.display().to_string(),
        class: &card.classes[class],
        probability: probabilities[class],
        probabilities: card.classes.iter().map(String::as_str).zip(probabilities).collect(),
        threshold: card.threshold,
        positive_class: &card.classes[card.positive],
        overlay,
    };
    Ok(serde_json::to_string(&line)?)
}

/// A saved network and how it is asked.
struct With {
    card: Card,
    network: Classifier,
    device: Device,
    /// Whether its answer is the mean over an image and its mirror image.
    mirror: bool,
}

impl With {
    fn probabilities(&self, image: &Tensor) -> Result<Vec<f64>> {
        let mut mean = self.network.predict(image)?;
        if self.mirror {
            mean = ((mean + self.network.predict(&image.flip(&[3])?)?)? * 0.5)?;
        }
        Ok(mean.squeeze(0)?.to_vec1::<f32>()?.into_iter().map(f64::from).collect())
    }
}

/// The image, what spoke for the verdict and, with a gate, where the network read, under the verdict
/// in words.
fn overlay(
    card: &Card,
    prediction: &Prediction,
    class: usize,
    image: &Image,
    maps: &Maps,
    out: &Path,
) -> Result<PathBuf> {
    let file = Path::new(&prediction.file);
    let name = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let (verdict, positive) = (&card.classes[class], &card.classes[card.positive]);
    let probability = prediction.probabilities[card.positive];
    let caption = format!(
        "Probability of {positive} {probability:.2} (threshold {:.2}). Research software, not for \
         diagnosis.",
        card.threshold
    );
    let figures = Explained { image, maps, verdict, lesion: None }
        .draw(&format!("{name}: verdict {verdict}"), &caption)?;
    let path = out.join(format!("{name}-overlay.png"));
    files::write(&path, Panels::new(figures.len()).draw(&figures)?.to_png_scaled(2.)?)?;
    Ok(path)
}
