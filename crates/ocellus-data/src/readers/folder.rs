use std::path::{Path, PathBuf};

use crate::{
    Error, Result, Sample, SampleSet,
    readers::{
        folder_reader::folder_reader,
        scan::{folders, images, name, require_folder},
    },
};

/// A folder for each class: `root/CLASS/…/*.png`.
///
/// ```text
/// root/benign/a.png            root/images/benign/a.png
/// root/malignant/b.png   or    root/images/malignant/b.png
///                              root/masks/benign/a.png        (as many as there are)
/// ```
///
/// Classes are the folders' names, sorted; images are searched in folders below too. In the second
/// form a mask has its image's name, or that name with another extension.
///
/// # Examples
///
/// ```
/// use ocellus_data::{Image, ImageFolder};
///
/// let root = tempfile::tempdir()?;
/// for class in ["benign", "malignant"] {
///     std::fs::create_dir(root.path().join(class))?;
///     Image::filled(1, 4, 4, 0.5)?.save_png(root.path().join(class).join("1.png"))?;
/// }
/// let set = ImageFolder::open(root.path())?;
/// assert_eq!(set.classes, ["benign", "malignant"]);
/// assert_eq!(set.labels(), [0, 1]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ImageFolder {
    /// The data set's folder.
    pub root: PathBuf,
    /// A folder of masks with the same names in the same folders, if not `root/masks`.
    pub masks: Option<PathBuf>,
}

folder_reader!(ImageFolder { masks: None });

impl ImageFolder {
    /// Sets the folder of masks.
    #[must_use]
    pub fn with_masks(mut self, masks: impl Into<PathBuf>) -> Self {
        self.masks = Some(masks.into());
        self
    }

    /// Lists all images in the folder and those below as one class without a meaning, `image`: what
    /// nobody has labeled yet. The masks' folder is left out, and its masks are found.
    ///
    /// # Errors
    ///
    /// If the folder is missing or has no images.
    pub fn read_unlabeled(&self) -> Result<SampleSet> {
        require_folder(&self.root)?;
        let (base, masks) = self.folders();
        let found = images(&base, true)?.into_iter().filter(|path| !path.starts_with(&masks));
        let sample = |path: PathBuf| {
            let masks = mask_of(&path, &base, &masks).into_iter().collect();
            Sample { masks, ..Sample::new(path, 0) }
        };
        SampleSet::of_one_class(&self.root, "image", found.map(sample).collect())
    }

    /// Where the images and where the masks lie.
    fn folders(&self) -> (PathBuf, PathBuf) {
        let inner = self.root.join("images");
        let base = if inner.is_dir() { inner } else { self.root.clone() };
        (base, self.masks.clone().unwrap_or_else(|| self.root.join("masks")))
    }

    /// Lists the images. None is opened.
    ///
    /// # Errors
    ///
    /// If the folder is missing, has no class folders, or a class has no images, or there is one
    /// class alone.
    pub fn read(&self) -> Result<SampleSet> {
        require_folder(&self.root)?;
        let (base, masks) = self.folders();
        let folders: Vec<PathBuf> =
            folders(&base)?.into_iter().filter(|folder| *folder != masks).collect();
        if folders.is_empty() {
            let loose = images(&base, false)?.len();
            let found = if loose > 0 { format!("{loose} images but no") } else { "no".to_owned() };
            return Err(Error::dataset(
                &base,
                format!(
                    "{found} class folders: put the images of each class into a folder of its name"
                ),
            ));
        }
        let mut classes = Vec::new();
        let mut samples = Vec::new();
        for (label, folder) in folders.iter().enumerate() {
            classes.push(name(folder));
            for path in images(folder, true)? {
                let masks = mask_of(&path, &base, &masks).into_iter().collect();
                samples.push(Sample { masks, ..Sample::new(path, label) });
            }
        }
        SampleSet::new(&self.root, classes, samples)
    }
}

/// The mask at the same place in the folder of masks, if it is there.
pub(crate) fn mask_of(image: &Path, images: &Path, masks: &Path) -> Option<PathBuf> {
    let same = masks.join(image.strip_prefix(images).ok()?);
    let candidates = ["png", "bmp", "jpg"].map(|extension| same.with_extension(extension));
    std::iter::once(same).chain(candidates).find(|path| path.is_file())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::readers::scan::touch;

    #[test]
    fn reads_classes_sorted_and_ignores_other_files() {
        let root = tempfile::tempdir().unwrap();
        let files = ["b/2.JPG", "b/deep/1.png", "a/x.bmp", "a/._x.png", "a/note.txt", "readme.md"];
        touch(root.path(), &files);
        touch(root.path(), &["__MACOSX/a/y.png"]);
        let set = ImageFolder::open(root.path()).unwrap();
        assert_eq!(set.classes, ["a", "b"]);
        let paths: Vec<_> = set.samples.iter().map(|s| set.relative(&s.path)).collect();
        assert_eq!(paths, ["a/x.bmp", "b/2.JPG", "b/deep/1.png"]);
    }

    #[test]
    fn finds_masks_beside_the_images_folder() {
        let root = tempfile::tempdir().unwrap();
        touch(root.path(), &["images/a/1.jpg", "images/b/2.png", "masks/a/1.png"]);
        let set = ImageFolder::open(root.path()).unwrap();
        assert_eq!(set.samples[0].masks, [root.path().join("masks/a/1.png")]);
        assert!(set.samples[1].masks.is_empty());
    }

    #[test]
    fn reads_images_without_labels() {
        let root = tempfile::tempdir().unwrap();
        touch(root.path(), &["1.jpg", "deep/2.png", "masks/1.png", "note.txt"]);
        let set = ImageFolder::new(root.path()).read_unlabeled().unwrap();
        let paths: Vec<_> = set.samples.iter().map(|s| set.relative(&s.path)).collect();
        assert_eq!(
            (paths, set.classes.len()),
            (vec!["1.jpg".to_owned(), "deep/2.png".to_owned()], 1)
        );
        assert_eq!(set.samples[0].masks, [root.path().join("masks/1.png")]);
        let empty = tempfile::tempdir().unwrap();
        let error = ImageFolder::new(empty.path()).read_unlabeled().unwrap_err().to_string();
        assert!(error.contains("no images"), "{error}");
    }

    #[test]
    fn says_what_is_wrong_with_the_folder() {
        let root = tempfile::tempdir().unwrap();
        let message = |path: &Path| ImageFolder::open(path).unwrap_err().to_string();
        assert!(message(&root.path().join("none")).contains("no such folder"));
        assert!(message(root.path()).contains("no class folders"));
        touch(root.path(), &["1.png"]);
        assert!(message(root.path()).contains("1 images but no class folders"));
        assert!(message(&root.path().join("1.png")).contains("is a file"));
        fs::create_dir(root.path().join("empty")).unwrap();
        assert!(message(root.path()).contains("no images"));
        touch(root.path(), &["a/1.png"]);
        assert!(message(root.path()).contains("class `empty` has no images"));
        fs::remove_dir(root.path().join("empty")).unwrap();
        assert!(message(root.path()).contains("one class, `a`"));
    }
}
