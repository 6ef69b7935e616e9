use std::path::{Path, PathBuf};

use crate::{
    Error, Result, Sample, SampleSet,
    readers::{
        folder_reader::folder_reader,
        scan::{by_class, child, folders, name, require_folder, stem},
    },
};

/// C-NMC 2019, the segmented leukemic and normal lymphoid cells of Gupta et al. \[1\], on black.
///
/// ```text
/// fold_0/all/UID_{subject}_{image}_{cell}_all.bmp     or below C-NMC_training_data
/// fold_0/hem/UID_H{subject}_{image}_{cell}_hem.bmp
/// fold_1/…, fold_2/…
/// ```
///
/// Labels: hem (normal) 0, all (leukemic) 1. Each image's group is its *subject*: cells of one patient
/// share stain and light, so a split must keep them on one side. The published folds do.
///
/// # Examples
///
/// ```
/// use ocellus_data::{CNmc, Image};
///
/// let root = tempfile::tempdir()?;
/// for file in ["all/UID_1_10_1_all.bmp", "all/UID_1_10_2_all.bmp", "hem/UID_H3_2_1_hem.bmp"] {
///     let path = root.path().join("fold_0").join(file);
///     std::fs::create_dir_all(path.with_file_name(""))?;
///     Image::filled(3, 4, 4, 0.)?.save_png(&path)?;
/// }
/// let set = CNmc::open(root.path())?;
/// assert_eq!(set.labels(), [1, 1, 0]);
/// assert_eq!(set.samples[2].group.as_deref(), Some("H3"));
/// assert_eq!(CNmc::new(root.path()).read_fold("fold_0")?.len(), 3);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # References
///
/// 1. R. Gupta, S. Gehlot and A. Gupta. *C-NMC: B-lineage acute lymphoblastic leukaemia: a blood
///    cancer dataset.* Medical Engineering & Physics 103, 2022.
///    <https://doi.org/10.1016/j.medengphy.2022.103793>
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CNmc {
    /// The folder of the folds, or the one around `C-NMC_training_data`.
    pub root: PathBuf,
}

const CLASSES: [&str; 2] = ["hem", "all"];

folder_reader!(CNmc);

impl CNmc {
    /// Lists the images of all folds. None is opened.
    ///
    /// # Errors
    ///
    /// If there are no folds, one lacks a class, or a file is not named as published.
    pub fn read(&self) -> Result<SampleSet> {
        let mut samples = Vec::new();
        for fold in self.folds()? {
            samples.extend(of_fold(&fold)?);
        }
        self.set(samples)
    }

    /// Lists the images of one fold, such as `fold_0`.
    ///
    /// # Errors
    ///
    /// If there is no such fold, it lacks a class, or a file is not named as published.
    pub fn read_fold(&self, fold: &str) -> Result<SampleSet> {
        let folds = self.folds()?;
        let Some(folder) = folds.iter().find(|path| name(path).eq_ignore_ascii_case(fold)) else {
            let names: Vec<_> = folds.iter().map(|path| name(path)).collect();
            let reason = format!("no fold `{fold}`: there are {}", names.join(", "));
            return Err(Error::dataset(&self.root, reason));
        };
        self.set(of_fold(folder)?)
    }

    fn set(&self, samples: Vec<Sample>) -> Result<SampleSet> {
        SampleSet::new(&self.root, CLASSES.map(str::to_owned).to_vec(), samples)
    }

    fn folds(&self) -> Result<Vec<PathBuf>> {
        require_folder(&self.root)?;
        let root = child(&self.root, "C-NMC_training_data")?.unwrap_or_else(|| self.root.clone());
        let mut folds = folders(&root)?;
        folds.retain(|path| name(path).to_ascii_lowercase().starts_with("fold_"));
        match folds.is_empty() {
            true => Err(Error::dataset(&root, "no folders fold_0, fold_1 and fold_2")),
            false => Ok(folds),
        }
    }
}

fn of_fold(folder: &Path) -> Result<Vec<Sample>> {
    let mut samples = by_class(folder, &CLASSES)?;
    for sample in &mut samples {
        let class = CLASSES[sample.label];
        let Some(subject) = subject(&sample.path, class) else {
            let reason =
                format!("is not named as `UID_subject_image_cell_{class}`: its subject is unknown");
            return Err(Error::dataset(&sample.path, reason));
        };
        sample.group = Some(subject);
    }
    Ok(samples)
}

/// The subject of `UID_H10_2_1_hem`.
fn subject(path: &Path, class: &str) -> Option<String> {
    let stem = stem(path);
    let words: Vec<&str> = stem.split('_').collect();
    match words[..] {
        ["UID", subject, _, _, last] if last == class && !subject.is_empty() => {
            Some(subject.to_owned())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Splitter, readers::scan::touch};

    #[test]
    fn a_subject_stays_on_one_side_of_a_split() {
        let root = tempfile::tempdir().unwrap();
        for fold in 0..3 {
            for subject in 0..6 {
                for cell in 1..4 {
                    let id = 10 * fold + subject;
                    let files = [
                        format!("fold_{fold}/all/UID_{id}_1_{cell}_all.bmp"),
                        format!("fold_{fold}/hem/UID_H{id}_1_{cell}_hem.bmp"),
                    ];
                    touch(&root.path().join("C-NMC_training_data"), &files);
                }
            }
        }
        let set = CNmc::open(root.path()).unwrap();
        assert_eq!(set.class_counts(), [54, 54]);
        let groups = set.group_ids();
        assert_eq!(groups.iter().collect::<std::collections::BTreeSet<_>>().len(), 36);
        for fold in Splitter::of(&set).k_fold(4).unwrap() {
            assert!(fold.test.iter().all(|&t| fold.train.iter().all(|&i| groups[i] != groups[t])));
        }
        let reader = CNmc::new(root.path());
        assert_eq!(reader.read_fold("fold_1").unwrap().len(), 36);
        let error = reader.read_fold("fold_3").unwrap_err().to_string();
        assert!(error.contains("no fold `fold_3`: there are fold_0, fold_1, fold_2"), "{error}");
    }

    #[test]
    fn a_file_without_a_subject_is_named() {
        for wrong in
            ["all/1_1_1_all.bmp", "all/UID_1_1_1_hem.bmp", "all/UID_1_1_all.bmp", "all/UID.bmp"]
        {
            let root = tempfile::tempdir().unwrap();
            touch(root.path(), &["fold_0/hem/UID_H1_1_1_hem.bmp"]);
            touch(&root.path().join("fold_0"), &[wrong]);
            let error = CNmc::open(root.path()).unwrap_err().to_string();
            assert!(error.contains(wrong) && error.contains("subject is unknown"), "{error}");
        }
        let root = tempfile::tempdir().unwrap();
        assert!(CNmc::open(root.path()).unwrap_err().to_string().contains("no folders fold_0"));
    }
}
