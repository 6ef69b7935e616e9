//! Between `ndarray` and faer.

use std::borrow::Cow;

use faer::{Mat, MatMut, MatRef};
use ndarray::{Array2, ArrayView2};

use crate::Float;

/// A matrix whose values lie next to each other: borrowed, where they do already.
pub(super) struct Dense<'a, T: Float> {
    values: Cow<'a, [T]>,
    rows: usize,
    columns: usize,
    by_columns: bool,
}

impl<'a, T: Float> Dense<'a, T> {
    pub(super) fn new(a: ArrayView2<'a, T>) -> Self {
        let (rows, columns) = a.dim();
        if let Some(values) = a.reversed_axes().to_slice() {
            return Self { values: Cow::Borrowed(values), rows, columns, by_columns: true };
        }
        let values = a.to_slice().map_or_else(|| a.iter().copied().collect(), Cow::Borrowed);
        Self { values, rows, columns, by_columns: false }
    }

    pub(super) fn mat(&self) -> MatRef<'_, T> {
        if self.by_columns {
            MatRef::from_column_major_slice(&self.values, self.rows, self.columns).as_dyn_stride()
        } else {
            MatRef::from_row_major_slice(&self.values, self.rows, self.columns).as_dyn_stride()
        }
    }
}

/// A view of a slice in row-major order.
pub(super) fn row_major<T>(values: &mut [T], rows: usize, columns: usize) -> MatMut<'_, T> {
    MatMut::from_row_major_slice_mut(values, rows, columns).as_dyn_stride_mut()
}

pub(super) fn to_array<T: Float>(a: MatRef<'_, T>) -> Array2<T> {
    Array2::from_shape_fn((a.nrows(), a.ncols()), |(i, j)| a[(i, j)])
}

pub(super) fn to_mat<T: Float>(a: ArrayView2<'_, T>) -> Mat<T> {
    Mat::from_fn(a.nrows(), a.ncols(), |i, j| a[[i, j]])
}
