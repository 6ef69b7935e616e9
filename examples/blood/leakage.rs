//! What it does to the scores to derive images first and split them then, as the paper did.

use anyhow::{Context, Result};
use ocellus::{
    data::{Dataset, Derived, Example, Fractions, LeakySplit, Splitter, Variant},
    figures::{Cell, Report, Section, Table},
};
use serde_json::json;

use crate::{
    cells::Cells,
    cli::Settings,
    common::files,
    compare::{self, MethodResult},
    report,
    run::{Run, Split},
};

/// The images of a run as a data set.
struct Loaded<'a>(&'a Cells);

impl Dataset for Loaded<'_> {
    fn len(&self) -> usize {
        self.0.len()
    }

    fn label(&self, index: usize) -> usize {
        self.0.labels[index]
    }

    fn name(&self, index: usize) -> String {
        self.0.files[index].clone()
    }

    fn load(&self, index: usize) -> ocellus::data::Result<Example> {
        Ok(Example::new(self.0.images[index].clone(), self.0.labels[index]))
    }
}

/// Each method twice on the same derived images: whole origins apart, and torn.
pub(crate) fn leakage(settings: &Settings) -> Result<()> {
    let mut run = Run::open(settings, "blood-leakage")?;
    let out = run.out.clone();
    let derived = Derived::new(Loaded(&run.cells), &Variant::PAPER)?;
    let torn = LeakySplit::k_fold(&derived, settings.folds, settings.common.seed)?;
    let leaked = torn.iter().map(|split| split.leaked).sum::<f64>() / torn.len() as f64;
    let cells = of_derived(&run.cells, &derived)?;
    let torn = torn.iter().map(|split| inner(&cells, split, settings.common.seed));
    let torn = torn.collect::<Result<Vec<_>>>()?;
    run.cells = cells;
    let apart = run.splits().with_context(|| run.cells.unsplit())?;
    let mut results = Vec::new();
    for (name, splits) in [("apart", &apart), ("torn", &torn)] {
        run.out = out.join(name);
        std::fs::create_dir_all(run.out.join("folds"))?;
        results.push(compare::compare(&run, splits)?);
    }
    run.out = out;
    write(&run, &results[0], &results[1], leaked)
}

/// The derived images; what is derived from an image is of its group.
fn of_derived<D: Dataset>(cells: &Cells, derived: &Derived<D>) -> Result<Cells> {
    let mut all = Cells {
        name: format!("{}, turned and as edges too", cells.name),
        classes: cells.classes.clone(),
        files: Vec::new(),
        labels: Vec::new(),
        groups: Vec::new(),
        images: Vec::new(),
        fingerprint: format!("{} {:?}", cells.fingerprint, Variant::PAPER),
        preparation: cells.preparation.clone(),
        contrasts: cells.contrasts.clone(),
        skipped: cells.skipped.clone(),
    };
    for index in 0..derived.len() {
        all.files.push(derived.name(index));
        all.labels.push(derived.label(index));
        all.groups.push(cells.groups[derived.origin(index)]);
        all.images.push(derived.load(index)?.image);
    }
    Ok(all)
}

/// A part of the training images, drawn at random like everything here, chooses epochs.
fn inner(cells: &Cells, split: &LeakySplit, seed: u64) -> Result<Split> {
    let rest = Splitter::new(&cells.labels).within(&split.train)?.with_seed(seed);
    let parts = rest.holdout(Fractions::new(0.85, 0.15, 0.)?)?;
    Ok(Split { train: parts.train, validation: parts.validation, test: split.test.clone() })
}

fn write(run: &Run, apart: &[MethodResult], torn: &[MethodResult], leaked: f64) -> Result<()> {
    let mut table = Table::new(&["Method", "Origins apart", "Torn, as in the paper", "Gained"])
        .with_caption(
            "Accuracy over all folds with 95 % bootstrap intervals over groups; the same images.",
        );
    let percent = 100. * leaked;
    println!("{percent:.0} % of the torn folds' images have a copy in training");
    println!("{:16}  {:22}  {:22}", "accuracy", "origins apart", "torn, as in the paper");
    let mut rows = Vec::new();
    for (apart, torn) in apart.iter().zip(torn) {
        let of = |result: &MethodResult| report::accuracy(run, &result.contender().predictions());
        let (Some(first), Some(second)) = (of(apart), of(torn)) else { continue };
        let name = apart.name.as_str();
        let (a, b) = (format!("{first:.3}"), format!("{second:.3}"));
        println!("{name:16}  {a:22}  {b:22}");
        let gained = second.estimate - first.estimate;
        table = table.with_row([
            Cell::from(name),
            Cell::from(a.as_str()),
            Cell::from(b.as_str()),
            Cell::number(gained, 3),
        ]);
        rows.push(json!({"method": name, "apart": first.estimate, "torn": second.estimate}));
    }
    let record = json!({
        "leaked": leaked,
        "data": run.cells.name,
        "preparation": run.cells.preparation,
        "sources": run.cells.contrasts,
        "rows": rows,
    });
    files::write(run.out.join("results.json"), serde_json::to_vec_pretty(&record)?)?;
    let mut report = Report::new("Blood-cancer cells: what leaks")
        .with_summary(format!(
            "Each image, its copy turned by 90° and its edges: {} in all. Apart: what is derived from \
             an image stays in its fold. Torn: derived first and split then, so that {percent:.0} % of \
             the tested images have a copy in training.",
            run.cells.len()
        ))
        .with_warning("Research software: no medical device, not for diagnosis.")
        .with_section(Section::new("Leakage").with_table(table)?)
        .with_seeds([("everything", run.settings.common.seed)])
        .with_data([("images", run.cells.name.clone()), ("classes", run.cells.counts())])
        .with_run(&record)?;
    for warning in run.cells.warnings() {
        report = report.with_warning(warning);
    }
    let file = run.out.join("report.html");
    report.save(&file)?;
    println!("report: {}", file.display());
    Ok(())
}
