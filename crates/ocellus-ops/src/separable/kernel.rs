#![allow(unsafe_code, reason = "results are written to memory that is not cleared before")]

use candle_core::{Result, Shape};

use super::Banded;
use super::columns::{Columns, MARGIN};
use crate::cpu::{Float, Output, with_scratch};
use crate::parallel::tasks;
use crate::simd::{Loop, vectorized_loop};

/// Outputs of a batch of rows: enough that short rows make long loops, few enough for the cache.
const BATCH: usize = 512;

/// Elements that rows are combined in at once: a whole vector, also at the end of a row.
const CHUNK: usize = 8;

/// `rows · x · columnsᵀ` of every plane.
#[derive(Clone)]
pub(crate) struct Separable {
    pub(crate) rows: Banded,
    pub(crate) columns: Banded,
}

impl Separable {
    pub(crate) fn forward<T: Float>(&self, x: &[T], dims: &[usize]) -> Result<(Vec<T>, Shape)> {
        let y = apply(x, &self.rows, &self.columns);
        Ok((y, (dims[0], dims[1], self.rows.len(), self.columns.len()).into()))
    }

    pub(crate) fn backward<T: Float>(&self, gradient: &[T]) -> Vec<T> {
        apply(gradient, &self.rows.transposed(), &self.columns.transposed())
    }
}

fn apply<T: Float>(x: &[T], rows: &Banded, columns: &Banded) -> Vec<T> {
    let (width, width_out) = (columns.size, columns.len());
    let count = x.len() / (rows.size * width) * rows.len();
    let batch = (BATCH / width_out).clamp(1, count.max(1));
    let vertical = Rows::new(rows, width);
    let horizontal = Columns::new(columns, batch);
    let fill = |y: &Output<T>| {
        tasks(count.div_ceil(batch), batch * width_out, |index| {
            let first = index * batch;
            let here = batch.min(count - first);
            // SAFETY: each batch of rows is given to one task.
            let y = unsafe { y.slice(first * width_out, here * width_out) };
            with_scratch(batch * width + 2 * MARGIN + CHUNK, |lines: &mut [T]| {
                let to = &mut lines[MARGIN..];
                vectorized_loop(Blend { rows: &vertical, x, first, count: here, lines: to });
                horizontal.apply(lines, width, y);
            });
        });
    };
    // SAFETY: the batches are all rows, and `Columns` writes whole ones.
    unsafe { Output::collect(count * width_out, fill) }
}

/// The map of rows.
struct Rows<T> {
    /// Each output row's first input row, and the weights of the rows from there on.
    bands: Vec<(usize, Vec<T>)>,
    /// Rows of an input plane.
    height: usize,
    width: usize,
}

impl<T: Float> Rows<T> {
    fn new(matrix: &Banded, width: usize) -> Self {
        Self { bands: matrix.typed(), height: matrix.size, width }
    }
}

/// Combines rows, from output row `first` of all planes on.
struct Blend<'a, T> {
    rows: &'a Rows<T>,
    x: &'a [T],
    first: usize,
    count: usize,
    lines: &'a mut [T],
}

impl<T: Float> Loop for Blend<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Rows { bands, height, width } = self.rows;
        for index in 0..self.count {
            let row = self.first + index;
            let (plane, row) = (row / bands.len(), row % bands.len());
            let (first, weights) = &bands[row];
            let from = (plane * height + first) * width;
            for column in (0..*width).step_by(CHUNK) {
                // What exceeds the row is written over by the next.
                let at = index * width + column;
                let mut totals = [T::zero(); CHUNK];
                let mut from = from + column;
                for &weight in weights {
                    let x = &self.x[from..];
                    match x.first_chunk::<CHUNK>() {
                        Some(x) => add(&mut totals, x, weight),
                        None => add(&mut totals, x, weight), // The end of the last row.
                    }
                    from += width;
                }
                self.lines[at..at + CHUNK].copy_from_slice(&totals);
            }
        }
    }
}

#[inline(always)]
fn add<T: Float>(totals: &mut [T; CHUNK], x: &[T], weight: T) {
    for (total, &x) in totals.iter_mut().zip(x) {
        *total += x * weight;
    }
}
