use std::ops::Range;

use ndarray::Array2;
use rayon::prelude::*;

use super::RowSource;
use crate::{Error, Float, Result, check};

/// Rows that a task reads.
const ROWS: usize = 64;

/// Reads a part of a source, and errs if a value of it is not finite.
pub(crate) fn read_block<T: Float>(
    source: &(impl RowSource<T> + ?Sized),
    rows: Range<usize>,
    columns: Range<usize>,
) -> Result<Array2<T>> {
    let mut block = Array2::zeros((rows.len(), columns.len()));
    let values: &mut [T] = block.as_slice_mut().unwrap_or_default();
    let parts = values.par_chunks_mut((ROWS * columns.len()).max(1)).enumerate();
    let read = |(part, out): (usize, &mut [T])| {
        source.read_part(rows.start + part * ROWS, columns.clone(), out)
    };
    if let Some(error) = parts.map(read).find_map_first(Result::err) {
        return Err(error);
    }
    check::samples(block.view()).map_err(|error| match error {
        Error::NotFinite { row, column, value } => {
            Error::NotFinite { row: rows.start + row, column: columns.start + column, value }
        }
        other => other,
    })?;
    Ok(block)
}

#[cfg(test)]
mod tests {
    use ndarray::s;

    use super::*;

    #[test]
    fn a_block_is_that_part_and_its_bad_entry_has_the_place_in_the_whole() -> Result<()> {
        let mut x = Array2::from_shape_fn((300, 7), |(i, j)| (i * 7 + j) as f64);
        let part = s![100..290, 2..5];
        assert_eq!(read_block(&x, 100..290, 2..5)?, x.slice(part));
        assert_eq!(read_block(&x.view(), 0..300, 0..7)?, x);
        x[[288, 4]] = f64::NAN;
        let message = read_block(&x, 100..290, 2..5).unwrap_err().to_string();
        assert!(message.starts_with("row 288, column 4 is NaN"), "{message}");
        assert!(read_block(&x, 290..301, 0..7).is_err());
        Ok(())
    }
}
