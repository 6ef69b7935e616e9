use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use crate::{
    Error, Result, Sample, SampleSet,
    readers::{
        csv_labels::Columns,
        folder::mask_of,
        folder_reader::folder_reader,
        scan::{images, require_folder, stem},
        table::Table,
    },
};

const CLASSES: [&str; 3] = ["benign", "malignant", "normal"];

/// BUSI, the breast ultrasound images of Al-Dhabyani et al. \[1\], in either of two layouts.
///
/// ```text
/// as published                                    cleaned
/// Dataset_BUSI_with_GT/benign/benign (1).png      images/benign/benign_001.png
///                      benign (1)_mask.png        masks/benign/benign_001.png
///                      benign (1)_mask_1.png      labels.csv: file,class,near_duplicate_group
/// ```
///
/// `root` may be the folder itself or the one around `Dataset_BUSI_with_GT`. Several masks of an
/// image are merged by OR. The data set has no patient numbers, but it does hold near duplicates:
/// those of the table become the samples' groups; for the published layout find them with
/// [`NearDuplicates`](crate::NearDuplicates). Some groups hold both labels, which is label noise;
/// they are dropped unless kept by choice.
///
/// Labels: benign 0, malignant 1, normal 2 (left out unless asked for).
///
/// # Examples
///
/// ```
/// use ocellus_data::{Busi, Image};
///
/// let root = tempfile::tempdir()?;
/// for class in ["benign", "malignant"] {
///     let folder = root.path().join("Dataset_BUSI_with_GT").join(class);
///     std::fs::create_dir_all(&folder)?;
///     for name in [format!("{class} (1).png"), format!("{class} (1)_mask.png")] {
///         Image::filled(1, 4, 4, 1.)?.save_png(folder.join(name))?;
///     }
/// }
/// let set = Busi::open(root.path())?;
/// assert_eq!(set.labels(), [0, 1]);
/// assert_eq!(set.samples[0].masks.len(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # References
///
/// 1. W. Al-Dhabyani, M. Gomaa, H. Khaled and A. Fahmy. *Dataset of breast ultrasound images.*
///    Data in Brief 28, 2020. <https://doi.org/10.1016/j.dib.2019.104863>
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Busi {
    /// The data set's folder.
    pub root: PathBuf,
    /// Whether normal breasts are read as a third class. Off by default.
    pub include_normal: bool,
    /// Whether groups that hold two labels are kept. Off by default.
    pub keep_contradictory: bool,
}

folder_reader!(Busi { include_normal: false, keep_contradictory: false });

impl Busi {
    /// Sets whether normal breasts are read as a third class.
    #[must_use]
    pub fn with_normal(mut self, include: bool) -> Self {
        self.include_normal = include;
        self
    }

    /// Sets whether groups that hold two labels are kept.
    #[must_use]
    pub fn with_contradictory(mut self, keep: bool) -> Self {
        self.keep_contradictory = keep;
        self
    }

    /// Lists the images. None is opened.
    ///
    /// # Errors
    ///
    /// If the folder has neither layout, a class has no images, or the table does not fit the images.
    pub fn read(&self) -> Result<SampleSet> {
        require_folder(&self.root)?;
        let published = self.root.join("Dataset_BUSI_with_GT");
        let root = if published.is_dir() { published } else { self.root.clone() };
        let cleaned = root.join("images");
        let base = if cleaned.is_dir() { &cleaned } else { &root };
        let mut present = Vec::new();
        for (label, class) in CLASSES.iter().enumerate() {
            let folder = base.join(class);
            if folder.is_dir() {
                present.extend(images(&folder, false)?.into_iter().map(|path| (label, path)));
            } else if label < 2 || self.include_normal {
                return Err(Error::dataset(
                    base,
                    format!("no folder `{class}`: BUSI has benign, malignant and normal"),
                ));
            }
        }
        let samples = match base == &cleaned {
            true => self::cleaned(&root, base, present)?,
            false => self::published(present)?,
        };
        self.select(root, samples)
    }

    fn select(&self, root: PathBuf, samples: Vec<Sample>) -> Result<SampleSet> {
        let mut classes: Vec<String> = CLASSES.map(str::to_owned).to_vec();
        if !samples.iter().any(|sample| sample.label == 2) {
            classes.pop();
        }
        let mut set = SampleSet::new(root, classes, samples)?;
        if !self.keep_contradictory {
            let groups = set.contradictory_groups();
            set = set.without_groups(&groups)?;
        }
        if self.include_normal { Ok(set) } else { set.with_classes(&CLASSES[..2]) }
    }
}

/// `benign (1).png` with `benign (1)_mask.png`, `benign (1)_mask_1.png` and so on.
fn published(present: Vec<(usize, PathBuf)>) -> Result<Vec<Sample>> {
    let mut masks: BTreeMap<PathBuf, Vec<PathBuf>> = BTreeMap::new();
    let mut samples = Vec::new();
    for (label, path) in present {
        match stem(&path).rsplit_once("_mask") {
            Some((image, _)) => masks.entry(path.with_file_name(image)).or_default().push(path),
            None => samples.push(Sample::new(path, label)),
        }
    }
    for sample in &mut samples {
        sample.masks = masks.remove(&sample.path.with_extension("")).unwrap_or_default();
    }
    match masks.into_values().flatten().next() {
        Some(orphan) => Err(Error::dataset(
            &orphan,
            "a mask without its image: the copy is incomplete, or remove the mask",
        )),
        None => Ok(samples),
    }
}

/// `images/benign/x.png` with `masks/benign/x.png` and the groups of `labels.csv`.
fn cleaned(root: &Path, base: &Path, present: Vec<(usize, PathBuf)>) -> Result<Vec<Sample>> {
    let path = root.join("labels.csv");
    let groups = path.is_file().then(|| groups(&path, base)).transpose()?;
    let mut seen = BTreeSet::new();
    let mut samples = Vec::new();
    for (label, image) in present {
        let mut sample = Sample::new(&image, label);
        sample.masks = mask_of(&image, base, &root.join("masks")).into_iter().collect();
        if let Some(groups) = &groups {
            let Some((class, group)) = groups.get(&image) else {
                return Err(Error::dataset(
                    &image,
                    format!("label not listed in {}: add the image or remove it", path.display()),
                ));
            };
            if class != CLASSES[label] {
                let folder = CLASSES[label];
                let reason = format!("listed as `{class}`, but it lies in the folder `{folder}`");
                return Err(Error::dataset(&image, reason));
            }
            sample.group.clone_from(group);
            seen.insert(image);
        }
        samples.push(sample);
    }
    let missing = groups.iter().flat_map(|g| g.keys()).find(|image| !seen.contains(*image));
    match missing {
        Some(image) => {
            Err(Error::dataset(&path, format!("lists {}, which is not there", image.display())))
        }
        None => Ok(samples),
    }
}

/// Class and near-duplicate group by image, from the table of the cleaned layout.
fn groups(path: &Path, base: &Path) -> Result<BTreeMap<PathBuf, (String, Option<String>)>> {
    let table = Table::read(path)?;
    let columns = Columns::of(&table)?;
    let mut groups = BTreeMap::new();
    for row in table.rows() {
        let file = row.get(columns.path);
        let image = base.join(file.strip_prefix("images/").unwrap_or(file));
        let class = row.get(columns.label).to_owned();
        let group = row.optional(columns.group).map(str::to_owned);
        if groups.insert(image, (class, group)).is_some() {
            return Err(row.error(format_args!("`{file}` comes twice: list each image once")));
        }
    }
    Ok(groups)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::{DecodeConfig, Image, readers::scan::touch};

    #[test]
    fn merges_the_masks_of_the_published_layout() {
        let root = tempfile::tempdir().unwrap();
        let image = |name: &str, values: [f32; 3]| {
            let path = root.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            Image::new(1, 1, 3, values.to_vec()).unwrap().save_png(path).unwrap();
        };
        image("benign/benign (1).png", [0.5; 3]);
        image("benign/benign (1)_mask.png", [1., 0., 0.]);
        image("benign/benign (1)_mask_1.png", [0., 1., 0.]);
        image("benign/benign (10).png", [0.5; 3]);
        image("malignant/malignant (1).png", [0.5; 3]);
        let set = Busi::open(root.path()).unwrap();
        assert_eq!(set.labels(), [0, 0, 1]);
        let mask = set.samples[0].read_mask(&DecodeConfig::default()).unwrap().unwrap();
        assert_eq!(mask.data(), [1., 1., 0.]);
        assert!(set.samples[1].masks.is_empty());
        image("malignant/malignant (2)_mask.png", [0.; 3]);
        let error = Busi::open(root.path()).unwrap_err().to_string();
        assert!(error.contains("(2)_mask.png: a mask without its image"), "{error}");
    }

    #[test]
    fn reads_groups_and_drops_contradictory_ones() {
        let root = tempfile::tempdir().unwrap();
        let names = ["benign/b1.png", "benign/b2.png", "malignant/m1.png", "malignant/m2.png"];
        touch(&root.path().join("images"), &names);
        touch(&root.path().join("images"), &["normal/n1.png"]);
        touch(root.path(), &["masks/benign/b1.png"]);
        let table = root.path().join("labels.csv");
        let text = "file,class,near_duplicate_group\nbenign/b1.png,benign,0\nbenign/b2.png,benign,7\n\
                    malignant/m1.png,malignant,7\nmalignant/m2.png,malignant,\nnormal/n1.png,normal,0\n";
        fs::write(&table, text.replace("n1.png,normal,0", "n1.png,normal,")).unwrap();
        let set = Busi::open(root.path()).unwrap();
        assert_eq!(set.classes, ["benign", "malignant"]);
        assert_eq!((set.len(), set.samples[0].masks.len()), (2, 1));
        let all = Busi::new(root.path()).with_contradictory(true).with_normal(true).read().unwrap();
        assert_eq!(all.class_counts(), [2, 2, 1]);
        // A benign image that equals a normal one is contradictory even if normals are left out.
        fs::write(&table, text).unwrap();
        assert!(Busi::open(root.path()).unwrap_err().to_string().contains("has no images"));
    }

    #[test]
    fn names_what_does_not_fit() {
        let root = tempfile::tempdir().unwrap();
        let message = |busi: Busi| busi.read().unwrap_err().to_string();
        assert!(message(Busi::new(root.path().join("x"))).contains("no such folder"));
        assert!(message(Busi::new(root.path())).contains("no folder `benign`"));
        touch(root.path(), &["images/benign/a.png", "images/malignant/b.png"]);
        assert_eq!(Busi::open(root.path()).unwrap().len(), 2); // No table is needed.
        assert!(message(Busi::new(root.path()).with_normal(true)).contains("no folder `normal`"));
        let table = |text: &str| fs::write(root.path().join("labels.csv"), text).unwrap();
        table("file,class\nbenign/a.png,benign\n");
        assert!(message(Busi::new(root.path())).contains("b.png: label not listed"));
        table("file,class\nbenign/a.png,malignant\nmalignant/b.png,malignant\n");
        assert!(message(Busi::new(root.path())).contains("listed as `malignant`"));
        table("file,class\nbenign/a.png,benign\nmalignant/b.png,malignant\nbenign/c.png,benign\n");
        assert!(message(Busi::new(root.path())).contains("c.png, which is not there"));
    }
}
