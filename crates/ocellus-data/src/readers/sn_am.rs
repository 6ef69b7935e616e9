use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use crate::{
    CellPart, Error, Result, Sample, SampleSet,
    readers::{
        folder_reader::folder_reader,
        scan::{folders, images, name, require_folder, stem},
    },
};

/// SN-AM, the bone-marrow micrographs of Gupta et al. \[1\]: 90 of B-lineage acute lymphoblastic
/// leukemia and 100 of multiple myeloma, BMP of 2560×1920, with masks of nuclei and, for myeloma,
/// of cytoplasm.
///
/// ```text
/// B-ALL/…/1.bmp                 the images: whatever no other line takes
/// B-ALL/…nucleus…/1.bmp         masks, by a word `nuc` or `cyto` in the folder's or the file's name
/// MM/…/1.bmp   MM/…nucleus…/1.bmp   MM/…cytoplasm…/1_cytoplasm.bmp
/// …background…/1.bmp            left out
/// ```
///
/// The two parts are the folders whose name has the word `ALL`, or `MM` or `myeloma`; they may lie one
/// folder deeper. A mask belongs to the image that has its name without such words. Labels: ALL 0,
/// MM 1. There are no patient numbers: every image is its own group, although several come from one
/// patient.
///
/// Read the files with [`DecodeConfig::micrograph`](crate::DecodeConfig::micrograph), and once:
/// see [`StoredFiles`](crate::StoredFiles).
///
/// # Examples
///
/// ```
/// use ocellus_data::{CellPart, Image, SnAm};
///
/// let root = tempfile::tempdir()?;
/// let files = ["B-ALL/1.bmp", "MM/7.bmp", "MM/nucleus mask/7.bmp", "MM/cytoplasm mask/7.bmp"];
/// for file in files {
///     let path = root.path().join(file);
///     std::fs::create_dir_all(path.with_file_name(""))?;
///     Image::filled(1, 4, 4, 1.)?.save_png(&path)?;
/// }
/// let set = SnAm::open(root.path())?;
/// assert_eq!((set.labels(), set.samples[1].masks.len()), (vec![0, 1], 2));
/// let nuclei = SnAm::new(root.path()).with_part(CellPart::Nucleus).read()?;
/// assert_eq!(nuclei.samples[1].masks.len(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # References
///
/// 1. A. Gupta et al. *SN-AM dataset: white blood cancer dataset of B-ALL and MM for stain
///    normalization.* The Cancer Imaging Archive, 2019. <https://doi.org/10.7937/tcia.2019.of2w8lxr>
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SnAm {
    /// The data set's folder.
    pub root: PathBuf,
    /// Whose masks samples get: of nuclei and cytoplasm by default.
    pub part: CellPart,
}

folder_reader!(SnAm { part: CellPart::Cell });

impl SnAm {
    /// Sets whose masks samples get.
    #[must_use]
    pub fn with_part(mut self, part: CellPart) -> Self {
        self.part = part;
        self
    }

    /// Lists the images. None is opened.
    ///
    /// # Errors
    ///
    /// If a part has no folder or no images, an image comes twice, or a mask has no image.
    pub fn read(&self) -> Result<SampleSet> {
        require_folder(&self.root)?;
        let parts = [("ALL", &["all"][..]), ("MM", &["mm", "myeloma"])];
        let mut samples = Vec::new();
        for (label, (class, words)) in parts.iter().enumerate() {
            let Some(folder) = find(&self.root, words)? else {
                let reason = format!("no folder of the part {class}: name it `{class}`");
                return Err(Error::dataset(&self.root, reason));
            };
            samples.extend(self.of_part(&folder, label)?);
        }
        SampleSet::new(&self.root, parts.map(|(class, _)| class.to_owned()).to_vec(), samples)
    }

    fn of_part(&self, folder: &Path, label: usize) -> Result<Vec<Sample>> {
        let mut samples: BTreeMap<String, Sample> = BTreeMap::new();
        let mut masks = Vec::new();
        for path in images(folder, true)? {
            let below = path.strip_prefix(folder).unwrap_or(&path).to_string_lossy().to_lowercase();
            if below.contains("back") {
                continue;
            }
            let part = [("nuc", CellPart::Nucleus), ("cyto", CellPart::Cytoplasm)]
                .into_iter()
                .find_map(|(word, part)| below.contains(word).then_some(part));
            if let Some(part) = part {
                masks.push((part, path));
            } else if let Some(twice) = samples.insert(key(&path), Sample::new(&path, label)) {
                let reason = format!("the same image as {}: keep one", twice.path.display());
                return Err(Error::dataset(&path, reason));
            }
        }
        for (part, mask) in masks {
            let Some(sample) = samples.get_mut(&key(&mask)) else {
                return Err(Error::dataset(
                    &mask,
                    "a mask without its image: the copy is incomplete",
                ));
            };
            if self.part.wants(part) {
                sample.masks.push(mask);
            }
        }
        Ok(samples.into_values().collect())
    }
}

/// The folder, here or one deeper, that has one of these words in its name.
fn find(root: &Path, words: &[&str]) -> Result<Option<PathBuf>> {
    let fits = |path: &PathBuf| split(&name(path)).any(|word| words.contains(&word.as_str()));
    let near = folders(root)?;
    if let Some(found) = near.iter().find(|path| fits(path)) {
        return Ok(Some(found.clone()));
    }
    for folder in near {
        if let Some(found) = folders(&folder)?.into_iter().find(fits) {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

/// The words of a name, in lower case.
fn split(name: &str) -> impl Iterator<Item = String> + '_ {
    name.split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
}

/// What image and mask have in common.
fn key(path: &Path) -> String {
    let own = |word: &String| !["nuc", "cyto", "mask"].iter().any(|part| word.contains(part));
    split(&stem(path)).filter(own).collect::<Vec<_>>().join("_")
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::readers::scan::touch;

    #[test]
    fn finds_masks_in_folders_and_beside_the_images() {
        let root = tempfile::tempdir().unwrap();
        touch(
            root.path(),
            &["SN-AM/B-ALL images/ALL_1.bmp", "SN-AM/B-ALL images/ALL_1_nuclei.bmp"],
        );
        touch(root.path(), &["SN-AM/MM/img/a.bmp", "SN-AM/MM/Nucleus_masks/a.bmp"]);
        touch(root.path(), &["SN-AM/MM/cytoplasm/a-1.bmp", "SN-AM/MM/background/a.bmp"]);
        let read = |part| SnAm::new(root.path()).with_part(part).read();
        let error = read(CellPart::Cell).unwrap_err().to_string();
        assert!(error.contains("a-1.bmp: a mask without its image"), "{error}");
        fs::rename(
            root.path().join("SN-AM/MM/cytoplasm/a-1.bmp"),
            root.path().join("SN-AM/MM/cytoplasm/a_cytoplasm_mask.bmp"),
        )
        .unwrap();
        let counts = |part| {
            let set = read(part).unwrap();
            set.samples.iter().map(|sample| sample.masks.len()).collect::<Vec<_>>()
        };
        assert_eq!(counts(CellPart::Cell), [1, 2]);
        assert_eq!(counts(CellPart::Nucleus), [1, 1]);
        assert_eq!(counts(CellPart::Cytoplasm), [0, 1]);
        assert_eq!(read(CellPart::Cell).unwrap().classes, ["ALL", "MM"]);
    }

    #[test]
    fn names_what_is_missing_or_twice() {
        let root = tempfile::tempdir().unwrap();
        let message = || SnAm::open(root.path()).unwrap_err().to_string();
        assert!(message().contains("no folder of the part ALL"));
        touch(root.path(), &["ALL/1.bmp", "small/1.bmp"]);
        assert!(message().contains("no folder of the part MM"));
        touch(root.path(), &["MM/a/1.bmp", "MM/b/1.bmp"]);
        assert!(message().contains("b/1.bmp: the same image as"), "{}", message());
    }
}
