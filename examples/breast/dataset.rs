//! The images of a run: read from a folder, or made.

use std::path::Path;

use anyhow::{Context, Result, bail};
use ocellus::data::{
    Busi, Color, CsvLabels, Dataset as _, DatasetB, Image, ImageFiles, ImageFolder, NearDuplicates,
    Preprocess, SampleSet, synthetic::BMode,
};

use crate::{
    cli::{GroupBy, Settings},
    loading,
};

/// Images of the network's size with what is known of them.
pub(crate) struct Dataset {
    pub(crate) name: String,
    pub(crate) classes: Vec<String>,
    pub(crate) files: Vec<String>,
    pub(crate) labels: Vec<usize>,
    /// Images of one group stay on one side of every split.
    pub(crate) groups: Vec<usize>,
    /// Gray, square.
    pub(crate) images: Vec<Image>,
    /// The lesion's outline where it is known, of the images' size.
    pub(crate) masks: Vec<Option<Image>>,
    pub(crate) fingerprint: String,
    /// Files that could not be read, with the reason.
    pub(crate) skipped: Vec<String>,
}

impl Dataset {
    pub(crate) fn len(&self) -> usize {
        self.labels.len()
    }

    /// "341 benign, 163 malignant"
    pub(crate) fn counts(&self) -> String {
        loading::counts(&self.classes, &self.labels)
    }

    /// How many groups there are, and how many images share one.
    pub(crate) fn group_summary(&self) -> String {
        let mut sizes = vec![0usize; self.groups.iter().max().map_or(0, |m| m + 1)];
        self.groups.iter().for_each(|&g| sizes[g] += 1);
        let shared: usize = sizes.iter().filter(|&&s| s > 1).sum();
        format!("{} groups; {shared} images share one", sizes.iter().filter(|&&s| s > 0).count())
    }
}

/// Opens `--data`, or makes synthetic images of `size`².
pub(crate) fn open(settings: &Settings, size: usize) -> Result<Dataset> {
    match &settings.data {
        Some(path) => read(path, settings, size),
        None => synthetic(settings, size),
    }
}

fn synthetic(settings: &Settings, size: usize) -> Result<Dataset> {
    let count = if settings.common.quick { 160 } else { 720 };
    let generator = BMode::new(size, size).with_seed(settings.common.seed);
    let scans = loading::draw(count, "synthetic ultrasound images", |i| generator.example(i))?;
    let mut set = Dataset {
        name: format!("synthetic B-mode images, seed {}", settings.common.seed),
        classes: vec!["benign".to_owned(), "malignant".to_owned()],
        files: (0..count).map(|i| format!("synthetic-{i:04}")).collect(),
        labels: Vec::new(),
        groups: (0..count).collect(),
        images: Vec::new(),
        masks: Vec::new(),
        fingerprint: format!("BMode seed {} count {count} size {size}", settings.common.seed),
        skipped: Vec::new(),
    };
    for scan in scans {
        set.labels.push(scan.label);
        set.images.push(scan.image);
        set.masks.push(scan.mask);
    }
    Ok(set)
}

fn read(path: &Path, settings: &Settings, size: usize) -> Result<Dataset> {
    let set = grouped(layout(path, settings.normal)?, settings.group_by)?;
    let preprocess = Preprocess::new(size, size).with_color(Color::Gray);
    let files = ImageFiles::new(set, preprocess).with_masks(true);
    let mut loaded = loading::load(&files);
    if settings.strict && !loaded.skipped.is_empty() {
        return Err(loaded.skipped.remove(0).into());
    }
    let set = files.set();
    let groups = set.group_ids();
    let mut data = Dataset {
        name: path.display().to_string(),
        classes: set.classes.clone(),
        files: Vec::new(),
        labels: Vec::new(),
        groups: Vec::new(),
        images: Vec::new(),
        masks: Vec::new(),
        fingerprint: set.fingerprint()?.sha256,
        skipped: loaded.skipped.iter().map(ToString::to_string).collect(),
    };
    for (index, example) in loaded.kept.into_iter().zip(loaded.examples) {
        data.files.push(files.name(index));
        data.labels.push(example.label);
        data.groups.push(groups[index]);
        data.images.push(example.image);
        data.masks.push(example.mask);
    }
    loading::report_skipped(&data.name, &data.classes, &data.labels, &data.skipped)?;
    Ok(data)
}

/// Tells the layout from what is there.
fn layout(path: &Path, normal: bool) -> Result<SampleSet> {
    if !path.exists() {
        bail!("no data at {}: give a folder of images or a CSV file", path.display())
    }
    if path.is_file() {
        return Ok(CsvLabels::open(path)?);
    }
    let cleaned = path.join("labels.csv").is_file() && path.join("images").is_dir();
    let original = path.join("benign").is_dir()
        && path.join("benign").read_dir().is_ok_and(|files| {
            files.flatten().any(|f| f.file_name().to_string_lossy().contains("_mask"))
        });
    if cleaned || original {
        return Ok(Busi::new(path).with_normal(normal).read()?);
    }
    if path.join("original").is_dir() && path.join("GT").is_dir() {
        return Ok(DatasetB::open(path)?);
    }
    ImageFolder::open(path).with_context(|| {
        format!(
            "{} is no BUSI folder, no Dataset B folder and has no folder a class",
            path.display()
        )
    })
}

fn grouped(mut set: SampleSet, group_by: GroupBy) -> Result<SampleSet> {
    match group_by {
        GroupBy::Auto => {}
        GroupBy::NearDuplicates => {
            let duplicates = NearDuplicates::default().find(&set)?;
            set = set.with_groups_joined(&duplicates)?;
        }
        GroupBy::Prefix => {
            for sample in &mut set.samples {
                let name = sample.path.file_stem().unwrap_or_default().to_string_lossy();
                let prefix = name.split(['_', '-', ' ']).next().unwrap_or(&name);
                sample.group = Some(prefix.to_owned());
            }
        }
        GroupBy::None => set.samples.iter_mut().for_each(|s| s.group = None),
    }
    Ok(set)
}
