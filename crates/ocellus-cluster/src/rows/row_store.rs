use std::{
    fs::{self, File, OpenOptions},
    io,
    ops::Range,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
};

use super::{
    positioned::{read_part, write_at},
    row_source::{RowSource, rows_wanted},
};
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
        let size = (values.len() / self.columns, self.columns);
        let rows = rows_wanted(size, 0, &(0..self.columns), values.len())?;
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
                write_at(&file.file, &bytes, at).map_err(|e| failed(&file.path, e))?;
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

    fn read_part(&self, start: usize, columns: Range<usize>, out: &mut [f32]) -> Result<()> {
        let wanted = rows_wanted(self.size(), start, &columns, out.len())?;
        match &self.place {
            Place::Memory(chunks) if columns.len() == self.columns => {
                let (mut chunk, mut row, mut rest) = (start / CHUNK, start % CHUNK, out);
                while !rest.is_empty() {
                    let values = &chunks[chunk][row * self.columns..];
                    let (now, later) = rest.split_at_mut(rest.len().min(values.len()));
                    now.copy_from_slice(&values[..now.len()]);
                    (chunk, row, rest) = (chunk + 1, 0, later);
                }
            }
            Place::Memory(chunks) => {
                let rows = out.chunks_exact_mut(columns.len().max(1));
                for (row, out) in (start..start + wanted).zip(rows) {
                    let values = &chunks[row / CHUNK][row % CHUNK * self.columns..];
                    out.copy_from_slice(&values[columns.clone()]);
                }
            }
            Place::File(file) => read_part(&file.file, 0, self.columns, (start, columns), out)
                .map_err(|e| failed(&file.path, e))?,
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
            let mut part = vec![0.; 2 * 5000];
            store.read_part(4000, 1..3, &mut part)?;
            let expected = values[3 * 4000..3 * 9000].chunks(3).flat_map(|row| &row[1..]);
            assert!(part.iter().eq(expected));
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
