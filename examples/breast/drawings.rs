//! The figures of a report.

use anyhow::Result;
use ocellus::{
    figures::{
        CalibrationCurve, CalibrationPlot, Color, Figure, GalleryPlot, Panels, Picture, ScorePlot,
        Section, Tile, TrainingPanel, TrainingPlot,
    },
    metrics::{self, CalibrationBins},
};

use crate::{
    common::files,
    compare::RowResult,
    compared::{
        contender::Contender,
        curves,
        predictions::{Prediction, labels_and_scores},
    },
    explain::Explained,
    maps::certainty,
    run::Run,
};

/// Curves, confusion matrices, training; each figure is written as SVG and PNG too.
pub(crate) fn sections(run: &Run, results: &[RowResult]) -> Result<Vec<Section>> {
    let contenders: Vec<Contender> = results.iter().map(RowResult::contender).collect();
    let positive = (run.card.positive, run.positive());
    let mut sections = Vec::new();
    if let Some(roc) = curves::roc(&contenders, positive)? {
        keep(run, "roc", &roc)?;
        sections.push(Section::new("ROC curves").with_figure(
            &roc,
            "All images together, each scored by a network that has not seen it. Points: the \
             threshold chosen on the inner split.",
        )?);
    }
    if let Some(curves) = curves::precision_recall(&contenders, positive)? {
        keep(run, "precision-recall", &curves)?;
        sections.push(Section::new("Precision and recall").with_figure(
            &curves,
            "All images together. The line across is the share of the positive class: what guessing \
             gives.",
        )?);
    }
    let matrices = curves::confusions(&contenders, &run.card.classes, positive.0)?;
    keep(run, "confusion", &Panels::new(3.min(matrices.len())).with_letters().draw(&matrices)?)?;
    sections.push(Section::new("Confusion matrices").with_figures(
        &matrices,
        "Rows are true classes, columns predictions; counts and shares of the row.",
    )?);
    sections.extend(looks(run, results)?);
    let worst = worst_errors(run, results)?;
    if !worst.is_empty() {
        sections.push(Section::new("Worst errors").with_figures(
            &worst,
            "The most confident errors of the last network: truth, prediction and its probability.",
        )?);
    }
    if let Some(figures) = reliability(run, results)? {
        sections.push(Section::new("Calibration").with_figures(
            &figures,
            "Left: how often images of a predicted probability are truly positive. Right: the scores \
             of the last network by true class, with its mean threshold.",
        )?);
    }
    let curves = training(results)?;
    if !curves.is_empty() {
        keep(run, "training", &Panels::new(2).draw(&curves)?)?;
        sections.push(Section::new("Training").with_figures(
            &curves,
            "The first fold. The marked epoch had the highest AUROC on the inner validation images; \
             its weights were kept.",
        )?);
    }
    Ok(sections)
}

fn keep(run: &Run, name: &str, figure: &Figure) -> Result<()> {
    files::write(run.out.join(format!("{name}.svg")), figure.to_svg()?.as_bytes())?;
    files::write(run.out.join(format!("{name}.png")), &figure.to_png_scaled(2.)?)?;
    Ok(())
}

/// Empty where nothing was trained.
fn training(results: &[RowResult]) -> Result<Vec<Figure>> {
    let mut figures = Vec::new();
    for result in results {
        let Some(fold) = result.folds.first().filter(|f| !f.history.is_empty()) else { continue };
        let of = |value: fn(&ocellus::train::EpochRecord) -> Option<f64>| -> Option<Vec<f64>> {
            fold.history.iter().map(value).collect()
        };
        let mut loss = TrainingPanel::new("loss");
        if let Some(values) = of(|e| Some(e.train_loss)) {
            loss = loss.with_series("training", &values);
        }
        if let Some(values) = of(|e| e.validation_loss) {
            loss = loss.with_series("validation", &values);
        }
        let mut plot = TrainingPlot::new().with_title(result.row.title()).with_panel(loss);
        if let Some(values) = of(|e| e.metrics.get("auroc").copied()) {
            let panel = TrainingPanel::new("AUROC").with_series("validation", &values);
            plot = plot.with_panel(panel);
        }
        figures.extend(plot.with_best_epoch(fold.best_epoch + 1).draw_panels()?);
    }
    Ok(figures)
}

fn picture(run: &Run, index: usize) -> Result<Picture> {
    let image = run.views.image(index);
    let (channels, height, width) = image.dims();
    Ok(Picture::from_planes(channels, height, width, image.data())?)
}

/// "malignant, called benign (0.91)"
fn verdict(run: &Run, prediction: &Prediction) -> String {
    let class = prediction.class(run.card.positive);
    let (truth, called) = (&run.card.classes[prediction.truth], &run.card.classes[class]);
    let probability = prediction.probabilities[class];
    if prediction.truth == class {
        format!("{truth} ({probability:.2})")
    } else {
        format!("{truth}, called {called} ({probability:.2})")
    }
}

/// Maps of the last row that has a gate, else of the last, from its first fold; `None` without images.
fn looks(run: &Run, results: &[RowResult]) -> Result<Option<Section>> {
    let folds = || results.iter().rev().filter_map(|r| r.folds.first());
    let gated = folds().find(|f| f.looks.iter().any(|l| l.maps.gate.is_some()));
    let Some(fold) = gated.or_else(|| folds().next()) else { return Ok(None) };
    let mut section = Section::new("Where the network looked").with_text(
        "The two clearest images and the two worst errors of the first fold, none of them seen in \
         training. The evidence is colored from nothing to the most in each image; the gate's colors \
         mean the same in all images. The blue line is the lesion as the data set outlines it, which \
         no network was told.",
    );
    let mut all = Vec::new();
    for look in fold.looks.iter().rev() {
        let Some(prediction) = fold.predictions.iter().find(|p| p.index == look.index) else {
            continue;
        };
        let class = prediction.class(run.card.positive);
        let (verdict, truth) = (&run.card.classes[class], &run.card.classes[prediction.truth]);
        let explained = Explained {
            image: run.views.image(look.index),
            maps: &look.maps,
            verdict,
            lesion: run.data.masks[look.index].as_ref(),
        };
        let right = if class == prediction.truth { "right" } else { "wrong" };
        let (positive, probability) =
            (&run.card.classes[run.card.positive], prediction.probabilities[run.card.positive]);
        // The threshold decides, and may be far from one half.
        let caption = format!(
            "Verdict: {verdict}, {right}. Probability of {positive} {probability:.2} (threshold {:.2}).",
            prediction.threshold
        );
        let figures = explained.draw(&format!("Truth: {truth}"), &caption)?;
        section = section.with_figures(&figures, &prediction.file)?;
        all.extend(figures);
    }
    if all.is_empty() {
        return Ok(None);
    }
    let columns = all.len() / fold.looks.len().max(1);
    keep(run, "maps", &Panels::new(columns.max(1)).draw(&all)?)?;
    Ok(Some(section))
}

fn worst_errors(run: &Run, results: &[RowResult]) -> Result<Vec<Figure>> {
    let Some(result) = results.last() else { return Ok(Vec::new()) };
    let mut errors = result.predictions();
    errors.retain(|p| p.class(run.card.positive) != p.truth);
    errors.sort_by(|a, b| certainty(a).total_cmp(&certainty(b)));
    if errors.is_empty() {
        return Ok(Vec::new());
    }
    let mut plot = GalleryPlot::new(4);
    for error in errors.iter().take(8) {
        let caption = format!("{}\n{}", error.file, verdict(run, error));
        let tile = Tile::new(&picture(run, error.index)?).with_caption(caption);
        plot = plot.with_tile(tile.with_frame(Color::VERMILLION));
    }
    Ok(plot.draw_tiles()?)
}

/// `None` where a class is missing among the images.
fn reliability(run: &Run, results: &[RowResult]) -> Result<Option<Vec<Figure>>> {
    let mut plot = CalibrationPlot::new().with_title("Calibration");
    for result in results {
        let (labels, scores) = labels_and_scores(&result.predictions(), run.card.positive);
        let mut bins = CalibrationBins::uniform(10)?;
        if bins.add_all(&labels, &scores).is_err() {
            return Ok(None);
        }
        let curve = bins.curve();
        let of = |value: fn(&metrics::ReliabilityBin) -> f64| -> Vec<f64> {
            curve.iter().map(value).collect()
        };
        let counts: Vec<u64> = curve.iter().map(|bin| bin.count).collect();
        plot = plot.with_curve(CalibrationCurve::new(
            result.row.title(),
            &of(|bin| bin.mean_predicted),
            &of(|bin| bin.fraction_positive),
            &counts,
        ));
    }
    let Some(last) = results.last() else { return Ok(None) };
    let predictions = last.predictions();
    let threshold = predictions.iter().map(|p| p.threshold).sum::<f64>() / predictions.len() as f64;
    let mut scores = ScorePlot::new(format!("probability of {}", run.positive()))
        .with_title(last.row.title())
        .with_threshold(threshold);
    for (class, name) in run.card.classes.iter().enumerate() {
        let of_class = predictions.iter().filter(|p| p.truth == class);
        let values: Vec<f64> = of_class.map(|p| p.probabilities[run.card.positive]).collect();
        if values.is_empty() {
            return Ok(None);
        }
        scores = scores.with_class(name, &values);
    }
    Ok(Some(vec![plot.draw()?, scores.draw()?]))
}
