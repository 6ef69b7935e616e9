use std::ops::Range;

use ndarray::{Array2, ArrayView2, s};

use crate::{Error, Float, Result};

/// Rows of samples that need not be in memory: what reads them asks for some at a time, from several
/// threads.
///
/// Arrays and views are sources; [`RowStore`](crate::RowStore) is one that can lie in a file,
/// [`RowFile`](crate::RowFile) one that does.
///
/// # Examples
///
/// ```
/// use ndarray::array;
/// use ocellus_cluster::RowSource;
///
/// let x = array![[1., 2.], [3., 4.], [5., 6.]];
/// let mut rows = [0.; 4];
/// x.read_rows(1, &mut rows)?;
/// assert_eq!(rows, [3., 4., 5., 6.]);
/// x.read_part(1, 1..2, &mut rows[..2])?;
/// assert_eq!(rows[..2], [4., 6.]);
/// # Ok::<(), ocellus_cluster::Error>(())
/// ```
pub trait RowSource<T: Float = f32>: Sync {
    /// Rows and columns.
    fn size(&self) -> (usize, usize);

    /// Copies these columns of the rows from `start` on, one row after the other, until `out` is
    /// full. The same part gives the same values each time.
    ///
    /// # Errors
    ///
    /// If there are not as many, or they cannot be read.
    fn read_part(&self, start: usize, columns: Range<usize>, out: &mut [T]) -> Result<()>;

    /// Copies the rows from `start` on, one after the other, until `out` is full.
    ///
    /// # Errors
    ///
    /// As [`read_part`](Self::read_part).
    fn read_rows(&self, start: usize, out: &mut [T]) -> Result<()> {
        self.read_part(start, 0..self.size().1, out)
    }

    /// All rows, one after the other, if they lie so in memory.
    fn in_memory(&self) -> Option<&[T]> {
        None
    }

    /// The rows with these numbers, in their order.
    ///
    /// # Errors
    ///
    /// If one is not there, or cannot be read.
    fn gather(&self, indices: &[usize]) -> Result<Array2<T>> {
        let (_, columns) = self.size();
        let mut rows = Array2::zeros((indices.len(), columns));
        for (mut row, &index) in rows.rows_mut().into_iter().zip(indices) {
            if let Some(row) = row.as_slice_mut() {
                self.read_rows(index, row)?;
            }
        }
        Ok(rows)
    }
}

impl<T: Float> RowSource<T> for ArrayView2<'_, T> {
    fn size(&self) -> (usize, usize) {
        self.dim()
    }

    fn read_part(&self, start: usize, columns: Range<usize>, out: &mut [T]) -> Result<()> {
        let wanted = rows_wanted(self.dim(), start, &columns, out.len())?;
        let part = self.slice(s![start..start + wanted, columns.clone()]);
        for (out, row) in out.chunks_exact_mut(columns.len().max(1)).zip(part.rows()) {
            match row.as_slice() {
                Some(row) => out.copy_from_slice(row),
                None => out.iter_mut().zip(row).for_each(|(out, value)| *out = *value),
            }
        }
        Ok(())
    }

    fn in_memory(&self) -> Option<&[T]> {
        self.to_slice()
    }
}

impl<T: Float> RowSource<T> for Array2<T> {
    fn size(&self) -> (usize, usize) {
        self.dim()
    }

    fn read_part(&self, start: usize, columns: Range<usize>, out: &mut [T]) -> Result<()> {
        self.view().read_part(start, columns, out)
    }

    fn in_memory(&self) -> Option<&[T]> {
        (**self).as_slice()
    }
}

/// How many rows `len` values of these columns are, if there are as many from `start` on.
pub(super) fn rows_wanted(
    (rows, all): (usize, usize),
    start: usize,
    columns: &Range<usize>,
    len: usize,
) -> Result<usize> {
    let wanted = len.checked_div(columns.len()).unwrap_or(0);
    let whole = wanted * columns.len() == len && columns.start <= columns.end;
    let there = start.checked_add(wanted).is_some_and(|end| end <= rows) && columns.end <= all;
    if whole && there {
        return Ok(wanted);
    }
    Err(Error::InvalidSetting {
        name: "the range of rows",
        value: format!("{len} values of columns {columns:?} from row {start} of {rows} × {all}"),
        remedy: "ask for whole rows that are there",
    })
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    #[test]
    fn strided_views_give_the_same_rows() -> Result<()> {
        let x = array![[1f32, 2., 3.], [4., 5., 6.]];
        let (mut plain, mut strided) = ([0.; 4], [0.; 4]);
        x.t().to_owned().read_rows(1, &mut plain)?;
        x.t().read_rows(1, &mut strided)?;
        assert_eq!(plain, [2., 5., 3., 6.]);
        assert_eq!(plain, strided);
        assert!(x.t().in_memory().is_none() && x.in_memory().is_some());
        let mut part = [0.; 2];
        x.t().read_part(1, 1..2, &mut part)?;
        assert_eq!(part, [5., 6.]);
        assert_eq!(x.gather(&[1, 0, 1])?, array![[4., 5., 6.], [1., 2., 3.], [4., 5., 6.]]);
        Ok(())
    }

    #[test]
    fn rejects_rows_that_are_not_there() {
        let x = array![[1f32, 2.], [3., 4.]];
        for (start, len) in [(1, 4), (2, 2), (0, 3), (usize::MAX, 2)] {
            let error = x.read_rows(start, &mut vec![0.; len]).unwrap_err().to_string();
            assert!(error.contains("whole rows that are there"), "{error}");
        }
        assert!(x.read_part(0, 1..3, &mut [0.; 2]).is_err());
        assert!(x.read_part(0, 1..1, &mut [0.; 2]).is_err());
        assert!(x.read_rows(2, &mut []).is_ok());
    }
}
