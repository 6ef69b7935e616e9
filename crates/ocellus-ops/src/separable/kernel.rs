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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simd::with_each_isa;

    /// Outputs of all periods and numbers of inputs, and irregular ones.
    fn matrices(size: usize) -> Vec<Banded> {
        let band = |(out, period): (usize, (usize, usize)), before: usize, len: usize| {
            let band = |o: usize| {
                let at = o * period.1 / period.0;
                let (first, end) = (at.saturating_sub(before), (at + len).min(size));
                (first, (first..end).map(|i| 0.3 + (o + 2 * i) as f64).collect())
            };
            Banded::new(size, (0..out).map(band))
        };
        let outs = [
            (size, (1, 1)),
            (2 * size, (2, 1)),
            (size / 2, (1, 2)),
            (size - 1, (1, 1)),
            (3 * size, (3, 1)),
        ];
        outs.into_iter()
            .flat_map(|out| [(0, 1), (0, 2), (1, 2), (2, 2), (2, 5)].map(|(b, l)| band(out, b, l)))
            .collect()
    }

    #[test]
    fn only_what_has_weight_is_read() {
        let (height, width) = (4, 10);
        let mut x: Vec<f64> = (0..3 * height * width).map(|i| (i * i % 17) as f64).collect();
        // The ends of rows: their neighbors in memory are in other rows.
        (x[2 * width - 1], x[height * width]) = (f64::INFINITY, f64::NAN);
        let narrow: Vec<f32> = x.iter().map(|&x| x as f32).collect();
        for (rows, columns) in matrices(height).iter().zip(&matrices(width)) {
            let mut expected = vec![];
            for x in x.chunks(height * width) {
                for (top, down) in &rows.bands {
                    for (left, right) in &columns.bands {
                        let line = |j| {
                            let terms = down.iter().enumerate();
                            terms.map(|(i, w)| w * x[(top + i) * width + j]).sum::<f64>()
                        };
                        let terms = right.iter().enumerate();
                        expected.push(terms.map(|(j, w)| w * line(left + j)).sum::<f64>());
                    }
                }
            }
            with_each_isa(|isa| {
                let close = |y: f64, e: f64, tolerance: f64| {
                    y == e || (y.is_nan() && e.is_nan()) || (y - e).abs() <= tolerance * e.abs()
                };
                let y = apply(&x, rows, columns);
                assert_eq!(y.len(), expected.len());
                assert!(y.iter().zip(&expected).all(|(&y, &e)| close(y, e, 1e-14)), "{isa:?}");
                let y = apply(&narrow, rows, columns);
                assert!(
                    y.iter().zip(&expected).all(|(&y, &e)| close(y.into(), e, 2e-6)),
                    "{isa:?}"
                );
            });
        }
    }
}
