//! The images of a run: read from folders, or drawn.

use std::{collections::HashMap, path::PathBuf};

use anyhow::{Context, Result, bail};
use ocellus::data::{Example, Image, SampleSet, StoredFiles, synthetic::Smear};

use crate::{
    cli::Settings,
    common::loading::{self, Loaded},
    image_settings::{self, ImageSettings},
    layout,
    preparation::Preparation,
    sources::{self, Contrast},
};

/// The most bytes of all that `--cache` keeps.
const CACHE: u64 = 8 << 30;

/// Square images in color with what is known of them.
pub(crate) struct Cells {
    pub(crate) name: String,
    pub(crate) classes: Vec<String>,
    pub(crate) files: Vec<String>,
    pub(crate) labels: Vec<usize>,
    /// Images of one group stay on one side of every split.
    pub(crate) groups: Vec<usize>,
    pub(crate) images: Vec<Image>,
    pub(crate) fingerprint: String,
    /// What was done to every image.
    pub(crate) preparation: Preparation,
    /// How sources without a common class differ in color.
    pub(crate) contrasts: Vec<Contrast>,
    /// Files that could not be read, with the reason.
    pub(crate) skipped: Vec<String>,
}

impl Cells {
    pub(crate) fn len(&self) -> usize {
        self.labels.len()
    }

    /// "66 healthy, 130 leukemic"
    pub(crate) fn counts(&self) -> String {
        loading::counts(&self.classes, &self.labels)
    }

    /// What a reader of the scores must know of the sources.
    pub(crate) fn warnings(&self) -> impl Iterator<Item = &str> {
        self.contrasts.iter().filter_map(|contrast| contrast.warning.as_deref())
    }

    /// What a split that cannot be made is of.
    pub(crate) fn unsplit(&self) -> String {
        format!(
            "the images ({}, in {} groups that nothing may part) are too few for these folds and the inner \
             images of each: give more images, or fewer --folds",
            self.counts(),
            self.group_count()
        )
    }

    /// How many groups there are.
    pub(crate) fn group_count(&self) -> usize {
        self.groups.iter().collect::<std::collections::BTreeSet<_>>().len()
    }
}

/// Opens the folders of `--data` as one set, or draws cells of `side`².
pub(crate) fn open(settings: &Settings, folders: &[PathBuf], side: usize) -> Result<Cells> {
    let preparation = Preparation::new(&settings.images, side)?;
    if folders.is_empty() {
        return drawn(settings, preparation);
    }
    let ImageSettings { layout, crop, .. } = settings.images;
    let read = |folder: &PathBuf| {
        layout::read(folder, layout, crop).with_context(|| format!("--data {}", folder.display()))
    };
    let mut sets = folders.iter().map(read).collect::<Result<Vec<_>>>()?;
    let of_set = |(source, set): (usize, &SampleSet)| {
        set.samples.iter().map(|sample| (sample.path.clone(), source)).collect::<Vec<_>>()
    };
    let source_of: HashMap<PathBuf, usize> = sets.iter().enumerate().flat_map(of_set).collect();
    let mut set = match sets.len() {
        1 => sets.remove(0),
        _ => SampleSet::of_sources("", sets)?,
    };
    if !settings.classes.is_empty() {
        let names: Vec<&str> = settings.classes.iter().map(String::as_str).collect();
        set = set.with_classes(&names)?;
    }
    if let [class] = &set.classes[..] {
        bail!(
            "--data {}: all {} images are of one class, {class}; give a folder of another class too, \
             with a second --data",
            folders[0].display(),
            set.len()
        )
    }
    let names: Vec<String> = folders.iter().map(|folder| folder.display().to_string()).collect();
    let paths: Vec<PathBuf> = set.samples.iter().map(|sample| sample.path.clone()).collect();
    let (mut cells, kept) = from_files(set, names.join(" and "), settings, preparation)?;
    let of: Vec<usize> = kept.iter().map(|&index| source_of[&paths[index]]).collect();
    cells.contrasts = sources::contrasts(&names, &of, &cells.labels, &cells.images);
    cells.warnings().for_each(|warning| eprintln!("warning: {warning}"));
    Ok(cells)
}

fn drawn(settings: &Settings, preparation: Preparation) -> Result<Cells> {
    let count = if settings.common.quick { 96 } else { 400 };
    let smear = Smear::new(preparation.side).with_seed(settings.common.seed);
    let cell = |index| Ok(Example::new(preparation.drawn(&smear, index)?, smear.label(index)));
    let examples = loading::draw(count, "synthetic cells", cell)?;
    Ok(Cells {
        name: format!("synthetic cells, seed {}", settings.common.seed),
        classes: smear.classes(),
        files: (0..count).map(|index| format!("synthetic-{index:04}")).collect(),
        labels: examples.iter().map(|example| example.label).collect(),
        groups: (0..count).map(|index| smear.slide(index)).collect(),
        images: examples.into_iter().map(|example| example.image).collect(),
        fingerprint: format!("{smear:?} {count}"),
        preparation,
        contrasts: Vec::new(),
        skipped: Vec::new(),
    })
}

/// The images of a set, and the places of those that could be read.
fn from_files(
    set: SampleSet,
    name: String,
    settings: &Settings,
    preparation: Preparation,
) -> Result<(Cells, Vec<usize>)> {
    let files = preparation.files(set, settings.images.decode()?);
    let (set, groups) = (files.set().clone(), files.set().group_ids());
    let Loaded { kept, examples, skipped } = match &settings.images.cache {
        Some(folder) => {
            let stored = StoredFiles::new(files, folder, CACHE);
            let stored = stored.with_context(|| format!("--cache {}", folder.display()))?;
            loading::load(&stored)
        }
        None => loading::load(&files),
    };
    let cells = Cells {
        name,
        classes: set.classes.clone(),
        files: kept.iter().map(|&index| set.name(&set.samples[index])).collect(),
        labels: examples.iter().map(|example| example.label).collect(),
        groups: kept.iter().map(|&index| groups[index]).collect(),
        images: examples.into_iter().map(|example| example.image).collect(),
        fingerprint: set.fingerprint()?.sha256,
        preparation,
        contrasts: Vec::new(),
        skipped: skipped.iter().map(image_settings::explained).collect(),
    };
    loading::report_skipped(&cells.name, &cells.classes, &cells.labels, &cells.skipped)?;
    Ok((cells, kept))
}
