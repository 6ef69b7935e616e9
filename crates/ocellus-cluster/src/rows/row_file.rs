use std::{
    fs::File,
    io,
    ops::Range,
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{
    positioned::read_part,
    row_source::{RowSource, rows_wanted},
};
use crate::{Error, Result};

/// Rows that stay in a part of a file: `f32` values, the lowest byte first, row by row.
///
/// They are read by positions, as [`RowStore`](crate::RowStore) says why; the file is held open, so
/// it may be replaced or removed meanwhile, but must not be written to.
///
/// # Examples
///
/// ```
/// use ocellus_cluster::{RowFile, RowSource};
///
/// let folder = tempfile::tempdir()?;
/// let path = folder.path().join("rows");
/// let values = [7f32, 1., 2., 3., 4., 5., 6.];
/// std::fs::write(&path, values.map(f32::to_le_bytes).as_flattened())?;
///
/// let rows = RowFile::open(&path, 4, 3, 2)?; // Behind the first value.
/// let mut second = [0.; 2];
/// rows.read_rows(1, &mut second)?;
/// assert_eq!(second, [3., 4.]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct RowFile {
    path: PathBuf,
    file: Arc<File>,
    position: u64,
    rows: usize,
    columns: usize,
}

impl RowFile {
    /// So many rows and columns from byte `position` on.
    ///
    /// # Errors
    ///
    /// If there is no row or no column, the file cannot be opened, or is shorter.
    pub fn open(path: &Path, position: u64, rows: usize, columns: usize) -> Result<Self> {
        if rows == 0 || columns == 0 {
            return Err(Error::Empty { what: "the file of rows", rows, columns });
        }
        let failed = |source| Error::Store { path: path.to_owned(), source };
        let file = File::open(path).map_err(failed)?;
        let length = file.metadata().map_err(failed)?.len();
        let bytes = (rows as u64).checked_mul(columns as u64).and_then(|v| v.checked_mul(4));
        let end = bytes.and_then(|bytes| bytes.checked_add(position));
        if end.is_none_or(|end| end > length) {
            let what =
                format!("{rows} × {columns} values from byte {position} of {length} are not there");
            return Err(failed(io::Error::new(io::ErrorKind::UnexpectedEof, what)));
        }
        Ok(Self { path: path.to_owned(), file: Arc::new(file), position, rows, columns })
    }
}

impl RowSource for RowFile {
    fn size(&self) -> (usize, usize) {
        (self.rows, self.columns)
    }

    fn read_part(&self, start: usize, columns: Range<usize>, out: &mut [f32]) -> Result<()> {
        rows_wanted(self.size(), start, &columns, out.len())?;
        read_part(&self.file, self.position, self.columns, (start, columns), out)
            .map_err(|source| Error::Store { path: self.path.clone(), source })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_those_of_the_file_and_what_is_not_there_is_an_error() -> Result<()> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rows");
        let values: Vec<f32> = (0..5 + 30).map(|i| i as f32).collect();
        let bytes: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        std::fs::write(&path, &bytes).unwrap();
        let rows = RowFile::open(&path, 20, 10, 3)?;
        let mut part = [0.; 4];
        rows.read_part(8, 1..3, &mut part)?;
        assert_eq!(part, [30., 31., 33., 34.]);
        assert_eq!(rows.gather(&[9, 0])?.into_raw_vec_and_offset().0, [32., 33., 34., 5., 6., 7.]);
        assert!(rows.read_rows(9, &mut [0.; 6]).is_err());

        for (position, count) in [(21, 10), (20, 11), (u64::MAX, 1), (0, usize::MAX)] {
            let error = RowFile::open(&path, position, count, 3).unwrap_err().to_string();
            assert!(error.contains("are not there"), "{error}");
        }
        assert!(RowFile::open(&path, 0, 0, 3).is_err());
        assert!(RowFile::open(&folder.path().join("none"), 0, 1, 1).is_err());
        std::fs::write(&path, &bytes[..40]).unwrap(); // Cut short behind the reader's back.
        assert!(rows.read_rows(9, &mut [0.; 3]).unwrap_err().to_string().contains("rows"));
        Ok(())
    }
}
