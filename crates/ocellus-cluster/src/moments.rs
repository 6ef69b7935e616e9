//! Sums over samples, in double precision and in an order that depends on sizes alone.

use ndarray::{ArrayView2, Axis};
use rayon::prelude::*;

use crate::Float;

/// Rows of a partial sum.
const ROWS: usize = 256;

/// Σ over the rows of `term(value, center)`, for each column and its center.
fn column_sums<T: Float>(
    x: ArrayView2<'_, T>,
    centers: &[f64],
    term: impl Fn(f64, f64) -> f64 + Sync,
) -> Vec<f64> {
    let partial = |block: ArrayView2<'_, T>| {
        let mut sums = vec![0.; block.ncols()];
        for row in block.outer_iter() {
            let row = row.as_standard_layout();
            let values = row.as_slice().unwrap_or_default();
            for ((sum, &value), &center) in sums.iter_mut().zip(values).zip(centers) {
                *sum += term(value.widen(), center);
            }
        }
        sums
    };
    let blocks: Vec<_> = x.axis_chunks_iter(Axis(0), ROWS).collect();
    let partials: Vec<Vec<f64>> = blocks.into_par_iter().map(partial).collect();
    let mut total = vec![0.; x.ncols()];
    for partial in partials {
        for (sum, term) in total.iter_mut().zip(partial) {
            *sum += term;
        }
    }
    total
}

/// The mean of each column.
pub(crate) fn means<T: Float>(x: ArrayView2<'_, T>) -> Vec<f64> {
    let (count, zeros) = (x.nrows() as f64, vec![0.; x.ncols()]);
    column_sums(x, &zeros, |value, _| value).into_iter().map(|sum| sum / count).collect()
}

/// The sum of squared deviations from the given centers, for each column.
pub(crate) fn squares<T: Float>(x: ArrayView2<'_, T>, centers: &[f64]) -> Vec<f64> {
    column_sums(x, centers, |value, center| (value - center).powi(2))
}

#[cfg(test)]
mod tests {
    use ndarray::Array2;

    use super::*;

    #[test]
    fn sums_of_many_rows_are_exact() {
        let x = Array2::from_shape_fn((1000, 2), |(i, j)| if j == 0 { i as f32 } else { 1e7 });
        let means = means(x.view());
        assert_eq!(means, [499.5, 1e7]);
        assert_eq!(squares(x.view(), &means), [83_333_250., 0.]);
    }
}
