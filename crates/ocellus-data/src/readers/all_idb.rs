use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use crate::{
    Error, Result, Sample, SampleSet,
    readers::{
        folder_reader::folder_reader,
        scan::{images, require_folder, stem},
    },
};

/// ALL-IDB1 and ALL-IDB2, the blood smears of Labati et al. \[1\].
///
/// ```text
/// ALL_IDB1/im/Im001_1.jpg     108 fields; the digit behind `_` is the label
/// ALL_IDB2/img/Im001_1.tif    260 single cells of 257×257 pixels; also as BMP, JPEG or PNG,
///                             and in folders such as `blast` and `healthy`
/// ```
///
/// Labels: healthy 0; leukemic 1, which is a blast in ALL-IDB2 and a smear of a patient in ALL-IDB1.
/// There are no patient numbers, and cells of ALL-IDB2 are cut from fields of ALL-IDB1: give the
/// folder of one of them, and use no score on one as a test of a model that saw the other.
///
/// # Examples
///
/// ```
/// use ocellus_data::{AllIdb, Image};
///
/// let root = tempfile::tempdir()?;
/// for file in ["Im001_1.png", "Im131_0.png"] {
///     Image::filled(3, 4, 4, 0.5)?.save_png(root.path().join(file))?;
/// }
/// let set = AllIdb::open(root.path())?;
/// assert_eq!((set.classes[1].as_str(), set.labels()), ("leukemic", vec![1, 0]));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # References
///
/// 1. R. Donida Labati, V. Piuri and F. Scotti. *ALL-IDB: the acute lymphoblastic leukemia image
///    database for image processing.* ICIP 2011. <https://doi.org/10.1109/ICIP.2011.6115881>
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct AllIdb {
    /// The folder of one of the two sets.
    pub root: PathBuf,
}

folder_reader!(AllIdb);

impl AllIdb {
    /// Lists the images. None is opened.
    ///
    /// # Errors
    ///
    /// If an image is not named `Im…_0` or `Im…_1`, two have one number, or a class has no images.
    pub fn read(&self) -> Result<SampleSet> {
        require_folder(&self.root)?;
        let mut of_number: BTreeMap<u32, PathBuf> = BTreeMap::new();
        let mut samples = Vec::new();
        for path in images(&self.root, true)? {
            let Some((number, label)) = parse(&path) else {
                let reason = "is not named as `Im001_1` or `Im131_0`: remove it";
                return Err(Error::dataset(&path, reason));
            };
            if let Some(other) = of_number.insert(number, path.clone()) {
                let reason = format!(
                    "has the number of {}: give the folder of ALL-IDB1 or that of ALL-IDB2",
                    other.display()
                );
                return Err(Error::dataset(&path, reason));
            }
            samples.push(Sample::new(path, label));
        }
        SampleSet::new(&self.root, ["healthy", "leukemic"].map(str::to_owned).to_vec(), samples)
    }
}

/// Number and label of `Im001_1`.
fn parse(path: &Path) -> Option<(u32, usize)> {
    let name = stem(path).to_ascii_lowercase();
    let (number, label) = name.strip_prefix("im")?.split_once('_')?;
    Some((number.parse().ok()?, ["0", "1"].iter().position(|&digit| digit == label)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::readers::scan::touch;

    #[test]
    fn the_last_digit_is_the_label() {
        let root = tempfile::tempdir().unwrap();
        touch(root.path(), &["img/Im001_1.tif", "img/im130_1.BMP", "healthy/Im131_0.jpg"]);
        touch(root.path(), &["xyc/Im001_1.xyc", "labels.csv"]);
        let set = AllIdb::open(root.path()).unwrap();
        assert_eq!((set.labels(), set.class_counts()), (vec![0, 1, 1], vec![1, 2]));
    }

    #[test]
    fn names_what_does_not_fit() {
        let root = tempfile::tempdir().unwrap();
        touch(root.path(), &["ALL_IDB1/im/Im001_1.jpg", "ALL_IDB2/img/Im001_1.tif"]);
        let message = || AllIdb::open(root.path()).unwrap_err().to_string();
        assert!(message().contains("Im001_1.tif: has the number of"), "{}", message());
        touch(root.path(), &["ALL_IDB1/im/Im002_2.jpg"]);
        assert!(message().contains("Im002_2.jpg: is not named as"));
    }
}
