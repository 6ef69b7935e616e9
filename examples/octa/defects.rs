//! Defects of surfaces: the four detectors without grades.

use anyhow::{Context, Result, bail};
use ocellus::{
    anomaly::{AnomalyDetector, Detector, ImageScoring},
    candle::Device,
    data::Image,
    figures::{Best, Cell, Report, Section, Table},
    metrics::{BootstrapConfig, PixelScores, Resampling, auroc, bootstrap, gather},
    octa::Method,
};
use serde::Serialize;

use crate::{
    cli::Settings,
    common::{files, progress},
    comparison::Estimate,
    detectors,
    drawings::{self, Overlay},
    run::{Preset, Run},
    seeds::{self, Spread},
    surfaces::Surfaces,
};

/// The overlap of regions is measured up to this share of false positives, as is usual.
const LIMIT: f64 = 0.3;

/// Scores of pixels are rounded to so many bits: their areas are exact to four digits and more.
const BITS: u32 = 16;

/// How many defects are shown.
const SHOWN: usize = 6;

/// What a detector found.
#[derive(Clone, Debug, Serialize)]
struct Found {
    seed: u64,
    detector: &'static str,
    /// Images with a defect against those without, with an interval over whole objects.
    image_auroc: Estimate,
    pixel_auroc: f64,
    aupro: f64,
    fit_seconds: f64,
    score_seconds: f64,
}

/// All four detectors, each seed after the other.
pub(crate) fn defects(settings: &Settings) -> Result<()> {
    const NAME: &str = "octa-defects";
    let Some(root) = settings.data.clone() else {
        bail!("give --data DIR: a category of MVTec AD's layout, or the magnetic tiles")
    };
    let mut found = Vec::new();
    for one in seeds::each(settings, NAME) {
        let preset = Preset::of(&one);
        let Surfaces { sets, groups } = Surfaces::open(&root, &one, &preset)?;
        let run = Run::of(&one, NAME, preset, sets, ImageScoring::default())?;
        found.extend(examine(&run, &groups)?);
    }
    summarize(&found);
    let folder = settings.common.out_path(NAME);
    files::write(folder.join("defects.json"), serde_json::to_vec_pretty(&found)?)?;
    println!("results: {}", folder.join("defects.json").display());
    Ok(())
}

fn examine(run: &Run, groups: &[usize]) -> Result<Vec<Found>> {
    let encoder = run.network.encoder()?;
    let features = detectors::features(run, &encoder)?;
    let mut found = Vec::new();
    let mut report = Report::new("Defects of surfaces").with_summary(format!(
        "Learned from {} normal images ({} of them for calibration) through a frozen encoder: {}. {} others \
         were tested. Data: {}.",
        run.sets.train.len() + run.sets.calibration.len(),
        run.sets.calibration.len(),
        run.network.describe(),
        run.sets.test.len(),
        run.sets.name,
    ));
    let mut pictures = Vec::new();
    for method in Method::ALL {
        let started = std::time::Instant::now();
        let detector = detectors::fit(run, method, &features)
            .with_context(|| format!("{} could not be fitted", method.name()))?;
        let fit_seconds = started.elapsed().as_secs_f64();
        found.push(Found { fit_seconds, ..score(run, method, &detector, groups)? });
        pictures.push(picture(run, method, &detector)?);
    }
    report = report.with_section(Section::new("Detectors").with_table(table(&found))?);
    for section in pictures {
        report = report.with_section(section);
    }
    let file = run.out.join("report.html");
    report.with_seeds([("seed", run.settings.common.seed)]).save(&file)?;
    println!("report: {}", file.display());
    Ok(found)
}

fn score(run: &Run, method: Method, detector: &Detector, groups: &[usize]) -> Result<Found> {
    let started = std::time::Instant::now();
    let mut pixels = PixelScores::rounded(BITS)?;
    let (mut defective, mut scores) = (Vec::new(), Vec::new());
    let bar = progress::bar(run.sets.test.len() as u64, &format!("{}: scores", method.name()));
    for image in 0..run.sets.test.len() {
        let example = run.sets.test.example(image)?;
        let found = detector.score(&Image::stack(&[example.image], &Device::Cpu)?)?;
        let (_, _, height, width) = found.maps.dims4()?;
        let mask = match &example.mask {
            Some(mask) => mask.data().iter().map(|&value| value > 0.5).collect(),
            None => vec![false; height * width],
        };
        pixels.add(&found.maps.flatten_all()?.to_vec1::<f32>()?, &mask, width)?;
        scores.extend(found.image_values()?);
        defective.push(example.label != 0);
        bar.inc(1);
    }
    bar.finish_and_clear();
    let curve = pixels.into_curve()?;
    let config = BootstrapConfig::seeded(run.settings.common.seed);
    let interval = bootstrap(Resampling::Grouped(groups), &config, |rows| {
        auroc(&gather(&defective, rows), &gather(&scores, rows)).ok()
    })?;
    Ok(Found {
        seed: run.settings.common.seed,
        detector: method.name(),
        image_auroc: interval.into(),
        pixel_auroc: 100. * curve.auroc(),
        aupro: 100. * curve.aupro(LIMIT)?,
        fit_seconds: 0.,
        score_seconds: started.elapsed().as_secs_f64(),
    })
}

/// The first defects, with where the detector sees something strange.
fn picture(run: &Run, method: Method, detector: &Detector) -> Result<Section> {
    let mut overlays = Vec::new();
    let step = (run.sets.test.len() / (4 * SHOWN)).max(1);
    for image in (0..run.sets.test.len()).step_by(step) {
        let example = run.sets.test.example(image)?;
        if example.label != 0 && overlays.len() < SHOWN {
            overlays.push((run.sets.test.name(image), Overlay::new(detector, &example.image)?));
        }
    }
    let (names, overlays): (Vec<_>, Vec<_>) = overlays.into_iter().unzip();
    let range = drawings::range(detector.calibration(), &overlays)?;
    let figures = names.iter().zip(&overlays).map(|(name, overlay)| overlay.draw(name, range));
    let figures = figures.collect::<Result<Vec<_>>>()?;
    let section = Section::new(format!("Where {} sees what is strange", method.name()));
    Ok(section.with_figures(&figures, "Images with defects.")?)
}

fn table(found: &[Found]) -> Table {
    let headers = ["Detector", "image AUROC", "pixel AUROC", "AUPRO (30 %)", "fit, s", "score, s"];
    let caption = "Areas in percent; the interval (95 %) is over whole objects.";
    let table = found.iter().fold(Table::new(&headers).with_caption(caption), |table, found| {
        let Estimate { value, low, high } = found.image_auroc;
        table.with_row([
            Cell::from(found.detector),
            Cell::interval(value, low, high, 1),
            Cell::number(found.pixel_auroc, 1),
            Cell::number(found.aupro, 1),
            Cell::number(found.fit_seconds, 1),
            Cell::number(found.score_seconds, 1),
        ])
    });
    (1..4).fold(table, |table, column| table.with_best(column, Best::Highest))
}

/// Means over the seeds.
fn summarize(found: &[Found]) {
    println!("\n{:10}  {:>14}  {:>14}  {:>14}", "", "image AUROC", "pixel AUROC", "AUPRO (30 %)");
    for method in Method::ALL {
        let runs: Vec<&Found> = found.iter().filter(|f| f.detector == method.name()).collect();
        let spread =
            |of: fn(&Found) -> f64| Spread::of(&runs.iter().map(|f| of(f)).collect::<Vec<_>>());
        println!(
            "{:10}  {:>14}  {:>14}  {:>14}",
            method.name(),
            spread(|found| found.image_auroc.value).to_string(),
            spread(|found| found.pixel_auroc).to_string(),
            spread(|found| found.aupro).to_string(),
        );
    }
}
