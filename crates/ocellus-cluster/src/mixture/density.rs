use std::f64::consts::TAU;

use ndarray::{Array2, ArrayView2};
use rayon::prelude::*;

use super::covariance::Whitening;
use crate::table::Table;

/// Samples of each task.
const ROWS: usize = 64;

/// ln wₖ + ln N(x; μₖ, Σₖ) of each sample and component.
///
/// Each sample's figures are computed in the same order, whatever samples are with it.
pub(super) fn weighted_log_densities(
    x: &Table<f64>,
    weights: &[f64],
    means: ArrayView2<'_, f64>,
    whitening: &Whitening,
) -> Array2<f64> {
    let (components, features) = means.dim();
    let means = Table::new(means);
    let constants: Vec<f64> = (weights.iter().enumerate())
        .map(|(k, w)| w.ln() + whitening.log_det(k) - 0.5 * features as f64 * TAU.ln())
        .collect();
    let mut densities = Array2::zeros((x.len(), components));
    let flat = densities.as_slice_mut().unwrap_or_default();
    flat.par_chunks_mut(ROWS * components).enumerate().for_each(|(block, densities)| {
        let rows = &x.as_slice()[block * ROWS * features..];
        let rows = &rows[..densities.len() / components * features];
        let mut centered = vec![0.; rows.len()];
        let mut white = vec![0.; rows.len()];
        for (k, constant) in constants.iter().enumerate() {
            for (to, from) in centered.chunks_mut(features).zip(rows.chunks(features)) {
                for ((to, from), mean) in to.iter_mut().zip(from).zip(means.row(k)) {
                    *to = from - mean;
                }
            }
            match whitening {
                Whitening::Matrices(all) => {
                    white.fill(0.);
                    whiten(&centered, &all[k.min(all.len() - 1)], &mut white);
                }
                Whitening::Diagonals(rows) => {
                    for (white, centered) in
                        white.chunks_mut(features).zip(centered.chunks(features))
                    {
                        for ((to, from), u) in white.iter_mut().zip(centered).zip(rows.row(k)) {
                            *to = from * u;
                        }
                    }
                }
            }
            for (i, white) in white.chunks(features).enumerate() {
                densities[i * components + k] = constant - 0.5 * sum_of_squares(white);
            }
        }
    });
    densities
}

/// Adds z U of some rows z to those of y, for an upper triangular U. A row of U is read once for all.
fn whiten(z: &[f64], u: &Array2<f64>, y: &mut [f64]) {
    let features = u.ncols();
    for (i, factors) in u.outer_iter().enumerate() {
        let factors = &factors.to_slice().unwrap_or_default()[i..];
        for (z, y) in z.chunks(features).zip(y.chunks_mut(features)) {
            for (y, factor) in y[i..].iter_mut().zip(factors) {
                *y += z[i] * factor;
            }
        }
    }
}

fn sum_of_squares(values: &[f64]) -> f64 {
    const LANES: usize = 8;
    let mut lanes = [0.; LANES];
    let (head, tail) = values.as_chunks::<LANES>();
    for values in head {
        for (sum, value) in lanes.iter_mut().zip(values) {
            *sum += value * value;
        }
    }
    lanes.iter().sum::<f64>() + tail.iter().map(|value| value * value).sum::<f64>()
}

/// Turns weighted log-densities into responsibilities, row by row. Returns ln Σₖ of each row.
pub(super) fn normalize(densities: &mut Array2<f64>) -> Vec<f64> {
    let components = densities.ncols().max(1);
    let rows = densities.as_slice_mut().unwrap_or_default().par_chunks_mut(components);
    let normalize = |row: &mut [f64]| {
        let largest = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        if largest == f64::NEG_INFINITY {
            // Too far from all components to tell them apart.
            row.fill(1. / row.len() as f64);
            return largest;
        }
        let sum: f64 = row.iter().map(|value| (value - largest).exp()).sum();
        let log_sum = largest + sum.ln();
        row.iter_mut().for_each(|value| *value = (*value - log_sum).exp());
        log_sum
    };
    rows.with_min_len(256).map(normalize).collect()
}
