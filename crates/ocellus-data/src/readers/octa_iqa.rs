use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use crate::{
    Error, Result, Sample, SampleSet,
    readers::scan::{folders, images, name, require_folder},
    synthetic::OctaGrade,
};

/// OCTA-25K-IQA-SEG, the OCTA images of Wang et al. \[1\] with quality grades: sOCTA-3×3-10k and
/// sOCTA-6×6-14k.
///
/// ```text
/// 3x3/For_Train/train/0/….png     0 ungradable, 1 gradable, 2 outstanding
/// 3x3/For_Train/test/2/….png
/// 6x6/For_Train/train/1/….png     or folders `ungradable`, `gradable`, `outstanding`
/// ```
///
/// The paths are those that published programs read. A *part* is a folder of folders of grades, such
/// as `3x3/For_Train/test`. All that lie within
/// four levels of `root` are found, so the authors' training and test images, the validation
/// images and the two external test sets of each field are parts by whatever name their folders have.
///
/// Labels are those of [`OctaGrade`]: outstanding 0, gradable 1, ungradable 2. There are no patient
/// numbers. As \[1\] and Chen et al. (UNO-QA, 2022) count them, sOCTA-3×3-10k has 6,915 images to
/// train (961 outstanding), 2,965 to test (412, 1,179, 1,374), and twice 300 of other sources (100
/// of each grade), of which UNO-QA takes one for validation.
///
/// # Examples
///
/// ```
/// use ocellus_data::{Image, OctaIqa};
///
/// let root = tempfile::tempdir()?;
/// for (part, grade) in [("train", "2"), ("test", "0"), ("test", "1"), ("test", "2")] {
///     let folder = root.path().join("3x3/For_Train").join(part).join(grade);
///     std::fs::create_dir_all(&folder)?;
///     Image::filled(1, 4, 4, 0.5)?.save_png(folder.join("1.png"))?;
/// }
/// let parts = OctaIqa::new(root.path()).parts()?;
/// assert_eq!(parts, ["3x3/For_Train/test", "3x3/For_Train/train"]);
/// let test = OctaIqa::new(root.path()).read("3x3/For_Train/test")?;
/// assert_eq!(test.classes, ["outstanding", "gradable", "ungradable"]);
/// assert_eq!(test.labels(), [2, 1, 0]);
/// let outstanding = OctaIqa::new(root.path()).read_outstanding("3x3/For_Train/train")?;
/// assert_eq!(outstanding.len(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # References
///
/// 1. Y. Wang et al. *A deep learning-based quality assessment and segmentation system with a
///    large-scale benchmark dataset for optical coherence tomographic angiography image.* 2021.
///    <https://arxiv.org/abs/2107.10476>
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct OctaIqa {
    /// The data set's folder, or one around it.
    pub root: PathBuf,
}

/// How deep below the root parts are searched.
const DEPTH: usize = 4;

impl OctaIqa {
    /// A reader of this folder.
    #[must_use]
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// The names of the parts: their paths below the root, sorted.
    ///
    /// # Errors
    ///
    /// If there are none.
    pub fn parts(&self) -> Result<Vec<String>> {
        Ok(self.find()?.into_keys().collect())
    }

    /// Lists the images of a part: its path below the root, or the end of one if that is unique
    /// (`3x3/For_Train/test`, `test`). None is opened.
    ///
    /// # Errors
    ///
    /// If there is no such part, several have that end, or a grade has no images.
    pub fn read(&self, part: &str) -> Result<SampleSet> {
        let folder = self.part(part)?;
        let classes = OctaGrade::ALL.map(|grade| grade.name().to_owned()).to_vec();
        SampleSet::new(&self.root, classes, samples(&folder, None)?)
    }

    /// Lists the outstanding images of a part alone, which are all that UNO-QA learns from.
    ///
    /// # Errors
    ///
    /// If there is no such part, several have that end, or it has no outstanding images.
    pub fn read_outstanding(&self, part: &str) -> Result<SampleSet> {
        let folder = self.part(part)?;
        let grade = OctaGrade::Outstanding;
        let samples = samples(&folder, Some(grade))?;
        SampleSet::of_one_class(&self.root, grade.name(), samples)
    }

    fn part(&self, part: &str) -> Result<PathBuf> {
        let parts = self.find()?;
        let wanted = Path::new(part);
        let mut fitting = parts.iter().filter(|(name, _)| Path::new(name).ends_with(wanted));
        let names = parts.keys().cloned().collect::<Vec<_>>().join(", ");
        match (parts.get(part), fitting.next(), fitting.next()) {
            (Some(folder), ..) | (None, Some((_, folder)), None) => Ok(folder.clone()),
            (None, Some(_), Some(_)) => {
                let reason = format!("several parts end in `{part}`: name one of {names}");
                Err(Error::dataset(&self.root, reason))
            }
            (None, None, _) => {
                Err(Error::dataset(&self.root, format!("no part `{part}`: there are {names}")))
            }
        }
    }

    fn find(&self) -> Result<BTreeMap<String, PathBuf>> {
        require_folder(&self.root)?;
        let mut parts = BTreeMap::new();
        let mut level = vec![(self.root.clone(), String::new())];
        for _ in 0..=DEPTH {
            let mut below = Vec::new();
            for (folder, path) in level {
                let inside = folders(&folder)?;
                if inside.iter().any(|folder| grade_of(folder).is_some()) {
                    let path = if path.is_empty() { ".".to_owned() } else { path };
                    parts.insert(path, folder);
                    continue;
                }
                let join = |name: String| {
                    if path.is_empty() { name } else { format!("{path}/{name}") }
                };
                below.extend(inside.into_iter().map(|folder| {
                    let path = join(name(&folder));
                    (folder, path)
                }));
            }
            level = below;
        }
        if parts.is_empty() {
            let reason =
                "no folders of grades: 0, 1 and 2, or ungradable, gradable and outstanding";
            return Err(Error::dataset(&self.root, reason));
        }
        Ok(parts)
    }
}

fn samples(part: &Path, only: Option<OctaGrade>) -> Result<Vec<Sample>> {
    let mut samples = Vec::new();
    for folder in folders(part)? {
        if let Some(grade) =
            grade_of(&folder).filter(|grade| only.is_none_or(|only| only == *grade))
        {
            let label = grade.label();
            samples.extend(images(&folder, true)?.into_iter().map(|path| Sample::new(path, label)));
        }
    }
    Ok(samples)
}

/// The grade that a folder's name stands for.
fn grade_of(folder: &Path) -> Option<OctaGrade> {
    match name(folder).to_ascii_lowercase().as_str() {
        "0" | "ungradable" => Some(OctaGrade::Ungradable),
        "1" | "gradable" => Some(OctaGrade::Gradable),
        "2" | "outstanding" => Some(OctaGrade::Outstanding),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::readers::scan::touch;

    #[test]
    fn finds_parts_of_both_fields_and_names() {
        let root = tempfile::tempdir().unwrap();
        for part in ["3x3/For_Train/train", "3x3/For_Train/test", "6x6/For_Train/test"] {
            let files = ["0/a.png", "1/b.png", "1/c.jpg", "2/d.png"];
            touch(root.path(), &files.map(|file| format!("{part}/{file}")));
        }
        touch(root.path(), &["3x3/external/Gradable/e.png", "3x3/external/Outstanding/f.png"]);
        touch(root.path(), &["3x3/readme.txt", "6x6/empty/x.txt"]);
        let reader = OctaIqa::new(root.path());
        assert_eq!(reader.parts().unwrap().len(), 4);
        let train = reader.read("train").unwrap();
        assert_eq!(train.class_counts(), [1, 2, 1]);
        assert_eq!(train.relative(&train.samples[0].path), "3x3/For_Train/train/0/a.png");
        assert_eq!(train.samples[0].label, OctaGrade::Ungradable.label());
        let outstanding = reader.read_outstanding("external").unwrap();
        assert_eq!((outstanding.len(), outstanding.classes[0].as_str()), (1, "outstanding"));
        // The root may be a part itself.
        let part = OctaIqa::new(root.path().join("6x6/For_Train/test"));
        assert_eq!(part.read(".").unwrap().len(), 4);
    }

    #[test]
    fn says_which_part_is_meant_or_missing() {
        let root = tempfile::tempdir().unwrap();
        let message = |part: &str| OctaIqa::new(root.path()).read(part).unwrap_err().to_string();
        assert!(message("test").contains("no folders of grades"));
        touch(root.path(), &["3x3/test/0/a.png", "6x6/test/0/a.png", "6x6/test/2/b.png"]);
        assert!(message("test").contains("several parts end in `test`"));
        assert!(message("train").contains("no part `train`: there are 3x3/test, 6x6/test"));
        assert!(message("6x6/test").contains("class `gradable` has no images"));
        let error = OctaIqa::new(root.path()).read_outstanding("3x3/test").unwrap_err();
        assert!(error.to_string().contains("no images"), "{error}");
        let error = OctaIqa::new(root.path().join("none")).parts().unwrap_err();
        assert!(error.to_string().contains("no such folder"), "{error}");
    }
}
