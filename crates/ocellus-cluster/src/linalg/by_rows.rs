use faer::linalg::matmul::matmul;
use faer::{Accum, Par};
use ndarray::{Array2, ArrayView1, ArrayView2, Axis, Zip};
use rayon::prelude::*;

use super::dense::{Dense, row_major};
use super::product::fits;
use crate::{Float, Result};

/// Rows of each product.
const ROWS: usize = 32;

/// (A − 1·mᵀ)·B, each row in bits that do not depend on the other rows, their number or their order.
///
/// [`product`](super::product) may add up in another order where it is given fewer rows; here every
/// product has 32, filled up with zeros.
///
/// # Errors
///
/// If A has not as many columns as B has rows and m has entries.
pub fn product_by_rows<T: Float>(
    a: ArrayView2<'_, T>,
    mean: Option<ArrayView1<'_, T>>,
    b: ArrayView2<'_, T>,
) -> Result<Array2<T>> {
    let (depth, columns) = b.dim();
    fits("A·B", a.dim(), b.dim(), a.ncols() == depth)?;
    if let Some(mean) = mean {
        fits("A − m", a.dim(), (1, mean.len()), mean.len() == depth)?;
    }
    let b = Dense::new(b);
    let mut c = Array2::zeros((a.nrows(), columns));
    if c.is_empty() {
        return Ok(c);
    }
    c.axis_chunks_iter_mut(Axis(0), ROWS)
        .into_par_iter()
        .zip(a.axis_chunks_iter(Axis(0), ROWS))
        .for_each(|(mut c, a)| {
            let mut rows = Array2::zeros((ROWS, depth));
            for (mut to, from) in rows.outer_iter_mut().zip(a.outer_iter()) {
                match mean {
                    Some(mean) => {
                        Zip::from(&mut to).and(from).and(mean).for_each(|to, &a, &m| *to = a - m);
                    }
                    None => to.assign(&from),
                }
            }
            let rows = Dense::new(rows.view());
            let mut values = vec![T::zero(); ROWS * columns];
            let result = row_major(&mut values, ROWS, columns);
            matmul(result, Accum::Replace, rows.mat(), b.mat(), T::one(), Par::Seq);
            for (mut to, from) in c.outer_iter_mut().zip(values.chunks_exact(columns)) {
                to.assign(&ArrayView1::from(from));
            }
        });
    Ok(c)
}
