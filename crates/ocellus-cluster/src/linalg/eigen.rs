use faer::diag::Diag;
use faer::dyn_stack::{MemBuffer, MemStack};
use faer::linalg::evd::{ComputeEigenvectors, self_adjoint_evd, self_adjoint_evd_scratch};
use faer::{Mat, Par};
use ndarray::{Array1, Array2, ArrayView2};

use super::dense::Dense;
use super::product::fits;
use crate::{Error, Float, Result};

/// The eigenvalues and eigenvectors of a symmetric matrix, A = V·diag(λ)·Vᵀ.
///
/// # Examples
///
/// ```
/// use ndarray::array;
/// use ocellus_cluster::linalg::SymmetricEigen;
///
/// let eigen = SymmetricEigen::new(array![[2f64, 1.], [1., 2.]].view())?;
/// assert!((eigen.values[0] - 3.).abs() < 1e-12 && (eigen.values[1] - 1.).abs() < 1e-12);
/// # Ok::<(), ocellus_cluster::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct SymmetricEigen<T> {
    /// λ, the largest first.
    pub values: Array1<T>,
    /// V: the eigenvectors in columns, in the same order, of either sign.
    pub vectors: Array2<T>,
}

impl<T: Float> SymmetricEigen<T> {
    /// Decomposes A, whose lower triangle alone is read.
    ///
    /// # Errors
    ///
    /// If A is not square, or the iteration does not converge (it holds NaN).
    ///
    /// # Complexity
    ///
    /// O(n³), on one thread.
    pub fn new(a: ArrayView2<'_, T>) -> Result<Self> {
        let size = a.nrows();
        fits("the eigenvalues of A", a.dim(), a.dim(), a.is_square())?;
        if size == 0 {
            return Ok(Self { values: Array1::zeros(0), vectors: Array2::zeros((0, 0)) });
        }
        let failed = || Error::NotConverged { what: "eigenvalue decomposition" };
        let a = Dense::new(a);
        let (mut vectors, mut values) = (Mat::zeros(size, size), Diag::zeros(size));
        let par = Par::Seq;
        let scratch =
            self_adjoint_evd_scratch::<T>(size, ComputeEigenvectors::Yes, par, Default::default());
        self_adjoint_evd(
            a.mat(),
            values.as_mut(),
            Some(vectors.as_mut()),
            par,
            MemStack::new(&mut MemBuffer::new(scratch)),
            Default::default(),
        )
        .map_err(|_| failed())?;
        if (0..size).any(|i| !values[i].is_finite()) {
            return Err(failed());
        }
        let last = |i: usize| size - 1 - i;
        Ok(Self {
            values: Array1::from_shape_fn(size, |i| values[last(i)]),
            vectors: Array2::from_shape_fn((size, size), |(i, j)| vectors[(i, last(j))]),
        })
    }
}
