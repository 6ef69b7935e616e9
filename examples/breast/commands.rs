//! The commands that train or evaluate.

use std::path::Path;

use anyhow::{Result, bail};
use ocellus::breast::{Architecture, Objective, TABLE_1, Table1Row};

use crate::{
    cli::Settings,
    common::{device::device, weights},
    compare::{self, Row, Split},
    fitting::{self, Place},
    report::{self, Story},
    run::Run,
    setup,
};

/// With no command: the proposed network and its plain sibling.
pub(crate) fn demo(settings: &Settings) -> Result<()> {
    let run = Run::open(settings, "breast")?;
    let rows = [
        Row::new(&run, Architecture::Vgg, "CE", Objective::cross_entropy()),
        Row::new(&run, Architecture::AttentionVgg, "CE-logcosh", Objective::paper()),
    ];
    let splits = compare::splits(&run, 1)?;
    let results = compare::compare(&run, &rows, &splits)?;
    report::write(&run, &results, &splits, &Story::demo())
}

/// The paper's Table 1 by cross-validation.
pub(crate) fn table_1(settings: &Settings, wanted: &[String]) -> Result<()> {
    let rows = chosen_rows(wanted)?;
    let run = Run::open(settings, "breast-table1")?;
    let rows: Vec<Row> =
        rows.iter().map(|r| Row::new(&run, r.architecture, r.loss, r.objective())).collect();
    let splits = compare::splits(&run, settings.folds)?;
    let results = compare::compare(&run, &rows, &splits)?;
    report::write(&run, &results, &splits, &Story::table_1(settings.folds))
}

fn chosen_rows(wanted: &[String]) -> Result<Vec<Table1Row>> {
    let known: Vec<String> = TABLE_1.iter().map(Table1Row::slug).collect();
    for name in wanted {
        if !known.contains(name) {
            bail!("Table 1 has no row `{name}`: choose from {}", known.join(", "))
        }
    }
    let all = wanted.is_empty();
    Ok(TABLE_1.into_iter().filter(|row| all || wanted.contains(&row.slug())).collect())
}

/// 10 against 4096 neurons, and α : β from 0 : 1 to 1 : 0.
pub(crate) fn ablate(settings: &Settings) -> Result<()> {
    let run = Run::open(settings, "breast-ablation")?;
    let steps = if settings.common.quick { 2 } else { 4 };
    let mut rows: Vec<Row> = (0..=steps)
        .map(|i| {
            let alpha = f64::from(i) / f64::from(steps);
            let name = format!("{alpha:.2} CE + {:.2} logcosh", 1. - alpha);
            let objective = Objective::ensemble(alpha, 1. - alpha);
            let mut row = Row::new(&run, Architecture::AttentionVgg, &name, objective);
            row.slug = format!("attention-vgg-alpha-{:03}", (100. * alpha).round());
            row
        })
        .collect();
    let mut wide = Row::new(&run, Architecture::AttentionVgg, "CE-logcosh", Objective::paper());
    wide.slug = "attention-vgg-4096-neurons".to_owned();
    wide.network = format!("{}, 4096 neurons", wide.network);
    wide.neurons = Some(4096);
    rows.push(wide);
    let splits = compare::splits(&run, if settings.common.quick { 1 } else { settings.folds })?;
    let results = compare::compare(&run, &rows, &splits)?;
    report::write(&run, &results, &splits, &Story::ablation())
}

/// Trains one network, keeps it, and reports on the images held out.
pub(crate) fn train(settings: &Settings) -> Result<()> {
    let run = Run::open(settings, "breast-train")?;
    let file = run.out.join("model.safetensors");
    settings.training.require_new(&file)?;
    let split: Split = compare::splits(&run, 1)?.remove(0);
    let architecture = run.card.architecture();
    let row = Row::new(&run, architecture, "CE-logcosh", run.protocol.objective);
    let place = Place {
        folder: run.out.join("checkpoints"),
        resume: settings.training.resume,
        label: row.title(),
    };
    let fitted = fitting::fit(&run, &run.card, &run.protocol, &split, &place)?;
    if run.group.rank() > 0 {
        return Ok(()); // Of several processes one keeps and tells what they have.
    }
    weights::save(&fitted.card, &fitted.params, &file)?;
    let result = fitting::result(&run, fitted, &split)?;
    let parameters = run.parameter_count(&run.card)?;
    let results = [compare::RowResult { row, parameters, folds: vec![result] }];
    println!("network: {}", file.display());
    report::write(&run, &results, &[split], &Story::training())
}

/// A saved network on the images of `--data`.
pub(crate) fn evaluate(settings: &Settings, model: &Path) -> Result<()> {
    let device = device(&settings.training.device)?;
    let (card, network, params) = setup::open(model, &device)?;
    let run = Run::evaluation(settings, &card, device)?;
    if run.data.fingerprint == card.data {
        eprintln!(
            "beware: {} was trained on a part of these very images; its figures on them are too good",
            model.display()
        );
    }
    let everything =
        Split { train: Vec::new(), validation: Vec::new(), test: (0..run.data.len()).collect() };
    let row = Row::new(&run, card.architecture(), "as trained", run.protocol.objective);
    let parameters = params.parameter_count();
    let fitted = fitting::Fitted::saved(card, network, params);
    let result = fitting::result(&run, fitted, &everything)?;
    let results = [compare::RowResult { row, parameters, folds: vec![result] }];
    report::write(&run, &results, &[everything], &Story::evaluation(model))
}
