use faer::dyn_stack::{MemBuffer, MemStack};
use faer::linalg::householder::{
    apply_block_householder_sequence_on_the_left_in_place_scratch as apply_scratch,
    apply_block_householder_sequence_on_the_left_in_place_with_conj as apply,
};
use faer::linalg::qr::no_pivoting::factor::{
    qr_in_place, qr_in_place_scratch, recommended_block_size,
};
use faer::{Conj, Mat, Par};
use ndarray::{Array2, ArrayView2};

use super::dense::{to_array, to_mat};
use crate::Float;

/// An orthonormal basis of the columns of A: Q of A = QR, min(rows, columns) of them.
///
/// Where the columns are dependent, the basis is filled up: it is orthonormal in any case.
///
/// # Examples
///
/// ```
/// use ndarray::array;
/// use ocellus_cluster::linalg::{gram, orthonormal};
///
/// let q = orthonormal(array![[1., 1.], [1., 1.], [0., 1.]].view());
/// assert!((gram(q.view())? - array![[1., 0.], [0., 1.]]).iter().all(|d: &f64| d.abs() < 1e-12));
/// # Ok::<(), ocellus_cluster::Error>(())
/// ```
#[must_use]
pub fn orthonormal<T: Float>(a: ArrayView2<'_, T>) -> Array2<T> {
    let (rows, columns) = a.dim();
    let size = rows.min(columns);
    if size == 0 {
        return Array2::zeros((rows, 0));
    }
    let mut basis = to_mat(a);
    let (block, par) = (recommended_block_size::<T>(rows, columns), Par::Seq);
    let mut coefficients = Mat::zeros(block, size);
    let scratch = qr_in_place_scratch::<T>(rows, columns, block, par, Default::default());
    qr_in_place(
        basis.as_mut(),
        coefficients.as_mut(),
        par,
        MemStack::new(&mut MemBuffer::new(scratch)),
        Default::default(),
    );
    let mut q = Mat::<T>::identity(rows, size);
    let scratch = apply_scratch::<T>(rows, block, size);
    apply(
        basis.as_ref().subcols(0, size),
        coefficients.as_ref(),
        Conj::No,
        q.as_mut(),
        par,
        MemStack::new(&mut MemBuffer::new(scratch)),
    );
    to_array(q.as_ref())
}
