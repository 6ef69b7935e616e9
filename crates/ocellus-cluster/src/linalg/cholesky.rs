use faer::dyn_stack::{MemBuffer, MemStack};
use faer::linalg::cholesky::llt::factor::{LltError, cholesky_in_place, cholesky_in_place_scratch};
use faer::linalg::triangular_solve::{
    solve_lower_triangular_in_place, solve_upper_triangular_in_place,
};
use faer::{Mat, Par};
use ndarray::{Array2, ArrayView2};

use super::dense::{to_array, to_mat};
use super::product::fits;
use crate::{Error, Float, Result};

/// The Cholesky factor L of a symmetric positive definite matrix A = LLᵀ.
///
/// # Examples
///
/// The squared Mahalanobis distance of d is ‖L⁻¹d‖².
///
/// ```
/// use ndarray::array;
/// use ocellus_cluster::linalg::Cholesky;
///
/// let factor = Cholesky::new(array![[4., 2.], [2., 3.]].view())?;
/// assert!((factor.log_det() - 8f64.ln()).abs() < 1e-12);
/// let half = factor.half_solve(array![[2.], [1.]].view())?;
/// assert!((half.iter().map(|v| v * v).sum::<f64>() - 1.).abs() < 1e-12);
/// # Ok::<(), ocellus_cluster::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Cholesky<T> {
    lower: Mat<T>,
}

impl<T: Float> Cholesky<T> {
    /// Factors A, whose lower triangle alone is read.
    ///
    /// # Errors
    ///
    /// If A is not square, or not positive definite.
    pub fn new(a: ArrayView2<'_, T>) -> Result<Self> {
        let size = a.nrows();
        fits("the Cholesky factor of A", a.dim(), a.dim(), a.is_square())?;
        let mut lower = to_mat(a);
        let scratch = cholesky_in_place_scratch::<T>(size, Par::Seq, Default::default());
        let done = cholesky_in_place(
            lower.as_mut(),
            Default::default(),
            Par::Seq,
            MemStack::new(&mut MemBuffer::new(scratch)),
            Default::default(),
        );
        let broken = (0..size).find(|&i| !lower[(i, i)].is_finite());
        match (done, broken) {
            (Ok(_), None) => Ok(Self { lower }),
            (Err(LltError::NonPositivePivot { index: pivot }), _) | (Ok(_), Some(pivot)) => {
                Err(Error::NotPositiveDefinite { pivot, size })
            }
        }
    }

    /// L.
    #[must_use]
    pub fn lower(&self) -> Array2<T> {
        let size = self.lower.nrows();
        let entry = |(i, j)| if j > i { T::zero() } else { self.lower[(i, j)] };
        Array2::from_shape_fn((size, size), entry)
    }

    /// ln det A.
    #[must_use]
    pub fn log_det(&self) -> f64 {
        (0..self.lower.nrows()).map(|i| 2. * self.lower[(i, i)].widen().ln()).sum()
    }

    /// A⁻¹B.
    ///
    /// # Errors
    ///
    /// If B has not as many rows as A.
    pub fn solve(&self, b: ArrayView2<'_, T>) -> Result<Array2<T>> {
        let mut x = self.right("A⁻¹B", b)?;
        solve_lower_triangular_in_place(self.lower.as_ref(), x.as_mut(), Par::Seq);
        solve_upper_triangular_in_place(self.lower.transpose(), x.as_mut(), Par::Seq);
        Ok(to_array(x.as_ref()))
    }

    /// L⁻¹B.
    ///
    /// # Errors
    ///
    /// If B has not as many rows as A.
    pub fn half_solve(&self, b: ArrayView2<'_, T>) -> Result<Array2<T>> {
        let mut x = self.right("L⁻¹B", b)?;
        solve_lower_triangular_in_place(self.lower.as_ref(), x.as_mut(), Par::Seq);
        Ok(to_array(x.as_ref()))
    }

    fn right(&self, operation: &'static str, b: ArrayView2<'_, T>) -> Result<Mat<T>> {
        let size = self.lower.nrows();
        fits(operation, (size, size), b.dim(), b.nrows() == size)?;
        Ok(to_mat(b))
    }
}
