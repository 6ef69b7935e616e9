use std::path::Path;

use rayon::prelude::*;

use crate::{Result, Sample, SampleSet, image::read_bounded, sha256};

impl SampleSet {
    /// A digest of all that training sees: paths, classes, groups, and the bytes of images and masks.
    ///
    /// The SHA-256 of one line an image, sorted by path:
    ///
    /// ```text
    /// path TAB class TAB group TAB sha256(image) [TAB sha256(mask)]… LF
    /// ```
    ///
    /// # Errors
    ///
    /// If a file cannot be read.
    pub fn fingerprint(&self) -> Result<Fingerprint> {
        let digest = |path: &Path| -> Result<(String, u64)> {
            let bytes = read_bounded(path, u64::MAX)?;
            Ok((sha256::hex_digest(&bytes), bytes.len() as u64))
        };
        let line = |sample: &Sample| -> Result<(String, u64)> {
            let group = sample.group.as_deref().unwrap_or("");
            let class = &self.classes[sample.label];
            let mut line = format!("{}\t{class}\t{group}", self.name(sample));
            let mut bytes = 0;
            for path in std::iter::once(&sample.path).chain(&sample.masks) {
                let (hash, length) = digest(path)?;
                line = line + "\t" + &hash;
                bytes += length;
            }
            Ok((line + "\n", bytes))
        };
        let mut lines = self.samples.par_iter().map(line).collect::<Result<Vec<_>>>()?;
        lines.sort();
        let bytes = lines.iter().map(|(_, bytes)| bytes).sum();
        let text: String = lines.into_iter().map(|(line, _)| line).collect();
        Ok(Fingerprint { images: self.len(), bytes, sha256: sha256::hex_digest(text.as_bytes()) })
    }
}

/// Which data a result was computed on, for the record.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Fingerprint {
    /// The number of images.
    pub images: usize,
    /// The bytes of images and masks together.
    pub bytes: u64,
    /// The digest, 64 hexadecimal digits.
    pub sha256: String,
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    #[test]
    fn the_fingerprint_sees_bytes_labels_and_masks() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            path
        };
        let (a, b, mask) = (file("a", "1"), file("b", "2"), file("m", "3"));
        let build = |labels: [usize; 2], masks: Vec<PathBuf>| {
            let samples =
                vec![Sample { masks, ..Sample::new(&a, labels[0]) }, Sample::new(&b, labels[1])];
            let classes = vec!["x".to_owned(), "y".to_owned()];
            SampleSet::new(folder.path(), classes, samples).unwrap().fingerprint().unwrap()
        };
        let first = build([0, 1], vec![]);
        assert_eq!((first.images, first.bytes, first.sha256.len()), (2, 2, 64));
        assert_eq!(first, build([0, 1], vec![]));
        assert_ne!(first.sha256, build([1, 0], vec![]).sha256);
        assert_ne!(first.sha256, build([0, 1], vec![mask]).sha256);
        file("a", "9");
        assert_ne!(first.sha256, build([0, 1], vec![]).sha256);
    }
}
