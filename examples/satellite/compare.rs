//! Several networks, trained alike and tested on the same areas; refined there if so wished.

use std::path::Path;

use anyhow::Result;
use ocellus::satellite::{NetworkConfig, Refinement};
use serde::{Deserialize, Serialize};

use crate::{
    areas::{self, Area},
    baseline,
    cli::Form,
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
    pub(crate) card: Option<Card>,
}

impl Row {
    /// A network of this name.
    pub(crate) fn network(run: &Run, name: &str, form: Form) -> Result<Self> {
        let card = run.card(name, form)?;
        let config = card.config()?;
        let small = if card.channels == 64 { String::new() } else { format!("/{}", card.channels) };
        let authors = if card.authors { " (authors' code)" } else { "" };
        Ok(Self {
            slug: config.slug(),
            name: format!("{}{small}{authors}", config.name()),
            card: Some(card),
        })
    }

    /// A network that was saved.
    pub(crate) fn of_card(card: Card) -> Result<Self> {
        let config = card.config()?;
        Ok(Self { slug: config.slug(), name: config.name(), card: Some(card) })
    }

    /// Logistic regression on color and texture.
    pub(crate) fn baseline() -> Self {
        Self {
            slug: "logistic-regression".to_owned(),
            name: "logistic regression".to_owned(),
            card: None,
        }
    }
}

/// What refinement on a part of an area gave.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Refined {
    /// The share that was asked for, and that of the annotated pixels.
    pub(crate) wanted: f64,
    pub(crate) share: f64,
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
    let settings = format!("{row:?} {:?} {refine} {:?}", run.protocol, run.settings.norm);
    let file = run.out.join("networks").join(format!("{}.json", row.slug));
    if run.settings.resume
        && let Some(known) = known_result(&file, &settings)
    {
        return Ok(known);
    }
    let result = match &row.card {
        Some(card) => trained(run, row, card, refine, settings)?,
        None => baseline::result(run, row, settings)?,
    };
    files::write(&file, serde_json::to_vec(&result)?)?;
    Ok(result)
}

impl RowResult {
    /// Of a network that was trained before.
    pub(crate) fn of_saved(
        network: &Network,
        row: &Row,
        areas: Vec<AreaResult>,
        size: usize,
    ) -> Result<Self> {
        Ok(Self {
            parameters: network.params.parameter_count(),
            macs: network.card.config()?.macs(size, size),
            ..Self::plain(row, String::new(), areas)
        })
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

fn trained(run: &Run, row: &Row, card: &Card, refine: bool, settings: String) -> Result<RowResult> {
    let folder = run.out.join("networks").join(&row.slug);
    let place = Place {
        folder: Some(folder.clone()),
        resume: run.settings.resume,
        label: row.name.clone(),
    };
    let (network, course) = train(run, card, &place)?;
    network.save(&run.out.join("networks").join(format!("{}.safetensors", row.slug)))?;
    let areas = run.areas.test.iter().map(|area| test(run, &network, row, area, refine));
    let result = RowResult {
        parameters: network.params.parameter_count(),
        macs: card.config()?.macs(run.protocol.crop, run.protocol.crop),
        course: Some(course),
        ..RowResult::plain(row, settings, areas.collect::<Result<_>>()?)
    };
    // The checkpoints have served; failing to remove them does no harm.
    if let Err(error) = std::fs::remove_dir_all(&folder) {
        eprintln!("{} could not be removed: {error}", folder.display());
    }
    Ok(result)
}

/// Trains a network on the training areas.
pub(crate) fn train(run: &Run, card: &Card, place: &Place) -> Result<(Network, Course)> {
    let protocol = &run.protocol;
    let samples = areas::samples(
        &run.areas.train,
        run.grid(),
        protocol.crop,
        protocol.validation_fraction,
        &run.settings,
    )?;
    let single = |values: Vec<f64>| values.into_iter().map(|v| v as f32).collect::<Vec<_>>();
    let mut card = card.clone();
    card.mean = single(samples.statistics.mean());
    card.std = single(samples.statistics.std());
    card.each_scene = samples.each_scene;
    let network = Network::new(&card, &run.device)?;
    if let (Some(file), NetworkConfig::Residual(_)) = (&run.settings.weights, card.config()?) {
        network.load_encoder(file)?;
    }
    let course = fitting::fit(&network, samples, protocol, &run.settings, place)?;
    Ok((network, course))
}

/// Tests a network on an area it has not seen, then refines copies of it there.
fn test(run: &Run, network: &Network, row: &Row, area: &Area, refine: bool) -> Result<AreaResult> {
    let started = std::time::Instant::now();
    let answers = scoring::answers(network, run.settings.norm, area, run.protocol.scene_tile)?;
    let seconds = started.elapsed().as_secs_f64();
    let classes = network.card.classes.len();
    let score = scoring::score(area, &answers, None, classes)?;
    keep(run, row, area, "", &answers)?;
    let mut refined = Vec::new();
    for wanted in [Refinement::small(), Refinement::large()].into_iter().filter(|_| refine) {
        refined.push(refine_one(run, network, row, area, &answers, wanted.share)?.0);
    }
    Ok(AreaResult { area: area.name.clone(), score, refined, seconds })
}

/// Trains a copy of the network on the annotated part, and tests it on the rest.
pub(crate) fn refine_one(
    run: &Run,
    network: &Network,
    row: &Row,
    area: &Area,
    before: &[Answer],
    share: f64,
) -> Result<(Refined, Network)> {
    let annotated = areas::annotate(area, &run.grid(), share, run.settings.seed)?;
    let copy = network.duplicate()?;
    let mut tiles = ocellus::data::Tiles::default();
    for (scene, regions) in area.scenes.iter().zip(&annotated.regions) {
        let windows = regions.tiles_within(&run.grid())?;
        tiles.add(scene.clone(), &windows, network.card.normalize_scene(&**scene)?)?;
    }
    let refinement = run.protocol.refinement.with_share(share);
    let label = format!("{}, {} refined on {:.0} %", row.name, area.name, 100. * share);
    let place = Place { folder: None, resume: false, label };
    let course = fitting::refine(&copy, tiles, &refinement, &run.protocol, &run.settings, &place)?;
    let after = scoring::answers(&copy, run.settings.norm, area, run.protocol.scene_tile)?;
    keep(run, row, area, &format!("-refined-{:.0}", 100. * share), &after)?;
    let classes = network.card.classes.len();
    let score = |answers| scoring::score(area, answers, Some(&annotated.regions), classes);
    let refined = Refined {
        wanted: share,
        share: annotated.share,
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
