use faer::diag::Diag;
use faer::dyn_stack::{MemBuffer, MemStack};
use faer::linalg::svd::{ComputeSvdVectors, svd, svd_scratch};
use faer::{Mat, Par};
use ndarray::{Array1, Array2, ArrayView2};

use super::dense::{Dense, to_array};
use crate::{Error, Float, Result};

/// The thin singular value decomposition A = U·diag(σ)·Vᵀ.
///
/// # Examples
///
/// ```
/// use ndarray::array;
/// use ocellus_cluster::linalg::Svd;
///
/// let svd = Svd::new(array![[3f64, 0.], [0., -4.], [0., 0.]].view())?;
/// assert_eq!((svd.u.dim(), svd.values.len(), svd.vt.dim()), ((3, 2), 2, (2, 2)));
/// assert!((svd.values[0] - 4.).abs() < 1e-12);
/// # Ok::<(), ocellus_cluster::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Svd<T> {
    /// U: left singular vectors in columns.
    pub u: Array2<T>,
    /// σ, the largest first.
    pub values: Array1<T>,
    /// Vᵀ: right singular vectors in rows.
    pub vt: Array2<T>,
}

impl<T: Float> Svd<T> {
    /// Decomposes A.
    ///
    /// # Errors
    ///
    /// If the iteration does not converge (A holds NaN).
    ///
    /// # Complexity
    ///
    /// O(mn·min(m, n)), on one thread.
    pub fn new(a: ArrayView2<'_, T>) -> Result<Self> {
        let (rows, columns) = a.dim();
        let size = rows.min(columns);
        if size == 0 {
            let (u, vt) = (Array2::zeros((rows, 0)), Array2::zeros((0, columns)));
            return Ok(Self { u, values: Array1::zeros(0), vt });
        }
        let failed = || Error::NotConverged { what: "singular value decomposition" };
        let a = Dense::new(a);
        let (mut u, mut v) = (Mat::zeros(rows, size), Mat::zeros(columns, size));
        let (mut values, par) = (Diag::zeros(size), Par::Seq);
        let thin = ComputeSvdVectors::Thin;
        let scratch = svd_scratch::<T>(rows, columns, thin, thin, par, Default::default());
        svd(
            a.mat(),
            values.as_mut(),
            Some(u.as_mut()),
            Some(v.as_mut()),
            par,
            MemStack::new(&mut MemBuffer::new(scratch)),
            Default::default(),
        )
        .map_err(|_| failed())?;
        if (0..size).any(|i| !values[i].is_finite()) {
            return Err(failed());
        }
        Ok(Self {
            u: to_array(u.as_ref()),
            values: Array1::from_shape_fn(size, |i| values[i]),
            vt: to_array(v.transpose()),
        })
    }
}
