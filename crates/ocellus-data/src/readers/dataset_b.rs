use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use crate::{
    Error, Result, Sample, SampleSet,
    readers::{
        folder::mask_of,
        folder_reader::folder_reader,
        scan::{child, images, require_folder, stem},
        table::Table,
    },
};

const CLASSES: [&str; 2] = ["benign", "malignant"];

/// Dataset B (UDIAT, Sabadell), the 163 breast ultrasound images of Yap et al. \[1\].
///
/// ```text
/// original/000001.png …      the images
/// GT/000001.png …            the lesions' masks, if there are any
/// ```
///
/// The labels are in `DatasetB.xlsx`. This reader takes them, in this order, from
///
/// 1. a table `DatasetB.csv` (or `labels.csv`), which any spreadsheet exports from it: a column
///    `image`, `file`, `name` or `id` and a column `type`, `label`, `class` or `pathology`, whose
///    values begin with B or M (`Benign`, `malignant`, `M`);
/// 2. two lists of names, one a line, `benign.txt` and `malignant.txt`;
/// 3. two folders, `original/benign` and `original/malignant`, or `benign` and `malignant`.
///
/// Labels: benign 0, malignant 1. There are no patient numbers: every image is its own group.
///
/// # Examples
///
/// ```
/// use ocellus_data::{DatasetB, Image};
///
/// let root = tempfile::tempdir()?;
/// std::fs::create_dir(root.path().join("original"))?;
/// for name in ["000001.png", "000002.png"] {
///     Image::filled(1, 4, 4, 0.5)?.save_png(root.path().join("original").join(name))?;
/// }
/// std::fs::write(root.path().join("DatasetB.csv"), "Image;Type\n000001;Malignant\n2;Benign\n")?;
/// let set = DatasetB::open(root.path())?;
/// assert_eq!(set.labels(), [1, 0]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # References
///
/// 1. M. H. Yap et al. *Automated breast ultrasound lesions detection using convolutional neural
///    networks.* IEEE J. Biomed. Health Inform. 22(4), 2018.
///    <https://doi.org/10.1109/JBHI.2017.2731873>
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DatasetB {
    /// The data set's folder.
    pub root: PathBuf,
}

folder_reader!(DatasetB);

impl DatasetB {
    /// Lists the images. None is opened.
    ///
    /// # Errors
    ///
    /// If there are no labels, an image has none, or a label has no image.
    pub fn read(&self) -> Result<SampleSet> {
        require_folder(&self.root)?;
        let base = child(&self.root, "original")?.unwrap_or_else(|| self.root.clone());
        let masks = child(&self.root, "gt")?.unwrap_or_else(|| self.root.join("GT"));
        let Some(labels) = self.labels()? else { return self.by_folders(&base, &masks) };
        let mut samples = Vec::new();
        let mut unused: BTreeMap<&String, &Label> = labels.iter().collect();
        for path in images(&base, false)? {
            let key = key(&stem(&path));
            let Some(label) = labels.get(&key) else {
                return Err(Error::dataset(&path, "label not listed: add the image to the table"));
            };
            unused.remove(&key);
            let masks = mask_of(&path, &base, &masks).into_iter().collect();
            samples.push(Sample { masks, ..Sample::new(path, label.class) });
        }
        if let Some((image, label)) = unused.into_iter().next() {
            let reason = format!("lists image `{image}`, which is not in {}", base.display());
            return Err(Error::dataset(&label.listed_in, reason));
        }
        SampleSet::new(&self.root, CLASSES.map(str::to_owned).to_vec(), samples)
    }

    /// Class by image, from a table or two lists; nothing if there are neither.
    fn labels(&self) -> Result<Option<BTreeMap<String, Label>>> {
        let tables = ["DatasetB.csv", "labels.csv"].map(|name| self.root.join(name));
        if let Some(path) = tables.iter().find(|path| path.is_file()) {
            return from_table(path).map(Some);
        }
        let lists = CLASSES.map(|class| self.root.join(format!("{class}.txt")));
        if !lists.iter().all(|path| path.is_file()) {
            return Ok(None);
        }
        let mut labels = BTreeMap::new();
        for (class, path) in lists.iter().enumerate() {
            let text = fs::read_to_string(path).map_err(Error::io(path))?;
            for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
                insert(&mut labels, line, Label { class, listed_in: path.clone() })?;
            }
        }
        Ok(Some(labels))
    }

    fn by_folders(&self, base: &Path, masks: &Path) -> Result<SampleSet> {
        let mut samples = Vec::new();
        for (label, class) in CLASSES.iter().enumerate() {
            let Some(folder) = child(base, class)? else {
                return Err(Error::dataset(
                    &self.root,
                    "no labels: export DatasetB.xlsx from a spreadsheet program as DatasetB.csv, \
                     or give benign.txt and malignant.txt, or folders benign and malignant",
                ));
            };
            for path in images(&folder, false)? {
                let mask = mask_of(&path, base, masks).or_else(|| mask_of(&path, &folder, masks));
                samples
                    .push(Sample { masks: mask.into_iter().collect(), ..Sample::new(path, label) });
            }
        }
        SampleSet::new(&self.root, CLASSES.map(str::to_owned).to_vec(), samples)
    }
}

struct Label {
    class: usize,
    listed_in: PathBuf,
}

fn from_table(path: &Path) -> Result<BTreeMap<String, Label>> {
    let table = Table::read(path)?;
    let image = table.require(&["image", "file", "filename", "path", "name", "id"])?;
    let kind = table.require(&["type", "label", "class", "pathology", "diagnosis"])?;
    let mut labels = BTreeMap::new();
    for row in table.rows() {
        let class = match row.get(kind).chars().next().map(|c| c.to_ascii_lowercase()) {
            Some('b') => 0,
            Some('m') => 1,
            _ => {
                let label = row.get(kind);
                return Err(row.error(format_args!("label `{label}` is not benign or malignant")));
            }
        };
        let label = Label { class, listed_in: path.to_owned() };
        insert(&mut labels, row.get(image), label)?;
    }
    Ok(labels)
}

fn insert(labels: &mut BTreeMap<String, Label>, image: &str, label: Label) -> Result<()> {
    let name = key(&stem(Path::new(image)));
    let listed_in = label.listed_in.clone();
    match labels.insert(name, label) {
        None => Ok(()),
        Some(_) => {
            Err(Error::dataset(&listed_in, format!("`{image}` comes twice: list each image once")))
        }
    }
}

/// Spreadsheets drop the zeros of `000001`.
fn key(name: &str) -> String {
    match name.bytes().all(|byte| byte.is_ascii_digit()) {
        true => name.trim_start_matches('0').to_owned(),
        false => name.to_ascii_lowercase(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(names: &[&str]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for name in names {
            let path = root.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        root
    }

    #[test]
    fn reads_two_lists_and_masks() {
        let root = files(&["original/000001.png", "original/000002.png", "GT/000002.png"]);
        fs::write(root.path().join("benign.txt"), "000002.png\n").unwrap();
        fs::write(root.path().join("malignant.txt"), "000001.png\n\n").unwrap();
        let set = DatasetB::open(root.path()).unwrap();
        assert_eq!(set.labels(), [1, 0]);
        assert_eq!(set.samples[1].masks.len(), 1);
    }

    #[test]
    fn reads_two_folders() {
        let root = files(&["original/Benign/1.png", "original/Malignant/2.png", "gt/2.png"]);
        let set = DatasetB::open(root.path()).unwrap();
        assert_eq!(set.labels(), [0, 1]);
        assert_eq!(set.samples[1].masks.len(), 1);
    }

    #[test]
    fn says_where_labels_may_come_from() {
        let root = files(&["original/000001.png", "original/000002.png"]);
        let message = || DatasetB::open(root.path()).unwrap_err().to_string();
        assert!(message().contains("DatasetB.xlsx"), "{}", message());
        let table = |text: &str| fs::write(root.path().join("DatasetB.csv"), text).unwrap();
        table("Image,Type\n1,Benign\n");
        assert!(message().contains("000002.png: label not listed"));
        table("Image,Type\n1,Benign\n2,Malignant\n3,Benign\n");
        assert!(message().contains("lists image `3`"));
        table("Image,Type\n1,Benign\n2,unknown\n");
        assert!(message().contains("line 3: label `unknown`"));
        table("Image,Type\n1,Benign\n000001.png,Malignant\n");
        assert!(message().contains("comes twice"));
    }
}
