use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par};
use ndarray::{ArrayView1, ArrayView2};
use rayon::prelude::*;

use super::candidates::Candidates;
use crate::rows::read_block;
use crate::table::squared_distance;
use crate::{Float, Result, RowSource};

/// Queries of a block.
const QUERIES: usize = 1024;
/// Rows of a block.
const ROWS: usize = 2048;
/// Blocks of rows in a task.
const BLOCKS: usize = 4;

/// ‖row‖² of the rows of a source, which must be finite.
pub(super) fn norms<T: Float>(rows: &(impl RowSource<T> + ?Sized)) -> Result<Vec<T>> {
    let (count, columns) = rows.size();
    if let Some(values) = rows.in_memory()
        && let Ok(x) = ArrayView2::from_shape((count, columns), values)
    {
        return Ok(norms_of(x));
    }
    let mut norms = Vec::with_capacity(count);
    for start in (0..count).step_by(ROWS) {
        let block = read_block(rows, start..count.min(start + ROWS), 0..columns)?;
        norms.extend(norms_of(block.view()));
    }
    Ok(norms)
}

fn norms_of<T: Float>(rows: ArrayView2<'_, T>) -> Vec<T> {
    let square = |value: &T| value.widen() * value.widen();
    let norm = |row: ArrayView1<'_, T>| T::narrow(row.iter().map(square).sum());
    rows.outer_iter().into_par_iter().map(norm).collect()
}

/// An exact search for the nearest of some rows, in memory or not.
pub(super) struct Search<'a, T: Float> {
    rows: &'a dyn RowSource<T>,
    norms: &'a [T],
    columns: usize,
    longest: T,
}

impl<'a, T: Float> Search<'a, T> {
    /// With the [`norms`] of the rows.
    pub(super) fn new(rows: &'a dyn RowSource<T>, norms: &'a [T]) -> Self {
        let longest = norms.iter().fold(T::zero(), |most, &norm| most.max(norm));
        Self { rows, norms, columns: rows.size().1, longest }
    }

    /// Squared distances and numbers of the `count` nearest rows of each query, the nearest first.
    ///
    /// Queries have as many columns as the rows, are finite, and there are `count` rows at least.
    pub(super) fn nearest(
        &self,
        queries: ArrayView2<'_, T>,
        count: usize,
    ) -> Result<Vec<Vec<(f64, usize)>>> {
        let queries = queries.as_standard_layout();
        let candidates = self.candidates(queries.view(), count)?;
        let pairs = candidates.into_par_iter().zip(queries.outer_iter().into_par_iter());
        pairs
            .map_init(Vec::new, |scratch, (candidates, query)| {
                let query = query.to_slice().unwrap_or_default();
                let exact = |row: usize| {
                    let values = self.block(row, 1, scratch)?;
                    Ok((squared_distance(query, values), row))
                };
                let mut found = candidates.rows().map(exact).collect::<Result<Vec<_>>>()?;
                found.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
                found.truncate(count);
                Ok(found)
            })
            .collect()
    }

    /// Rows that lie in memory, or are read into `scratch`.
    fn block<'b>(&'b self, start: usize, count: usize, scratch: &'b mut Vec<T>) -> Result<&'b [T]> {
        let len = count * self.columns;
        if let Some(values) = self.rows.in_memory() {
            return Ok(&values[start * self.columns..][..len]);
        }
        scratch.resize(len.max(scratch.len()), T::zero());
        self.rows.read_rows(start, &mut scratch[..len])?;
        Ok(&scratch[..len])
    }

    /// Those of each query.
    fn candidates(&self, queries: ArrayView2<'_, T>, count: usize) -> Result<Vec<Candidates<T>>> {
        let margins: Vec<T> = norms_of(queries)
            .iter()
            .map(|&norm| margin(norm, self.longest, self.columns))
            .collect();
        let values = queries.to_slice().unwrap_or_default();
        let starts = (0..self.norms.len()).step_by(ROWS * BLOCKS);
        let tasks: Vec<(usize, &[T], &[T])> = starts
            .flat_map(|start| {
                let queries = values.chunks(QUERIES * self.columns).zip(margins.chunks(QUERIES));
                queries.map(move |(queries, margins)| (start, queries, margins))
            })
            .collect();
        let found: Vec<Vec<Candidates<T>>> = tasks
            .into_par_iter()
            .map_init(
                || (vec![T::zero(); QUERIES.min(margins.len()) * ROWS], Vec::new()),
                |scratch, (start, queries, margins)| {
                    self.look(start, queries, margins, count, scratch)
                },
            )
            .collect::<Result<_>>()?;
        let mut all: Vec<Candidates<T>> = Vec::with_capacity(margins.len());
        let per_part = margins.len().div_ceil(QUERIES);
        for (part, block) in found.into_iter().enumerate() {
            let first = part % per_part.max(1) * QUERIES;
            for (place, candidates) in block.into_iter().enumerate() {
                match all.get_mut(first + place) {
                    Some(before) => before.merge(candidates),
                    None => all.push(candidates),
                }
            }
        }
        Ok(all)
    }

    /// The candidates of some queries among the rows of a task.
    fn look(
        &self,
        start: usize,
        queries: &[T],
        margins: &[T],
        count: usize,
        (products, read): &mut (Vec<T>, Vec<T>),
    ) -> Result<Vec<Candidates<T>>> {
        let end = self.norms.len().min(start + ROWS * BLOCKS);
        let a = MatRef::from_row_major_slice(queries, margins.len(), self.columns);
        let mut found: Vec<_> =
            margins.iter().map(|&margin| Candidates::new(count, margin)).collect();
        for first in (start..end).step_by(ROWS) {
            let rows = ROWS.min(end - first);
            let block = self.block(first, rows, read)?;
            let b = MatRef::from_row_major_slice(block, rows, self.columns).transpose();
            let products = &mut products[..margins.len() * rows];
            let c = MatMut::from_row_major_slice_mut(products, margins.len(), rows);
            matmul(c, Accum::Replace, a, b, T::one(), Par::Seq);
            let norms = &self.norms[first..first + rows];
            for (found, products) in found.iter_mut().zip(products.chunks(rows)) {
                found.look(first, norms, products);
            }
        }
        Ok(found)
    }
}

/// Twice the largest error of ‖b‖² − 2 a·b, of a query a and any row b, and of the distance that is
/// computed in double precision.
///
/// A sum of d products in any order is off by at most (d + 3) u Σ|aᵢ bᵢ| ≤ (d + 3) u ‖a‖ ‖b‖ with
/// u half the distance of 1 to the next number, and by what underflows; the rest is a rounding each.
fn margin<T: Float>(query: T, longest: T, columns: usize) -> T {
    let (unit, double) = (T::epsilon().widen() / 2., f64::EPSILON / 2.);
    let (a, b, d) = (query.widen().sqrt(), longest.widen().sqrt(), columns as f64);
    let product = (d + 3.) * unit * a * b + d * T::min_positive_value().widen();
    let exact = (d + 3.) * double * (b * b + (a + b) * (a + b));
    let error = 2. * product + 2. * unit * (b * b + 2. * a * b) + exact;
    T::narrow(2.1 * error)
}
