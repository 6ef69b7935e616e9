//! Sixteen rows at a time, turned so that each feature is a vector of sixteen values.

use ndarray::Array2;

use crate::{Error, Result};

/// Rows of a panel.
pub(super) const LANES: usize = 16;

/// The weights that are not 0, row by row.
#[derive(Clone, Debug)]
pub(super) struct SparseRows {
    starts: Vec<usize>,
    entries: Vec<(u32, f32)>,
}

impl SparseRows {
    pub(super) fn new(weights: &Array2<f32>) -> Self {
        let mut sparse = Self { starts: vec![0], entries: Vec::new() };
        for row in weights.rows() {
            let entries = row.iter().enumerate().filter(|(_, w)| **w != 0.);
            sparse.entries.extend(entries.map(|(feature, &w)| (feature as u32, w)));
            sparse.starts.push(sparse.entries.len());
        }
        sparse
    }

    fn dims(&self) -> usize {
        self.starts.len() - 1
    }

    /// Projects up to [`LANES`] rows that lie one after the other. `panel` is scratch.
    ///
    /// The sum of each value goes over the features in their order, whatever the number of rows.
    pub(super) fn project(&self, rows: &[f32], panel: &mut [[f32; LANES]], out: &mut [f32]) {
        let (features, dims) = (panel.len(), self.dims());
        for (lane, row) in rows.chunks_exact(features).enumerate() {
            for (turned, &value) in panel.iter_mut().zip(row) {
                turned[lane] = value;
            }
        }
        for (dim, bounds) in self.starts.windows(2).enumerate() {
            let mut sums = [0f32; LANES];
            for &(feature, weight) in &self.entries[bounds[0]..bounds[1]] {
                for (sum, value) in sums.iter_mut().zip(&panel[feature as usize]) {
                    *sum += weight * value;
                }
            }
            for (out, sum) in out.chunks_exact_mut(dims).zip(sums) {
                out[dim] = sum;
            }
        }
    }
}

/// Errs if a value is not finite; `first` is the number of the first row.
pub(super) fn check_rows(rows: &[f32], columns: usize, first: usize) -> Result<()> {
    let check = rows.iter().fold(0., |sum, value| sum + value * 0.);
    if check == 0. {
        return Ok(());
    }
    let Some(place) = rows.iter().position(|value| !value.is_finite()) else { return Ok(()) };
    Err(Error::NotFinite {
        row: first + place / columns,
        column: place % columns,
        value: f64::from(rows[place]),
    })
}
