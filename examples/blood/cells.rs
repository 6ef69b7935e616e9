//! The images of a run: read from folders, or drawn.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use ocellus::data::{
    AllIdb, BallTaleqani, Bccd, Busi, CNmc, CellFinder, DecodeConfig, Image, ImageFolder, MmSegpc,
    Resize, SampleSet, SnAm, synthetic::Smear,
};
use rayon::prelude::*;

use crate::{cli::Settings, common::progress};

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
    /// Files that could not be read, with the reason.
    pub(crate) skipped: Vec<String>,
}

impl Cells {
    pub(crate) fn len(&self) -> usize {
        self.labels.len()
    }

    /// "66 healthy, 130 leukemic"
    pub(crate) fn counts(&self) -> String {
        let count = |class| self.labels.iter().filter(|&&label| label == class).count();
        let parts = self.classes.iter().enumerate().map(|(i, name)| format!("{} {name}", count(i)));
        parts.collect::<Vec<_>>().join(", ")
    }

    /// How many groups there are.
    pub(crate) fn group_count(&self) -> usize {
        self.groups.iter().collect::<std::collections::BTreeSet<_>>().len()
    }
}

/// Opens the folders of `--data` as one set, or draws cells of `side`².
pub(crate) fn open(settings: &Settings, folders: &[PathBuf], side: usize) -> Result<Cells> {
    if folders.is_empty() {
        return drawn(settings, side);
    }
    let read =
        |folder: &PathBuf| layout(folder).with_context(|| format!("--data {}", folder.display()));
    let mut sets = folders.iter().map(read).collect::<Result<Vec<_>>>()?;
    let mut set = match sets.len() {
        1 => sets.remove(0),
        _ => SampleSet::of_sources("", sets)?,
    };
    if !settings.classes.is_empty() {
        let names: Vec<&str> = settings.classes.iter().map(String::as_str).collect();
        set = set.with_classes(&names)?;
    }
    let names: Vec<String> = folders.iter().map(|folder| folder.display().to_string()).collect();
    from_files(&set, names.join(" and "), side)
}

fn drawn(settings: &Settings, side: usize) -> Result<Cells> {
    let count = if settings.common.quick { 96 } else { 400 };
    let smear = Smear::new(side).with_seed(settings.common.seed);
    let bar = progress::bar(count as u64, "synthetic cells");
    let examples = (0..count)
        .into_par_iter()
        .map(|index| {
            let example = smear.example(index);
            bar.inc(1);
            example
        })
        .collect::<ocellus::data::Result<Vec<_>>>()?;
    bar.finish_and_clear();
    Ok(Cells {
        name: format!("synthetic cells, seed {}", settings.common.seed),
        classes: smear.classes(),
        files: (0..count).map(|index| format!("synthetic-{index:04}")).collect(),
        labels: examples.iter().map(|example| example.label).collect(),
        groups: (0..count).map(|index| smear.slide(index)).collect(),
        images: examples.into_iter().map(|example| example.image).collect(),
        fingerprint: format!("{smear:?} {count}"),
        skipped: Vec::new(),
    })
}

fn from_files(set: &SampleSet, name: String, side: usize) -> Result<Cells> {
    let (resize, decode) = (Resize::new(side, side), DecodeConfig::default());
    let bar = progress::bar(set.len() as u64, "reading images");
    let read = |sample: &ocellus::data::Sample| -> ocellus::data::Result<Image> {
        let image = resize.apply(&sample.read(&decode)?.to_rgb()?);
        bar.inc(1);
        image
    };
    let images: Vec<_> = set.samples.par_iter().map(read).collect();
    bar.finish_and_clear();
    let mut cells = Cells {
        name,
        classes: set.classes.clone(),
        files: Vec::new(),
        labels: Vec::new(),
        groups: Vec::new(),
        images: Vec::new(),
        fingerprint: set.fingerprint()?.sha256,
        skipped: Vec::new(),
    };
    for ((sample, group), image) in set.samples.iter().zip(set.group_ids()).zip(images) {
        match image {
            Ok(image) => {
                cells.files.push(set.name(sample));
                cells.labels.push(sample.label);
                cells.groups.push(group);
                cells.images.push(image);
            }
            Err(error) => {
                eprintln!("skipped: {error}");
                cells.skipped.push(error.to_string());
            }
        }
    }
    for (class, name) in cells.classes.iter().enumerate() {
        if !cells.labels.contains(&class) {
            bail!("no readable image of class {name} is left in {}", cells.name)
        }
    }
    Ok(cells)
}

/// Tells the layout from what is there.
fn layout(root: &Path) -> Result<SampleSet> {
    if !root.is_dir() {
        bail!("it is no folder")
    }
    type Reader = fn(&Path) -> ocellus::data::Result<SampleSet>;
    let readers: [(&str, Reader); 8] = [
        ("C-NMC", |root| CNmc::new(root).read()),
        ("SN-AM", |root| SnAm::new(root).read()),
        ("BCCD", |root| Bccd::new(root).read()),
        ("ALL-IDB", |root| AllIdb::new(root).read()),
        ("B-ALL (Taleqani)", |root| BallTaleqani::new(root).read()),
        ("SegPC", |root| CellFinder::default().find(&MmSegpc::new(root).read()?)),
        ("BUSI", |root| Busi::new(root).read()),
        ("a folder a class", |root| ImageFolder::open(root)),
    ];
    let mut reasons = Vec::new();
    for (name, reader) in readers {
        match reader(root) {
            Ok(set) => return Ok(set),
            Err(error) => reasons.push(format!("as {name}: {error}")),
        }
    }
    bail!("it has no layout that this program knows:\n  {}", reasons.join("\n  "))
}
