//! What a run leaves: the table on the terminal, `results.json`, `predictions.csv`, figures, `report.html`.

use std::path::Path;

use anyhow::Result;
use ocellus::{
    breast::TABLE_1,
    figures::{Best, Cell, Report, Section, Table},
};
use serde_json::json;

use crate::{
    common::files,
    compare::{RowResult, Split},
    compared::{
        contender::{self, Contender},
        digits::grouped_digits,
        intervals,
        paired_tests::{self, Comparison},
        predictions::{self, Figures},
    },
    drawings,
    localization::{self, Summary},
    run::Run,
};

/// What a report is about.
pub(crate) struct Story {
    title: String,
    summary: String,
    /// Whether the rows are those of the paper's Table 1.
    beside_the_paper: bool,
}

impl Story {
    pub(crate) fn demo() -> Self {
        Self {
            title: "Breast lesions in synthetic ultrasound".to_owned(),
            summary: "The proposed network and its plain sibling, both small (VGG11 with batch \
                      normalization and an eighth of its channels) and trained from random weights \
                      on images made by a generator. The figures say that the pipeline works; \
                      they say nothing about patients."
                .to_owned(),
            beside_the_paper: false,
        }
    }

    pub(crate) fn table_1(folds: usize) -> Self {
        Self {
            title: "Breast lesions in ultrasound: Table 1".to_owned(),
            summary: format!(
                "The networks and losses of the paper's Table 1, {folds}-fold cross-validation. Images \
                 of one group stay in one fold; epoch and threshold are chosen on an inner split."
            ),
            beside_the_paper: true,
        }
    }

    pub(crate) fn ablation() -> Self {
        Self {
            title: "Breast lesions in ultrasound: neurons and loss weights".to_owned(),
            summary:
                "α : β of the loss ensemble from 0 : 1 to 1 : 0, and 4096 instead of 10 neurons."
                    .to_owned(),
            beside_the_paper: false,
        }
    }

    pub(crate) fn training() -> Self {
        Self {
            title: "Breast lesions in ultrasound: one network".to_owned(),
            summary: "One network, and its figures on images held out.".to_owned(),
            beside_the_paper: false,
        }
    }

    pub(crate) fn evaluation(model: &Path) -> Self {
        Self {
            title: "Breast lesions in ultrasound: evaluation".to_owned(),
            summary: format!("The network {} on other images.", model.display()),
            beside_the_paper: false,
        }
    }
}

/// Writes everything and prints the table.
pub(crate) fn write(
    run: &Run,
    results: &[RowResult],
    splits: &[Split],
    story: &Story,
) -> Result<()> {
    let positive = run.card.positive;
    let contenders: Vec<Contender> = results.iter().map(RowResult::contender).collect();
    let comparisons = contenders.split_last().map_or_else(Vec::new, |(proposed, others)| {
        paired_tests::against(proposed, others, positive)
    });
    let found: Vec<_> = results.iter().map(|r| Summary::of(run, r)).collect();
    println!("positive class: {}", run.positive());
    println!("{}", contender::lines(&contenders, positive));
    print!("{}", localization::lines(results, &found));
    let rows: Vec<_> = results.iter().zip(&found).map(|(r, f)| summary(r, f, positive)).collect();
    let record = json!({
        "title": story.title,
        "settings": format!("{:?}", run.settings),
        "network": run.card,
        "protocol": format!("{:?}", run.protocol),
        "data": {"name": run.data.name, "fingerprint": run.data.fingerprint, "classes": run.data.counts(),
                 "groups": run.data.group_summary(), "skipped": run.data.skipped},
        "positive_class": run.positive(),
        "splits": splits,
        "rows": rows,
        "comparisons": comparisons,
    });
    files::write(run.out.join("results.json"), &serde_json::to_vec_pretty(&record)?)?;
    for result in results {
        let table = predictions::to_csv(&result.predictions(), &run.card.classes, positive)?;
        files::write(run.out.join(format!("predictions-{}.csv", result.row.slug)), &table)?;
    }
    let file = run.out.join("report.html");
    html(run, results, splits, story, (&comparisons, &found))?.with_run(&record)?.save(&file)?;
    println!("report: {}", file.display());
    Ok(())
}

/// One row's figures for machines.
fn summary(result: &RowResult, found: &[Summary], positive: usize) -> serde_json::Value {
    let folds = result.figures(positive);
    let pooled = predictions::figures(&result.predictions(), positive);
    json!({
        "slug": result.row.slug, "network": result.row.network, "loss": result.row.loss,
        "parameters": result.parameters, "pooled": pooled, "folds": folds, "localization": found,
        "best_epochs": result.folds.iter().map(|f| f.best_epoch).collect::<Vec<_>>(),
        "seconds": result.folds.iter().map(|f| f.seconds).sum::<f64>(),
    })
}

fn html(
    run: &Run,
    results: &[RowResult],
    splits: &[Split],
    story: &Story,
    (comparisons, found): (&[Comparison], &[Vec<Summary>]),
) -> Result<Report> {
    let contenders: Vec<Contender> = results.iter().map(RowResult::contender).collect();
    let positive = (run.card.positive, run.positive());
    let seed = run.settings.common.seed;
    let mut report = Report::new(&story.title)
        .with_summary(&story.summary)
        .with_summary(intervals::headline(&contenders, &run.data.groups, positive, seed))
        .with_warning("Research software: no medical device, not for diagnosis.")
        .with_section(results_section(run, results, story)?);
    if !comparisons.is_empty() {
        report = report.with_section(paired_tests::section(comparisons)?);
    }
    if let Some(section) = localization::section(results, found)? {
        report = report.with_section(section);
    }
    for section in drawings::sections(run, results)? {
        report = report.with_section(section);
    }
    let counts: Vec<String> = splits
        .iter()
        .map(|s| format!("{} / {} / {}", s.train.len(), s.validation.len(), s.test.len()))
        .collect();
    let command: Vec<String> = std::env::args().skip(1).collect();
    report = report
        .with_settings([
            ("command", format!("breast {}", command.join(" "))),
            ("network", format!("{:?}", run.card)),
            ("protocol", format!("{:?}", run.protocol)),
            ("training / validation / test images", counts.join(", ")),
        ])
        .with_seeds([("everything", run.settings.common.seed)])
        .with_data([
            ("images", run.data.name.clone()),
            ("classes", run.data.counts()),
            ("groups", run.data.group_summary()),
            ("fingerprint", run.data.fingerprint.clone()),
            ("skipped", run.data.skipped.len().to_string()),
        ]);
    Ok(report)
}

fn results_section(run: &Run, results: &[RowResult], story: &Story) -> Result<Section> {
    let mut headers = vec!["Network", "Loss", "Parameters"];
    headers.extend(Figures::NAMES);
    let mut table = Table::new(&headers).with_caption(format!(
        "Images that the network has not seen; positive class: {}.{}",
        run.positive(),
        if results.iter().any(|r| r.folds.len() > 1) {
            " Mean ± deviation of the folds."
        } else {
            ""
        }
    ));
    for result in results {
        let fixed = [&result.row.network, &result.row.loss].map(|t| Cell::from(t.as_str()));
        let figures = (0..Figures::NAMES.len()).map(|column| {
            match result.contender().spread(column, run.card.positive) {
                Some((mean, spread)) if result.folds.len() > 1 => Cell::spread(mean, spread, 3),
                Some((value, _)) => Cell::number(value, 3),
                None => Cell::missing(),
            }
        });
        let parameters = Cell::from(grouped_digits(result.parameters).as_str());
        table = table.with_row(fixed.into_iter().chain([parameters]).chain(figures));
    }
    for column in 3..headers.len() {
        table = table.with_best(column, Best::Highest);
    }
    let mut section = Section::new("Results").with_table(table)?;
    if story.beside_the_paper {
        section = section.with_table(papers_table())?.with_text(
            "The paper's images are not public and its positive class is benign (inferred); its rows \
             are not of one test set. Read it as context.",
        );
    }
    let contenders: Vec<Contender> = results.iter().map(RowResult::contender).collect();
    if let Some(text) = intervals::of_folds(&contenders, run.card.positive) {
        section = section.with_text(text);
    }
    Ok(section)
}

fn papers_table() -> Table {
    let names =
        ["Network", "Loss", "Sensitivity", "Specificity", "Precision", "Accuracy", "F1", "MCC"];
    let mut table = Table::new(&names).with_caption("The paper's Table 1, as printed.");
    for r in TABLE_1 {
        let text = [r.architecture.name(), r.loss].map(Cell::from);
        let figures = [r.sensitivity, r.specificity, r.precision, r.accuracy, r.f1, r.mcc];
        table = table.with_row(text.into_iter().chain(figures.map(|v| Cell::number(v, 2))));
    }
    table
}
