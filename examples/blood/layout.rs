//! Which published set a folder is, told by what lies in it.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::ValueEnum;
use ocellus::data::{
    AllIdb, BallTaleqani, Bccd, Busi, CNmc, CellFinder, ImageFolder, MmSegpc, SampleSet, SnAm,
};

use crate::image_settings::Crop;

/// How a set's folder looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Layout {
    /// C-NMC 2019: folders `fold_0`, `fold_1`, …
    CNmc,
    /// SN-AM: a folder of B-ALL and one of MM, with masks.
    SnAm,
    /// BCCD: `JPEGImages` with boxes in `Annotations`.
    Bccd,
    /// BCCD's white cells: `EOSINOPHIL`, `LYMPHOCYTE`, `MONOCYTE`, `NEUTROPHIL`.
    BccdTypes,
    /// ALL-IDB: images named as `Im001_1`.
    AllIdb,
    /// Taleqani's B-ALL: images named as `WBC-Malignant-Early-001`.
    BallTaleqani,
    /// `SegPC`: fields in `images`, masks of their cells in `masks`.
    Segpc,
    /// BUSI: `benign` and `malignant`, with masks.
    Busi,
    /// A folder a class, maybe in `images`, with masks in `masks`.
    Folders,
}

/// Folders that are looked into for a sign, and entries of each.
const LEVELS: usize = 3;
const ENTRIES: usize = 2000;

impl Layout {
    /// The layout that a folder has a sign of.
    pub(crate) fn recognize(root: &Path) -> Self {
        let seen = Seen::in_folder(root);
        let named = |start: &str| seen.files.iter().any(|name| name.starts_with(start));
        let has = |name: &str| seen.folders.iter().any(|folder| folder == name);
        let word = |words: &[&str]| {
            let mut all =
                seen.near.iter().flat_map(|name| name.split(|c: char| !c.is_alphanumeric()));
            all.any(|word| words.contains(&word))
        };
        let types = ["eosinophil", "lymphocyte", "monocyte", "neutrophil"];
        let masks = seen.files.iter().any(|name| name.contains("_mask"));
        if seen.folders.iter().any(|name| name.starts_with("fold_")) {
            Self::CNmc
        } else if has("jpegimages") || has("annotations") {
            Self::Bccd
        } else if types.into_iter().filter(|name| has(name)).count() > 1 {
            Self::BccdTypes
        } else if has("dataset_busi_with_gt")
            || (has("benign") && has("malignant") && (masks || has("masks")))
        {
            Self::Busi
        } else if seen.files.iter().any(|name| is_all_idb(name)) {
            Self::AllIdb
        } else if named("wbc-benign") || named("wbc-malignant") {
            Self::BallTaleqani
        } else if word(&["all"]) && word(&["mm", "myeloma"]) {
            Self::SnAm
        } else if root.join("masks").is_dir() && has_images(&root.join("images")) {
            Self::Segpc
        } else {
            Self::Folders
        }
    }

    /// The set in a folder; samples have the masks of that part of a cell.
    pub(crate) fn read(self, root: &Path, crop: Option<Crop>) -> ocellus::data::Result<SampleSet> {
        match self {
            Self::CNmc => CNmc::new(root).read(),
            Self::SnAm => {
                let reader = SnAm::new(root);
                match crop {
                    Some(crop) => reader.with_part(crop.part()).read(),
                    None => reader.read(),
                }
            }
            Self::Bccd => Bccd::new(root).read(),
            Self::BccdTypes => Bccd::new(root).read_types(),
            Self::AllIdb => AllIdb::new(root).read(),
            Self::BallTaleqani => BallTaleqani::new(root).read(),
            Self::Segpc => CellFinder::default().find(&MmSegpc::new(root).read()?),
            Self::Busi => Busi::new(root).read(),
            Self::Folders => ImageFolder::open(root),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::CNmc => "C-NMC",
            Self::SnAm => "SN-AM",
            Self::Bccd => "BCCD",
            Self::BccdTypes => "BCCD's types",
            Self::AllIdb => "ALL-IDB",
            Self::BallTaleqani => "B-ALL (Taleqani)",
            Self::Segpc => "SegPC",
            Self::Busi => "BUSI",
            Self::Folders => "a folder a class",
        }
    }

    /// Parts of cells that masks mark apart.
    fn check_crop(self, crop: Crop) -> Result<()> {
        match (self, crop) {
            (Self::SnAm, _) | (Self::Segpc | Self::Busi | Self::Folders, Crop::Cell) => Ok(()),
            (Self::Segpc | Self::Busi | Self::Folders, _) => bail!(
                "--crop {}: masks of {} mark whole cells; give --crop cell",
                crop.name(),
                self.name()
            ),
            _ => bail!("--crop {}: {} has no masks; leave --crop out", crop.name(), self.name()),
        }
    }
}

/// Reads a folder of images, of that layout or of the one that it has a sign of.
pub(crate) fn read(root: &Path, layout: Option<Layout>, crop: Option<Crop>) -> Result<SampleSet> {
    if !root.is_dir() {
        bail!("it is no folder: give one with images, or check the path")
    }
    let found = layout.unwrap_or_else(|| Layout::recognize(root));
    if let Some(crop) = crop {
        found.check_crop(crop)?;
    }
    let set = found.read(root, crop).with_context(|| match (layout, found) {
        (Some(_), _) => format!("read as {}", found.name()),
        (None, Layout::Folders) => {
            "it has no sign of a published layout (--layout names one), and read as a folder a class"
                .to_owned()
        }
        (None, _) => format!("read as {}, by what is in it (--layout names another)", found.name()),
    })?;
    if let Some(crop) = crop {
        require_masks(&set, crop)?;
    }
    Ok(set)
}

/// Fails unless every image has a mask: those without would be missing of one class more than of another.
fn require_masks(set: &SampleSet, crop: Crop) -> Result<()> {
    let without: Vec<_> = set.samples.iter().filter(|sample| sample.masks.is_empty()).collect();
    let Some(first) = without.first() else { return Ok(()) };
    bail!(
        "--crop {}: {} of {} images have no mask for it, the first is {}, of class {}; take another part \
         or leave --crop out",
        crop.name(),
        without.len(),
        set.len(),
        set.name(first),
        set.classes[first.label]
    )
}

/// Names in a folder, in lower case.
#[derive(Default)]
struct Seen {
    /// Folders in it and in those.
    near: Vec<String>,
    folders: Vec<String>,
    files: Vec<String>,
}

impl Seen {
    fn in_folder(root: &Path) -> Self {
        let mut seen = Self::default();
        let mut level = vec![root.to_owned()];
        for depth in 0..LEVELS {
            let mut next = Vec::new();
            for (name, path) in level.iter().flat_map(|folder| entries(folder)) {
                if !path.is_dir() {
                    seen.files.push(name);
                    continue;
                }
                if depth < 2 {
                    seen.near.push(name.clone());
                }
                seen.folders.push(name);
                next.push(path);
            }
            level = next;
        }
        seen
    }
}

/// Names and paths in a folder, as far as they can be read.
fn entries(folder: &Path) -> Vec<(String, PathBuf)> {
    let Ok(entries) = folder.read_dir() else { return Vec::new() };
    let of = |entry: std::fs::DirEntry| {
        (entry.file_name().to_string_lossy().to_lowercase(), entry.path())
    };
    entries.flatten().take(ENTRIES).map(of).collect()
}

fn has_images(folder: &Path) -> bool {
    let image = |(name, _): (String, PathBuf)| {
        [".png", ".jpg", ".jpeg", ".bmp", ".tif"].iter().any(|end| name.ends_with(end))
    };
    entries(folder).into_iter().any(image)
}

/// `im001_1.tif`
fn is_all_idb(name: &str) -> bool {
    let parts = name.strip_prefix("im").and_then(|rest| rest.split_once('_'));
    parts.is_some_and(|(number, rest)| {
        number.parse::<u32>().is_ok() && (rest.starts_with("0.") || rest.starts_with("1."))
    })
}
