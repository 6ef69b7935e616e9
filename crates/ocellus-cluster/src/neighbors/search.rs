use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par};
use ndarray::{ArrayView1, ArrayView2};
use rayon::prelude::*;

use super::bytes::Bytes;
use super::candidates::{Candidates, merge};
use crate::rows::read_block;
use crate::table::squared_distance;
use crate::{Float, Result, RowSource};

/// Queries of a block.
const QUERIES: usize = 1024;
/// Rows of a block.
const ROWS: usize = 2048;
/// Blocks of rows in a task.
const BLOCKS: usize = 4;
/// Of which share of the rows bytes may leave open whether they are near: computing their distances
/// one by one takes as long as all products.
const OPEN: usize = 32;

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
    bytes: Option<&'a Bytes>,
}

/// What is known of a query.
#[derive(Clone, Copy)]
struct Query {
    /// ‖query‖².
    norm: f64,
    /// The largest error of a squared distance.
    error: f64,
}

impl<'a, T: Float> Search<'a, T> {
    /// With the [`norms`] of the rows.
    pub(super) fn new(rows: &'a dyn RowSource<T>, norms: &'a [T]) -> Self {
        let longest = norms.iter().fold(T::zero(), |most, &norm| most.max(norm));
        Self { rows, norms, columns: rows.size().1, longest, bytes: None }
    }

    /// With the same rows as bytes.
    pub(super) fn with_bytes(self, bytes: Option<&'a Bytes>) -> Self {
        Self { bytes, ..self }
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
        let values = queries.as_slice().unwrap_or_default();
        let candidates = match self.bytes.and_then(|bytes| bytes.candidates(values, count)) {
            Some(candidates) => self.reconsidered(candidates, values, count)?,
            None => self.candidates(values, count)?,
        };
        let pairs = candidates.into_par_iter().zip(values.par_chunks_exact(self.columns));
        pairs
            .map_init(Vec::new, |scratch, (candidates, query)| {
                candidates.nearest(|row| Ok(squared_distance(query, self.block(row, 1, scratch)?)))
            })
            .collect()
    }

    /// With those by products of numbers for the queries of which bytes left much open.
    fn reconsidered(
        &self,
        mut all: Vec<Candidates>,
        queries: &[T],
        count: usize,
    ) -> Result<Vec<Candidates>> {
        let few = (self.norms.len() / OPEN).max(4 * count);
        let open: Vec<bool> = all.par_iter_mut().map(|one| one.settle() > few).collect();
        let open: Vec<usize> = (0..all.len()).filter(|&query| open[query]).collect();
        let row = |query: &usize| &queries[query * self.columns..][..self.columns];
        let again: Vec<T> = open.iter().flat_map(row).copied().collect();
        for (query, candidates) in open.into_iter().zip(self.candidates(&again, count)?) {
            all[query] = candidates;
        }
        Ok(all)
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

    /// Those of each query, by products of numbers.
    fn candidates(&self, queries: &[T], count: usize) -> Result<Vec<Candidates>> {
        let known: Vec<Query> = queries
            .par_chunks_exact(self.columns)
            .map(|query| {
                let norm = query.iter().map(|value| value.widen() * value.widen()).sum();
                Query { norm, error: error(norm, self.longest, self.columns) }
            })
            .collect();
        let starts = (0..self.norms.len()).step_by(ROWS * BLOCKS);
        let tasks: Vec<(usize, &[T], &[Query])> = starts
            .flat_map(|start| {
                let queries = queries.chunks(QUERIES * self.columns).zip(known.chunks(QUERIES));
                queries.map(move |(queries, known)| (start, queries, known))
            })
            .collect();
        let found: Vec<Vec<Candidates>> = tasks
            .into_par_iter()
            .map_init(
                || (vec![T::zero(); QUERIES.min(known.len()) * ROWS], Vec::new()),
                |scratch, (start, queries, known)| self.look(start, queries, known, count, scratch),
            )
            .collect::<Result<_>>()?;
        Ok(merge(found, known.len().div_ceil(QUERIES)))
    }

    /// The candidates of some queries among the rows of a task.
    fn look(
        &self,
        start: usize,
        queries: &[T],
        known: &[Query],
        count: usize,
        (products, read): &mut (Vec<T>, Vec<T>),
    ) -> Result<Vec<Candidates>> {
        let end = self.norms.len().min(start + ROWS * BLOCKS);
        let a = MatRef::from_row_major_slice(queries, known.len(), self.columns);
        let mut found = vec![Candidates::new(count); known.len()];
        for first in (start..end).step_by(ROWS) {
            let rows = ROWS.min(end - first);
            let block = self.block(first, rows, read)?;
            let b = MatRef::from_row_major_slice(block, rows, self.columns).transpose();
            let products = &mut products[..known.len() * rows];
            let c = MatMut::from_row_major_slice_mut(products, known.len(), rows);
            matmul(c, Accum::Replace, a, b, T::one(), Par::Seq);
            let norms = &self.norms[first..first + rows];
            for ((found, query), products) in found.iter_mut().zip(known).zip(products.chunks(rows))
            {
                query.look(found, first, norms, products);
            }
        }
        Ok(found)
    }
}

impl Query {
    /// Looks at rows from `first` on: `norms[i] − 2 products[i]` is their squared distance but for
    /// the query's norm.
    fn look<T: Float>(&self, found: &mut Candidates, first: usize, norms: &[T], products: &[T]) {
        let two = T::one() + T::one();
        for (number, (norms, products)) in norms.chunks(16).zip(products.chunks(16)).enumerate() {
            // Rounding this may not lose a row.
            let limit = found.limit() - self.norm + self.error;
            let limit = T::narrow(limit + limit.abs() * T::epsilon().widen());
            let mut far = true;
            for (norm, product) in norms.iter().zip(products) {
                far &= *norm - two * *product > limit;
            }
            if far {
                continue;
            }
            for (place, (norm, product)) in norms.iter().zip(products).enumerate() {
                let squared = self.norm + (*norm - two * *product).widen();
                found.push(squared - self.error, squared + self.error, first + number * 16 + place);
            }
        }
    }
}

/// The largest error of ‖a‖² + (‖b‖² − 2 a·b), of a query a and any row b, and of the distance that is
/// computed in double precision.
///
/// A sum of d products in any order is off by at most (d + 3) u Σ|aᵢ bᵢ| ≤ (d + 3) u ‖a‖ ‖b‖ with
/// u half the distance of 1 to the next number, and by what underflows; the rest is a rounding each.
fn error<T: Float>(query: f64, longest: T, columns: usize) -> f64 {
    let (unit, double) = (T::epsilon().widen() / 2., f64::EPSILON / 2.);
    let (a, b, d) = (query.sqrt(), longest.widen().sqrt(), columns as f64);
    let product = (d + 3.) * unit * a * b + d * T::min_positive_value().widen();
    let exact = (d + 3.) * double * (2. * a * a + b * b + (a + b) * (a + b));
    1.05 * (2. * product + 2. * unit * (b * b + 2. * a * b) + exact)
}
