//! The commands that train or evaluate.

use std::path::Path;

use anyhow::{Result, bail};
use ocellus::satellite::{TABLE_2, TABLE_3};

use crate::{
    areas::Area,
    cli::{Form, Settings},
    compare::{self, AreaResult, Row, RowResult},
    network::Network,
    report::{self, Story},
    run::Run,
    scoring,
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
    if file.exists() && !settings.resume {
        bail!(
            "{} is there already: choose another --out, or continue with --resume",
            file.display()
        )
    }
    let row = Row::network(&run, &settings.network, settings.form)?;
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
    let score = |area: &Area| -> Result<AreaResult> {
        let started = std::time::Instant::now();
        let tile = run.protocol.scene_tile;
        let answers = scoring::answers(&network, run.settings.norm, area, tile)?;
        compare::keep(&run, &row, area, "", &answers)?;
        Ok(AreaResult {
            area: area.name.clone(),
            score: scoring::score(area, &answers, None, network.card.classes.len())?,
            refined: Vec::new(),
            seconds: started.elapsed().as_secs_f64(),
        })
    };
    let areas = run.areas.test.iter().map(score).collect::<Result<_>>()?;
    let result = RowResult::of_saved(&network, &row, areas, run.protocol.crop)?;
    report::write(&run, &[result], &Story::evaluation(model))
}

/// Trains a saved network further on a part of each test area, keeps it, and tests it on the rest.
pub(crate) fn refine(settings: &Settings, model: &Path, share: f64) -> Result<()> {
    if !(0. < share && share < 1.) {
        bail!("--share {share}: give a share between 0 and 1, as 0.07")
    }
    let run = Run::open(settings, "satellite-refined")?;
    let (network, row) = saved(&run, model)?;
    let mut areas = Vec::new();
    for area in &run.areas.test {
        let tile = run.protocol.scene_tile;
        let before = scoring::answers(&network, run.settings.norm, area, tile)?;
        let (refined, better) = compare::refine_one(&run, &network, &row, area, &before, share)?;
        let file = run.out.join(format!("model-{}.safetensors", area.name));
        better.save(&file)?;
        println!("network refined for {}: {}", area.name, file.display());
        areas.push(AreaResult {
            area: area.name.clone(),
            score: scoring::score(area, &before, None, network.card.classes.len())?,
            seconds: refined.seconds,
            refined: vec![refined],
        });
    }
    let result = RowResult::of_saved(&network, &row, areas, run.protocol.crop)?;
    report::write(&run, &[result], &Story::refinement(model))
}

fn saved(run: &Run, model: &Path) -> Result<(Network, Row)> {
    let network = Network::open(model, &run.device)?;
    if network.card.bands != run.areas.bands || network.card.classes != run.areas.classes {
        bail!(
            "the network knows {} bands and the classes {}, the areas have {} and {}",
            network.card.bands,
            network.card.classes.join(", "),
            run.areas.bands,
            run.areas.classes.join(", ")
        )
    }
    let row = Row::of_card(network.card.clone())?;
    Ok((network, row))
}
