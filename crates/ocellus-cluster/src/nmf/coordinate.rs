//! Coordinate descent. Both factors lie component by component: W is held as Wᵀ, k × n.

use ndarray::{Array2, ArrayView1, ArrayView2, ArrayViewMut2, Axis, s};
use rayon::prelude::*;

use super::init::Factors;
use crate::linalg::{gram, product};
use crate::{Float, Result};

/// How many columns of a factor are worked on together.
const LANES: usize = 64;

/// Iterates until the projected gradient has shrunk to `tolerance`. Gives the number of iterations and
/// whether they ended by tolerance.
pub(super) fn descend<T: Float>(
    x: ArrayView2<'_, T>,
    factors: &mut Factors<T>,
    [w_penalty, h_penalty]: [(f64, f64); 2],
    tolerance: f64,
    max_iterations: usize,
) -> Result<(usize, bool)> {
    let Factors { wt, h } = factors;
    let mut first = 0.;
    for iteration in 1..=max_iterations {
        let mut violation = update(x, wt, h.view(), w_penalty)?;
        violation += update(x.t(), h, wt.view(), h_penalty)?;
        if iteration == 1 {
            first = violation;
        }
        if violation <= tolerance * first {
            return Ok((iteration, true));
        }
    }
    Ok((max_iterations, false))
}

/// One sweep over all coordinates of `factor`, k × N, for X ≈ factorᵀ·other, N × M.
fn update<T: Float>(
    x: ArrayView2<'_, T>,
    factor: &mut Array2<T>,
    other: ArrayView2<'_, T>,
    penalty: (f64, f64),
) -> Result<f64> {
    // Each is the faster one for its order of X in memory.
    let by_rows = x.strides()[1] == 1;
    let target =
        if by_rows { product(x, other.t())?.reversed_axes() } else { product(other, x.t())? };
    let hessian = hessian(other, penalty.1)?;
    let linear = T::narrow(penalty.0);
    let sweep = |(factor, target): (ArrayViewMut2<'_, T>, ArrayView2<'_, T>)| {
        sweep_lanes(factor, target, &hessian, linear)
    };
    let lanes: Vec<_> = factor
        .axis_chunks_iter_mut(Axis(1), LANES)
        .into_par_iter()
        .zip(target.axis_chunks_iter(Axis(1), LANES))
        .map(sweep)
        .collect();
    Ok(lanes.into_iter().sum())
}

/// other·otherᵀ with the L2 weight on its diagonal.
pub(super) fn hessian<T: Float>(other: ArrayView2<'_, T>, l2: f64) -> Result<Array2<T>> {
    let mut hessian = gram(other.t())?;
    hessian.diag_mut().mapv_inplace(|value| value + T::narrow(l2));
    Ok(hessian)
}

/// The sweep over some columns. Gives the sum of the projected gradient's magnitudes.
fn sweep_lanes<T: Float>(
    mut factor: ArrayViewMut2<'_, T>,
    target: ArrayView2<'_, T>,
    hessian: &Array2<T>,
    linear: T,
) -> f64 {
    let width = factor.ncols();
    let mut rows = vec![[T::zero(); LANES]; factor.nrows()];
    for (row, from) in rows.iter_mut().zip(factor.outer_iter()) {
        from.iter().zip(row).for_each(|(&from, to)| *to = from);
    }
    let mut violation = [T::zero(); LANES];
    for (t, target) in target.outer_iter().enumerate() {
        let mut gradient = [T::zero(); LANES];
        for (to, &target) in gradient.iter_mut().zip(&target) {
            *to = linear - target;
        }
        for (row, &weight) in rows.iter().zip(hessian.row(t)) {
            for (to, &value) in gradient.iter_mut().zip(row) {
                *to += weight * value;
            }
        }
        let curvature = hessian[[t, t]];
        let step = if curvature > T::zero() { T::one() / curvature } else { T::zero() };
        for ((value, &gradient), sum) in rows[t].iter_mut().zip(&gradient).zip(&mut violation) {
            let at_bound = *value == T::zero();
            let projected = if at_bound { gradient.min(T::zero()) } else { gradient };
            *sum += projected.abs();
            *value = (*value - gradient * step).max(T::zero());
        }
    }
    for (row, mut to) in rows.iter().zip(factor.outer_iter_mut()) {
        to.iter_mut().zip(row).for_each(|(to, &from)| *to = from);
    }
    violation.iter().take(width).map(|v| v.widen()).sum()
}

/// Minimizes over one row of W alone: ½wGwᵀ − w·target + linear·Σw, from 0.
///
/// Ends by its own gradient, so that it does not depend on other rows.
pub(super) fn solve_row<T: Float>(
    target: ArrayView1<'_, T>,
    hessian: &Array2<T>,
    linear: f64,
    tolerance: f64,
    max_iterations: usize,
) -> Vec<T> {
    let mut row = vec![T::zero(); target.len()];
    let mut gradient: Vec<T> = target.iter().map(|&value| T::narrow(linear) - value).collect();
    let mut first = 0.;
    for iteration in 0..max_iterations {
        let mut violation = 0.;
        for t in 0..row.len() {
            let (slope, curvature) = (gradient[t], hessian[[t, t]]);
            let projected = if row[t] == T::zero() { slope.min(T::zero()) } else { slope };
            violation += projected.abs().widen();
            if curvature <= T::zero() {
                continue;
            }
            let next = (row[t] - slope / curvature).max(T::zero());
            let change = next - row[t];
            row[t] = next;
            for (gradient, &entry) in gradient.iter_mut().zip(hessian.slice(s![t, ..])) {
                *gradient += change * entry;
            }
        }
        if iteration == 0 {
            first = violation;
        }
        if violation <= tolerance * first {
            break;
        }
    }
    row
}
