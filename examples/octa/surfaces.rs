//! Surfaces without and with defects.

use std::{collections::BTreeSet, path::Path, sync::Arc};

use anyhow::{Context, Result};
use ocellus::data::{MagneticTiles, Mvtec, SampleSet};

use crate::{
    cli::Settings,
    images::Images,
    run::Preset,
    sets::{self, Sets},
};

/// Normal surfaces to learn from, others to find defects in.
pub(crate) struct Surfaces {
    pub(crate) sets: Sets,
    /// Which object each image to be tested shows: exposures of one stay together.
    pub(crate) groups: Vec<usize>,
}

impl Surfaces {
    pub(crate) fn open(root: &Path, settings: &Settings, preset: &Preset) -> Result<Self> {
        let opened = if root.join("train").is_dir() {
            Self::of_mvtec(&Mvtec::new(root), settings, preset)
        } else {
            Self::of_tiles(MagneticTiles::open(root)?, settings, preset)
        };
        opened.with_context(|| format!("--data {}", root.display()))
    }

    fn of_mvtec(reader: &Mvtec, settings: &Settings, preset: &Preset) -> Result<Self> {
        let (normal, test) = (reader.read_train()?, reader.read_test()?);
        let (fitted, held) = sets::halves(
            normal.len(),
            settings.common.seed,
            sets::fitted_of(normal.len(), settings),
        )?;
        let groups = test.group_ids();
        let (normal, test) = (sets::files(normal, preset), sets::files(test, preset));
        let all = (0..test.len()).collect();
        Ok(Self {
            sets: Sets {
                name: "the category's own parts".to_owned(),
                train: Images::new(Arc::clone(&normal), fitted).shuffled(settings.common.seed),
                calibration: Images::new(normal, held),
                test: Images::new(test, all),
            },
            groups,
        })
    }

    /// Whole tiles are learned from or tested, those with a defect in any exposure tested.
    fn of_tiles(set: SampleSet, settings: &Settings, preset: &Preset) -> Result<Self> {
        let groups = set.group_ids();
        let (all, defective) = (0..set.len(), |&i: &usize| set.samples[i].label != 0);
        let spoiled: BTreeSet<usize> = all.clone().filter(defective).map(|i| groups[i]).collect();
        let of_free = all.clone().map(|i| groups[i]).filter(|group| !spoiled.contains(group));
        let tiles: Vec<usize> = of_free.collect::<BTreeSet<_>>().into_iter().collect();
        let learned = sets::learned_of(tiles.len(), settings);
        let (learned, _) = sets::halves(tiles.len(), settings.common.seed, learned)?;
        let (fitted, held) = sets::halves(
            learned.len(),
            settings.common.seed,
            sets::fitted_of(learned.len(), settings),
        )?;
        let images_of = |places: &[usize]| -> Vec<usize> {
            let chosen: BTreeSet<usize> =
                places.iter().map(|&place| tiles[learned[place]]).collect();
            all.clone().filter(|&i| chosen.contains(&groups[i])).collect()
        };
        let (train, calibration) = (images_of(&fitted), images_of(&held));
        let seen: BTreeSet<usize> = train.iter().chain(&calibration).copied().collect();
        let test: Vec<usize> = all.filter(|i| !seen.contains(i)).collect();
        let groups = test.iter().map(|&i| groups[i]).collect();
        let files = sets::files(set, preset);
        Ok(Self {
            sets: Sets {
                name: "magnetic tiles, whole tiles apart".to_owned(),
                train: Images::new(Arc::clone(&files), train).shuffled(settings.common.seed),
                calibration: Images::new(Arc::clone(&files), calibration),
                test: Images::new(files, test),
            },
            groups,
        })
    }
}
