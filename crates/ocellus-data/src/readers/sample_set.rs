use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use crate::{Error, Result, Sample, raster::Window};

/// What a reader found: the images with their labels, and the classes' names.
///
/// # Examples
///
/// ```
/// use ocellus_data::{Sample, SampleSet};
///
/// let samples = vec![Sample::new("a.png", 0), Sample::new("b.png", 1), Sample::new("c.png", 1)];
/// let set = SampleSet::new(".", vec!["benign".into(), "malignant".into()], samples)?;
/// assert_eq!(set.class_counts(), [1, 2]);
/// assert_eq!(set.labels(), [0, 1, 1]);
/// # Ok::<(), ocellus_data::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SampleSet {
    /// The folder that paths are given relative to in records.
    pub root: PathBuf,
    /// The classes' names, by label.
    pub classes: Vec<String>,
    /// The images, sorted by path, then by place.
    pub samples: Vec<Sample>,
}

impl SampleSet {
    /// A set of these samples, sorted by path and, within an image, by place.
    ///
    /// # Errors
    ///
    /// If there are no samples, a class has none or there is one class alone, a label has no
    /// class, or an image, or a part of one, comes twice.
    pub fn new(
        root: impl Into<PathBuf>,
        classes: Vec<String>,
        mut samples: Vec<Sample>,
    ) -> Result<Self> {
        let root = root.into();
        samples.sort_by(|a, b| order(a).cmp(&order(b)));
        let set = Self { root, classes, samples };
        set.check()?;
        Ok(set)
    }

    /// A set of one class alone, sorted by path: images without labels, or the normal ones that an
    /// anomaly detector learns from. Every sample's label becomes 0.
    ///
    /// # Errors
    ///
    /// If there are no samples, or a path comes twice.
    pub fn of_one_class(
        root: impl Into<PathBuf>,
        class: impl Into<String>,
        mut samples: Vec<Sample>,
    ) -> Result<Self> {
        samples.sort_by(|a, b| order(a).cmp(&order(b)));
        samples.iter_mut().for_each(|sample| sample.label = 0);
        let set = Self { root: root.into(), classes: vec![class.into()], samples };
        set.check_samples()?;
        Ok(set)
    }

    fn check(&self) -> Result<()> {
        self.check_samples()?;
        if self.classes.len() < 2 {
            let reason = format!(
                "all {} images are of one class, `{}`: a classifier needs at least two",
                self.samples.len(),
                self.classes.first().map_or("", String::as_str)
            );
            return Err(Error::dataset(&self.root, reason));
        }
        Ok(())
    }

    fn check_samples(&self) -> Result<()> {
        let fail = |reason: String| Err(Error::dataset(&self.root, reason));
        if self.samples.is_empty() {
            return fail("no images: give a folder with PNG, JPEG, BMP or TIFF files".to_owned());
        }
        for pair in self.samples.windows(2) {
            if order(&pair[0]) == order(&pair[1]) {
                let name = self.name(&pair[0]);
                return fail(format!("{name} comes twice: list each image once"));
            }
        }
        if let Some(sample) = self.samples.iter().find(|s| s.label >= self.classes.len()) {
            return fail(format!(
                "{} has label {}, but there are {} classes ({})",
                self.relative(&sample.path),
                sample.label,
                self.classes.len(),
                self.classes.join(", ")
            ));
        }
        let counts = self.class_counts();
        if let Some(class) = counts.iter().position(|&count| count == 0) {
            return fail(format!(
                "class `{}` has no images: add some or leave the class out",
                self.classes[class]
            ));
        }
        Ok(())
    }

    /// The number of images.
    #[must_use]
    pub fn len(&self) -> usize {
        self.samples.len()
    }

    /// Whether there are no images: never so in a set that was checked.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.samples.is_empty()
    }

    /// The label of each image.
    #[must_use]
    pub fn labels(&self) -> Vec<usize> {
        self.samples.iter().map(|sample| sample.label).collect()
    }

    /// The number of images of each class.
    #[must_use]
    pub fn class_counts(&self) -> Vec<usize> {
        let mut counts = vec![0; self.classes.len()];
        for sample in &self.samples {
            if let Some(count) = counts.get_mut(sample.label) {
                *count += 1;
            }
        }
        counts
    }

    /// A number for each image, the same for images of one group; an image without a group is a
    /// group of its own.
    #[must_use]
    pub fn group_ids(&self) -> Vec<usize> {
        let mut known = BTreeMap::new();
        let mut next = 0;
        let mut fresh = || {
            next += 1;
            next - 1
        };
        let id = |sample: &Sample| match sample.group.clone() {
            None => fresh(),
            Some(group) => *known.entry(group).or_insert_with(&mut fresh),
        };
        self.samples.iter().map(id).collect()
    }

    /// The names of groups that hold images of two classes: label noise, or one patient with two
    /// lesions.
    #[must_use]
    pub fn contradictory_groups(&self) -> BTreeSet<String> {
        let mut label_of = BTreeMap::new();
        let mut contradictory = BTreeSet::new();
        for sample in &self.samples {
            if let Some(group) = &sample.group
                && *label_of.entry(group).or_insert(sample.label) != sample.label
            {
                contradictory.insert(group.clone());
            }
        }
        contradictory
    }

    /// The set without the images of these groups.
    ///
    /// # Errors
    ///
    /// If a class has no images left.
    pub fn without_groups(mut self, groups: &BTreeSet<String>) -> Result<Self> {
        self.samples.retain(|sample| sample.group.as_ref().is_none_or(|g| !groups.contains(g)));
        self.check_samples()?;
        Ok(self)
    }

    /// The set with only these classes, in this order.
    ///
    /// # Errors
    ///
    /// If a class is unknown or fewer than two are named: for one alone see
    /// [`of_class`](Self::of_class).
    pub fn with_classes(mut self, classes: &[&str]) -> Result<Self> {
        let mut new_label = vec![None; self.classes.len()];
        for (label, class) in classes.iter().enumerate() {
            let Some(old) = self.classes.iter().position(|name| name == class) else {
                return Err(Error::dataset(
                    &self.root,
                    format!("no class `{class}`: there are {}", self.classes.join(", ")),
                ));
            };
            new_label[old] = Some(label);
        }
        self.samples.retain_mut(|sample| match new_label[sample.label] {
            Some(label) => {
                sample.label = label;
                true
            }
            None => false,
        });
        self.classes = classes.iter().map(|&class| class.to_owned()).collect();
        self.check()?;
        Ok(self)
    }

    /// The images of one class, as a set of its own: what an anomaly detector learns from.
    ///
    /// # Errors
    ///
    /// If the class is unknown.
    pub fn of_class(&self, class: &str) -> Result<Self> {
        let Some(label) = self.classes.iter().position(|name| name == class) else {
            return Err(Error::dataset(
                &self.root,
                format!("no class `{class}`: there are {}", self.classes.join(", ")),
            ));
        };
        let samples = self.samples.iter().filter(|sample| sample.label == label).cloned();
        Self::of_one_class(&self.root, class, samples.collect())
    }

    /// The set with images that belong together put into common groups, on top of the groups there
    /// are: `duplicates` holds indices, as [`NearDuplicates`](crate::NearDuplicates) gives them.
    /// Groups that share an image are joined.
    ///
    /// # Errors
    ///
    /// If an index is beyond the set.
    pub fn with_groups_joined(mut self, duplicates: &[Vec<usize>]) -> Result<Self> {
        if let Some(beyond) = duplicates.iter().flatten().find(|&&i| i >= self.len()) {
            return Err(Error::Setting(format!(
                "no image {beyond} in a set of {}: find duplicates in this very set",
                self.len()
            )));
        }
        let mut joined = crate::split::Joined::new(self.len());
        let own = self.group_ids();
        let mut first_of = BTreeMap::new();
        for (i, id) in own.into_iter().enumerate() {
            joined.join(i, *first_of.entry(id).or_insert(i));
        }
        for group in duplicates {
            for pair in group.windows(2) {
                joined.join(pair[0], pair[1]);
            }
        }
        let roots: Vec<usize> = (0..self.len()).map(|i| joined.root(i)).collect();
        let mut sizes = vec![0; self.len()];
        roots.iter().for_each(|&root| sizes[root] += 1);
        let names: Vec<Option<String>> = roots
            .iter()
            .map(|&root| (sizes[root] > 1).then(|| self.relative(&self.samples[root].path)))
            .collect();
        for (sample, name) in self.samples.iter_mut().zip(names) {
            // A group of one image keeps its name, if it has one.
            sample.group = name.or(sample.group.take());
        }
        Ok(self)
    }

    /// What records call a sample: the path of its image, and which part of it it is:
    /// `a.jpg#40x30+100+200` is 40 columns and 30 rows that begin at column 100 and row 200.
    #[must_use]
    pub fn name(&self, sample: &Sample) -> String {
        let path = self.relative(&sample.path);
        match sample.window {
            None => path,
            Some(Window { x, y, width, height }) => format!("{path}#{width}x{height}+{x}+{y}"),
        }
    }

    /// A path as records show it: relative to the root, with `/`.
    #[must_use]
    pub fn relative(&self, path: &Path) -> String {
        let path = path.strip_prefix(&self.root).unwrap_or(path);
        let parts: Vec<_> = path.iter().map(|part| part.to_string_lossy()).collect();
        parts.join("/")
    }
}

/// By path, then row by row.
fn order(sample: &Sample) -> (&Path, Option<(u32, u32, u32, u32)>) {
    (&sample.path, sample.window.map(|w| (w.y, w.x, w.height, w.width)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(groups: &[(&str, usize, &str)]) -> Result<SampleSet> {
        let sample = |&(path, label, group): &(&str, usize, &str)| Sample {
            group: (!group.is_empty()).then(|| group.to_owned()),
            ..Sample::new(path, label)
        };
        let classes = vec!["benign".to_owned(), "malignant".to_owned()];
        SampleSet::new("", classes, groups.iter().map(sample).collect())
    }

    #[test]
    fn rejects_what_cannot_be_learned_from() {
        let message = |samples: &[(&str, usize, &str)]| set(samples).unwrap_err().to_string();
        assert!(message(&[]).contains("no images"));
        assert!(message(&[("a", 0, "")]).contains("class `malignant` has no images"));
        assert!(message(&[("a", 0, ""), ("b", 2, "")]).contains("label 2"));
        assert!(message(&[("a", 0, ""), ("b", 1, ""), ("a", 1, "")]).contains("a comes twice"));
        let one = SampleSet::new("", vec!["x".to_owned()], vec![Sample::new("a", 0)]).unwrap_err();
        assert!(one.to_string().contains("one class, `x`"), "{one}");
    }

    #[test]
    fn images_without_a_group_are_groups_of_their_own() {
        let set = set(&[("a", 0, "p"), ("b", 1, ""), ("c", 0, "p"), ("d", 0, "")]).unwrap();
        assert_eq!(set.group_ids(), [0, 1, 0, 2]);
    }

    #[test]
    fn drops_contradictory_groups() {
        let set = set(&[("a", 0, "p"), ("b", 1, "p"), ("c", 0, "q"), ("d", 0, "q"), ("e", 1, "")]);
        let set = set.unwrap();
        let groups = set.contradictory_groups();
        assert_eq!(groups, BTreeSet::from(["p".to_owned()]));
        assert_eq!(set.without_groups(&groups).unwrap().len(), 3);
    }

    #[test]
    fn joins_groups_that_share_an_image() {
        let set = set(&[("a", 0, "p"), ("b", 0, "p"), ("c", 0, ""), ("d", 1, ""), ("e", 1, "r")]);
        let joined = set.unwrap().with_groups_joined(&[vec![1, 2]]).unwrap();
        assert_eq!(joined.group_ids(), [0, 0, 0, 1, 2]);
        assert_eq!(joined.samples[4].group.as_deref(), Some("r"));
        assert!(joined.with_groups_joined(&[vec![9]]).is_err());
    }

    #[test]
    fn picks_and_reorders_classes() {
        let set = set(&[("a", 0, ""), ("b", 1, "")]).unwrap();
        let swapped = set.clone().with_classes(&["malignant", "benign"]).unwrap();
        assert_eq!(swapped.labels(), [1, 0]);
        assert!(set.clone().with_classes(&["benign"]).is_err());
        let benign = set.of_class("benign").unwrap();
        assert_eq!(
            (benign.classes.as_slice(), benign.labels()),
            (&["benign".to_owned()][..], vec![0])
        );
        assert_eq!(set.of_class("malignant").unwrap().samples[0].label, 0);
        assert!(set.of_class("cyst").unwrap_err().to_string().contains("`cyst`"));
        assert!(set.with_classes(&["benign", "cyst"]).unwrap_err().to_string().contains("`cyst`"));
    }

    #[test]
    fn parts_of_one_image_are_samples_of_their_own() {
        let part =
            |x| Sample { window: Some(Window::new(x, 2, 5, 6)), ..Sample::new("r/a.png", 0) };
        let set = SampleSet::of_one_class("r", "cell", vec![part(9), part(0)]).unwrap();
        let names: Vec<_> = set.samples.iter().map(|sample| set.name(sample)).collect();
        assert_eq!(names, ["a.png#5x6+0+2", "a.png#5x6+9+2"]);
        let twice = SampleSet::of_one_class("r", "cell", vec![part(9), part(9)]).unwrap_err();
        assert!(twice.to_string().contains("a.png#5x6+9+2 comes twice"), "{twice}");
    }
}
