use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
};

use candle_core::Tensor;
use serde_json::Value;

use crate::{
    checkpoint::{Contents, read, write, write::sync_folder},
    error::{Error, Result},
};

/// The folder of a run: the last checkpoint, the one before it, and the best.
#[derive(Debug)]
pub(crate) struct Folder {
    path: PathBuf,
    /// Whether the last checkpoint may become the one before: a damaged one must not push a good
    /// one out.
    last_is_good: bool,
}

impl Folder {
    /// Creates the folder if it is not there.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        fs::create_dir_all(path).map_err(|source| Error::io("create folder", path, source))?;
        Ok(Self { path: path.to_owned(), last_is_good: false })
    }

    /// Lets a new run begin beside an old one, whose last checkpoint becomes the previous one.
    pub(crate) fn start_over(&mut self) {
        self.last_is_good = self.last().exists();
    }

    pub(crate) fn last(&self) -> PathBuf {
        self.path.join("last.safetensors")
    }

    pub(crate) fn previous(&self) -> PathBuf {
        self.path.join("last.previous.safetensors")
    }

    pub(crate) fn best(&self) -> PathBuf {
        self.path.join("best.safetensors")
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Writes the last checkpoint; the one that was there stays as the previous one.
    pub(crate) fn save_last(
        &mut self,
        tensors: &BTreeMap<String, Tensor>,
        state: &Value,
    ) -> Result<()> {
        let (last, next) = (self.last(), self.file("last.next.safetensors"));
        write(&next, tensors, state)?;
        if self.last_is_good {
            rename(&last, &self.previous())?;
        } else if last.exists() {
            rename(&last, &self.file("last.damaged.safetensors"))?;
        }
        rename(&next, &last)?;
        sync_folder(&last);
        self.last_is_good = true;
        Ok(())
    }

    /// The newest checkpoint that is whole, with its path. `None` if there is none at all.
    ///
    /// A run that is stopped between the two renames of a save leaves the next one, or the previous
    /// one only.
    pub(crate) fn load_last(&mut self) -> Result<Option<(PathBuf, Contents)>> {
        let mut first_error = None;
        for path in [self.last(), self.previous()] {
            match read(&path) {
                Ok(contents) => {
                    self.last_is_good = path == self.last();
                    return Ok(Some((path, contents)));
                }
                Err(Error::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {}
                Err(error) => first_error = first_error.or(Some(error)),
            }
        }
        first_error.map_or(Ok(None), Err)
    }
}

fn rename(from: &Path, to: &Path) -> Result<()> {
    fs::rename(from, to).map_err(|source| Error::io("rename to", to, source))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn epoch(loaded: &Option<(PathBuf, Contents)>) -> Option<u64> {
        loaded.as_ref().and_then(|(_, contents)| contents.state["epoch"].as_u64())
    }

    fn with_three_saves() -> (tempfile::TempDir, Folder) {
        let temp = tempfile::tempdir().unwrap();
        let mut folder = Folder::open(&temp.path().join("run")).unwrap();
        for n in 1..=3 {
            folder.save_last(&BTreeMap::new(), &json!({ "epoch": n })).unwrap();
        }
        (temp, folder)
    }

    #[test]
    fn the_one_before_the_last_is_kept() {
        let (_temp, mut folder) = with_three_saves();
        assert_eq!(epoch(&folder.load_last().unwrap()), Some(3));
        assert_eq!(read(&folder.previous()).unwrap().state["epoch"], 2);
    }

    #[test]
    fn a_truncated_last_falls_back_and_pushes_nothing_out() {
        let (_temp, folder) = with_three_saves();
        let bytes = fs::read(folder.last()).unwrap();
        fs::write(folder.last(), &bytes[..bytes.len() / 2]).unwrap();
        let mut folder = Folder::open(&folder.path).unwrap();
        assert_eq!(epoch(&folder.load_last().unwrap()), Some(2));
        folder.save_last(&BTreeMap::new(), &json!({ "epoch": 3 })).unwrap();
        assert_eq!(epoch(&folder.load_last().unwrap()), Some(3));
        assert_eq!(read(&folder.previous()).unwrap().state["epoch"], 2);
        let damaged = fs::read(folder.file("last.damaged.safetensors")).unwrap();
        assert_eq!(damaged, bytes[..bytes.len() / 2]);
    }

    #[test]
    fn two_damaged_checkpoints_are_an_error_that_names_the_newer() {
        let (_temp, mut folder) = with_three_saves();
        fs::write(folder.last(), b"").unwrap();
        fs::write(folder.previous(), b"PK").unwrap();
        let error = folder.load_last().unwrap_err().to_string();
        assert!(error.contains("last.safetensors is damaged"), "{error}");
    }

    #[test]
    fn a_stop_between_the_renames_leaves_the_previous() {
        let (_temp, mut folder) = with_three_saves();
        fs::rename(folder.last(), folder.previous()).unwrap();
        assert_eq!(epoch(&folder.load_last().unwrap()), Some(3));
        folder.save_last(&BTreeMap::new(), &json!({ "epoch": 4 })).unwrap();
        assert_eq!(read(&folder.previous()).unwrap().state["epoch"], 3);
    }

    #[test]
    fn an_empty_folder_has_none() {
        let temp = tempfile::tempdir().unwrap();
        assert!(Folder::open(temp.path()).unwrap().load_last().unwrap().is_none());
    }
}
