use std::path::{Path, PathBuf};

use crate::{
    Error, Result, Sample, SampleSet,
    readers::scan::{folders, images, name, require_folder, stem},
};

/// A set of MVTec AD's layout \[1\]: normal images to learn from, others with masks to test on.
///
/// ```text
/// root/train/good/000.png
/// root/test/good/000.png
/// root/test/crack/000.png      root/ground_truth/crack/000_mask.png  or  000.png
/// ```
///
/// Many sets of industrial images come so (BTAD, VisA and MPDD as converted, own ones).
///
/// Labels of the test images: `good` 0, then the kinds of defects by name.
///
/// # Examples
///
/// ```
/// use ocellus_data::{Image, Mvtec};
///
/// let root = tempfile::tempdir()?;
/// for file in ["train/good/0.png", "test/good/0.png", "test/cut/0.png", "ground_truth/cut/0_mask.png"] {
///     let path = root.path().join(file);
///     std::fs::create_dir_all(path.with_file_name(""))?;
///     Image::filled(1, 4, 4, 1.)?.save_png(&path)?;
/// }
/// let set = Mvtec::new(root.path());
/// assert_eq!(set.read_train()?.len(), 1);
/// let test = set.read_test()?;
/// assert_eq!(test.classes, ["good", "cut"]);
/// assert_eq!(test.samples[0].masks.len(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # References
///
/// 1. P. Bergmann et al. *The MVTec anomaly detection dataset.* IJCV 129, 2021.
///    <https://doi.org/10.1007/s11263-020-01400-4>
#[expect(clippy::doc_markdown, reason = "MVTec and VisA are names, not code")]
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Mvtec {
    /// The folder of one category, such as `bottle`.
    pub root: PathBuf,
}

const GOOD: &str = "good";

impl Mvtec {
    /// A reader of this folder.
    #[must_use]
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// Lists the normal images to learn from, one class. None is opened.
    ///
    /// # Errors
    ///
    /// If there are none.
    pub fn read_train(&self) -> Result<SampleSet> {
        let folder = self.root.join("train").join(GOOD);
        require_folder(&folder)?;
        let samples = images(&folder, true)?.into_iter().map(|path| Sample::new(path, 0));
        SampleSet::of_one_class(&self.root, GOOD, samples.collect())
    }

    /// Lists the images to test on. None is opened.
    ///
    /// # Errors
    ///
    /// If there are no normal or no defective ones, or a defect has no mask.
    pub fn read_test(&self) -> Result<SampleSet> {
        let test = self.root.join("test");
        require_folder(&test.join(GOOD))?;
        let (mut classes, mut samples) = (vec![GOOD.to_owned()], Vec::new());
        for folder in folders(&test)? {
            let class = name(&folder);
            let masks = self.root.join("ground_truth").join(&class);
            let label = if class == GOOD { 0 } else { classes.len() };
            for path in images(&folder, true)? {
                let masks = match label {
                    0 => Vec::new(),
                    _ => vec![mask_of(&path, &masks)?],
                };
                samples.push(Sample { masks, ..Sample::new(path, label) });
            }
            if label > 0 {
                classes.push(class);
            }
        }
        SampleSet::new(&self.root, classes, samples)
    }
}

fn mask_of(image: &Path, masks: &Path) -> Result<PathBuf> {
    let name = stem(image);
    let candidates = ["_mask.png", ".png", ".bmp"].map(|end| masks.join(format!("{name}{end}")));
    candidates.into_iter().find(|path| path.is_file()).ok_or_else(|| {
        let reason = format!("a defect without its mask {name}_mask.png in {}", masks.display());
        Error::dataset(image, reason)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::readers::scan::touch;

    #[test]
    fn masks_may_have_either_name() {
        let root = tempfile::tempdir().unwrap();
        touch(
            root.path(),
            &["train/good/0.png", "test/good/1.png", "test/b/2.png", "test/a/3.png"],
        );
        touch(root.path(), &["ground_truth/a/3.png", "ground_truth/b/2_mask.png"]);
        let set = Mvtec::new(root.path()).read_test().unwrap();
        assert_eq!(set.classes, ["good", "a", "b"]);
        assert_eq!(set.labels(), [1, 2, 0]);
        assert!(set.samples[2].masks.is_empty());
        assert_eq!(set.samples[1].masks, [root.path().join("ground_truth/b/2_mask.png")]);
    }

    #[test]
    fn says_what_is_missing() {
        let root = tempfile::tempdir().unwrap();
        let set = Mvtec::new(root.path());
        assert!(set.read_train().unwrap_err().to_string().contains("no such folder"));
        touch(root.path(), &["train/good/note.txt", "test/good/1.png"]);
        assert!(set.read_train().unwrap_err().to_string().contains("no images"));
        assert!(set.read_test().unwrap_err().to_string().contains("one class, `good`"));
        touch(root.path(), &["test/cut/000.png"]);
        assert!(set.read_test().unwrap_err().to_string().contains("without its mask 000_mask.png"));
    }
}
