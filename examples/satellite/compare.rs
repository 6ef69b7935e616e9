//! Several networks, trained alike and tested on the same areas; refined there if so wished.

use std::{path::Path, time::Instant};

use anyhow::Result;
use ocellus::satellite::{Config, NetworkConfig, Refinement};
use serde::{Deserialize, Serialize};

use crate::{
    areas::{self, Area},
    baseline,
    cli::{Form, Settings},
    common::files,
    fitting::{self, Course, Place},
    network::{Card, Network},
    run::Run,
    scoring::{self, Answer, Score},
};

/// A row of a table.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) slug: String,
    pub(crate) name: String,
    /// None for the pixel-wise baseline.
    pub(crate) config: Option<Config>,
}

impl Row {
    /// A network of this name.
    pub(crate) fn network(run: &Run, name: &str, form: Form) -> Result<Self> {
        Ok(Self::of(run.config_of(name, form)?))
    }

    /// A network, to be trained or saved.
    pub(crate) fn of(config: Config) -> Self {
        let network = config.network;
        let small = match network.channels() {
            64 => String::new(),
            channels => format!("/{channels}"),
        };
        let authors = match network {
            NetworkConfig::Residual(residual) if residual.refining > 0 => " (authors' code)",
            _ => "",
        };
        let name = format!("{}{small}{authors}", network.name());
        Self { slug: network.slug(), name, config: Some(config) }
    }

    /// Logistic regression on color and texture.
    pub(crate) fn baseline() -> Self {
        Self {
            slug: "logistic-regression".to_owned(),
            name: "logistic regression".to_owned(),
            config: None,
        }
    }
}

/// What the first process tells the others: whether a row has its result from an earlier run.
const DONE: &[u8] = b"done";
const TO_DO: &[u8] = b"to do";

/// What refinement on a part of an area gave.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Refined {
    /// The share that was asked for, and that of the annotated pixels.
    pub(crate) wanted: f64,
    pub(crate) share: f64,
    /// How many blocks, or whole scenes, it is made of.
    pub(crate) blocks: usize,
    /// On the rest of the area, before and after.
    pub(crate) before: Score,
    pub(crate) after: Score,
    pub(crate) seconds: f64,
}

/// A row's result on an area.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct AreaResult {
    pub(crate) area: String,
    pub(crate) score: Score,
    pub(crate) refined: Vec<Refined>,
    pub(crate) seconds: f64,
}

/// A row's results.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct RowResult {
    /// The settings; a result of other settings is not taken up again.
    pub(crate) settings: String,
    pub(crate) slug: String,
    pub(crate) name: String,
    pub(crate) parameters: usize,
    /// Multiply-accumulates of a sample.
    pub(crate) macs: u64,
    pub(crate) course: Option<Course>,
    pub(crate) areas: Vec<AreaResult>,
}

/// Trains and tests every row, or takes up what an earlier run left.
pub(crate) fn compare(run: &Run, rows: &[Row], refine: bool) -> Result<Vec<RowResult>> {
    rows.iter().map(|row| one(run, row, refine)).collect()
}

fn one(run: &Run, row: &Row, refine: bool) -> Result<RowResult> {
    let Settings { norm, statistics, weights, .. } = &run.settings;
    let (protocol, training) = (&run.config.protocol, run.settings.training.key());
    let settings =
        format!("{row:?} {protocol:?} {refine} {norm:?} {statistics:?} {weights:?}{training}");
    let file = run.out.join("networks").join(format!("{}.json", row.slug));
    let resume = run.settings.training.resume;
    let known = resume.then(|| known_result(&file, &settings)).flatten();
    // The other processes do as this one.
    run.group.share_bytes(if known.is_some() { DONE } else { TO_DO })?;
    if let Some(known) = known {
        return Ok(known);
    }
    let result = match &row.config {
        Some(config) => trained(run, row, config, refine, settings)?,
        None => baseline::result(run, row, settings)?,
    };
    files::write(&file, serde_json::to_vec(&result)?)?;
    Ok(result)
}

impl RowResult {
    /// Of a network that was trained before.
    pub(crate) fn of_saved(network: &Network, row: &Row, areas: Vec<AreaResult>) -> Self {
        let crop = network.card.config.protocol.crop;
        Self {
            parameters: network.params.parameter_count(),
            macs: network.model.macs(crop, crop),
            ..Self::plain(row, String::new(), areas)
        }
    }

    /// Of something that is not trained by epochs.
    pub(crate) fn plain(row: &Row, settings: String, areas: Vec<AreaResult>) -> Self {
        Self {
            settings,
            slug: row.slug.clone(),
            name: row.name.clone(),
            parameters: 0,
            macs: 0,
            course: None,
            areas,
        }
    }
}

fn trained(
    run: &Run,
    row: &Row,
    config: &Config,
    refine: bool,
    settings: String,
) -> Result<RowResult> {
    let folder = run.out.join("networks").join(&row.slug);
    let (network, course) = train(run, config, &run.place(&row.name, Some(folder.clone())))?;
    network.save(&run.out.join("networks").join(format!("{}.safetensors", row.slug)))?;
    let areas = run.areas.test.iter().map(|area| test(run, &network, row, area, refine));
    let result = RowResult {
        settings,
        course: Some(course),
        ..RowResult::of_saved(&network, row, areas.collect::<Result<_>>()?)
    };
    // The checkpoints have served; failing to remove them does no harm.
    if let Err(error) = std::fs::remove_dir_all(&folder) {
        eprintln!("{} could not be removed: {error}", folder.display());
    }
    Ok(result)
}

/// A further process's part in the training of a row: all that it does is to compute.
pub(crate) fn assist(run: &Run, row: &Row) -> Result<()> {
    let done = run.group.share_bytes(&[])? == DONE;
    match &row.config {
        Some(config) if !done => train(run, config, &run.place(&row.name, None)).map(drop),
        _ => Ok(()),
    }
}

/// Trains a network on the training areas.
fn train(run: &Run, config: &Config, place: &Place) -> Result<(Network, Course)> {
    let samples = areas::samples(&run.areas, &config.protocol, &run.settings)?;
    let (config, data) = (config.clone(), run.areas.name.clone());
    let card = Card { config, scale: samples.scale.clone(), data };
    let network = Network::new(card, &run.device)?;
    if let (Some(file), NetworkConfig::Residual(_)) =
        (&run.settings.weights, network.card.config.network)
    {
        network.load_encoder(file)?;
    }
    let course = fitting::fit(&network, samples, place)?;
    Ok((network, course))
}

/// Tests a network on an area it has not seen, then refines copies of it there.
fn test(run: &Run, network: &Network, row: &Row, area: &Area, refine: bool) -> Result<AreaResult> {
    let (mut result, answers) = evaluate(run, network, row, area)?;
    let protocol = &network.card.config.protocol;
    for wanted in [Refinement::small(), Refinement::large()].into_iter().filter(|_| refine) {
        let refinement = protocol.refinement.with_share(wanted.share);
        result.refined.push(refine_one(run, network, row, area, &answers, &refinement)?.0);
    }
    Ok(result)
}

/// Tests a network on an area as it is.
pub(crate) fn evaluate(
    run: &Run,
    network: &Network,
    row: &Row,
    area: &Area,
) -> Result<(AreaResult, Vec<Answer>)> {
    let started = Instant::now();
    let answers = scoring::answers(network, run.settings.norm, area)?;
    keep(run, row, area, "", &answers)?;
    let result = AreaResult {
        area: area.name.clone(),
        score: scoring::score(area, &answers, None, network.model.classes())?,
        refined: Vec::new(),
        seconds: started.elapsed().as_secs_f64(),
    };
    Ok((result, answers))
}

/// Trains a copy of the network on the annotated part, and tests it on the rest.
pub(crate) fn refine_one(
    run: &Run,
    network: &Network,
    row: &Row,
    area: &Area,
    before: &[Answer],
    refinement: &Refinement,
) -> Result<(Refined, Network)> {
    let (share, percent) = (refinement.share, 100. * refinement.share);
    let grid = network.card.config.protocol.grid();
    let annotated = areas::annotate(area, &grid, share, run.config.seed)?;
    let copy = network.duplicate()?;
    let tiles = annotated.tiles(area, &grid, &network.card.scale)?;
    let label = format!("{}, {} refined on {percent:.0} %", row.name, area.name);
    let course = fitting::refine(&copy, tiles, refinement, &run.place(&label, None))?;
    let after = scoring::answers(&copy, run.settings.norm, area)?;
    keep(run, row, area, &format!("-refined-{percent:.0}"), &after)?;
    let classes = network.model.classes();
    let score = |answers| scoring::score(area, answers, Some(&annotated.regions), classes);
    let refined = Refined {
        wanted: share,
        share: annotated.share,
        blocks: annotated.regions.iter().map(|regions| regions.windows().len()).sum(),
        before: score(before)?,
        after: score(&after)?,
        seconds: course.seconds,
    };
    Ok((refined, copy))
}

/// Keeps the classes of an area's first scene, for the figures.
pub(crate) fn keep(
    run: &Run,
    row: &Row,
    area: &Area,
    what: &str,
    answers: &[Answer],
) -> Result<()> {
    let Some(answer) = answers.first() else { return Ok(()) };
    let levels: Vec<u8> = answer.probabilities.iter().map(|p| (p * 255.).round() as u8).collect();
    let height = levels.len() / answer.width;
    let picture = ocellus::figures::Picture::from_gray(answer.width, height, &levels)?;
    files::write(map_file(run, &row.slug, &area.name, what), picture.to_png()?)
}

/// Where the map of a row's probabilities lies.
pub(crate) fn map_file(run: &Run, slug: &str, area: &str, what: &str) -> std::path::PathBuf {
    run.out.join("maps").join(format!("{slug}-{area}{what}.png"))
}

/// A result that is there, whole, and of the same settings.
fn known_result(file: &Path, settings: &str) -> Option<RowResult> {
    let known: RowResult = serde_json::from_slice(&std::fs::read(file).ok()?).ok()?;
    (known.settings == settings).then_some(known)
}
