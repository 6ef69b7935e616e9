//! What a comparison leaves: the table on the terminal, `results.json`, CSV files, figures and the report.

use anyhow::Result;
use ocellus::{
    figures::{
        BarPlot, Best, Cell, Figure, Panels, Report, Section, Table, TrainingPanel, TrainingPlot,
    },
    metrics::{BootstrapConfig, Interval, Resampling, bootstrap},
};
use serde_json::json;

use crate::{
    common::files,
    compare::MethodResult,
    compared::{
        contender::{self, Contender},
        curves,
        digits::grouped_digits,
        intervals,
        paired_tests::{self, Comparison},
        predictions::{self, Figures, Prediction},
    },
    method::Method,
    run::Run,
};

/// Writes everything and prints the table.
pub(crate) fn write(run: &Run, results: &[MethodResult], title: &str) -> Result<()> {
    let positive = run.positive();
    let contenders: Vec<Contender> = results.iter().map(MethodResult::contender).collect();
    let comparisons = contenders.split_last().map_or_else(Vec::new, |(proposed, others)| {
        paired_tests::against(proposed, others, positive.0)
    });
    println!("images: {} ({}), positive class: {}", run.cells.name, run.cells.counts(), positive.1);
    println!("{}", contender::lines(&contenders, positive.0));
    run.cells.warnings().for_each(|warning| println!("warning: {warning}"));
    for (result, contender) in results.iter().zip(&contenders) {
        let table = predictions::to_csv(&contender.predictions(), &run.cells.classes, positive.0)?;
        let file = run.out.join(format!("predictions-{}.csv", result.method.slug()));
        files::write(file, table)?;
    }
    let rows: Vec<_> = results.iter().map(|result| row(run, result)).collect();
    let record = json!({
        "title": title,
        "settings": format!("{:?}", run.settings),
        "network": format!("{:?}", run.dcnn),
        "protocol": format!("{:?}", run.protocol(Method::Dcnn)),
        "protocol_vgg": format!("{:?}", run.protocol(Method::Vgg)),
        "data": {"name": run.cells.name, "fingerprint": run.cells.fingerprint, "classes": run.cells.counts(),
                 "groups": run.cells.group_count(), "skipped": run.cells.skipped,
                 "preparation": run.cells.preparation, "sources": run.cells.contrasts},
        "positive_class": positive.1,
        "rows": rows,
        "comparisons": comparisons,
    });
    files::write(run.out.join("results.json"), serde_json::to_vec_pretty(&record)?)?;
    let file = run.out.join("report.html");
    html(run, results, &contenders, &comparisons, title)?.with_run(&record)?.save(&file)?;
    println!("report: {}", file.display());
    Ok(())
}

/// The share of right answers over all folds, with a bootstrap interval over groups.
pub(crate) fn accuracy(run: &Run, predictions: &[Prediction]) -> Option<Interval> {
    let positive = run.positive().0;
    let groups: Vec<usize> = predictions.iter().map(|p| run.cells.groups[p.index]).collect();
    let right: Vec<bool> = predictions.iter().map(|p| p.class(positive) == p.truth).collect();
    let config = BootstrapConfig::seeded(run.settings.common.seed);
    let share = bootstrap(Resampling::Grouped(&groups), &config, |rows| {
        Some(rows.iter().filter(|&&row| right[row]).count() as f64 / rows.len() as f64)
    });
    share.ok().map(|share| share.interval)
}

fn row(run: &Run, result: &MethodResult) -> serde_json::Value {
    let predictions = result.contender().predictions();
    let positive = run.positive().0;
    json!({
        "method": result.method,
        "name": result.name,
        "pooled": predictions::figures(&predictions, positive),
        "accuracy": accuracy(run, &predictions).map(|i| [i.estimate, i.lower, i.upper]),
        "folds": result.contender().figures(positive),
        "chosen": result.folds.iter().map(|fold| &fold.chosen).collect::<Vec<_>>(),
        "parameters": result.mean(|fold| fold.parameters as f64),
        "fit_seconds": result.mean(|fold| fold.fit_seconds),
        "score_seconds": result.mean(|fold| fold.score_seconds),
    })
}

fn html(
    run: &Run,
    results: &[MethodResult],
    contenders: &[Contender],
    comparisons: &[Comparison],
    title: &str,
) -> Result<Report> {
    let positive = run.positive();
    let seed = run.settings.common.seed;
    let proposed = &contenders[contenders.len().saturating_sub(1)..];
    let mut report = Report::new(title)
        .with_summary(format!(
            "{} images ({}) in {} groups that no fold parts, {} folds. Settings and epochs were chosen \
             on inner folds; the threshold is 0.5 for all.",
            run.cells.len(),
            run.cells.counts(),
            run.cells.group_count(),
            run.settings.folds
        ))
        .with_summary(intervals::headline(proposed, &run.cells.groups, positive, seed))
        .with_warning("Research software: no medical device, not for diagnosis.")
        .with_section(table_section(run, results)?);
    for warning in run.cells.warnings() {
        report = report.with_warning(warning);
    }
    if !comparisons.is_empty() {
        report = report.with_section(paired_tests::section(comparisons)?);
    }
    for section in figures(run, results, contenders)? {
        report = report.with_section(section);
    }
    let command: Vec<String> = std::env::args().skip(1).collect();
    Ok(report
        .with_settings([
            ("command", format!("blood {}", command.join(" "))),
            ("network", format!("{:?}", run.dcnn)),
            ("protocol", format!("{:?}", run.protocol(Method::Dcnn))),
            ("protocol of VGG", format!("{:?}", run.protocol(Method::Vgg))),
        ])
        .with_seeds([("everything", seed)])
        .with_data([
            ("images", run.cells.name.clone()),
            ("classes", run.cells.counts()),
            ("groups", run.cells.group_count().to_string()),
            ("prepared", run.cells.preparation.summary()),
            ("fingerprint", run.cells.fingerprint.clone()),
            ("skipped", run.cells.skipped.len().to_string()),
        ]))
}

fn table_section(run: &Run, results: &[MethodResult]) -> Result<Section> {
    let mut table =
        Table::new(&["Method", "Accuracy [95 %]", "Paper's", "Parameters", "Fit, s", "Score, s"])
            .with_caption(
                "All images together, with bootstrap intervals over groups. Means of the folds: numbers \
                 that were learned, seconds to fit with the choice of settings, and to score a fold.",
            );
    for result in results {
        let accuracy = accuracy(run, &result.contender().predictions());
        let published = result.method.published().map(|row| row.accuracy / 100.);
        let parameters = result.mean(|fold| fold.parameters as f64).round() as usize;
        table = table.with_row([
            Cell::from(result.name.as_str()),
            accuracy
                .map_or_else(Cell::missing, |i| Cell::interval(i.estimate, i.lower, i.upper, 3)),
            published.map_or_else(Cell::missing, |value| Cell::number(value, 3)),
            Cell::from(grouped_digits(parameters).as_str()),
            Cell::number(result.mean(|fold| fold.fit_seconds), 2),
            Cell::number(result.mean(|fold| fold.score_seconds), 3),
        ]);
    }
    let table = table.with_best(1, Best::Highest);
    let contenders: Vec<Contender> = results.iter().map(MethodResult::contender).collect();
    let mut section = Section::new("Table 2")
        .with_table(table)?
        .with_text(
            "The paper's figures are of another set (leukemia against myeloma, the images not public), \
             split after its augmentation: context, not a comparison.",
        )
        .with_table(of_folds(run, &contenders))?
        .with_table(chosen(results))?;
    if let Some(text) = intervals::of_folds(&contenders, run.positive().0) {
        section = section.with_text(text);
    }
    Ok(section)
}

/// What is measured on each fold; the accuracy of all stands in the table above.
fn of_folds(run: &Run, contenders: &[Contender]) -> Table {
    let shown = || Figures::NAMES.iter().enumerate().filter(|(_, name)| **name != "Accuracy");
    let headers: Vec<&str> =
        std::iter::once("Method").chain(shown().map(|(_, name)| *name)).collect();
    let mut table = Table::new(&headers).with_caption(format!(
        "Mean ± deviation of the folds; positive class: {}.",
        run.positive().1
    ));
    for contender in contenders {
        let figure = |(column, _)| match contender.spread(column, run.positive().0) {
            Some((mean, spread)) => Cell::spread(mean, spread, 3),
            None => Cell::missing(),
        };
        let name = Cell::from(contender.name.as_str());
        table = table.with_row(std::iter::once(name).chain(shown().map(figure)));
    }
    (1..headers.len()).fold(table, |table, column| table.with_best(column, Best::Highest))
}

/// The settings that inner folds chose.
fn chosen(results: &[MethodResult]) -> Table {
    let mut table = Table::new(&["Method", "Chosen, fold by fold"])
        .with_caption("Settings and epochs, chosen on inner folds.");
    for result in results {
        let chosen: Vec<&str> = result.folds.iter().map(|fold| fold.chosen.as_str()).collect();
        let name = Cell::from(result.name.as_str());
        table = table.with_row([name, Cell::from(chosen.join("; ").as_str())]);
    }
    table
}

/// Figures 7 to 12 of the paper, of these methods.
fn figures(run: &Run, results: &[MethodResult], contenders: &[Contender]) -> Result<Vec<Section>> {
    let positive = run.positive();
    let mut sections = Vec::new();
    let matrices = curves::confusions(contenders, &run.cells.classes, positive.0)?;
    keep(run, "confusion", &Panels::new(3.min(matrices.len())).with_letters().draw(&matrices)?)?;
    sections.push(Section::new("Confusion matrices").with_figures(
        &matrices,
        "Rows are true classes, columns predictions; counts and shares of the row. All folds together.",
    )?);
    let losses = losses(results)?;
    if !losses.is_empty() {
        keep(run, "loss", &Panels::new(2).draw(&losses)?)?;
        sections.push(Section::new("Loss").with_figures(
            &losses,
            "The first fold. The marked epoch had the least loss on the inner images.",
        )?);
    }
    if let Some(roc) = curves::roc(contenders, positive)? {
        keep(run, "roc", &roc)?;
        let caption = "All images together, each scored by a model that has not seen it. Points: the \
                       threshold of 0.5.";
        sections.push(Section::new("ROC curves").with_figure(&roc, caption)?);
    }
    if let Some(curve) = curves::precision_recall(contenders, positive)? {
        keep(run, "precision-recall", &curve)?;
        let caption = "All images together. The line across is the share of the positive class.";
        sections.push(Section::new("Precision and recall").with_figure(&curve, caption)?);
    }
    let bars = bars(run, results)?;
    keep(run, "accuracy", &bars)?;
    let caption = "Accuracy over all folds, with 95 % bootstrap intervals over groups.";
    sections.push(Section::new("Accuracy").with_figure(&bars, caption)?);
    Ok(sections)
}

fn keep(run: &Run, name: &str, figure: &Figure) -> Result<()> {
    files::write(run.out.join(format!("{name}.svg")), figure.to_svg()?.as_bytes())?;
    files::write(run.out.join(format!("{name}.png")), &figure.to_png_scaled(2.)?)?;
    Ok(())
}

/// Of the methods that have epochs.
fn losses(results: &[MethodResult]) -> Result<Vec<Figure>> {
    let mut figures = Vec::new();
    for result in results {
        let Some(fold) = result.folds.first().filter(|fold| !fold.history.is_empty()) else {
            continue;
        };
        let training: Vec<f64> = fold.history.iter().map(|epoch| epoch.train_loss).collect();
        let validation: Vec<f64> =
            fold.history.iter().filter_map(|epoch| epoch.validation_loss).collect();
        let mut panel = TrainingPanel::new("loss").with_series("training", &training);
        if validation.len() == training.len() {
            panel = panel.with_series("validation", &validation);
        }
        let plot = TrainingPlot::new().with_title(&result.name).with_panel(panel);
        figures.extend(plot.with_best_epoch(fold.best_epoch + 1).draw_panels()?);
    }
    Ok(figures)
}

fn bars(run: &Run, results: &[MethodResult]) -> Result<Figure> {
    let (mut names, mut found) = (Vec::new(), Vec::new());
    for result in results {
        if let Some(interval) = accuracy(run, &result.contender().predictions()) {
            names.push(result.name.as_str());
            found.push(interval);
        }
    }
    let values: Vec<f64> = found.iter().map(|interval| interval.estimate).collect();
    let ends: Vec<(f64, f64)> = found.iter().map(|i| (i.lower, i.upper)).collect();
    let plot = BarPlot::new(&names).with_label("accuracy");
    Ok(plot.with_series_intervals("all folds", &values, &ends).draw()?)
}
