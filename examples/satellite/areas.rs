//! The labeled areas: synthetic ones of several sensors, or a folder of scenes with masks.

use std::{collections::BTreeMap, path::Path, sync::Arc};

use anyhow::{Context, Result, bail};
use ocellus::data::{
    ChannelStatistics, LabeledImage, LabeledScene, PreparedTiles, Regions, ScenePairs,
    StatisticsOf, TileGrid, TilePreparation, Tiles, Validation,
    raster::Window,
    synthetic::{Area as Place, Landscape, Sensor},
};
use rand::{SeedableRng, seq::SliceRandom};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use crate::{
    cli::{Settings, StatisticsChoice},
    run::Preset,
};

/// Seeds that are tried for a synthetic area.
const SEEDS: u64 = 1000;

/// Scenes of that side have statistics of their own.
const LARGE: u32 = 384;

/// Less of it built over, an area is passed by.
const LEAST_BUILT: f32 = 0.08;

pub(crate) type Scene = Arc<dyn LabeledScene>;

/// Scenes that are reported on together: one of a city, or all images of it.
#[derive(Clone)]
pub(crate) struct Area {
    pub(crate) name: String,
    pub(crate) scenes: Vec<Scene>,
}

/// What a network is trained on, and what it is tested on.
pub(crate) struct Areas {
    pub(crate) name: String,
    pub(crate) train: Vec<Scene>,
    pub(crate) test: Vec<Area>,
    pub(crate) bands: usize,
    pub(crate) classes: Vec<String>,
}

/// Tiles to train on and samples to choose the epoch by, of the same areas.
pub(crate) struct Samples {
    pub(crate) train: Tiles,
    pub(crate) validation: Tiles,
    pub(crate) statistics: ChannelStatistics,
    pub(crate) each_scene: bool,
}

impl Areas {
    /// Those of `--data`, or synthetic ones.
    pub(crate) fn open(settings: &Settings, preset: Preset) -> Result<Self> {
        match &settings.data {
            Some(folder) => Self::folder(folder, &settings.test),
            None => Self::synthetic(settings, preset),
        }
    }

    /// Scenes of three sensors for training, and for testing those of a fourth.
    fn synthetic(settings: &Settings, preset: Preset) -> Result<Self> {
        let side = preset.synthetic_side(settings.quick);
        let places = [Place::town(), Place::suburb(), Place::industrial(), Place::old_town()];
        let sensors = Sensor::training();
        let count = if settings.quick { sensors.len() } else { 2 * sensors.len() };
        let landscape = |n: usize, place: &Place, sensor: &Sensor| {
            let seed = settings.seed.wrapping_add(SEEDS * n as u64);
            let scene = Landscape::new(side, side, seed);
            built(scene.with_area(place.clone()).with_sensor(sensor.clone()))
        };
        let train =
            (0..count).map(|n| (n, &places[n % places.len()], sensors[n % sensors.len()].clone()));
        let unseen = [Place::town(), Place::suburb(), Place::industrial()];
        let tested = if settings.quick { 1 } else { unseen.len() };
        let test = unseen.iter().take(tested).enumerate();
        let test = test.map(|(n, place)| (count + n, place, Sensor::unseen()));
        let wanted: Vec<_> = train.chain(test).collect();
        // Kept in memory: they are read in every epoch.
        let scenes = wanted.into_par_iter().map(|(n, place, sensor)| landscape(n, place, &sensor));
        let mut scenes = scenes.collect::<Result<Vec<_>>>()?;
        let test = scenes.split_off(count);
        let area = |(n, scene): (usize, LabeledImage)| Area {
            name: unseen[n].name.clone(),
            scenes: vec![Arc::new(scene) as Scene],
        };
        Ok(Self {
            name: format!("synthetic areas of {side}×{side} pixels"),
            train: scenes.into_iter().map(|scene| Arc::new(scene) as Scene).collect(),
            test: test.into_iter().enumerate().map(area).collect(),
            bands: 4,
            classes: two_classes(),
        })
    }

    /// A folder of scenes with masks; the scenes of a city are on one side.
    fn folder(folder: &Path, test: &[String]) -> Result<Self> {
        let set = ScenePairs::open(folder)?;
        let groups: Vec<String> = set.groups().into_iter().collect();
        let test: Vec<&str> = match groups.last() {
            _ if !test.is_empty() => test.iter().map(String::as_str).collect(),
            Some(last) if groups.len() > 1 => vec![last],
            _ => bail!(
                "the scenes in {} are of one group: there is none left to test on; name those of \
                 another place otherwise (`city_1.tif`)",
                folder.display()
            ),
        };
        let (train, held) = set.held_out(&test)?;
        let open =
            |&n: &usize| -> Result<Scene> { Ok(Arc::new(LabeledImage::of(&set.scene(n)?)?)) };
        let mut areas: BTreeMap<String, Vec<Scene>> = BTreeMap::new();
        for n in &held {
            let name = set.pairs[*n].group.clone().unwrap_or_default();
            areas.entry(name).or_default().push(open(n)?);
        }
        Ok(Self {
            name: folder.display().to_string(),
            train: train.iter().map(open).collect::<Result<_>>()?,
            test: areas.into_iter().map(|(name, scenes)| Area { name, scenes }).collect(),
            bands: set.bands()?,
            classes: two_classes(),
        })
    }
}

/// The first of some places alike of which buildings cover a part that says something.
fn built(mut scene: Landscape) -> Result<LabeledImage> {
    let first = scene.seed;
    loop {
        let image = LabeledImage::of(&scene)?;
        let (width, height) = image.size();
        let mask = image.read_mask(Window::new(0, 0, width, height))?;
        let share = mask.data().iter().sum::<f32>() / mask.data().len() as f32;
        if share > LEAST_BUILT || scene.seed + 1 == first.wrapping_add(SEEDS) {
            return Ok(image);
        }
        scene.seed += 1;
    }
}

fn two_classes() -> Vec<String> {
    vec!["ground".to_owned(), "building".to_owned()]
}

/// Cuts scenes to tiles; a fifth of them, spatially apart, chooses the epoch. Where scenes are too
/// small for that, whole scenes are held back.
pub(crate) fn samples(
    scenes: &[Scene],
    grid: TileGrid,
    size: usize,
    share: f64,
    settings: &Settings,
) -> Result<Samples> {
    let smallest = scenes.iter().map(|scene| scene.size().0.min(scene.size().1)).min();
    let seed = settings.seed;
    let each_scene = match settings.statistics {
        StatisticsChoice::EachScene => true,
        StatisticsChoice::AllScenes => false,
        StatisticsChoice::Auto => smallest.is_some_and(|side| side >= LARGE),
    };
    let of = if each_scene { StatisticsOf::EachScene } else { StatisticsOf::AllScenes };
    let preparation = TilePreparation::new(grid, size as u32).with_statistics(of);
    if smallest.is_some_and(|side| side >= 4 * grid.size) {
        let blocks = Validation::new(2 * grid.size).with_share(share).with_seed(seed);
        let PreparedTiles { train, validation, statistics, .. } =
            preparation.with_validation(Some(blocks)).prepare(scenes)?;
        return Ok(Samples { train, validation, statistics, each_scene });
    }
    let mut order: Vec<usize> = (0..scenes.len()).collect();
    order.shuffle(&mut ChaCha8Rng::seed_from_u64(seed));
    let count = (share * scenes.len() as f64).round() as usize;
    let (held, rest) = order.split_at(count.clamp(1, scenes.len().max(2) - 1));
    let take = |of: &[usize]| of.iter().map(|&n| Arc::clone(&scenes[n])).collect::<Vec<_>>();
    let prepared = preparation
        .with_validation(None)
        .prepare(&take(rest))
        .context("too few or too small scenes to train on")?;
    let (train, statistics) = (prepared.train, prepared.statistics);
    let mut validation = Tiles::default();
    for scene in take(held) {
        let normalize = match each_scene {
            true => ChannelStatistics::of_scene(&*scene, None)?.normalize()?,
            false => statistics.normalize()?,
        };
        let (width, height) = scene.size();
        validation.add(scene, &grid.tiles(width, height)?, normalize)?;
    }
    Ok(Samples { train, validation: validation.centers(size as u32), statistics, each_scene })
}

/// What of an area is annotated for refinement, scene by scene.
pub(crate) struct Annotated {
    pub(crate) regions: Vec<Regions>,
    /// Their share of all pixels.
    pub(crate) share: f64,
}

/// About that share of an area: blocks of a scene, or where scenes are small, whole ones.
pub(crate) fn annotate(area: &Area, grid: &TileGrid, share: f64, seed: u64) -> Result<Annotated> {
    use ocellus::data::Refinement;
    let whole = |scene: &Scene| {
        let (width, height) = scene.size();
        Window::new(0, 0, width, height)
    };
    if let [scene] = area.scenes.as_slice() {
        // A block holds a tile at least, which may be more than that share of a small scene.
        let (all, tile) = (whole(scene).pixels() as f64, f64::from(grid.size + 1).powi(2));
        let share = share.max(tile / all);
        let blocks = ((share * all / tile) as usize).clamp(1, 3);
        let regions = Refinement::new(share, blocks).with_seed(seed).choose(&**scene)?;
        return Ok(Annotated { share: regions.share(), regions: vec![regions] });
    }
    let mut order: Vec<usize> = (0..area.scenes.len()).collect();
    order.shuffle(&mut ChaCha8Rng::seed_from_u64(seed));
    let all: u64 = area.scenes.iter().map(|scene| whole(scene).pixels()).sum();
    let (mut chosen, mut pixels) = (vec![false; order.len()], 0);
    for n in order {
        let more = whole(&area.scenes[n]).pixels();
        // As near to the share as whole scenes come, but one.
        let (before, after) = (pixels as f64 / all as f64, (pixels + more) as f64 / all as f64);
        if pixels == 0 || (after - share).abs() < (before - share).abs() {
            chosen[n] = true;
            pixels += more;
        }
    }
    let regions = area.scenes.iter().zip(&chosen).map(|(scene, chosen)| {
        let (width, height) = scene.size();
        Regions::new(width, height, if *chosen { vec![whole(scene)] } else { Vec::new() })
    });
    let regions = regions.collect::<Result<_, _>>()?;
    Ok(Annotated { regions, share: pixels as f64 / all as f64 })
}
