use std::path::PathBuf;

use crate::{
    Result, SampleSet,
    readers::{folder_reader::folder_reader, scan::by_class},
};

/// DRIMDB, the 216 fundus images of Sevik et al. \[1\] that experts graded by quality.
///
/// ```text
/// good/….jpg   125 images      or `Good`, `Bad`, `Outlier`
/// bad/….jpg     69
/// outlier/….jpg 22: not a usable fundus image at all
/// ```
///
/// Labels: good 0, bad 1, outlier 2. There are no patient numbers.
///
/// # Examples
///
/// ```
/// use ocellus_data::{Drimdb, Image};
///
/// let root = tempfile::tempdir()?;
/// for class in ["Good", "Bad", "Outlier"] {
///     std::fs::create_dir(root.path().join(class))?;
///     Image::filled(3, 4, 4, 0.5)?.save_png(root.path().join(class).join("1.png"))?;
/// }
/// let set = Drimdb::open(root.path())?;
/// assert_eq!(set.classes, ["good", "bad", "outlier"]);
/// assert_eq!(set.of_class("good")?.len(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # References
///
/// 1. U. Sevik et al. *Identification of suitable fundus images using automated quality assessment
///    methods.* J. Biomed. Opt. 19(4), 2014. <https://doi.org/10.1117/1.JBO.19.4.046006>
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Drimdb {
    /// The data set's folder.
    pub root: PathBuf,
}

const CLASSES: [&str; 3] = ["good", "bad", "outlier"];

folder_reader!(Drimdb);

impl Drimdb {
    /// Lists the images. None is opened.
    ///
    /// # Errors
    ///
    /// If a class has no folder or no images.
    pub fn read(&self) -> Result<SampleSet> {
        let samples = by_class(&self.root, &CLASSES)?;
        SampleSet::new(&self.root, CLASSES.map(str::to_owned).to_vec(), samples)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::readers::scan::touch;

    #[test]
    fn names_the_class_that_is_missing() {
        let root = tempfile::tempdir().unwrap();
        touch(root.path(), &["Good/1.jpg", "Bad/2.jpg"]);
        let message = || Drimdb::open(root.path()).unwrap_err().to_string();
        assert!(message().contains("no folder `outlier`"));
        touch(root.path(), &["outlier/note.txt"]);
        assert!(message().contains("class `outlier` has no images"));
        touch(root.path(), &["outlier/3.jpg"]);
        assert_eq!(Drimdb::open(root.path()).unwrap().class_counts(), [1, 1, 1]);
    }
}
