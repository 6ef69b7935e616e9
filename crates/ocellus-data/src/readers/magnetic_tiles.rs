use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use crate::{
    Error, Result, Sample, SampleSet,
    readers::{
        folder_reader::folder_reader,
        scan::{child, images, require_folder, stem},
        table::Table,
    },
};

/// The magnetic tiles of Huang et al. \[1\]: surfaces without and with defects, and the defects'
/// masks.
///
/// ```text
/// free/exp1_num_1.jpg                             MT_Free/Imgs/exp1_num_1.jpg, .png
/// crack/exp1_num_2.jpg, exp1_num_2_mask.png   or  MT_Crack/Imgs/exp1_num_2.jpg, .png
/// labels.csv: file,tile_group
/// ```
///
/// Labels: free 0, blowhole 1, break 2, crack 3, fray 4, uneven 5; anything but 0 is a defect. Each
/// tile was photographed at several exposures: `tile_group` of the table, if there is one, says which
/// images belong together, and a split must keep them so. Without a table every image is its own
/// group.
///
/// # Examples
///
/// ```
/// use ocellus_data::{Image, MagneticTiles};
///
/// let root = tempfile::tempdir()?;
/// for class in ["free", "blowhole", "break", "crack", "fray", "uneven"] {
///     std::fs::create_dir(root.path().join(class))?;
///     for file in ["1.jpg.png", "1.jpg_mask.png"] {
///         Image::filled(1, 4, 4, 1.)?.save_png(root.path().join(class).join(file))?;
///     }
/// }
/// let set = MagneticTiles::open(root.path())?;
/// assert_eq!((set.len(), set.classes[0].as_str()), (6, "free"));
/// assert_eq!(set.samples[0].masks.len(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # References
///
/// 1. Y. Huang, C. Qiu and K. Yuan. *Surface defect saliency of magnetic tile.* The Visual Computer
///    36, 2020. <https://doi.org/10.1007/s00371-018-1588-5>
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct MagneticTiles {
    /// The data set's folder.
    pub root: PathBuf,
}

const CLASSES: [&str; 6] = ["free", "blowhole", "break", "crack", "fray", "uneven"];

folder_reader!(MagneticTiles);

impl MagneticTiles {
    /// Lists the images. None is opened.
    ///
    /// # Errors
    ///
    /// If a class has no folder or no images, a defect has no mask, or the table does not fit the
    /// images.
    pub fn read(&self) -> Result<SampleSet> {
        require_folder(&self.root)?;
        let mut samples = Vec::new();
        for (label, class) in CLASSES.iter().enumerate() {
            let published = child(&self.root, &format!("MT_{class}"))?;
            let (folder, published) = match (child(&self.root, class)?, published) {
                (Some(folder), _) => (folder, false),
                (None, Some(folder)) => (folder.join("Imgs"), true),
                (None, None) => {
                    let reason = format!("no folder `{class}` or `MT_{class}`");
                    return Err(Error::dataset(&self.root, reason));
                }
            };
            samples.extend(of_class(&folder, label, published)?);
        }
        let table = self.root.join("labels.csv");
        if table.is_file() {
            set_groups(&table, &self.root, &mut samples)?;
        }
        SampleSet::new(&self.root, CLASSES.map(str::to_owned).to_vec(), samples)
    }
}

fn of_class(folder: &Path, label: usize, published: bool) -> Result<Vec<Sample>> {
    let (masks, found): (Vec<PathBuf>, Vec<PathBuf>) =
        images(folder, false)?.into_iter().partition(|path| match published {
            true => path.extension().is_some_and(|extension| extension == "png"),
            false => stem(path).ends_with("_mask"),
        });
    let image_of = |mask: &PathBuf| stem(mask).trim_end_matches("_mask").to_owned();
    let mut masks: BTreeMap<String, PathBuf> =
        masks.into_iter().map(|mask| (image_of(&mask), mask)).collect();
    let mut samples = Vec::new();
    for path in found {
        let mask = masks.remove(&stem(&path));
        if label > 0 && mask.is_none() {
            return Err(Error::dataset(&path, "a defect without its mask: the copy is incomplete"));
        }
        samples.push(Sample { masks: mask.into_iter().collect(), ..Sample::new(path, label) });
    }
    match masks.into_values().next() {
        Some(orphan) => Err(Error::dataset(&orphan, "a mask without its image: remove it")),
        None => Ok(samples),
    }
}

fn set_groups(path: &Path, root: &Path, samples: &mut [Sample]) -> Result<()> {
    let table = Table::read(path)?;
    let file = table.require(&["file", "path", "image"])?;
    let group = table.require(&["tile_group", "group"])?;
    let mut groups: BTreeMap<PathBuf, &str> = BTreeMap::new();
    for row in table.rows() {
        if groups.insert(root.join(row.get(file)), row.get(group)).is_some() {
            let reason = format!("`{}` comes twice: list each image once", row.get(file));
            return Err(row.error(reason));
        }
    }
    for sample in samples.iter_mut() {
        let Some(group) = groups.remove(&sample.path) else {
            let reason = format!("not listed in {}: add the image or remove it", path.display());
            return Err(Error::dataset(&sample.path, reason));
        };
        sample.group = (!group.is_empty()).then(|| group.to_owned());
    }
    match groups.into_keys().next() {
        Some(image) => {
            Err(Error::dataset(path, format!("lists {}, which is not there", image.display())))
        }
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::readers::scan::touch;

    fn tiles() -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        touch(root.path(), &["free/1.jpg", "free/2.jpg"]);
        for class in &CLASSES[1..] {
            touch(root.path(), &[format!("{class}/1.jpg"), format!("{class}/1_mask.png")]);
        }
        root
    }

    #[test]
    fn reads_groups_of_the_table() {
        let root = tiles();
        let mut table = "file,type,tile_group\nfree/1.jpg,free,7\nfree/2.jpg,free,7\n".to_owned();
        for class in &CLASSES[1..] {
            table += &format!("{class}/1.jpg,{class},{class}\n");
        }
        fs::write(root.path().join("labels.csv"), &table).unwrap();
        let set = MagneticTiles::open(root.path()).unwrap();
        assert_eq!(set.class_counts(), [2, 1, 1, 1, 1, 1]);
        assert_eq!(set.group_ids().iter().collect::<std::collections::BTreeSet<_>>().len(), 6);
        let message = |text: &str| {
            fs::write(root.path().join("labels.csv"), text).unwrap();
            MagneticTiles::open(root.path()).unwrap_err().to_string()
        };
        assert!(message(&table.replace("free/2.jpg,free,7\n", "")).contains("2.jpg: not listed"));
        assert!(message(&(table.clone() + "free/9.jpg,free,1\n")).contains("9.jpg, which is not"));
        assert!(message(&(table.clone() + "free/1.jpg,free,1\n")).contains("comes twice"));
    }

    #[test]
    fn reads_the_published_layout() {
        let root = tempfile::tempdir().unwrap();
        for class in ["Free", "Blowhole", "Break", "Crack", "Fray", "Uneven"] {
            let file = |extension: &str| format!("MT_{class}/Imgs/exp1.{extension}");
            touch(root.path(), &[file("jpg"), file("png")]);
        }
        let set = MagneticTiles::open(root.path()).unwrap();
        assert_eq!(set.len(), 6);
        assert!(set.samples.iter().all(|sample| sample.masks.len() == 1));
    }

    #[test]
    fn names_what_does_not_fit() {
        let root = tiles();
        fs::remove_file(root.path().join("crack/1_mask.png")).unwrap();
        let message = || MagneticTiles::open(root.path()).unwrap_err().to_string();
        assert!(message().contains("a defect without its mask"));
        touch(root.path(), &["crack/1_mask.png", "fray/2_mask.png"]);
        assert!(message().contains("2_mask.png: a mask without its image"));
        fs::remove_dir_all(root.path().join("fray")).unwrap();
        assert!(message().contains("no folder `fray` or `MT_fray`"));
    }
}
