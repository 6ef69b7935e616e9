use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par};
use ndarray::{Array2, ArrayView2, ArrayViewMut2};
use rayon::prelude::*;

use super::cut::{depth_per_task, rows_per_task};
use super::dense::{Dense, row_major};
use crate::{Error, Float, Result};

/// The product A·B.
///
/// # Examples
///
/// ```
/// use ndarray::array;
/// use ocellus_cluster::linalg::product;
///
/// let a = array![[1., 2.], [3., 4.]];
/// assert_eq!(product(a.t(), a.view())?, array![[10., 14.], [14., 20.]]);
/// # Ok::<(), ocellus_cluster::Error>(())
/// ```
///
/// # Errors
///
/// If A has not as many columns as B has rows.
pub fn product<T: Float>(a: ArrayView2<'_, T>, b: ArrayView2<'_, T>) -> Result<Array2<T>> {
    let mut c = Array2::zeros((a.nrows(), b.ncols()));
    add_product(T::one(), a, b, c.view_mut())?;
    Ok(c)
}

/// C ← C + α·A·B.
///
/// # Errors
///
/// If the sizes do not fit.
pub fn add_product<T: Float>(
    alpha: T,
    a: ArrayView2<'_, T>,
    b: ArrayView2<'_, T>,
    mut c: ArrayViewMut2<'_, T>,
) -> Result<()> {
    fits("A·B", a.dim(), b.dim(), a.ncols() == b.nrows())?;
    fits("C + A·B", c.dim(), (a.nrows(), b.ncols()), c.dim() == (a.nrows(), b.ncols()))?;
    let (rows, columns) = c.dim();
    let (a, b) = (Dense::new(a), Dense::new(b));
    if let Some(values) = c.as_slice_mut() {
        accumulate(row_major(values, rows, columns), alpha, a.mat(), b.mat());
    } else if let Some(values) = c.view_mut().reversed_axes().as_slice_mut() {
        let c = row_major(values, columns, rows).transpose_mut();
        accumulate(c, alpha, a.mat(), b.mat());
    } else {
        let mut sum = c.to_owned();
        let values = sum.as_slice_memory_order_mut().unwrap_or_default();
        accumulate(row_major(values, rows, columns), alpha, a.mat(), b.mat());
        c.assign(&sum);
    }
    Ok(())
}

pub(super) fn fits(
    operation: &'static str,
    (left_rows, left_columns): (usize, usize),
    (right_rows, right_columns): (usize, usize),
    fit: bool,
) -> Result<()> {
    if fit {
        return Ok(());
    }
    Err(Error::Shapes { operation, left_rows, left_columns, right_rows, right_columns })
}

fn accumulate<T: Float>(c: MatMut<'_, T>, alpha: T, a: MatRef<'_, T>, b: MatRef<'_, T>) {
    if c.ncols() > c.nrows() {
        return accumulate(c.transpose_mut(), alpha, b.transpose(), a.transpose());
    }
    let (rows, columns, depth) = (c.nrows(), c.ncols(), a.ncols());
    let deep = depth_per_task(rows, columns, depth);
    if deep < depth {
        return accumulate_in_parts(c, alpha, a, b, deep);
    }
    let step = rows_per_task(rows, columns, depth);
    let parts = row_blocks(c, step);
    parts.into_par_iter().for_each(|(start, c)| {
        let a = a.subrows(start, c.nrows());
        matmul(c, Accum::Add, a, b, alpha, Par::Seq);
    });
}

/// Partial sums, added in their order.
fn accumulate_in_parts<T: Float>(
    mut c: MatMut<'_, T>,
    alpha: T,
    a: MatRef<'_, T>,
    b: MatRef<'_, T>,
    deep: usize,
) {
    let depth = a.ncols();
    let starts: Vec<usize> = (0..depth).step_by(deep).collect();
    let parts: Vec<faer::Mat<T>> = starts
        .into_par_iter()
        .map(|start| {
            let size = deep.min(depth - start);
            let mut part = faer::Mat::zeros(c.nrows(), c.ncols());
            let (a, b) = (a.subcols(start, size), b.subrows(start, size));
            matmul(part.as_mut(), Accum::Replace, a, b, alpha, Par::Seq);
            part
        })
        .collect();
    for part in parts {
        c += &part;
    }
}

/// The first row and the rows of each block.
pub(super) fn row_blocks<T>(mut c: MatMut<'_, T>, step: usize) -> Vec<(usize, MatMut<'_, T>)> {
    let (mut blocks, mut start) = (Vec::new(), 0);
    while c.nrows() > step {
        let (block, rest) = c.split_at_row_mut(step);
        blocks.push((start, block));
        (c, start) = (rest, start + step);
    }
    blocks.push((start, c));
    blocks
}
