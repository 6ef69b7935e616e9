use ndarray::{Array2, ArrayView2, Axis};
use rayon::prelude::*;

use crate::Float;

/// ‖a − b‖², in double precision and in the same bits wherever the rows stand.
pub(crate) fn squared_distance<T: Float, U: Float>(a: &[T], b: &[U]) -> f64 {
    const LANES: usize = 8;
    let mut lanes = [0.; LANES];
    let (a_head, a_tail) = a.as_chunks::<LANES>();
    let (b_head, b_tail) = b.as_chunks::<LANES>();
    for (a, b) in a_head.iter().zip(b_head) {
        for (sum, (a, b)) in lanes.iter_mut().zip(a.iter().zip(b)) {
            let d = a.widen() - b.widen();
            *sum += d * d;
        }
    }
    let squares = a_tail.iter().zip(b_tail).map(|(a, b)| (a.widen() - b.widen()).powi(2));
    let tail: f64 = squares.sum();
    lanes.iter().sum::<f64>() + tail
}

/// The index of the row of `centers` that is nearest, the first of several, and its squared
/// distance.
pub(crate) fn nearest<T: Float, U: Float>(row: &[T], centers: &Table<U>) -> (usize, f64) {
    let distances = centers.iter().map(|center| squared_distance(row, center));
    let first = (0, f64::INFINITY);
    distances.enumerate().fold(first, |best, (i, d)| if d < best.1 { (i, d) } else { best })
}

/// Samples whose rows lie next to each other.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Table<T> {
    values: Array2<T>,
}

impl<T: Float> Table<T> {
    /// A copy.
    pub(crate) fn new(x: ArrayView2<'_, T>) -> Self {
        Self { values: x.as_standard_layout().into_owned() }
    }

    /// A copy in another precision, less `origin`.
    pub(crate) fn centered<U: Float>(x: ArrayView2<'_, U>, origin: &[f64]) -> Self {
        let mut values = Array2::zeros(x.dim());
        let columns = values.ncols().max(1);
        let flat: &mut [T] = values.as_slice_mut().unwrap_or_default();
        flat.par_chunks_mut(columns).zip(x.axis_iter(Axis(0)).into_par_iter()).for_each(
            |(to, from)| {
                for ((to, &from), &origin) in to.iter_mut().zip(from).zip(origin) {
                    *to = T::narrow(from.widen() - origin);
                }
            },
        );
        Self { values }
    }

    /// Some of the rows.
    pub(crate) fn select(&self, rows: &[usize]) -> Self {
        Self { values: self.values.select(Axis(0), rows) }
    }

    pub(crate) fn len(&self) -> usize {
        self.values.nrows()
    }

    pub(crate) fn columns(&self) -> usize {
        self.values.ncols()
    }

    pub(crate) fn row(&self, i: usize) -> &[T] {
        let columns = self.columns();
        &self.as_slice()[i * columns..][..columns]
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &[T]> {
        (0..self.len()).map(|i| self.row(i))
    }

    pub(crate) fn as_slice(&self) -> &[T] {
        self.values.as_slice().unwrap_or_default()
    }

    pub(crate) fn as_slice_mut(&mut self) -> &mut [T] {
        self.values.as_slice_mut().unwrap_or_default()
    }

    pub(crate) fn view(&self) -> ArrayView2<'_, T> {
        self.values.view()
    }

    /// ‖x‖² of each row.
    pub(crate) fn squared_norms(&self) -> Vec<f64> {
        let zero = vec![T::zero(); self.columns()];
        (0..self.len()).into_par_iter().map(|i| squared_distance(self.row(i), &zero)).collect()
    }
}

#[cfg(test)]
mod tests {
    use ndarray::array;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_transposed_view_has_contiguous_rows() {
        let x = array![[1., 2., 3.], [4., 5., 6.]];
        let rows = Table::new(x.t());
        assert_eq!(rows.row(2), [3., 6.]);
        assert_eq!(Table::<f32>::centered(x.t(), &[2., 5.]).row(0), [-1., -1.]);
    }

    proptest! {
        #[test]
        fn the_distance_is_the_sum_of_squares(
            pairs in prop::collection::vec((-9f64..9., -9f64..9.), 0..40),
        ) {
            let (a, b): (Vec<f64>, Vec<f64>) = pairs.iter().copied().unzip();
            let expected: f64 = pairs.iter().map(|(a, b)| (a - b) * (a - b)).sum();
            prop_assert!((squared_distance(&a, &b) - expected).abs() <= 1e-12 * (1. + expected));
        }
    }
}
