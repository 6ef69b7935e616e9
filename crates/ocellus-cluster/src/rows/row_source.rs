use ndarray::{Array2, ArrayView2};

use crate::{Error, Result};

/// Rows of samples that need not be in memory: what reads them asks for some at a time, from several
/// threads.
///
/// Arrays and views are sources; [`RowStore`](crate::RowStore) is one that can lie in a file.
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
/// # Ok::<(), ocellus_cluster::Error>(())
/// ```
pub trait RowSource: Sync {
    /// Rows and columns.
    fn size(&self) -> (usize, usize);

    /// Copies the rows from `start` on, one after the other, until `out` is full.
    ///
    /// # Errors
    ///
    /// If there are not as many, or they cannot be read.
    fn read_rows(&self, start: usize, out: &mut [f32]) -> Result<()>;

    /// The rows with these numbers, in their order.
    ///
    /// # Errors
    ///
    /// If one is not there, or cannot be read.
    fn gather(&self, indices: &[usize]) -> Result<Array2<f32>> {
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

impl RowSource for ArrayView2<'_, f32> {
    fn size(&self) -> (usize, usize) {
        self.dim()
    }

    fn read_rows(&self, start: usize, out: &mut [f32]) -> Result<()> {
        let wanted = rows_wanted(self.dim(), start, out.len())?;
        if let Some(values) = self.as_slice() {
            out.copy_from_slice(&values[start * self.ncols()..][..out.len()]);
            return Ok(());
        }
        let rows = self.rows().into_iter().skip(start).take(wanted);
        for (out, row) in out.chunks_exact_mut(self.ncols()).zip(rows) {
            for (out, value) in out.iter_mut().zip(row) {
                *out = *value;
            }
        }
        Ok(())
    }
}

impl RowSource for Array2<f32> {
    fn size(&self) -> (usize, usize) {
        self.dim()
    }

    fn read_rows(&self, start: usize, out: &mut [f32]) -> Result<()> {
        self.view().read_rows(start, out)
    }
}

/// How many rows `len` values are, if there are as many from `start` on.
pub(super) fn rows_wanted(
    (rows, columns): (usize, usize),
    start: usize,
    len: usize,
) -> Result<usize> {
    let wanted = len.checked_div(columns).unwrap_or(0);
    if wanted * columns == len && start.checked_add(wanted).is_some_and(|end| end <= rows) {
        return Ok(wanted);
    }
    Err(Error::InvalidSetting {
        name: "the range of rows",
        value: format!("{len} values from row {start} of {rows} × {columns}"),
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
        assert!(x.read_rows(2, &mut []).is_ok());
    }
}
