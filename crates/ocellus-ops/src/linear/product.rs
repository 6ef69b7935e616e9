#![allow(unsafe_code, reason = "`gemm` takes pointers; tasks write disjoint blocks of one vector")]

use gemm::Parallelism;
use rayon::prelude::*;

use crate::cpu::{Float, Output};
use crate::parallel::cut;

/// A matrix in a slice: value (i, k) lies at `i · steps.0 + k · steps.1`.
#[derive(Clone, Copy)]
pub(super) struct Matrix<'a, T> {
    values: &'a [T],
    rows: usize,
    columns: usize,
    steps: (usize, usize),
}

impl<'a, T> Matrix<'a, T> {
    /// Rows one behind the other.
    pub(super) fn new(values: &'a [T], rows: usize, columns: usize) -> Self {
        assert_eq!(values.len(), rows * columns, "a matrix of {rows} by {columns}");
        Self { values, rows, columns, steps: (columns, 1) }
    }

    /// Rows and columns exchanged.
    pub(super) fn transposed(self) -> Self {
        Self { rows: self.columns, columns: self.rows, steps: (self.steps.1, self.steps.0), ..self }
    }
}

/// Rows of the product that a task computes; columns, and columns where there are few rows, so that
/// there are tasks enough.
const ROWS: usize = 512;
const COLUMNS: usize = 256;
const COLUMNS_OF_FEW: usize = 128;

/// a · b, rows one behind the other.
///
/// Blocks are cut by the sizes alone, and each is summed on one thread: the same bits at any number
/// of threads.
pub(super) fn product<T: Float>(a: Matrix<T>, b: Matrix<T>) -> Vec<T> {
    assert_eq!(a.columns, b.rows, "matrices that do not fit");
    let most = if a.rows < ROWS / 2 { COLUMNS_OF_FEW } else { COLUMNS };
    let (down, across) = (cut(a.rows, ROWS), cut(b.columns, most));
    let fill = |out: &Output<T>| {
        (0..down.len() * across.len()).into_par_iter().with_max_len(1).for_each(|task| {
            // Neighboring tasks share the columns of b, which are the larger part of it mostly.
            let (rows, columns) = (&down[task % down.len()], &across[task / down.len()]);
            let first = rows.start * b.columns + columns.start;
            let reach = (rows.len() - 1) * b.columns + columns.len();
            // SAFETY: `Matrix` holds as many values as its sizes say, in steps that stay within;
            // the block lies within the output (`at` checks) and is this task's alone. gemm does not
            // read what it writes to, for `read_dst` is false.
            unsafe {
                gemm::gemm(
                    rows.len(),
                    columns.len(),
                    a.columns,
                    out.at(first, reach),
                    1,
                    b.columns as isize,
                    false,
                    a.values.as_ptr().add(rows.start * a.steps.0),
                    a.steps.1 as isize,
                    a.steps.0 as isize,
                    b.values.as_ptr().add(columns.start * b.steps.1),
                    b.steps.1 as isize,
                    b.steps.0 as isize,
                    T::zero(),
                    T::one(),
                    false,
                    false,
                    false,
                    Parallelism::None,
                );
            }
        });
    };
    // SAFETY: the blocks cover all rows and columns.
    unsafe { Output::collect(a.rows * b.columns, fill) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Small whole numbers, whose products and sums are exact in any order.
    fn whole(count: usize) -> Vec<f32> {
        (0..count).map(|n| ((n * 7919) % 13) as f32 - 6.).collect()
    }

    fn naive(a: Matrix<f32>, b: Matrix<f32>) -> Vec<f32> {
        let at = |m: Matrix<f32>, i: usize, k: usize| m.values[i * m.steps.0 + k * m.steps.1];
        let value = |i, j| (0..a.columns).map(|k| at(a, i, k) * at(b, k, j)).sum();
        (0..a.rows).flat_map(|i| (0..b.columns).map(move |j| value(i, j))).collect()
    }

    #[test]
    fn equals_the_definition_for_odd_sizes_and_transposed_factors() {
        let sizes =
            [(1, 1, 1), (1, 7, 130), (3, 129, 1), (32, 300, 5), (513, 257, 3), (600, 31, 70)];
        for (rows, columns, depth) in sizes {
            let (a, b) = (whole(rows * depth), whole(depth * columns));
            for (a, b) in [
                (Matrix::new(&a, rows, depth), Matrix::new(&b, depth, columns)),
                (Matrix::new(&a, depth, rows).transposed(), Matrix::new(&b, depth, columns)),
                (Matrix::new(&a, rows, depth), Matrix::new(&b, columns, depth).transposed()),
            ] {
                assert_eq!(product(a, b), naive(a, b), "{rows} by {columns}, {depth} deep");
            }
        }
    }

    #[test]
    fn no_terms_are_zeros() {
        assert_eq!(product(Matrix::<f32>::new(&[], 2, 0), Matrix::new(&[], 0, 3)), [0.; 6]);
    }
}
