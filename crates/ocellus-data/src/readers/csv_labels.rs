use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use crate::{
    Result, Sample, SampleSet,
    readers::table::{Row, Table},
};

/// A CSV table of images: `path,label[,group][,mask]`.
///
/// ```text
/// path,label,group,mask
/// scans/0001.png,benign,patient-7,masks/0001.png
/// scans/0002.png,malignant,patient-9,
/// ```
///
/// A header is required; columns come in any order, and others are ignored. `file`, `image` and
/// `filename` serve as `path`; `class` as `label`; `group_id`, `patient`, `patient_id` and
/// `near_duplicate_group` as `group`. An empty group or mask is none; several masks are separated
/// by `|`. Fields are separated by commas, semicolons or tabs. Paths are relative to the table's
/// folder unless another is set.
///
/// Classes are the labels that occur, sorted (numbers by value), or those that are set.
///
/// # Examples
///
/// ```
/// use ocellus_data::{CsvLabels, Image};
///
/// let root = tempfile::tempdir()?;
/// for name in ["a.png", "b.png"] {
///     Image::filled(1, 4, 4, 0.5)?.save_png(root.path().join(name))?;
/// }
/// let table = root.path().join("labels.csv");
/// std::fs::write(&table, "path,label,patient\na.png,malignant,7\nb.png,benign,9\n")?;
/// let set = CsvLabels::open(&table)?;
/// assert_eq!(set.classes, ["benign", "malignant"]);
/// assert_eq!(set.labels(), [1, 0]);
/// assert_eq!(set.samples[0].group.as_deref(), Some("7"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CsvLabels {
    /// The table.
    pub table: PathBuf,
    /// The folder that its paths are relative to, if not the table's own.
    pub root: Option<PathBuf>,
    /// The classes in the order of their labels; a label not among them is an error.
    pub classes: Option<Vec<String>>,
}

impl CsvLabels {
    /// A reader of this table.
    #[must_use]
    pub fn new(table: impl Into<PathBuf>) -> Self {
        Self { table: table.into(), root: None, classes: None }
    }

    /// Sets the folder that paths are relative to.
    #[must_use]
    pub fn with_root(mut self, root: impl Into<PathBuf>) -> Self {
        self.root = Some(root.into());
        self
    }

    /// Sets the classes, in the order of their labels.
    #[must_use]
    pub fn with_classes(mut self, classes: &[&str]) -> Self {
        self.classes = Some(classes.iter().map(|&class| class.to_owned()).collect());
        self
    }

    /// Reads a table with the default settings.
    ///
    /// # Errors
    ///
    /// As [`CsvLabels::read`].
    pub fn open(table: impl Into<PathBuf>) -> Result<SampleSet> {
        Self::new(table).read()
    }

    /// Lists the images. None is opened, but each must be there.
    ///
    /// # Errors
    ///
    /// If the table cannot be read, lacks a column or a label, names a file that is not there or
    /// one twice, or a label that is not among the classes; or if there is one class alone.
    pub fn read(&self) -> Result<SampleSet> {
        let table = Table::read(&self.table)?;
        let columns = Columns::of(&table)?;
        let parent = self.table.parent().unwrap_or(Path::new(""));
        let root = self.root.clone().unwrap_or_else(|| parent.to_owned());
        let classes = match &self.classes {
            Some(classes) => classes.clone(),
            None => classes(table.rows().map(|row| row.get(columns.label))),
        };
        let mut samples = Vec::new();
        for row in table.rows() {
            samples.push(columns.sample(row, &root, &classes)?);
        }
        SampleSet::new(root, classes, samples)
    }
}

/// Where a table holds what.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Columns {
    pub(crate) path: usize,
    pub(crate) label: usize,
    pub(crate) group: Option<usize>,
    mask: Option<usize>,
}

impl Columns {
    pub(crate) fn of(table: &Table) -> Result<Self> {
        let groups = ["group", "group_id", "patient", "patient_id", "near_duplicate_group"];
        Ok(Self {
            path: table.require(&["path", "file", "image", "filename"])?,
            label: table.require(&["label", "class"])?,
            group: table.column(&groups),
            mask: table.column(&["mask", "masks"]),
        })
    }

    fn sample(&self, row: Row<'_>, root: &Path, classes: &[String]) -> Result<Sample> {
        let label = row.get(self.label);
        let Some(label) = classes.iter().position(|class| class == label) else {
            let known = classes.join(", ");
            return Err(row.error(format_args!("label `{label}` is not among {known}")));
        };
        let file = |name: &str| {
            let path = root.join(name.replace('\\', "/"));
            match path.is_file() && !name.is_empty() {
                true => Ok(path),
                false => Err(row.error(format_args!("no file `{name}` in {}", root.display()))),
            }
        };
        let masks = row.optional(self.mask).into_iter().flat_map(|list| list.split('|'));
        Ok(Sample {
            group: row.optional(self.group).map(str::to_owned),
            masks: masks.map(|name| file(name.trim())).collect::<Result<_>>()?,
            ..Sample::new(file(row.get(self.path))?, label)
        })
    }
}

/// The labels that occur: numbers by value if all are, else names by letter.
fn classes<'a>(labels: impl Iterator<Item = &'a str>) -> Vec<String> {
    let names: BTreeSet<&str> = labels.collect();
    let mut names: Vec<&str> = names.into_iter().collect();
    if let Ok(numbers) = names.iter().map(|name| name.parse()).collect::<Result<Vec<i64>, _>>() {
        let mut both: Vec<_> = numbers.into_iter().zip(names).collect();
        both.sort_unstable();
        names = both.into_iter().map(|(_, name)| name).collect();
    }
    names.into_iter().map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, f: impl FnOnce(CsvLabels) -> CsvLabels) -> Result<SampleSet> {
        let root = tempfile::tempdir().unwrap();
        for name in ["a.png", "b.png", "c.png", "m.png"] {
            std::fs::write(root.path().join(name), "").unwrap();
        }
        let table = root.path().join("labels.csv");
        std::fs::write(&table, text).unwrap();
        f(CsvLabels::new(table)).read()
    }

    #[test]
    fn numbers_are_ordered_by_value() {
        let set = read("path,label\na.png,10\nb.png,9\n", |r| r).unwrap();
        assert_eq!(set.classes, ["9", "10"]);
    }

    #[test]
    fn reads_masks_and_groups_where_there_are_some() {
        let text = "mask,group,file,class\nm.png | b.png,g,a.png,x\n,,c.png,y\n";
        let set = read(text, |r| r).unwrap();
        assert_eq!((set.samples[0].masks.len(), set.samples[1].masks.len()), (2, 0));
        assert_eq!(set.samples[1].group, None);
    }

    #[test]
    fn names_the_line_that_is_wrong() {
        let message = |text: &str| read(text, |r| r).unwrap_err().to_string();
        let missing = message("path,label\na.png,x\nz.png,y\n");
        assert!(missing.contains("line 3") && missing.contains("no file `z.png`"), "{missing}");
        assert!(message("path,label\na.png,x\na.png,y\n").contains("a.png comes twice"));
        assert!(message("path,label\na.png,x\n./a.png,y\n").contains("a.png comes twice"));
        assert!(message("path,label\na.png,x\nb.png,x\n").contains("one class, `x`"));
        assert!(message("path,label,mask\na.png,x,q.png\n").contains("no file `q.png`"));
        assert!(message("path,label\n,x\n").contains("no file ``"));
    }

    #[test]
    fn rejects_a_label_that_is_not_listed() {
        let text = "path,label\na.png,benign\nb.png,cyst\nc.png,malignant\n";
        let error = read(text, |r| r.with_classes(&["benign", "malignant"])).unwrap_err();
        let error = error.to_string();
        assert!(error.contains("line 3: label `cyst` is not among benign, malignant"), "{error}");
    }
}
