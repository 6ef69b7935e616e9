use std::{
    fs::{self, File, OpenOptions},
    io,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
};

use super::row_source::{RowSource, rows_wanted};
use crate::{Error, Result};

/// Rows of a chunk in memory.
const CHUNK: usize = 4096;

/// Rows that are collected one batch after the other, in memory or, when they outgrow it, in a file.
///
/// The file holds `f32` values and nothing else. It is scratch: it is removed with the store. It is
/// read by positions and not mapped, for a mapping changes under the reader where another process
/// writes, which safe code cannot permit; what is read again comes from the system's cache all the
/// same.
///
/// # Examples
///
/// ```
/// use ocellus_cluster::{RowSource, RowStore};
///
/// let folder = std::env::temp_dir();
/// for mut store in [RowStore::in_memory(2)?, RowStore::in_folder(&folder, 2)?] {
///     store.push(&[1., 2., 3., 4.])?;
///     store.push(&[5., 6.])?;
///     assert_eq!(store.size(), (3, 2));
///     let mut rows = [0.; 4];
///     store.read_rows(1, &mut rows)?;
///     assert_eq!(rows, [3., 4., 5., 6.]);
/// }
/// # Ok::<(), ocellus_cluster::Error>(())
/// ```
#[derive(Debug)]
pub struct RowStore {
    rows: usize,
    columns: usize,
    place: Place,
}

#[derive(Debug)]
enum Place {
    /// Chunks of as many rows, so that growing copies nothing.
    Memory(Vec<Vec<f32>>),
    File(ScratchFile),
}

impl RowStore {
    /// An empty store in memory.
    ///
    /// # Errors
    ///
    /// If there are no columns.
    pub fn in_memory(columns: usize) -> Result<Self> {
        Self::new(columns, Place::Memory(Vec::new()))
    }

    /// An empty store in a new file in `folder`.
    ///
    /// # Errors
    ///
    /// If there are no columns, or no file can be made.
    pub fn in_folder(folder: &Path, columns: usize) -> Result<Self> {
        Self::new(columns, Place::File(ScratchFile::create(folder)?))
    }

    fn new(columns: usize, place: Place) -> Result<Self> {
        if columns == 0 {
            return Err(Error::Empty { what: "the row store", rows: 0, columns });
        }
        Ok(Self { rows: 0, columns, place })
    }

    /// Appends rows, one after the other.
    ///
    /// # Errors
    ///
    /// If they are no whole rows, or cannot be written.
    pub fn push(&mut self, values: &[f32]) -> Result<()> {
        let rows = rows_wanted((values.len() / self.columns, self.columns), 0, values.len())?;
        match &mut self.place {
            Place::Memory(chunks) => {
                let full = CHUNK * self.columns;
                let mut rest = values;
                while !rest.is_empty() {
                    if chunks.last().is_none_or(|chunk| chunk.len() == full) {
                        chunks.push(Vec::with_capacity(full));
                    }
                    if let Some(chunk) = chunks.last_mut() {
                        let (now, later) = rest.split_at(rest.len().min(full - chunk.len()));
                        chunk.extend_from_slice(now);
                        rest = later;
                    }
                }
            }
            Place::File(file) => {
                let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
                let at = (self.rows * self.columns) as u64 * 4;
                file.write_at(&bytes, at).map_err(|e| failed(&file.path, e))?;
            }
        }
        self.rows += rows;
        Ok(())
    }
}

impl RowSource for RowStore {
    fn size(&self) -> (usize, usize) {
        (self.rows, self.columns)
    }

    fn read_rows(&self, start: usize, out: &mut [f32]) -> Result<()> {
        rows_wanted(self.size(), start, out.len())?;
        match &self.place {
            Place::Memory(chunks) => {
                let (mut chunk, mut row, mut rest) = (start / CHUNK, start % CHUNK, out);
                while !rest.is_empty() {
                    let values = &chunks[chunk][row * self.columns..];
                    let (now, later) = rest.split_at_mut(rest.len().min(values.len()));
                    now.copy_from_slice(&values[..now.len()]);
                    (chunk, row, rest) = (chunk + 1, 0, later);
                }
            }
            Place::File(file) => {
                let mut bytes = vec![0; out.len() * 4];
                let at = (start * self.columns) as u64 * 4;
                file.read_at(&mut bytes, at).map_err(|e| failed(&file.path, e))?;
                for (value, bytes) in out.iter_mut().zip(bytes.as_chunks::<4>().0) {
                    *value = f32::from_le_bytes(*bytes);
                }
            }
        }
        Ok(())
    }
}

fn failed(path: &Path, source: io::Error) -> Error {
    Error::Store { path: path.to_owned(), source }
}

/// A file that is removed when it is dropped.
#[derive(Debug)]
struct ScratchFile {
    path: PathBuf,
    file: File,
}

impl ScratchFile {
    fn create(folder: &Path) -> Result<Self> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = folder.join(format!("rows.{}.{number}.tmp", std::process::id()));
        let file = OpenOptions::new().read(true).write(true).create_new(true).open(&path);
        Ok(Self { file: file.map_err(|e| failed(&path, e))?, path })
    }

    #[cfg(unix)]
    fn read_at(&self, bytes: &mut [u8], at: u64) -> io::Result<()> {
        std::os::unix::fs::FileExt::read_exact_at(&self.file, bytes, at)
    }

    #[cfg(unix)]
    fn write_at(&self, bytes: &[u8], at: u64) -> io::Result<()> {
        std::os::unix::fs::FileExt::write_all_at(&self.file, bytes, at)
    }

    #[cfg(windows)]
    fn read_at(&self, mut bytes: &mut [u8], mut at: u64) -> io::Result<()> {
        while !bytes.is_empty() {
            match std::os::windows::fs::FileExt::seek_read(&self.file, bytes, at)? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                count => {
                    bytes = std::mem::take(&mut bytes).split_at_mut(count).1;
                    at += count as u64;
                }
            }
        }
        Ok(())
    }

    #[cfg(windows)]
    fn write_at(&self, mut bytes: &[u8], mut at: u64) -> io::Result<()> {
        while !bytes.is_empty() {
            match std::os::windows::fs::FileExt::seek_write(&self.file, bytes, at)? {
                0 => return Err(io::ErrorKind::WriteZero.into()),
                count => (bytes, at) = (&bytes[count..], at + count as u64),
            }
        }
        Ok(())
    }
}

impl Drop for ScratchFile {
    fn drop(&mut self) {
        // Nothing can be done about scratch that does not go.
        let _ = fs::remove_file(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_and_files_give_back_every_bit() -> Result<()> {
        let folder = tempfile::tempdir().unwrap();
        let values: Vec<f32> = (0..3 * 10_000).map(|i| (i as f32).sin() * 1e-30).collect();
        for mut store in [RowStore::in_memory(3)?, RowStore::in_folder(folder.path(), 3)?] {
            for batch in values.chunks(3 * 999) {
                store.push(batch)?;
            }
            assert_eq!(store.size(), (10_000, 3));
            for (start, rows) in [(0, 10_000), (4095, 2), (4096, 4097), (9_999, 1), (10_000, 0)] {
                let mut out = vec![0.; rows * 3];
                store.read_rows(start, &mut out)?;
                assert_eq!(out, values[start * 3..(start + rows) * 3]);
            }
            assert!(store.read_rows(9_999, &mut [0.; 6]).is_err());
            assert!(store.push(&[1., 2.]).is_err());
        }
        Ok(())
    }

    #[test]
    fn the_file_goes_with_the_store() -> Result<()> {
        let folder = tempfile::tempdir().unwrap();
        let files = || fs::read_dir(folder.path()).unwrap().count();
        let (first, second) =
            (RowStore::in_folder(folder.path(), 1)?, RowStore::in_folder(folder.path(), 1)?);
        assert_eq!(files(), 2);
        drop((first, second));
        assert_eq!(files(), 0);
        Ok(())
    }

    #[test]
    fn rejects_no_columns_and_no_folder() {
        assert!(RowStore::in_memory(0).is_err());
        let error = RowStore::in_folder(Path::new("/no/such/folder"), 2).unwrap_err().to_string();
        assert!(error.contains("`/no/such/folder/rows."), "{error}");
    }
}
