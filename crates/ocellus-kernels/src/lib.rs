//! Kernels on plain slices, chosen by what the processor has.
//!
//! ```
//! use ocellus_kernels::{ByteQueries, ByteRows};
//!
//! let rows = ByteRows::new(&[1, 2, 3, -4, 5, 6], 3).ok_or("too many columns")?;
//! let queries = ByteQueries::new(&[1, 0, -2], 3).ok_or("too many columns")?;
//! let mut products = Vec::new();
//! rows.multiply(0, &queries, &mut products);
//! assert_eq!(products[..2], [1 - 2 * 3, -4 - 2 * 6]);
//! # Ok::<(), &str>(())
//! ```
//!
//! | Item | What it is |
//! | --- | --- |
//! | [`ByteRows`] | many rows of bytes, in panels of [`PANEL`] |
//! | [`ByteQueries`] | what they are multiplied with |
//!
//! The other crates without a tensor library have no `unsafe`; what they need of it is here.

mod dot;
mod queries;
mod rows;

pub use queries::ByteQueries;
pub use rows::{ByteRows, PANEL};

/// The most columns for which no sum of products can overflow.
const MOST_COLUMNS: usize = 1 << 15;
/// Terms that an instruction adds up.
const GROUP: usize = 4;

fn is_table(values: usize, columns: usize) -> bool {
    (1..=MOST_COLUMNS).contains(&columns) && values.is_multiple_of(columns)
}
