//! `grade`: saved models on other images, each on its own.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use ocellus::{
    anomaly::AnomalyDetector,
    candle::Device,
    data::{Color, Image, Preprocess},
};
use serde::Serialize;

use crate::{
    cli::Settings,
    common::{device::device, files, image_files::image_files},
    drawings,
    saved::Grader,
};

/// One line of the output.
#[derive(Debug, Serialize)]
struct Line {
    file: String,
    grade: &'static str,
    score: f64,
    threshold: f64,
    threshold_is_label_free: bool,
    overlay: PathBuf,
}

/// Grades each image; what cannot be read is named, and makes the exit code 1 at the end.
pub(crate) fn grade(settings: &Settings, model: &Path, inputs: &[PathBuf]) -> Result<()> {
    let device = device(&settings.device)?;
    let grader = Grader::open(model, settings.weights.as_deref(), &device)?;
    let images = image_files(inputs)?;
    let out = settings.common.out_folder("octa-grades", &[])?;
    let mut failed = 0;
    for file in &images {
        match one(file, &grader, &out) {
            Ok(line) => println!("{line}"),
            Err(error) => {
                failed += 1;
                eprintln!("skipped: {error:#}");
            }
        }
    }
    if failed > 0 {
        bail!("{failed} of {} images could not be graded", images.len())
    }
    Ok(())
}

fn one(file: &Path, grader: &Grader, out: &Path) -> Result<String> {
    let side = grader.image_size;
    let image = Preprocess::new(side, side).with_color(Color::Rgb).read(file)?;
    let batch = Image::stack(std::slice::from_ref(&image), &Device::Cpu)?;
    let represented = grader.represent(&batch)?;
    let grade = grader.system.grade(&represented)?[0];
    let threshold = grader.system.threshold();
    let score = represented.scores()[0];
    let name = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let map = drawings::Overlay::new(&grader.detector, &image)?;
    let range = drawings::range(grader.detector.calibration(), std::slice::from_ref(&map))?;
    let title = format!("{name}: {}", grade.name());
    let overlay = out.join(format!("{name}-overlay.png"));
    files::write(&overlay, map.draw(&title, range)?.to_png_scaled(2.)?)?;
    let line = Line {
        file: file.display().to_string(),
        grade: grade.name(),
        score,
        threshold: threshold.value,
        threshold_is_label_free: threshold.rule.is_label_free(),
        overlay,
    };
    Ok(serde_json::to_string(&line)?)
}
