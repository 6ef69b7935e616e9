use std::path::{Path, PathBuf};

use crate::{
    Error, Result, Sample, SampleSet,
    raster::Window,
    readers::{
        folder_reader::folder_reader,
        scan::{child, images, require_folder, stem},
    },
};

/// The smears of B-lineage acute lymphoblastic leukemia of Taleqani Hospital (Aria et al. \[1\]),
/// fields of 224×224 pixels.
///
/// ```text
/// Original/Benign/WBC-Benign-001.jpg               or all files in `images`, or in the folder itself
/// Original/Early/WBC-Malignant-Early-001.jpg
/// Original/Pre/…, Original/Pro/…                   `Segmented` is left out
/// ```
///
/// Classes, by the files' names, those that occur: benign, early, pre, pro. A copy with one of them
/// alone is read too. There are no patient numbers, although 89 patients gave these 3,256 fields.
///
/// Most images have a scale bar in the lower right corner, in red or in black on white, and a model
/// learns it gladly: so samples are the [window](Sample::window) of the upper 192 rows.
///
/// # Examples
///
/// ```
/// use ocellus_data::{BallTaleqani, Image};
///
/// let root = tempfile::tempdir()?;
/// for file in ["WBC-Malignant-Early-001.png", "WBC-Benign-001.png"] {
///     Image::filled(3, 224, 224, 0.5)?.save_png(root.path().join(file))?;
/// }
/// let set = BallTaleqani::open(root.path())?;
/// assert_eq!((set.classes.join(" "), set.labels()), ("benign early".to_owned(), vec![0, 1]));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # References
///
/// 1. M. Ghaderzadeh et al. *A fast and efficient CNN model for B-ALL diagnosis and its subtypes
///    classification using peripheral blood smear images.* Int. J. Intell. Syst. 37, 2022.
///    <https://doi.org/10.1002/int.22753>
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct BallTaleqani {
    /// The data set's folder.
    pub root: PathBuf,
    /// Whether samples are the whole images, scale bars too. Off by default.
    pub scale_bars: bool,
}

const CLASSES: [&str; 4] = ["benign", "early", "pre", "pro"];

folder_reader!(BallTaleqani { scale_bars: false });

impl BallTaleqani {
    /// Sets whether samples are the whole images, scale bars too.
    #[must_use]
    pub fn with_scale_bars(mut self, keep: bool) -> Self {
        self.scale_bars = keep;
        self
    }

    /// Lists the images. None is opened.
    ///
    /// # Errors
    ///
    /// If there are no images, or one has no class in its name.
    pub fn read(&self) -> Result<SampleSet> {
        require_folder(&self.root)?;
        let inner = [child(&self.root, "Original")?, child(&self.root, "images")?];
        let folder = inner.into_iter().flatten().next().unwrap_or_else(|| self.root.clone());
        let mut samples = Vec::new();
        for path in images(&folder, true)? {
            let Some(label) = label(&path) else {
                let reason = "no class in its name, such as `WBC-Malignant-Early-001` has";
                return Err(Error::dataset(&path, reason));
            };
            let window = (!self.scale_bars).then_some(Window::new(0, 0, 224, 192));
            samples.push(Sample { window, ..Sample::new(path, label) });
        }
        let occurs = |label: &usize| samples.iter().any(|sample| sample.label == *label);
        let classes: Vec<usize> = (0..CLASSES.len()).filter(occurs).collect();
        for sample in &mut samples {
            sample.label = classes.iter().position(|&class| class == sample.label).unwrap_or(0);
        }
        match classes[..] {
            [class] => SampleSet::of_one_class(&self.root, CLASSES[class], samples),
            _ => {
                let names = classes.iter().map(|&class| CLASSES[class].to_owned());
                SampleSet::new(&self.root, names.collect(), samples)
            }
        }
    }
}

fn label(path: &Path) -> Option<usize> {
    let name = stem(path).to_ascii_lowercase();
    CLASSES.iter().position(|class| name.split('-').any(|word| word == *class))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::readers::scan::touch;

    #[test]
    fn reads_what_classes_there_are() {
        let root = tempfile::tempdir().unwrap();
        let message = || BallTaleqani::open(root.path()).unwrap_err().to_string();
        assert!(message().contains("no images"));
        touch(root.path(), &["images/WBC-Malignant-Early-001.jpg"]);
        let set = BallTaleqani::open(root.path()).unwrap();
        assert_eq!(
            (set.classes.join(" "), set.samples[0].window.unwrap().height),
            ("early".into(), 192)
        );
        touch(root.path(), &["Original/Pro/WBC-Malignant-Pro-1.jpg"]);
        touch(root.path(), &["Original/Benign/WBC-Benign-504.jpg", "Segmented/Pro/x.jpg"]);
        let set = BallTaleqani::new(root.path()).with_scale_bars(true).read().unwrap();
        assert_eq!((set.classes.join(" "), set.labels()), ("benign pro".into(), vec![0, 1]));
        assert!(set.samples.iter().all(|sample| sample.window.is_none()));
        touch(root.path(), &["Original/x.jpg"]);
        assert!(message().contains("x.jpg: no class in its name"));
    }
}
