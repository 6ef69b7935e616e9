//! The labeled areas: synthetic ones of several sensors, or a folder of scenes with masks.

use std::{
    collections::BTreeMap,
    sync::{Arc, OnceLock},
};

use anyhow::{Context, Result, bail};
use ocellus::{
    data::{
        AnnotatedBlocks, ChannelStatistics, LabeledImage, LabeledScene, MaskCoding, Normalize,
        PairSet, PreparedTiles, Regions, ScenePair, ScenePairs, StatisticsOf, TileGrid,
        TilePreparation, Tiles, Validation,
        raster::Window,
        synthetic::{Area as Place, Landscape, Sensor},
    },
    satellite::Protocol,
};
use rand::{SeedableRng, seq::SliceRandom};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use crate::{
    cli::{MaskChoice, Settings, StatisticsChoice},
    scale::Scale,
};

/// Seeds that are tried for a synthetic area.
const SEEDS: u64 = 1000;

/// Scenes of that side have statistics of their own.
const LARGE: u32 = 384;

/// Less of it built over, an area is passed by.
const LEAST_BUILT: f32 = 0.08;

/// Most blocks that are annotated in a scene.
const BLOCKS: usize = 6;

/// A labeled scene in memory.
#[derive(Clone)]
pub(crate) struct Scene {
    pub(crate) image: Arc<LabeledImage>,
    own: Arc<OnceLock<Normalize>>,
}

impl Scene {
    fn new(image: LabeledImage) -> Self {
        Self { image: Arc::new(image), own: Arc::default() }
    }

    /// The window that holds all of it.
    pub(crate) fn whole(&self) -> Window {
        let (width, height) = self.image.size();
        Window::new(0, 0, width, height)
    }

    /// How its values come to that scale; its own statistics are computed once.
    pub(crate) fn normalize(&self, scale: &Scale) -> Result<Normalize> {
        scale.normalize(|| {
            if let Some(known) = self.own.get() {
                return Ok(known.clone());
            }
            let own = ChannelStatistics::of_scene(&*self.image, None)?.normalize()?;
            Ok(self.own.get_or_init(|| own).clone())
        })
    }

    fn labeled(&self) -> Arc<dyn LabeledScene> {
        Arc::clone(&self.image) as Arc<dyn LabeledScene>
    }
}

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
    /// How many sensors the scenes to train on are of.
    pub(crate) sensors: usize,
}

/// Tiles to train on and samples to choose the epoch by, of the same areas.
pub(crate) struct Samples {
    pub(crate) train: Tiles,
    pub(crate) validation: Tiles,
    pub(crate) scale: Scale,
}

impl Areas {
    /// Those of `--data`, or synthetic ones.
    pub(crate) fn open(settings: &Settings, protocol: &Protocol) -> Result<Self> {
        match settings.data.is_empty() {
            false => Self::folders(settings),
            true => Self::synthetic(settings, protocol),
        }
    }

    /// Scenes of three sensors for training, and for testing those of a fourth.
    fn synthetic(settings: &Settings, protocol: &Protocol) -> Result<Self> {
        let quick = settings.common.quick;
        let tile = protocol.tile as u32;
        // Four tiles a side leave blocks for validation; 7 % of a scene to test on are three tiles.
        let side = if quick { 384 } else { (4 * tile).next_multiple_of(128) };
        let test_side = if quick { 384 } else { (6.6 * f64::from(tile)).ceil() as u32 };
        let test_side = test_side.next_multiple_of(16);
        let places = [Place::town(), Place::suburb(), Place::industrial(), Place::old_town()];
        let sensors = Sensor::training();
        let count = if quick { sensors.len() } else { 2 * sensors.len() };
        let landscape = |n: usize, side: u32, place: &Place, sensor: &Sensor| {
            let seed = settings.common.seed.wrapping_add(SEEDS * n as u64);
            let scene = Landscape::new(side, side, seed);
            built(scene.with_area(place.clone()).with_sensor(sensor.clone()))
        };
        let train = (0..count)
            .map(|n| (n, side, &places[n % places.len()], sensors[n % sensors.len()].clone()));
        let unseen = [Place::town(), Place::suburb(), Place::industrial()];
        let tested = if quick { 1 } else { unseen.len() };
        let test = unseen.iter().take(tested).enumerate();
        let test = test.map(|(n, place)| (count + n, test_side, place, Sensor::unseen()));
        let wanted: Vec<_> = train.chain(test).collect();
        // Kept in memory: they are read in every epoch.
        let scenes = wanted
            .into_par_iter()
            .map(|(n, side, place, sensor)| Ok(Scene::new(landscape(n, side, place, &sensor)?)));
        let mut train = scenes.collect::<Result<Vec<_>>>()?;
        let test = train.split_off(count).into_iter().zip(&unseen);
        Ok(Self {
            name: format!(
                "synthetic areas, {side}×{side} pixels to train on, {test_side}×{test_side} to test on"
            ),
            train,
            test: test
                .map(|(scene, place)| Area { name: place.name.clone(), scenes: vec![scene] })
                .collect(),
            bands: 4,
            classes: two_classes(),
            sensors: sensors.len(),
        })
    }

    /// Folders of scenes with masks, each of a sensor of its own; the scenes of a city are on one side.
    fn folders(settings: &Settings) -> Result<Self> {
        let (set, choices) = joined(settings)?;
        let groups: Vec<String> = set.groups().into_iter().collect();
        let test: Vec<&str> = match groups.last() {
            _ if !settings.test.is_empty() => settings.test.iter().map(String::as_str).collect(),
            Some(last) if groups.len() > 1 => vec![last],
            _ => bail!(
                "the scenes in {} are of one group: there is none left to test on; name those of \
                 another place otherwise (`city_1.tif`)",
                folder_names(settings)
            ),
        };
        let (train, held) = set.held_out(&test)?;
        let open = |n: usize| -> Result<ScenePair> {
            Ok(match choices[n] {
                [] => set.scene(n)?,
                some => set.scene(n)?.with_bands(some)?,
            })
        };
        // All are opened before one is read.
        let bands = open(0)?.bands();
        for n in 1..set.len() {
            let (scene, first) = (open(n)?, &set.pairs[0].image);
            if scene.bands() != bands {
                bail!(
                    "{} has {} bands, {} has {bands}: choose the same ones of each folder of --data by a \
                     --bands of its own",
                    scene.name(),
                    scene.bands(),
                    first.display()
                )
            }
        }
        let load = |n: usize| -> Result<Scene> { Ok(Scene::new(LabeledImage::of(&open(n)?)?)) };
        let train = train.into_iter().map(load).collect::<Result<_>>()?;
        let mut areas: BTreeMap<String, Vec<Scene>> = BTreeMap::new();
        for n in held {
            let name = set.pairs[n].group.clone().unwrap_or_default();
            areas.entry(name).or_default().push(load(n)?);
        }
        Ok(Self {
            name: folder_names(settings),
            train,
            test: areas.into_iter().map(|(name, scenes)| Area { name, scenes }).collect(),
            bands,
            classes: two_classes(),
            sensors: settings.data.len(),
        })
    }

    /// Weights of the classes under which all have the same part in the training areas.
    pub(crate) fn balancing_weights(&self) -> Result<Vec<f64>> {
        let mut counts = vec![0_u64; self.classes.len()];
        for scene in &self.train {
            for &class in scene.image.read_mask(scene.whole())?.data() {
                if let Some(count) = counts.get_mut(class as usize) {
                    *count += 1;
                }
            }
        }
        if let Some(class) = counts.iter().position(|&count| count == 0) {
            bail!("no pixel to train on is {}: its weight cannot be balanced", self.classes[class])
        }
        let share = counts.iter().sum::<u64>() as f64 / counts.len() as f64;
        Ok(counts.into_iter().map(|count| share / count as f64).collect())
    }
}

/// The scenes of all folders, and which bands are taken of each; none: all.
fn joined(settings: &Settings) -> Result<(PairSet, Vec<&[usize]>)> {
    let (folders, bands) = (&settings.data, &settings.bands);
    if bands.len() > 1 && bands.len() != folders.len() {
        bail!("--bands is given {} times: give one for all, or one a --data", bands.len())
    }
    let coding = match settings.masks {
        MaskChoice::Binary => MaskCoding::Binary,
        MaskChoice::Classes => MaskCoding::Classes(two_classes().len() as u32),
    };
    let mut all: Option<PairSet> = None;
    let mut choices = Vec::new();
    for (n, folder) in folders.iter().enumerate() {
        let set = ScenePairs::new(folder).with_coding(coding).read()?;
        let choice = bands.get(n).or(bands.first()).map_or(&[][..], |choice| &choice.0);
        choices.resize(choices.len() + set.len(), choice);
        match &mut all {
            Some(all) => all.pairs.extend(set.pairs),
            None => all = Some(set),
        }
    }
    Ok((all.context("--data names no folder")?, choices))
}

fn folder_names(settings: &Settings) -> String {
    let names: Vec<_> = settings.data.iter().map(|folder| folder.display().to_string()).collect();
    names.join(", ")
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
pub(crate) fn samples(areas: &Areas, protocol: &Protocol, settings: &Settings) -> Result<Samples> {
    let (scenes, grid, seed) = (&areas.train, protocol.grid(), settings.common.seed);
    let sides = scenes.iter().map(|scene| scene.whole().width.min(scene.whole().height));
    let smallest = sides.min().unwrap_or(0);
    let each_scene = match settings.statistics {
        StatisticsChoice::EachScene => true,
        StatisticsChoice::AllScenes => false,
        StatisticsChoice::Auto => smallest >= LARGE || areas.sensors > 1,
    };
    let of = if each_scene { StatisticsOf::EachScene } else { StatisticsOf::AllScenes };
    let crop = protocol.crop as u32;
    let preparation = TilePreparation::new(grid, crop).with_statistics(of);
    if smallest >= 4 * grid.size {
        let blocks =
            Validation::new(2 * grid.size).with_share(protocol.validation_fraction).with_seed(seed);
        let scenes: Vec<_> = scenes.iter().map(Scene::labeled).collect();
        let PreparedTiles { train, validation, statistics, .. } =
            preparation.with_validation(Some(blocks)).prepare(&scenes)?;
        return Ok(Samples { train, validation, scale: Scale::of(&statistics, each_scene) });
    }
    let mut scenes = scenes.clone();
    scenes.shuffle(&mut ChaCha8Rng::seed_from_u64(seed));
    let count = (protocol.validation_fraction * scenes.len() as f64).round() as usize;
    let (held, rest) = scenes.split_at(count.clamp(1, scenes.len().max(2) - 1));
    let rest: Vec<_> = rest.iter().map(Scene::labeled).collect();
    let prepared = preparation
        .with_validation(None)
        .prepare(&rest)
        .context("too few or too small scenes to train on")?;
    let scale = Scale::of(&prepared.statistics, each_scene);
    let mut validation = Tiles::default();
    for scene in held {
        let Window { width, height, .. } = scene.whole();
        validation.add(scene.labeled(), &grid.tiles(width, height)?, scene.normalize(&scale)?)?;
    }
    Ok(Samples { train: prepared.train, validation: validation.centers(crop), scale })
}

/// What of an area is annotated for refinement, scene by scene.
pub(crate) struct Annotated {
    pub(crate) regions: Vec<Regions>,
    /// Their share of all pixels.
    pub(crate) share: f64,
}

impl Annotated {
    /// The tiles in it; a block that has no room for two beside each other is one.
    pub(crate) fn tiles(&self, area: &Area, grid: &TileGrid, scale: &Scale) -> Result<Tiles> {
        let mut tiles = Tiles::default();
        for (scene, regions) in area.scenes.iter().zip(&self.regions) {
            let tiles_of = |&block: &Window| {
                let side = block.width.max(block.height);
                let small =
                    side < grid.size + grid.stride && block.width.min(block.height) >= grid.size;
                if small { Ok(vec![block]) } else { grid.tiles_of(block) }
            };
            let windows = regions.windows().iter().map(tiles_of).collect::<Result<Vec<_>, _>>()?;
            let windows = windows.concat();
            tiles.add(scene.labeled(), &windows, scene.normalize(scale)?)?;
        }
        Ok(tiles)
    }
}

/// About that share of an area: blocks of a scene, or where scenes are small, whole ones.
pub(crate) fn annotate(area: &Area, grid: &TileGrid, share: f64, seed: u64) -> Result<Annotated> {
    if let [scene] = area.scenes.as_slice() {
        // A block holds a tile at least, which may be more than that share of a small scene.
        let (all, tile) = (scene.whole().pixels() as f64, f64::from(grid.size + 1).powi(2));
        let share = share.max(tile / all);
        let blocks = ((share * all / tile) as usize).clamp(1, BLOCKS);
        let regions = AnnotatedBlocks::new(share, blocks).with_seed(seed).choose(&*scene.image)?;
        return Ok(Annotated { share: regions.share(), regions: vec![regions] });
    }
    let mut order: Vec<usize> = (0..area.scenes.len()).collect();
    order.shuffle(&mut ChaCha8Rng::seed_from_u64(seed));
    let all: u64 = area.scenes.iter().map(|scene| scene.whole().pixels()).sum();
    let (mut chosen, mut pixels) = (vec![false; order.len()], 0);
    for n in order {
        let more = area.scenes[n].whole().pixels();
        // As near to the share as whole scenes come, but one.
        let (before, after) = (pixels as f64 / all as f64, (pixels + more) as f64 / all as f64);
        if pixels == 0 || (after - share).abs() < (before - share).abs() {
            chosen[n] = true;
            pixels += more;
        }
    }
    let regions = area.scenes.iter().zip(&chosen).map(|(scene, chosen)| {
        let whole = scene.whole();
        Regions::new(whole.width, whole.height, if *chosen { vec![whole] } else { Vec::new() })
    });
    let regions = regions.collect::<Result<_, _>>()?;
    Ok(Annotated { regions, share: pixels as f64 / all as f64 })
}
