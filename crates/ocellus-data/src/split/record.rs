use std::{collections::BTreeMap, path::Path};

use crate::{Error, Result, SampleSet, atomic, readers::Table, split::Fold};

/// Writes which image is in which part, as CSV: `path,class,group,part`.
///
/// [`Holdout::named`](crate::Holdout::named) and [`named_folds`] give the parts. An image in none
/// has an empty field. The file is written whole or not at all.
///
/// # Examples
///
/// ```
/// use ocellus_data::{Fractions, Sample, SampleSet, Splitter, read_split, write_split};
///
/// let samples = (0..40).map(|i| Sample::new(format!("{i}.png"), i % 2)).collect();
/// let set = SampleSet::new("", vec!["benign".into(), "malignant".into()], samples)?;
/// let split = Splitter::of(&set).holdout(Fractions::default())?;
///
/// let folder = tempfile::tempdir()?;
/// let path = folder.path().join("split.csv");
/// write_split(&path, &set, &split.named())?;
/// assert_eq!(read_split(&path, &set)?["test"], split.test);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// If an index is beyond the set or in two parts, or the file cannot be written.
pub fn write_split(
    path: impl AsRef<Path>,
    set: &SampleSet,
    parts: &[(String, Vec<usize>)],
) -> Result<()> {
    let path = path.as_ref();
    let mut part_of = vec![""; set.len()];
    for (name, part) in parts {
        for &i in part {
            match part_of.get_mut(i) {
                Some(place @ &mut "") => *place = name,
                Some(other) => {
                    let message = format!("sample {i} is in two parts, `{other}` and `{name}`");
                    return Err(Error::Split(message));
                }
                None => {
                    let message = format!("no sample {i} among {} (part `{name}`)", set.len());
                    return Err(Error::Split(message));
                }
            }
        }
    }
    let bad = |error: csv::Error| Error::dataset(path, format!("no CSV: {error}"));
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(["path", "class", "group", "part"]).map_err(bad)?;
    for (sample, part) in set.samples.iter().zip(part_of) {
        let group = sample.group.as_deref().unwrap_or("");
        let name = set.name(sample);
        writer.write_record([&name, &set.classes[sample.label], group, part]).map_err(bad)?;
    }
    let bytes = writer.into_inner().map_err(|error| Error::io(path)(error.into_error()))?;
    atomic::write(path, &bytes)
}

/// Reads which image is in which part: the parts by name, indices sorted.
///
/// # Errors
///
/// If the file cannot be read, names an image that the set lacks, leaves one out, or gives an image
/// another class: it was written for other data.
pub fn read_split(path: impl AsRef<Path>, set: &SampleSet) -> Result<BTreeMap<String, Vec<usize>>> {
    let path = path.as_ref();
    let table = Table::read(path)?;
    let (file, class) = (table.require(&["path"])?, table.require(&["class"])?);
    let part = table.require(&["part"])?;
    let mut waiting: BTreeMap<String, usize> =
        set.samples.iter().enumerate().map(|(i, s)| (set.name(s), i)).collect();
    let mut parts: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for row in table.rows() {
        let name = row.get(file);
        let Some(i) = waiting.remove(name) else {
            return Err(row.error(format_args!("`{name}` is not in the data set, or comes twice")));
        };
        let expected = &set.classes[set.samples[i].label];
        if row.get(class) != expected {
            let found = row.get(class);
            return Err(
                row.error(format_args!("`{name}` is `{found}` here, in the data `{expected}`"))
            );
        }
        if !row.get(part).is_empty() {
            parts.entry(row.get(part).to_owned()).or_default().push(i);
        }
    }
    if let Some((name, _)) = waiting.into_iter().next() {
        let reason = format!("`{name}` is not listed: the split was written for other data");
        return Err(Error::dataset(path, reason));
    }
    parts.values_mut().for_each(|part| part.sort_unstable());
    Ok(parts)
}

/// The test parts of folds under the names `fold_0`, `fold_1`, … for [`write_split`].
#[must_use]
pub fn named_folds(folds: &[Fold]) -> Vec<(String, Vec<usize>)> {
    folds.iter().enumerate().map(|(i, fold)| (format!("fold_{i}"), fold.test.clone())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Sample, Splitter};

    fn set(count: usize) -> SampleSet {
        let samples = (0..count).map(|i| Sample::new(format!("x/{i:03}, a.png"), i % 2)).collect();
        SampleSet::new("x", vec!["a".to_owned(), "b".to_owned()], samples).unwrap()
    }

    #[test]
    fn folds_survive_a_round_trip() {
        let set = set(30);
        let folds = Splitter::of(&set).k_fold(3).unwrap();
        let file = tempfile::tempdir().unwrap();
        let path = file.path().join("folds.csv");
        write_split(&path, &set, &named_folds(&folds)).unwrap();
        let read = read_split(&path, &set).unwrap();
        let tests: Vec<_> = folds.into_iter().map(|fold| fold.test).collect();
        assert_eq!(read.into_values().collect::<Vec<_>>(), tests);
    }

    #[test]
    fn rejects_a_record_of_other_data() {
        let file = tempfile::tempdir().unwrap();
        let path = file.path().join("split.csv");
        write_split(&path, &set(4), &[("all".to_owned(), vec![0, 1, 3])]).unwrap();
        assert_eq!(read_split(&path, &set(4)).unwrap()["all"], [0, 1, 3]);
        let message = |set: &SampleSet| read_split(&path, set).unwrap_err().to_string();
        assert!(message(&set(5)).contains("`004, a.png` is not listed"));
        assert!(message(&set(3)).contains("line 5: `003, a.png` is not in the data set"));
        let mut relabeled = set(4);
        relabeled.samples[0].label = 1;
        assert!(message(&relabeled).contains("is `a` here, in the data `b`"));
    }

    #[test]
    fn rejects_overlapping_parts() {
        let file = tempfile::tempdir().unwrap();
        let write = |parts: &[(String, Vec<usize>)]| {
            write_split(file.path().join("s.csv"), &set(4), parts).unwrap_err().to_string()
        };
        let overlap = [("a".to_owned(), vec![0]), ("b".to_owned(), vec![0])];
        assert!(write(&overlap).contains("two parts, `a` and `b`"));
        assert!(write(&[("a".to_owned(), vec![4])]).contains("no sample 4 among 4"));
    }
}
