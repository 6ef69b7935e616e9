//! `predict` and `evaluate`: a saved network on other images.

use std::{
    io::Write,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};
use ocellus::{
    breast::Classifier,
    candle::{Device, Tensor},
    data::{DecodeConfig, Image, Resize},
    figures::{Figure, OverlayPlot, Panels, Picture},
};
use serde::Serialize;

use crate::{
    cli::Settings,
    files,
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
    let device = setup::device(&settings.device)?;
    let (card, network, _) = setup::open(model, &device)?;
    let files = files(inputs)?;
    let out = settings.out.clone().unwrap_or_else(|| PathBuf::from("runs/predictions"));
    std::fs::create_dir_all(&out)
        .with_context(|| format!("{} cannot be made: choose another --out", out.display()))?;
    let mut failed = 0;
    for file in &files {
        match one(file, &card, &network, &device, &out) {
            Ok(line) => writeln!(std::io::stdout(), "{line}")?,
            Err(error) if settings.strict => return Err(error),
            Err(error) => {
                failed += 1;
                eprintln!("skipped: {error:#}");
            }
        }
    }
    if failed > 0 {
        bail!("{failed} of {} images could not be read", files.len())
    }
    Ok(())
}

/// The images named, and those in the folders named.
fn files(inputs: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for input in inputs {
        if !input.is_dir() {
            files.push(input.clone());
            continue;
        }
        let entries = std::fs::read_dir(input)
            .with_context(|| format!("the folder {} cannot be read", input.display()))?;
        let mut found = Vec::new();
        for entry in entries {
            let path = entry?.path();
            let extension = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
            if ["png", "jpg", "jpeg", "bmp"].contains(&extension.as_str()) {
                found.push(path);
            }
        }
        found.sort();
        if found.is_empty() {
            bail!("the folder {} holds no PNG, JPEG or BMP image", input.display())
        }
        files.extend(found);
    }
    Ok(files)
}

fn one(
    file: &Path,
    card: &Card,
    network: &Classifier,
    device: &Device,
    out: &Path,
) -> Result<String> {
    let original = Image::open_with(file, &DecodeConfig::default())?.to_gray()?;
    let size = card.image_size;
    let small = Resize::new(size, size).apply(&original)?;
    let x = Image::stack(&[small.to_rgb()?], device)?;
    let seen = network.explain(&x)?;
    let probabilities: Vec<f64> =
        seen.probabilities.squeeze(0)?.to_vec1::<f32>()?.into_iter().map(f64::from).collect();
    let prediction = crate::outcome::Prediction {
        index: 0,
        file: file.display().to_string(),
        truth: 0,
        threshold: card.threshold,
        probabilities: probabilities.clone(),
    };
    let class = prediction.class(card.positive);
    let maps = Maps { attention: seen.map, evidence: network.evidence(&x, class)? };
    let overlay = overlay(file, card, class, probabilities[class], &original, &maps, out)?;
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

/// Where the gate looked, and what spoke for the predicted class.
struct Maps {
    attention: Option<Tensor>,
    evidence: Tensor,
}

/// Image, map and both together under the verdict: what spoke for it and, with a gate, where it looked.
fn overlay(
    file: &Path,
    card: &Card,
    class: usize,
    probability: f64,
    image: &Image,
    maps: &Maps,
    out: &Path,
) -> Result<PathBuf> {
    let (channels, rows, columns) = image.dims();
    let picture = Picture::from_planes(channels, rows, columns, image.data())?;
    let draw = |map: &Tensor, title: String, name: &str| -> Result<Figure> {
        let (_, _, height, width) = map.dims4()?;
        let values = map.flatten_all()?.to_vec1::<f32>()?;
        let plot = OverlayPlot::new(&picture, width, height, &values).with_title(title);
        Ok(plot.with_names("image", name, "overlay").draw()?)
    };
    let name = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let verdict = &card.classes[class];
    let title = format!("{name}: {verdict}, probability {probability:.2}");
    let mut figures = vec![draw(&maps.evidence, title, &format!("speaks for {verdict}"))?];
    if let Some(map) = &maps.attention {
        figures.push(draw(map, "Where the attention gate looked".to_owned(), "attention")?);
    }
    let path = out.join(format!("{name}-overlay.png"));
    files::write(&path, Panels::new(1).draw(&figures)?.to_png_scaled(2.)?)?;
    Ok(path)
}
