use std::path::{Path, PathBuf};

use crate::{
    Error, Result, Sample, SampleSet,
    readers::{
        folder::mask_of,
        folder_reader::folder_reader,
        scan::{child, folders, images, name, require_folder},
    },
};

/// OCTA-500, the en-face OCTA projections of Li et al. \[1\], with masks of the large vessels. It has
/// no quality grades: see [`Graded`](crate::synthetic::Graded).
///
/// ```text
/// train/images/10301.png   train/vessels/10301.png      val, test: likewise
///
/// as published, whatever the archive's parts are called:
/// OCTA_3mm/Projection Maps/OCTA(ILM_OPL)/10301.bmp      the superficial retina
/// Label/GT_LargeVessel/10301.bmp                        or OCTA_3M/GT_LargeVessel
/// ```
///
/// One class, `octa`, one image for each patient.
///
/// # Examples
///
/// ```
/// use ocellus_data::{Image, Octa500};
///
/// let root = tempfile::tempdir()?;
/// for folder in ["train/images", "train/vessels", "val/images"] {
///     std::fs::create_dir_all(root.path().join(folder))?;
///     Image::filled(1, 4, 4, 1.)?.save_png(root.path().join(folder).join("10301.png"))?;
/// }
/// let train = Octa500::new(root.path()).read_part("train")?;
/// assert_eq!((train.len(), train.samples[0].masks.len()), (1, 1));
/// assert_eq!(Octa500::open(root.path())?.len(), 2);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # References
///
/// 1. M. Li et al. *OCTA-500: a retinal dataset for optical coherence tomography angiography
///    study.* Medical Image Analysis 93, 2024. <https://doi.org/10.1016/j.media.2024.103092>
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Octa500 {
    /// The data set's folder; for one field alone the one that holds `Projection Maps`.
    pub root: PathBuf,
}

/// How deep the published layout's fields are searched.
const DEPTH: usize = 4;

folder_reader!(Octa500);

impl Octa500 {
    /// Lists the images of all parts. None is opened.
    ///
    /// # Errors
    ///
    /// If the folder has neither layout, or no images.
    pub fn read(&self) -> Result<SampleSet> {
        require_folder(&self.root)?;
        let mut found = Vec::new();
        let mut level = vec![self.root.clone()];
        for _ in 0..DEPTH {
            let mut below = Vec::new();
            for folder in level {
                let maps = folder.join("Projection Maps").join("OCTA(ILM_OPL)");
                if maps.is_dir() {
                    found.extend(samples(&maps, &self.large_vessels(&folder))?);
                } else {
                    below.extend(folders(&folder)?);
                }
            }
            level = below;
        }
        for part in folders(&self.root)? {
            if let Some(images) = child(&part, "images")? {
                found.extend(samples(&images, &part.join("vessels"))?);
            }
        }
        if found.is_empty() {
            let reason = "neither parts with a folder `images` nor `Projection Maps/OCTA(ILM_OPL)`";
            return Err(Error::dataset(&self.root, reason));
        }
        SampleSet::of_one_class(&self.root, "octa", found)
    }

    /// Where the masks of a published field lie.
    fn large_vessels(&self, field: &Path) -> PathBuf {
        let name = "GT_LargeVessel";
        let around = ["", "Label", "Label/Label"].map(|folder| self.root.join(folder).join(name));
        let own = field.join(name);
        match own.is_dir() {
            true => own,
            false => around.into_iter().find(|folder| folder.is_dir()).unwrap_or(own),
        }
    }

    /// Lists the images of one part: `train`, `val` or `test`.
    ///
    /// # Errors
    ///
    /// If there is no such part, or it has no images.
    pub fn read_part(&self, part: &str) -> Result<SampleSet> {
        require_folder(&self.root)?;
        let folder = self.root.join(part);
        if !folder.join("images").is_dir() {
            let parts: Vec<_> = folders(&self.root)?.iter().map(|folder| name(folder)).collect();
            let reason = format!("no part `{part}` with images: there are {}", parts.join(", "));
            return Err(Error::dataset(&self.root, reason));
        }
        let samples = samples(&folder.join("images"), &folder.join("vessels"))?;
        SampleSet::of_one_class(&self.root, "octa", samples)
    }
}

fn samples(folder: &Path, masks: &Path) -> Result<Vec<Sample>> {
    let sample = |path: PathBuf| Sample {
        masks: mask_of(&path, folder, masks).into_iter().collect(),
        ..Sample::new(path, 0)
    };
    Ok(images(folder, false)?.into_iter().map(sample).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::readers::scan::touch;

    #[test]
    fn reads_the_published_layout_of_both_fields() {
        let root = tempfile::tempdir().unwrap();
        let maps = "Projection Maps/OCTA(ILM_OPL)";
        let images =
            [format!("OCTA_3mm/{maps}/10301.bmp"), format!("part8/OCTA_6mm/{maps}/10001.bmp")];
        touch(root.path(), &images);
        touch(
            root.path(),
            &["Label/GT_LargeVessel/10301.bmp", "OCTA_3mm/Projection Maps/OCT(FULL)/1.bmp"],
        );
        let set = Octa500::open(root.path()).unwrap();
        assert_eq!((set.len(), set.samples[0].masks.len(), set.samples[1].masks.len()), (2, 1, 0));
        touch(root.path(), &["part8/OCTA_6mm/GT_LargeVessel/10001.bmp"]);
        assert_eq!(Octa500::open(root.path()).unwrap().samples[1].masks.len(), 1);
        assert_eq!(Octa500::open(root.path().join("part8/OCTA_6mm")).unwrap().len(), 1);
    }

    #[test]
    fn says_what_is_missing() {
        let root = tempfile::tempdir().unwrap();
        let error = Octa500::open(root.path()).unwrap_err().to_string();
        assert!(error.contains("neither parts"), "{error}");
        touch(root.path(), &["val/images/1.png"]);
        let error = Octa500::new(root.path()).read_part("train").unwrap_err().to_string();
        assert!(error.contains("no part `train` with images: there are val"), "{error}");
    }
}
