//! Multiplicative updates. Both factors lie component by component: W is held as Wᵀ, k × n.

use ndarray::{Array2, ArrayView2, Axis, Zip, s};
use rayon::prelude::*;

use super::Divergence;
use super::coordinate::hessian;
use super::init::Factors;
use super::objective::{LEAST, ROWS, divergence};
use crate::linalg::product;
use crate::{Float, Result};

/// The error is looked at after that many iterations.
pub(super) const PERIOD: usize = 10;

/// Iterates until ten updates lower the error √(2D) by less than `tolerance` of the first. Gives the
/// number of iterations and whether they ended by tolerance.
pub(super) fn multiply<T: Float>(
    kind: Divergence,
    x: ArrayView2<'_, T>,
    factors: &mut Factors<T>,
    [w_penalty, h_penalty]: [(f64, f64); 2],
    tolerance: f64,
    max_iterations: usize,
) -> Result<(usize, bool)> {
    let error = |factors: &Factors<T>| Ok((2. * divergence(kind, x, factors)?.max(0.)).sqrt());
    let first = if tolerance > 0. { error(factors)? } else { 0. };
    let mut before = first;
    for iteration in 1..=max_iterations {
        update(kind, x, &mut factors.wt, factors.h.view(), w_penalty)?;
        update(kind, x.t(), &mut factors.h, factors.wt.view(), h_penalty)?;
        if tolerance > 0. && iteration % PERIOD == 0 {
            let now = error(factors)?;
            if before - now < tolerance * first || now == 0. {
                return Ok((iteration, true));
            }
            before = now;
        }
    }
    Ok((max_iterations, false))
}

/// Multiplies `factor`, k × N, for X ≈ factorᵀ·other, N × M.
fn update<T: Float>(
    kind: Divergence,
    x: ArrayView2<'_, T>,
    factor: &mut Array2<T>,
    other: ArrayView2<'_, T>,
    (l1, l2): (f64, f64),
) -> Result<()> {
    let (numerator, mut denominator) = match kind {
        Divergence::Frobenius => {
            (product(other, x.t())?, product(hessian(other, 0.)?.view(), factor.view())?)
        }
        Divergence::KullbackLeibler => {
            let sums = other.sum_axis(Axis(1)).insert_axis(Axis(1));
            let sums =
                sums.broadcast(factor.dim()).map_or_else(|| factor.clone(), |v| v.to_owned());
            (quotients(x, factor.view(), other)?, sums)
        }
    };
    Zip::from(&mut denominator).and(&*factor).for_each(|to, &value| {
        *to += T::narrow(l1) + T::narrow(l2) * value;
    });
    Zip::from(factor).and(&numerator).and(&denominator).for_each(|value, &up, &down| {
        let down = if down == T::zero() { T::narrow(LEAST) } else { down };
        *value *= up / down;
    });
    Ok(())
}

/// other·(X / factorᵀ·other)ᵀ, k × N, block by block.
fn quotients<T: Float>(
    x: ArrayView2<'_, T>,
    factor: ArrayView2<'_, T>,
    other: ArrayView2<'_, T>,
) -> Result<Array2<T>> {
    let mut numerator = Array2::zeros(factor.dim());
    let blocks: Vec<_> = numerator.axis_chunks_iter_mut(Axis(1), ROWS).enumerate().collect();
    blocks.into_par_iter().try_for_each(|(block, mut to)| {
        let range = block * ROWS..block * ROWS + to.ncols();
        let (x, factor) = (x.slice(s![range.clone(), ..]), factor.slice(s![.., range]));
        // In the order in which X lies in memory.
        let by_columns = x.strides()[0] == 1 && x.nrows() > 1;
        let mut estimate = if by_columns {
            product(other.t(), factor)?.reversed_axes()
        } else {
            product(factor.t(), other)?
        };
        Zip::from(&mut estimate).and(x).for_each(|y, &x| *y = x / y.max(T::narrow(LEAST)));
        to.assign(&product(other, estimate.t())?);
        Ok(())
    })?;
    Ok(numerator)
}
