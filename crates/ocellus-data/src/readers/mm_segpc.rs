use std::path::PathBuf;

use crate::{
    Error, Result, Sample, SampleSet,
    raster::Window,
    readers::{
        folder::mask_of,
        folder_reader::folder_reader,
        scan::{images, require_folder},
    },
};

/// Bone-marrow fields of multiple myeloma from SegPC-2021 \[1\], reduced to 512×382 pixels, with masks
/// of the plasma cells.
///
/// ```text
/// images/train_106.jpg
/// masks/train_106.png      nucleus and cytoplasm of all plasma cells
/// ```
///
/// One class, `MM`. [`CellFinder`](crate::CellFinder) makes single cells of the fields. There are no
/// patient numbers. Each field has a scale bar and a line of text at its lower border: samples are the
/// [window](Sample::window) of the upper 372 rows.
///
/// # Examples
///
/// ```
/// use ocellus_data::{Image, MmSegpc};
///
/// let root = tempfile::tempdir()?;
/// for folder in ["images", "masks"] {
///     std::fs::create_dir(root.path().join(folder))?;
///     Image::filled(1, 382, 512, 1.)?.save_png(root.path().join(folder).join("train_106.png"))?;
/// }
/// let set = MmSegpc::open(root.path())?;
/// assert_eq!((set.classes.join(" "), set.samples[0].masks.len()), ("MM".to_owned(), 1));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # References
///
/// 1. A. Gupta et al. *SegPC-2021: a challenge & dataset on segmentation of multiple myeloma plasma
///    cells from microscopic images.* Medical Image Analysis 83, 2023.
///    <https://doi.org/10.1016/j.media.2022.102677>
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct MmSegpc {
    /// The data set's folder.
    pub root: PathBuf,
    /// Whether samples are the whole images, scale bars too. Off by default.
    pub scale_bars: bool,
}

folder_reader!(MmSegpc { scale_bars: false });

impl MmSegpc {
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
    /// If there are no images, or one has no mask.
    pub fn read(&self) -> Result<SampleSet> {
        let (folder, masks) = (self.root.join("images"), self.root.join("masks"));
        require_folder(&folder)?;
        let window = (!self.scale_bars).then_some(Window::new(0, 0, 512, 372));
        let mut samples = Vec::new();
        for path in images(&folder, false)? {
            let Some(mask) = mask_of(&path, &folder, &masks) else {
                return Err(Error::dataset(&path, "no mask of that name: the copy is incomplete"));
            };
            samples.push(Sample { masks: vec![mask], window, ..Sample::new(path, 0) });
        }
        SampleSet::of_one_class(&self.root, "MM", samples)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::readers::scan::touch;

    #[test]
    fn every_field_has_a_mask() {
        let root = tempfile::tempdir().unwrap();
        let message = || MmSegpc::open(root.path()).unwrap_err().to_string();
        assert!(message().contains("no such folder"));
        touch(root.path(), &["images/train_1.jpg", "masks/train_1.png"]);
        let set = MmSegpc::new(root.path()).with_scale_bars(true).read().unwrap();
        assert_eq!((set.len(), set.samples[0].window), (1, None));
        touch(root.path(), &["images/train_2.jpg"]);
        assert!(message().contains("train_2.jpg: no mask"));
    }
}
