//! The commands.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};
use ocellus::data::DecodeConfig;
use serde::Serialize;

use crate::{
    classical,
    cli::{FeatureChoice, Settings},
    common::{device::device, files, image_files::image_files},
    compare::{self, MethodResult},
    compared::predictions,
    fitting, image_settings,
    method::Method,
    report,
    run::{Run, Split},
    saved::{self, Card, Predictor, Vgg},
};

/// With no command, and `table2`: all methods on the same folds.
pub(crate) fn table_2(settings: &Settings, name: &str) -> Result<()> {
    let run = Run::open(settings, name)?;
    let results = compare::compare(&run, &splits(&run)?)?;
    report::write(&run, &results, "Blood-cancer cells: Table 2")
}

fn splits(run: &Run) -> Result<Vec<Split>> {
    run.splits().with_context(|| run.cells.unsplit())
}

/// The network on each folder by itself.
pub(crate) fn table_3(settings: &Settings) -> Result<()> {
    if settings.data.is_empty() {
        bail!("table3 compares data sets: give --data DIR once for each")
    }
    let mut settings = settings.clone();
    if settings.methods.is_empty() {
        settings.methods = vec![Method::Dcnn];
    }
    let out = settings.common.out_path("blood-table3");
    let mut lines = Vec::new();
    for (n, folder) in settings.data.iter().enumerate() {
        let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let out = out.join(format!("{}-{name}", n + 1));
        let run = Run::of_folders(&settings, std::slice::from_ref(folder), &out)?;
        let results = compare::compare(&run, &splits(&run)?)?;
        report::write(&run, &results, &format!("Blood-cancer cells: {name}"))?;
        lines.extend(results.iter().map(|result| line(&run, result, &name)));
    }
    println!("\nTable 3: accuracy over all folds, with 95 % bootstrap intervals over groups");
    lines.iter().for_each(|line| println!("{line}"));
    Ok(())
}

fn line(run: &Run, result: &MethodResult, data: &str) -> String {
    let accuracy = report::accuracy(run, &result.contender().predictions());
    let accuracy = accuracy.map_or_else(|| "–".to_owned(), |interval| format!("{interval:.3}"));
    format!("{data:24}  {:16}  {accuracy}", result.name)
}

/// One method on all images but a part held out, saved.
pub(crate) fn train(settings: &Settings) -> Result<()> {
    let method = match settings.methods.as_slice() {
        [] => Method::Dcnn,
        [method] => *method,
        _ => bail!("train one method at a time: give one with --methods"),
    };
    if settings.features == FeatureChoice::Vgg {
        bail!("models of VGG's vectors are compared only: train with --features classical")
    }
    let run = Run::open(settings, "blood-train")?;
    if !(method.is_network() || run.group.is_alone()) {
        bail!("{} is trained by one process: several train networks", method.name())
    }
    let file = saved::file(&run.out, method);
    settings.training.require_new(&file)?;
    let split = run.holdout().with_context(|| run.cells.unsplit())?;
    let mut card = Card {
        method,
        classes: run.cells.classes.clone(),
        preparation: run.cells.preparation.clone(),
        dcnn: (method == Method::Dcnn).then(|| run.dcnn.clone()),
        pixels: None,
        vgg: Vgg { is_paper: settings.weights.is_some(), side: run.vgg_side() },
        data: run.cells.fingerprint.clone(),
    };
    let probabilities = if method.is_network() {
        let trained = fitting::fit(&run, method, &split, method.name())?;
        if run.group.rank() > 0 {
            return Ok(()); // Of several processes one keeps and tells what they have.
        }
        trained.network.params.save(&file, &Default::default())?;
        card.pixels = trained.network.pixels().cloned();
        trained.probabilities(&split.test)?
    } else {
        let features = classical::features(&run)?;
        let fitted = classical::fit(&run, method, &features, &split)?;
        fitted.model.save(&file)?;
        println!("chosen on inner folds: {}", fitted.chosen);
        classical::probabilities(&*fitted.model, &features, &split.test)?
    };
    card.save(&run.out)?;
    let positive = run.positive();
    let said = compare::predictions(&run, &split.test, probabilities);
    let figures = predictions::figures(&said, positive.0);
    println!("{} images held out, positive class: {}", said.len(), positive.1);
    for (name, value) in predictions::Figures::NAMES.into_iter().zip(figures.values()) {
        println!("{name:12} {}", value.map_or_else(|| "–".to_owned(), |v| format!("{v:.3}")));
    }
    let table = predictions::to_csv(&said, &run.cells.classes, positive.0)?;
    files::write(run.out.join("predictions.csv"), table)?;
    println!("model: {}", run.out.display());
    Ok(())
}

/// A line of the output of `predict`.
#[derive(Debug, Serialize)]
struct Line<'a> {
    file: PathBuf,
    class: &'a str,
    probabilities: std::collections::BTreeMap<&'a str, f64>,
}

/// Classifies each image; what cannot be read is named, and makes the exit code 1 at the end.
pub(crate) fn predict(
    settings: &Settings,
    model: &Path,
    inputs: &[PathBuf],
    masks: Option<&Path>,
) -> Result<()> {
    let predictor = Predictor::open(model, &device(&settings.training.device)?)?;
    require_own_preparation(settings, &predictor.card, masks)?;
    let decode = settings.images.decode()?;
    let images = image_files(inputs)?;
    let mut failed = 0;
    for file in &images {
        match one(&predictor, file, masks, decode) {
            Ok(line) => println!("{line}"),
            Err(error) => {
                failed += 1;
                eprintln!("skipped: {error:#}");
            }
        }
    }
    if failed > 0 {
        bail!("{failed} of {} images could not be classified", images.len())
    }
    Ok(())
}

/// A model's images are prepared as its card says, and in no other way.
fn require_own_preparation(settings: &Settings, card: &Card, masks: Option<&Path>) -> Result<()> {
    if settings.images.stain.is_some() || settings.images.crop.is_some() {
        bail!("images are prepared as the model's card says: leave --stain and --crop out")
    }
    match (card.preparation.crop, masks) {
        (Some(crop), None) => bail!(
            "the model has seen images cropped to the {}: give --masks DIR, with a mask of each image's name",
            crop.name()
        ),
        (None, Some(masks)) => {
            bail!("--masks {}: the model has seen whole images; leave it out", masks.display())
        }
        (_, Some(masks)) if !masks.is_dir() => {
            bail!("--masks {}: it is no folder", masks.display())
        }
        _ => Ok(()),
    }
}

fn one(
    predictor: &Predictor,
    file: &Path,
    masks: Option<&Path>,
    decode: DecodeConfig,
) -> Result<String> {
    let card = &predictor.card;
    let image = card.preparation.file(file, masks, decode);
    let image = image.map_err(|error| anyhow!(image_settings::explained(&error)))?;
    let probabilities = predictor.probabilities(&image)?;
    let best =
        (0..probabilities.len()).max_by(|&a, &b| probabilities[a].total_cmp(&probabilities[b]));
    let class = best.and_then(|best| card.classes.get(best)).context("the model has no classes")?;
    let names = card.classes.iter().map(String::as_str);
    let line =
        Line { file: file.to_owned(), class, probabilities: names.zip(probabilities).collect() };
    Ok(serde_json::to_string(&line)?)
}
