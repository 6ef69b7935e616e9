//! What a run leaves: tables on the terminal, `results.json`, figures, `report.html`.

use std::path::Path;

use anyhow::Result;
use ocellus::{
    figures::{Best, Cell, Report, Section, Table},
    satellite::{AREAS, AreaScore, TABLE_2, TABLE_3},
};
use serde_json::json;

use crate::{
    common::files,
    compare::{AreaResult, RowResult},
    drawings,
    run::Run,
    scoring::Score,
};

/// What a report is about.
pub(crate) struct Story {
    title: &'static str,
    summary: String,
    /// Whether the rows stand beside those of the paper.
    beside_the_paper: bool,
}

impl Story {
    fn new(title: &'static str, summary: impl Into<String>) -> Self {
        Self { title, summary: summary.into(), beside_the_paper: false }
    }

    pub(crate) fn demo() -> Self {
        Self::new(
            "Buildings in synthetic satellite images",
            "Small versions of the paper's shallowest network and of its reference, and logistic \
             regression on color and texture: trained on synthetic areas as three sensors see them, \
             tested on areas of a fourth, then refined on a part of each. The figures say that the \
             pipeline works; of real scenes they say nothing.",
        )
    }

    pub(crate) fn table_2() -> Self {
        let mut story = Self::new(
            "Buildings in satellite images: Table II",
            "The networks of the paper's Table II, all trained alike, on areas that none has seen. The \
             epoch is chosen on a part of the training areas.",
        );
        story.beside_the_paper = true;
        story
    }

    pub(crate) fn table_3() -> Self {
        let mut story = Self::new(
            "Buildings in satellite images: Table III",
            "Networks trained on other areas, refined on about 7 and 15 percent of each test area, and \
             tested on the rest of it.",
        );
        story.beside_the_paper = true;
        story
    }

    pub(crate) fn training() -> Self {
        Self::new("Buildings in satellite images: one network", "One network on areas held out.")
    }

    pub(crate) fn evaluation(model: &Path) -> Self {
        let summary = format!("The network {} on other areas.", model.display());
        Self::new("Buildings in satellite images: evaluation", summary)
    }

    pub(crate) fn refinement(model: &Path) -> Self {
        let summary = format!("The network {}, refined on a part of each area.", model.display());
        Self::new("Buildings in satellite images: refinement", summary)
    }
}

/// Writes everything and prints the tables.
pub(crate) fn write(run: &Run, results: &[RowResult], story: &Story) -> Result<()> {
    print!("{}", terminal(results));
    let record = json!({
        "title": story.title,
        "settings": format!("{:?}", run.settings),
        "config": run.config,
        "data": run.areas.name,
        "rows": results,
    });
    files::write(run.out.join("results.json"), serde_json::to_vec_pretty(&record)?)?;
    let mut report = Report::new(story.title)
        .with_summary(&story.summary)
        .with_section(transfer(results, story)?);
    if results.iter().flat_map(|row| &row.areas).any(|area| !area.refined.is_empty()) {
        report = report.with_section(refinement(results, story)?);
    }
    for section in drawings::sections(run, results)? {
        report = report.with_section(section);
    }
    let file = run.out.join("report.html");
    report
        .with_section(sizes(results)?)
        .with_settings([
            ("command line", format!("{:?}", run.settings)),
            ("network and protocol", format!("{:?}", run.config)),
        ])
        .with_seeds([("seed", run.config.seed)])
        .with_data([
            ("areas", run.areas.name.clone()),
            ("bands", run.areas.bands.to_string()),
            ("classes", run.areas.classes.join(", ")),
            ("scenes to train on", run.areas.train.len().to_string()),
        ])
        .with_run(&record)?
        .save(&file)?;
    println!("report: {}", file.display());
    Ok(())
}

/// F1 and accuracy in percent, as the paper prints them.
fn percent(score: &Score) -> (Option<f64>, f64) {
    (score.f1.map(|f1| 100. * f1), 100. * score.accuracy)
}

/// The means over areas; no F1 where one has none.
fn mean<'a>(scores: impl Iterator<Item = &'a Score>) -> Option<(Option<f64>, f64)> {
    let all: Vec<_> = scores.map(percent).collect();
    let count = all.len() as f64;
    let f1: Option<Vec<f64>> = all.iter().map(|(f1, _)| *f1).collect();
    let accuracy = all.iter().map(|(_, accuracy)| accuracy).sum::<f64>() / count;
    (!all.is_empty()).then(|| (f1.map(|f1| f1.iter().sum::<f64>() / count), accuracy))
}

fn cells((f1, accuracy): (Option<f64>, f64)) -> [Cell; 2] {
    [f1.map_or_else(Cell::missing, |f1| Cell::number(f1, 2)), Cell::number(accuracy, 2)]
}

fn headers<'a>(first: &[&str], areas: impl Iterator<Item = &'a str>) -> Vec<String> {
    let areas = areas.chain(["mean"]);
    let pairs = areas.flat_map(|area| [format!("{area} F1"), format!("{area} accuracy")]);
    first.iter().map(|text| (*text).to_owned()).chain(pairs).collect()
}

fn area_names(results: &[RowResult]) -> Vec<&str> {
    results.first().map_or(Vec::new(), |row| row.areas.iter().map(|a| a.area.as_str()).collect())
}

/// Areas that no network has seen.
fn transfer(results: &[RowResult], story: &Story) -> Result<Section> {
    let names = headers(&["Network"], area_names(results).into_iter());
    let mut table = Table::new(&names).with_caption(
        "F1 of the buildings and accuracy, in percent, on areas that were not trained on.",
    );
    for row in results {
        let areas = row.areas.iter().flat_map(|area| cells(percent(&area.score)));
        let mean = mean(row.areas.iter().map(|area| &area.score)).map(cells);
        let cells = std::iter::once(Cell::from(row.name.as_str())).chain(areas);
        table = table.with_row(cells.chain(mean.into_iter().flatten()));
    }
    for column in 1..names.len() {
        table = table.with_best(column, Best::Highest);
    }
    let mut section = Section::new("Unseen areas").with_table(table)?;
    if story.beside_the_paper {
        let names = headers(&["Network"], AREAS.into_iter());
        let mut table = Table::new(&names).with_caption(
            "The paper's Table II: other scenes, four bands at 0.5 m. Read it as context.",
        );
        for row in TABLE_2 {
            let cells = papers(&row.areas, row.mean());
            table = table.with_row(std::iter::once(Cell::from(row.name)).chain(cells));
        }
        section = section.with_table(table)?;
    }
    Ok(section)
}

fn papers(areas: &[AreaScore], mean: AreaScore) -> Vec<Cell> {
    let scores = areas.iter().chain([&mean]);
    scores.flat_map(|s| [Cell::number(s.f1, 2), Cell::number(s.accuracy, 2)]).collect()
}

/// Before and after refinement, on what was not annotated.
fn refinement(results: &[RowResult], story: &Story) -> Result<Section> {
    let names = headers(&["Network", "annotated"], area_names(results).into_iter());
    let mut table = Table::new(&names).with_caption(
        "Refined on a part of each area, tested on the rest, in percent; before it, on the same rest.",
    );
    for row in results.iter().filter(|row| row.areas.iter().any(|area| !area.refined.is_empty())) {
        let count = row.areas.iter().map(|area| area.refined.len()).min().unwrap_or(0);
        for n in 0..count {
            let of = |area: &'_ AreaResult| area.refined[n].clone();
            let refined: Vec<_> = row.areas.iter().map(of).collect();
            let mut shares: Vec<_> =
                refined.iter().map(|r| format!("{:.0}", 100. * r.share)).collect();
            shares.dedup();
            for (what, after) in [("before", false), ("refined", true)] {
                let score = |r: &'_ crate::compare::Refined| {
                    if after { r.after.clone() } else { r.before.clone() }
                };
                let scores: Vec<_> = refined.iter().map(score).collect();
                let first = [
                    Cell::from(format!("{}, {what}", row.name).as_str()),
                    Cell::from(format!("{} %", shares.join(", ")).as_str()),
                ];
                let areas = scores.iter().flat_map(|score| cells(percent(score)));
                let mean = mean(scores.iter()).map(cells);
                table = table
                    .with_row(first.into_iter().chain(areas).chain(mean.into_iter().flatten()));
            }
        }
    }
    let mut section =
        Section::new("Refinement").with_table(table)?.with_text(refinement_in_words(results));
    if story.beside_the_paper {
        let names = headers(&["Network", "annotated"], AREAS.into_iter());
        let mut table = Table::new(&names).with_caption("The paper's Table III.");
        for row in TABLE_3 {
            let share =
                row.refinement.map_or("–".to_owned(), |r| format!("{:.0} %", 100. * r.share));
            let first = [Cell::from(row.name), Cell::from(share.as_str())];
            table = table.with_row(first.into_iter().chain(papers(&row.areas, row.mean())));
        }
        section = section.with_table(table)?;
    }
    Ok(section)
}

/// How often refinement helped and where it did harm.
fn refinement_in_words(results: &[RowResult]) -> String {
    let (mut better, mut worse, mut blocks) = (0, Vec::new(), Vec::new());
    for (row, area) in results.iter().flat_map(|row| row.areas.iter().map(move |a| (row, a))) {
        for refined in &area.refined {
            let of = |score: &Score| score.f1.map_or(0., |f1| 100. * f1);
            let (before, after) = (of(&refined.before), of(&refined.after));
            better += usize::from(after > before);
            blocks.push(refined.blocks);
            if after < before {
                worse.push(format!(
                    "{} on {:.0} % of {} ({before:.1} to {after:.1})",
                    row.name,
                    100. * refined.share,
                    area.area
                ));
            }
        }
    }
    let (least, most) = (blocks.iter().min().unwrap_or(&0), blocks.iter().max().unwrap_or(&0));
    let blocks_each = if least == most { least.to_string() } else { format!("{least} to {most}") };
    let harm = match worse.as_slice() {
        [] => String::new(),
        some => format!(
            " It did harm in {}, where F1 fell: {}. So few annotated pixels can lead a network astray; \
             nothing of the rest was looked at to prevent it.",
            some.len(),
            some.join("; ")
        ),
    };
    format!(
        "{} refinements, each on {blocks_each} annotated blocks or scenes, with a rate and a number of \
         epochs that were fixed beforehand. F1 rose in {better}.{harm}",
        blocks.len()
    )
}

/// What each network costs.
fn sizes(results: &[RowResult]) -> Result<Section> {
    let mut table = Table::new(&["Network", "parameters", "GMAC a sample", "epochs", "training s"]);
    for row in results {
        let course = row.course.as_ref();
        table = table.with_row([
            Cell::from(row.name.as_str()),
            Cell::number(row.parameters as f64, 0),
            Cell::number(row.macs as f64 / 1e9, 3),
            course.map_or_else(Cell::missing, |c| Cell::number(c.history.len() as f64, 0)),
            course.map_or_else(Cell::missing, |c| Cell::number(c.seconds, 1)),
        ]);
    }
    Ok(Section::new("Size and time").with_table(table)?)
}

fn terminal(results: &[RowResult]) -> String {
    let width = results.iter().map(|row| row.name.chars().count()).max().unwrap_or(0) + 16;
    let number = |value: Option<f64>| value.map_or("–".to_owned(), |value| format!("{value:.2}"));
    let mut lines = format!("{:width$}", "F1 / accuracy, percent");
    for name in area_names(results).into_iter().chain(["mean"]) {
        lines.push_str(&format!("  {name:>15}"));
    }
    lines.push('\n');
    let mut line = |name: String, scores: &[&Score]| {
        lines.push_str(&format!("{name:width$}"));
        let all = scores.iter().map(|score| percent(score)).chain(mean(scores.iter().copied()));
        for (f1, accuracy) in all {
            lines.push_str(&format!("  {:>7} {accuracy:>7.2}", number(f1)));
        }
        lines.push('\n');
    };
    for row in results {
        line(row.name.clone(), &row.areas.iter().map(|area| &area.score).collect::<Vec<_>>());
        let count = row.areas.iter().map(|area| area.refined.len()).min().unwrap_or(0);
        for n in 0..count {
            let refined: Vec<_> = row.areas.iter().map(|area| &area.refined[n]).collect();
            let share =
                100. * refined.iter().map(|r| r.share).sum::<f64>() / refined.len().max(1) as f64;
            let before: Vec<_> = refined.iter().map(|r| &r.before).collect();
            line(format!("  rest of {share:.0} %"), &before);
            let after: Vec<_> = refined.iter().map(|r| &r.after).collect();
            line(format!("  refined on {share:.0} %"), &after);
        }
    }
    lines
}
