//! Symmetric matrices as the rows of their lower triangle, one behind the other: many small ones
//! that fill memory, such as a covariance for every place of an image.

mod cholesky;
mod gram;
mod solve;

pub use cholesky::cholesky_packed;
pub use gram::add_gram_packed;
pub use solve::{SOLVE_LANES, solve_packed};

use candle_core::{Result, bail};

/// Entries of the lower triangle of a matrix of so many rows.
pub(crate) const fn packed_len(rows: usize) -> usize {
    rows * (rows + 1) / 2
}

fn check_packed(name: &str, len: usize, rows: usize) -> Result<()> {
    if len != packed_len(rows) {
        bail!("{name}: a triangle of {len} entries, but {rows} rows have {}", packed_len(rows))
    }
    Ok(())
}
