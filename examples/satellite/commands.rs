//! The commands that train or evaluate.

use std::path::Path;

use anyhow::{Result, bail};
use ocellus::satellite::{TABLE_2, TABLE_3};

use crate::{
    cli::{Form, Settings},
    compare::{self, Row, RowResult},
    network::Network,
    report::{self, Story},
    run::Run,
};

/// With no command: both networks of the paper's comparison, in small.
pub(crate) fn demo(settings: &Settings) -> Result<()> {
    let run = Run::open(settings, "satellite")?;
    let rows = [
        Row::baseline(),
        Row::network(&run, "unet-19", Form::Paper)?,
        Row::network(&run, "prop-18", Form::Paper)?,
    ];
    let results = compare::compare(&run, &rows, true)?;
    report::write(&run, &results, &Story::demo())
}

/// The paper's Table II.
pub(crate) fn table_2(settings: &Settings, wanted: &[String]) -> Result<()> {
    let run = Run::open(settings, "satellite-table2")?;
    let names: Vec<&str> = TABLE_2.iter().map(|row| row.name).collect();
    let results = compare::compare(&run, &rows(&run, wanted, &names)?, false)?;
    report::write(&run, &results, &Story::table_2())
}

/// The paper's Table III.
pub(crate) fn table_3(settings: &Settings, wanted: &[String]) -> Result<()> {
    let run = Run::open(settings, "satellite-table3")?;
    let names = [TABLE_3[0].name, TABLE_3[3].name];
    let results = compare::compare(&run, &rows(&run, wanted, &names)?, true)?;
    report::write(&run, &results, &Story::table_3())
}

/// The baseline, and the networks that are wanted.
fn rows(run: &Run, wanted: &[String], all: &[&str]) -> Result<Vec<Row>> {
    let names: Vec<&str> = match wanted {
        [] => all.to_vec(),
        some => some.iter().map(String::as_str).collect(),
    };
    let networks = names.iter().map(|name| Row::network(run, name, run.settings.form));
    std::iter::once(Ok(Row::baseline())).chain(networks).collect()
}

/// Trains one network and keeps it.
pub(crate) fn train(settings: &Settings) -> Result<()> {
    let run = Run::open(settings, "satellite-train")?;
    let file = run.out.join("model.safetensors");
    settings.training.require_new(&file)?;
    let own = run.config.network.slug();
    let name = settings.network.as_ref().unwrap_or(&own);
    let row = Row::network(&run, name, settings.form)?;
    if run.group.rank() > 0 {
        return compare::assist(&run, &row);
    }
    let results = compare::compare(&run, std::slice::from_ref(&row), false)?;
    let trained = run.out.join("networks").join(format!("{}.safetensors", row.slug));
    std::fs::rename(trained, &file)?;
    println!("network: {}", file.display());
    report::write(&run, &results, &Story::training())
}

/// A saved network on the test areas.
pub(crate) fn evaluate(settings: &Settings, model: &Path) -> Result<()> {
    let run = Run::open(settings, "satellite-evaluation")?;
    let (network, row) = saved(&run, model)?;
    let score = |area| Ok(compare::evaluate(&run, &network, &row, area)?.0);
    let areas = run.areas.test.iter().map(score).collect::<Result<_>>()?;
    let result = RowResult::of_saved(&network, &row, areas);
    report::write(&run, &[result], &Story::evaluation(model))
}

/// Trains a saved network further on a part of each test area, keeps it, and tests it on the rest.
pub(crate) fn refine(settings: &Settings, model: &Path, share: f64) -> Result<()> {
    if !(0. < share && share < 1.) {
        bail!("--share {share}: give a share between 0 and 1, as 0.07")
    }
    let run = Run::open(settings, "satellite-refined")?;
    let (network, row) = saved(&run, model)?;
    let mut refinement = network.card.config.protocol.refinement.with_share(share);
    refinement.epochs = settings.common.epochs.unwrap_or(refinement.epochs);
    let rate = settings.training.learning_rate;
    refinement.learning_rate = rate.unwrap_or(refinement.learning_rate);
    let mut areas = Vec::new();
    for area in &run.areas.test {
        let (mut result, before) = compare::evaluate(&run, &network, &row, area)?;
        let (refined, better) =
            compare::refine_one(&run, &network, &row, area, &before, &refinement)?;
        let file = run.out.join(format!("model-{}.safetensors", area.name));
        better.save(&file)?;
        println!("network refined for {}: {}", area.name, file.display());
        result.refined.push(refined);
        areas.push(result);
    }
    let result = RowResult::of_saved(&network, &row, areas);
    report::write(&run, &[result], &Story::refinement(model))
}

fn saved(run: &Run, model: &Path) -> Result<(Network, Row)> {
    let network = Network::open(model, &run.device)?;
    let (config, areas) = (&network.card.config, &run.areas);
    if network.model.bands() != areas.bands || config.classes != areas.classes {
        bail!(
            "the network knows {} bands and the classes {}, the areas have {} and {}",
            network.model.bands(),
            config.classes.join(", "),
            areas.bands,
            areas.classes.join(", ")
        )
    }
    let row = Row::of(config.clone());
    Ok((network, row))
}
