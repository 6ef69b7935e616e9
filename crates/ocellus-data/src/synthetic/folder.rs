use std::{fs, path::Path};

use rayon::prelude::*;

use crate::{Error, Result, Sample, SampleSet, atomic, synthetic::BMode};

/// Writes that many images as a data set that every reader of the layout reads, and lists them.
///
/// ```text
/// root/images/benign/benign_0001.png
/// root/masks/benign/benign_0001.png
/// root/labels.csv                      path,label,group,mask
/// ```
///
/// Files are written whole or not at all, the table last. Existing files of these names are
/// replaced, others are left.
///
/// # Examples
///
/// ```
/// use ocellus_data::{CsvLabels, ImageFolder, synthetic::{BMode, write_folder}};
///
/// let root = tempfile::tempdir()?;
/// let set = write_folder(root.path(), &BMode::new(32, 32), 6)?;
/// assert_eq!(set.len(), 6);
/// assert_eq!(ImageFolder::open(root.path())?.labels(), set.labels());
/// assert_eq!(CsvLabels::open(root.path().join("labels.csv"))?.labels(), set.labels());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// If a setting is out of its range, there are too few images for every class, or a file cannot be
/// written.
pub fn write_folder(root: impl AsRef<Path>, generator: &BMode, count: usize) -> Result<SampleSet> {
    let root = root.as_ref();
    let classes = generator.classes();
    for kind in ["images", "masks"] {
        for class in &classes {
            let folder = root.join(kind).join(class);
            fs::create_dir_all(&folder).map_err(Error::io(&folder))?;
        }
    }
    let write = |index: usize| -> Result<Sample> {
        let example = generator.example(index)?;
        let class = &classes[example.label];
        let file = format!("{class}/{class}_{:04}.png", index + 1);
        let (image, mask) = (root.join("images").join(&file), root.join("masks").join(&file));
        example.image.save_png(&image)?;
        if let Some(pixels) = &example.mask {
            pixels.save_png(&mask)?;
        }
        Ok(Sample { masks: vec![mask], ..Sample::new(image, example.label) })
    };
    let samples = (0..count).into_par_iter().map(write).collect::<Result<Vec<_>>>()?;
    let set = SampleSet::new(root, classes, samples)?;
    let mut table = "path,label,group,mask\n".to_owned();
    for sample in &set.samples {
        let mask = sample.masks.first().map(|mask| set.relative(mask)).unwrap_or_default();
        let class = &set.classes[sample.label];
        table += &format!("{},{class},,{mask}\n", set.relative(&sample.path));
    }
    atomic::write(&root.join("labels.csv"), table.as_bytes())?;
    Ok(set)
}
