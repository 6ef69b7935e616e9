use std::{
    fs,
    io::{Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

use crate::{
    Error, Result,
    atomic::{self, AtomicFile},
    sha256::{Digest, hex_digest},
};

const SETTINGS: &str = "settings.txt";

/// Letters of the checksum that a part begins with.
const CHECKSUM: usize = 64;

/// The finished parts of a long computation, on disk: killed at any moment, it goes on after the last
/// whole part.
///
/// A part is written beside its place, flushed to disk and renamed, and bears a checksum.
///
/// # Examples
///
/// ```
/// use ocellus_data::Parts;
///
/// let root = tempfile::tempdir()?;
/// let folder = root.path().join("scene.parts");
/// let mut parts = Parts::open(&folder, "tile 512\noverlap 128")?;
/// parts.push(b"first rows")?;
/// drop(parts); // Or the process is killed.
///
/// let parts = Parts::open(&folder, "tile 512\noverlap 128")?;
/// assert_eq!(parts.count(), 1);
/// assert_eq!(parts.read(0)?, b"first rows");
/// assert!(Parts::open(&folder, "tile 256\noverlap 128").is_err());
/// parts.remove()?;
/// assert!(!folder.exists());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Parts {
    folder: PathBuf,
    count: usize,
}

impl Parts {
    /// Takes up what is in the folder, or begins anew if there is none.
    ///
    /// `settings` is whatever the parts depend on, a line each.
    ///
    /// # Errors
    ///
    /// If the parts there were made with other settings, or the folder cannot be read or written.
    pub fn open(folder: impl Into<PathBuf>, settings: &str) -> Result<Self> {
        let folder = folder.into();
        fs::create_dir_all(&folder).map_err(Error::io(&folder))?;
        remove_unfinished(&folder)?;
        let path = folder.join(SETTINGS);
        match fs::read_to_string(&path) {
            Ok(found) => check(&folder, &found, settings)?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                atomic::write(&path, settings.as_bytes())?;
            }
            Err(error) => return Err(Error::io(&path)(error)),
        }
        let count = (0..).take_while(|&index| part(&folder, index).exists()).count();
        Ok(Self { folder, count })
    }

    /// How many parts are finished.
    #[must_use]
    pub fn count(&self) -> usize {
        self.count
    }

    /// Adds the next part.
    ///
    /// # Errors
    ///
    /// If it cannot be written; then the parts are those of before.
    pub fn push(&mut self, bytes: &[u8]) -> Result<()> {
        let mut part = self.begin()?;
        part.write(bytes)?;
        self.add(part)
    }

    /// Begins the next part, to be written bit by bit: it need not be in memory.
    ///
    /// # Errors
    ///
    /// If its file cannot be made.
    pub fn begin(&self) -> Result<PartWriter> {
        let path = part(&self.folder, self.count);
        let mut file = AtomicFile::create(&path)?;
        file.write_all(&[0; CHECKSUM]).map_err(Error::io(&path))?;
        Ok(PartWriter { file, digest: Digest::new() })
    }

    /// Adds the part that was begun last.
    ///
    /// # Errors
    ///
    /// If it cannot be written; then the parts are those of before.
    pub fn add(&mut self, part: PartWriter) -> Result<()> {
        let PartWriter { mut file, digest } = part;
        file.seek(SeekFrom::Start(0))
            .and_then(|_| file.write_all(digest.finish().as_bytes()))
            .map_err(Error::io(file.path()))?;
        file.commit()?;
        self.count += 1;
        Ok(())
    }

    /// Reads a finished part.
    ///
    /// # Errors
    ///
    /// If there is no such part, or its file is damaged.
    pub fn read(&self, index: usize) -> Result<Vec<u8>> {
        let path = part(&self.folder, index);
        let mut whole = fs::read(&path).map_err(Error::io(&path))?;
        let (checksum, bytes) = whole.split_at(whole.len().min(CHECKSUM));
        if checksum != hex_digest(bytes).as_bytes() {
            return Err(Error::Dataset {
                path,
                reason: "the file is damaged: remove it and those of higher numbers, and run again"
                    .into(),
            });
        }
        whole.drain(..CHECKSUM);
        Ok(whole)
    }

    /// Removes the parts and their folder, if nothing else is in it.
    ///
    /// # Errors
    ///
    /// If a file cannot be removed.
    pub fn remove(self) -> Result<()> {
        let paths = (0..self.count).map(|index| part(&self.folder, index));
        for path in paths.chain([self.folder.join(SETTINGS)]) {
            fs::remove_file(&path).map_err(Error::io(&path))?;
        }
        fs::remove_dir(&self.folder).map_err(Error::io(&self.folder))
    }
}

/// A part that is being written: dropped, it leaves nothing.
#[derive(Debug)]
pub struct PartWriter {
    file: AtomicFile,
    digest: Digest,
}

impl PartWriter {
    /// Appends bytes.
    ///
    /// # Errors
    ///
    /// If they cannot be written.
    pub fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.digest.update(bytes);
        self.file.write_all(bytes).map_err(Error::io(self.file.path()))
    }
}

/// Removes the files that a killed process was writing.
fn remove_unfinished(folder: &Path) -> Result<()> {
    for entry in fs::read_dir(folder).map_err(Error::io(folder))? {
        let path = entry.map_err(Error::io(folder))?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if name.starts_with("part-") && name.ends_with(".tmp") {
            fs::remove_file(&path).map_err(Error::io(&path))?;
        }
    }
    Ok(())
}

fn part(folder: &Path, index: usize) -> PathBuf {
    folder.join(format!("part-{index:06}.bin"))
}

fn check(folder: &Path, found: &str, settings: &str) -> Result<()> {
    if found == settings {
        return Ok(());
    }
    let (mut there, mut here) = (found.lines(), settings.lines());
    let (there, here) = loop {
        match (there.next(), here.next()) {
            (a, b) if a != b || a.is_none() => break (a.unwrap_or("-"), b.unwrap_or("-")),
            _ => {}
        }
    };
    Err(Error::Dataset {
        path: folder.to_path_buf(),
        reason: format!(
            "holds the parts of a run with other settings: `{there}` there, `{here}` now; repeat \
             those settings to go on with it, or remove the folder to begin anew"
        ),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gap_ends_what_is_finished_and_is_filled_again() {
        let root = tempfile::tempdir().unwrap();
        let mut parts = Parts::open(root.path(), "a").unwrap();
        for text in ["0", "1", "2"] {
            parts.push(text.as_bytes()).unwrap();
        }
        fs::remove_file(part(root.path(), 1)).unwrap();
        let mut parts = Parts::open(root.path(), "a").unwrap();
        assert_eq!(parts.count(), 1);
        parts.push(b"new").unwrap();
        assert_eq!(parts.read(1).unwrap(), b"new");
    }

    #[test]
    fn a_damaged_part_is_an_error_at_any_length() {
        let root = tempfile::tempdir().unwrap();
        let mut parts = Parts::open(root.path(), "a").unwrap();
        parts.push(b"some bytes").unwrap();
        let path = part(root.path(), 0);
        let whole = fs::read(&path).unwrap();
        for len in 0..whole.len() {
            fs::write(&path, &whole[..len]).unwrap();
            let error = parts.read(0).unwrap_err().to_string();
            assert!(error.contains("part-000000.bin") && error.contains("damaged"), "{error}");
        }
    }

    #[test]
    fn a_part_may_come_bit_by_bit_and_what_a_killed_run_left_of_one_is_removed() {
        let root = tempfile::tempdir().unwrap();
        let mut parts = Parts::open(root.path(), "a").unwrap();
        let bytes: Vec<u8> = (0..1000).map(|n| (n % 251) as u8).collect();
        let mut part = parts.begin().unwrap();
        for bits in [&bytes[..1], &bytes[1..64], &bytes[64..70], &bytes[70..70], &bytes[70..]] {
            part.write(bits).unwrap();
        }
        parts.add(part).unwrap();
        assert_eq!(parts.read(0).unwrap(), bytes);
        drop(parts.begin().unwrap());
        fs::write(root.path().join("part-000001.bin.77.tmp"), "half").unwrap();
        let parts = Parts::open(root.path(), "a").unwrap();
        assert_eq!(parts.count(), 1);
        parts.remove().unwrap();
        assert!(!root.path().exists());
    }

    #[test]
    fn other_settings_are_named() {
        let root = tempfile::tempdir().unwrap();
        Parts::open(root.path(), "tile 512\noverlap 128").unwrap();
        for (settings, expected) in [
            ("tile 512\noverlap 64", "`overlap 128` there, `overlap 64` now"),
            ("tile 512", "`overlap 128` there, `-` now"),
            ("tile 512\noverlap 128\ncrf", "`-` there, `crf` now"),
        ] {
            let error = Parts::open(root.path(), settings).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn a_foreign_file_is_left_alone() {
        let root = tempfile::tempdir().unwrap();
        let parts = Parts::open(root.path(), "a").unwrap();
        fs::write(root.path().join("notes.txt"), "mine").unwrap();
        assert!(parts.remove().is_err());
        assert!(root.path().join("notes.txt").exists());
    }
}
