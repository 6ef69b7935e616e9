//! What a run leaves: tables on the terminal, `results.json`, figures, `report.html`.

use anyhow::Result;
use ocellus::{
    anomaly::AnomalyDetector,
    data::synthetic::OctaGrade,
    figures::{Report, Section},
    octa::Graded,
};
use serde_json::json;

use crate::{
    common::files,
    comparison::{self, Entry},
    drawings,
    examined::{Examined, Protocol},
    run::Run,
    tables,
};

/// What is reported.
pub(crate) struct Story<'a> {
    pub(crate) title: &'a str,
    /// The detectors; figures are of the one that `--detector` names, or else of the last.
    pub(crate) all: &'a [Examined],
    pub(crate) table_1: Vec<Entry>,
    pub(crate) table_2: Vec<Entry>,
    /// Whether the paper's own tables stand below.
    pub(crate) beside_the_paper: bool,
}

/// Writes everything and prints the tables. Gives the grades that the figures show, or why the images
/// could not be graded: the tables stand all the same.
pub(crate) fn write(run: &Run, story: &Story<'_>) -> Result<ocellus::octa::Result<Graded>> {
    let wanted = run.settings.detector.method();
    let chosen = story.all.iter().find(|examined| examined.method == wanted);
    let Some(examined) = chosen.or(story.all.last()) else {
        anyhow::bail!("no detector was fitted: nothing to report")
    };
    let protocol = if run.follows_oracle() { Protocol::Oracle } else { Protocol::LabelFree };
    let subdivision = run.config(examined.method).subdivision;
    let graded = examined.grade(&subdivision, &examined.images, protocol);
    let agreed = match &graded {
        Ok(graded) => comparison::agreement(&examined.grades, graded, run.settings.common.seed),
        Err(error) => Err(anyhow::anyhow!("{error}")),
    };
    let verdict = match &agreed {
        Ok(agreed) => format!(
            "{}, {}: kappa {:.1} [{:.1}, {:.1}], accuracy {:.1} [{:.1}, {:.1}] percent.",
            examined.method.name(),
            protocol.title(),
            agreed.kappa.value,
            agreed.kappa.low,
            agreed.kappa.high,
            agreed.accuracy.value,
            agreed.accuracy.low,
            agreed.accuracy.high,
        ),
        Err(error) => format!("{}: no figure, {error:#}.", examined.method.name()),
    };
    println!("{verdict}");
    let mut report = Report::new(story.title).with_summary(summary(run)).with_summary(&verdict);
    report =
        report.with_section(Section::new("Detectors").with_table(tables::detectors(story.all))?);
    for (title, entries) in [("Table 1", &story.table_1), ("Table 2", &story.table_2)] {
        if entries.is_empty() {
            continue;
        }
        print!("{}", tables::terminal(title, entries)?);
        for protocol in Protocol::ALL {
            report = report.with_section(tables::section(title, entries, protocol, 1)?);
        }
    }
    if let Ok(graded) = &graded {
        for section in drawings::sections(run, examined, graded, protocol)? {
            report = report.with_section(section);
        }
    }
    if story.beside_the_paper {
        let section = Section::new("The paper's tables").with_table(tables::papers_table_1())?;
        report = report.with_section(section.with_table(tables::papers_table_2())?);
    }
    let record = json!({
        "title": story.title,
        "settings": format!("{:?}", run.settings),
        "preset": format!("{:?}", run.preset),
        "data": run.sets.name,
        "encoder": run.network.describe(),
        "detectors": story.all.iter().map(detector).collect::<Vec<_>>(),
        "table_1": story.table_1,
        "table_2": story.table_2,
        "figures": { "detector": examined.method.name(), "protocol": protocol, "agreed": agreed.ok() },
        "images": graded.as_ref().ok().map(|graded| images(run, examined, graded)),
    });
    files::write(run.out.join("results.json"), serde_json::to_vec_pretty(&record)?)?;
    let file = run.out.join("report.html");
    report
        .with_settings([
            ("command line", format!("{:?}", run.settings)),
            ("preset", format!("{:?}", run.preset)),
            ("encoder", run.network.describe()),
        ])
        .with_seeds([("seed", run.settings.common.seed)])
        .with_data(data(run))
        .save(&file)?;
    println!("report: {}", file.display());
    Ok(graded)
}

fn summary(run: &Run) -> String {
    format!(
        "Detectors learned what outstanding images are like, from {} of them, through a frozen encoder: \
         {}. {} others were graded. Data: {}. Thresholds and names of clusters that needed no grade stand \
         apart from an oracle's.",
        run.sets.train.len() + run.sets.calibration.len(),
        run.network.describe(),
        run.sets.test.len(),
        run.sets.name,
    )
}

fn data(run: &Run) -> Vec<(String, String)> {
    let grades = run.sets.test.grades();
    let mut rows = vec![
        ("images".to_owned(), run.sets.name.clone()),
        ("outstanding, to fit on".to_owned(), run.sets.train.len().to_string()),
        ("outstanding, for thresholds".to_owned(), run.sets.calibration.len().to_string()),
    ];
    rows.extend(OctaGrade::ALL.iter().map(|grade| {
        let count = grades.iter().filter(|g| *g == grade).count();
        (format!("graded, {}", grade.name()), count.to_string())
    }));
    rows
}

fn detector(examined: &Examined) -> serde_json::Value {
    json!({
        "detector": examined.method.name(),
        "kind": examined.detector.kind(),
        "auroc_outstanding_or_not": examined.auroc,
        "label_free_threshold": examined.label_free.value,
        "label_free_rule": format!("{:?}", examined.label_free.rule),
        "oracle_threshold": examined.oracle.value,
        "oracle_rule": format!("{:?}", examined.oracle.rule),
        "fit_seconds": examined.fit_seconds,
        "score_seconds": examined.score_seconds,
    })
}

fn images(run: &Run, examined: &Examined, graded: &Graded) -> Vec<serde_json::Value> {
    let one = |image: usize| {
        json!({
            "image": run.sets.test.name(image),
            "truth": examined.grades[image].name(),
            "said": graded.grades()[image].name(),
            "score": examined.images.scores()[image],
        })
    };
    (0..run.sets.test.len()).map(one).collect()
}
