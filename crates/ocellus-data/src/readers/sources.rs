use std::path::PathBuf;

use crate::{Result, SampleSet};

impl SampleSet {
    /// The samples of several sets as one set. Its classes are theirs in a row; one that several have
    /// is one class. Groups stay apart even where two sets have the same names.
    ///
    /// Where every class comes from a source of its own, whatever tells the sources apart (stain,
    /// camera, a scale bar) tells the classes apart, and a score says nothing about cells.
    ///
    /// # Examples
    ///
    /// ```
    /// use ocellus_data::{Sample, SampleSet};
    ///
    /// let all = SampleSet::of_one_class("a", "ALL", vec![Sample::new("a/1.png", 0)])?;
    /// let mm = SampleSet::of_one_class("b", "MM", vec![Sample::new("b/1.png", 0)])?;
    /// let both = SampleSet::of_sources("", vec![all, mm])?;
    /// assert_eq!((both.classes.join(" "), both.labels()), ("ALL MM".to_owned(), vec![0, 1]));
    /// # Ok::<(), ocellus_data::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    pub fn of_sources(root: impl Into<PathBuf>, sets: Vec<Self>) -> Result<Self> {
        let mut classes: Vec<String> = Vec::new();
        let mut samples = Vec::new();
        for (source, set) in sets.into_iter().enumerate() {
            let mut label_of = Vec::with_capacity(set.classes.len());
            for class in set.classes {
                let known = classes.iter().position(|name| *name == class);
                label_of.push(known.unwrap_or(classes.len()));
                if known.is_none() {
                    classes.push(class);
                }
            }
            samples.extend(set.samples.into_iter().map(|mut sample| {
                sample.label = label_of.get(sample.label).copied().unwrap_or(usize::MAX);
                sample.group = sample.group.map(|group| format!("{source}/{group}"));
                sample
            }));
        }
        Self::new(root, classes, samples)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Sample;

    #[test]
    fn groups_of_two_sources_stay_apart() {
        let source = |root: &str, classes: &[&str]| {
            let sample = |label| Sample {
                group: Some("7".to_owned()),
                ..Sample::new(format!("{root}/{label}.png"), label)
            };
            let classes: Vec<String> = classes.iter().map(|&class| class.to_owned()).collect();
            let samples = (0..classes.len()).map(sample).collect();
            SampleSet::new(root, classes, samples).unwrap()
        };
        let sets = vec![source("a", &["normal", "ALL"]), source("b", &["MM", "normal"])];
        let both = SampleSet::of_sources("", sets).unwrap();
        assert_eq!(both.classes, ["normal", "ALL", "MM"]);
        assert_eq!((both.labels(), both.group_ids()), (vec![0, 1, 2, 0], vec![0, 0, 1, 1]));
    }
}
