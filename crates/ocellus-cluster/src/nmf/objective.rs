//! What is left of the data.

use ndarray::{Array2, ArrayView2, Axis};
use rayon::prelude::*;

use super::Divergence;
use super::init::Factors;
use crate::linalg::product;
use crate::{Float, Result};

/// What replaces an estimate of 0 in a quotient, as in scikit-learn: ε of `f32`.
pub(super) const LEAST: f64 = f32::EPSILON as f64;
/// Rows of the estimate that are in memory at a time, for each thread.
pub(super) const ROWS: usize = 64;

/// D(X, WH).
pub(super) fn divergence<T: Float>(
    kind: Divergence,
    x: ArrayView2<'_, T>,
    factors: &Factors<T>,
) -> Result<f64> {
    let blocks: Vec<_> =
        x.axis_chunks_iter(Axis(0), ROWS).zip(factors.wt.axis_chunks_iter(Axis(1), ROWS)).collect();
    let parts: Vec<f64> = blocks
        .into_par_iter()
        .map(|(x, wt)| Ok(terms(kind, x, &product(wt.t(), factors.h.view())?)))
        .collect::<Result<_>>()?;
    Ok(parts.into_iter().sum())
}

/// The sum over a block.
pub(super) fn terms<T: Float>(kind: Divergence, x: ArrayView2<'_, T>, estimate: &Array2<T>) -> f64 {
    let pairs = x.iter().zip(estimate).map(|(x, y)| (x.widen(), y.widen()));
    match kind {
        Divergence::Frobenius => 0.5 * pairs.map(|(x, y)| (x - y).powi(2)).sum::<f64>(),
        Divergence::KullbackLeibler => pairs.map(|(x, y)| relative_entropy(x, y)).sum(),
    }
}

fn relative_entropy(x: f64, y: f64) -> f64 {
    if x > LEAST { x * (x / y.max(LEAST)).ln() - x + y } else { y - x }
}
