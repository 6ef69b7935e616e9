use faer::linalg::matmul::matmul;
use faer::{Accum, Par};
use ndarray::{Array2, ArrayView2, ArrayViewMut2};
use rayon::prelude::*;

use super::cut::{depth_per_task, rows_per_task};
use super::dense::{Dense, row_major};
use super::product::{add_product, fits, row_blocks};
use crate::{Float, Result};

/// AᵀA, symmetric to the bit.
///
/// # Examples
///
/// ```
/// use ndarray::array;
/// use ocellus_cluster::linalg::gram;
///
/// assert_eq!(gram(array![[1., 2.], [3., 4.]].view())?, array![[10., 14.], [14., 20.]]);
/// # Ok::<(), ocellus_cluster::Error>(())
/// ```
///
/// # Errors
///
/// None that depends on A.
pub fn gram<T: Float>(a: ArrayView2<'_, T>) -> Result<Array2<T>> {
    let mut c = Array2::zeros((a.ncols(), a.ncols()));
    add_gram(T::one(), a, c.view_mut())?;
    Ok(c)
}

/// C ← C + α·AᵀA for a symmetric C, whose lower triangle alone is read.
///
/// # Errors
///
/// If C is not as large as AᵀA.
pub fn add_gram<T: Float>(
    alpha: T,
    a: ArrayView2<'_, T>,
    mut c: ArrayViewMut2<'_, T>,
) -> Result<()> {
    let (depth, size) = a.dim();
    fits("C + AᵀA", c.dim(), (size, size), c.dim() == (size, size))?;
    let small = depth_per_task(size, size, depth) < depth;
    match c.as_slice_mut() {
        Some(values) if !small => {
            let dense = Dense::new(a);
            let a = dense.mat();
            let step = rows_per_task(size, size, depth);
            let mut blocks = row_blocks(row_major(values, size, size), step);
            blocks.reverse(); // The largest first.
            blocks.into_par_iter().for_each(|(start, c)| {
                let (rows, end) = (c.nrows(), start + c.nrows());
                let c = c.subcols_mut(0, end);
                let left = a.subcols(start, rows).transpose();
                matmul(c, Accum::Add, left, a.subcols(0, end), alpha, Par::Seq);
            });
        }
        _ => add_product(alpha, a.t(), a, c.view_mut())?,
    }
    mirror(c);
    Ok(())
}

/// Copies the lower triangle to the upper one, block by block.
fn mirror<T: Float>(mut c: ArrayViewMut2<'_, T>) {
    const BLOCK: usize = 64;
    let size = c.nrows();
    for top in (0..size).step_by(BLOCK) {
        for left in (top..size).step_by(BLOCK) {
            for i in top..size.min(top + BLOCK) {
                for j in left.max(i + 1)..size.min(left + BLOCK) {
                    c[[i, j]] = c[[j, i]];
                }
            }
        }
    }
}
