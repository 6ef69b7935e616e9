use ndarray::Array2;
use ocellus_cluster::Result;

use super::objective::{Objective, Value};

/// Where the search has ended.
pub(super) struct Found {
    pub(super) at: Array2<f64>,
    pub(super) iterations: usize,
    pub(super) converged: bool,
}

fn dot(a: &Array2<f64>, b: &Array2<f64>) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// Newton's method from 0, its steps by conjugate gradients, shortened where they do not descend.
pub(super) fn minimize(objective: &Objective, tolerance: f64, most: usize) -> Result<Found> {
    let mut at = Array2::zeros(objective.dim());
    let mut value = objective.at(&at)?;
    for iterations in 0..most {
        let gradient = objective.gradient(&at, &value)?;
        let largest = gradient.iter().map(|g| g.abs()).fold(0., f64::max);
        if largest <= tolerance {
            return Ok(Found { at, iterations, converged: true });
        }
        let step = direction(objective, &value, &gradient)?;
        match descend(objective, &at, &value, &step, dot(&gradient, &step))? {
            Some((next, next_value)) => (at, value) = (next, next_value),
            // Nothing lower within rounding.
            None => return Ok(Found { at, iterations, converged: false }),
        }
    }
    let gradient = objective.gradient(&at, &value)?;
    let converged = gradient.iter().all(|g| g.abs() <= tolerance);
    Ok(Found { at, iterations: most, converged })
}

/// About −H⁻¹g, the closer the smaller the gradient is; preconditioned by the Hessian's diagonal.
fn direction(objective: &Objective, value: &Value, gradient: &Array2<f64>) -> Result<Array2<f64>> {
    let scale = objective.diagonal(value)?.mapv(|d| 1. / d.max(f64::MIN_POSITIVE.sqrt()));
    let norm = dot(gradient, gradient).sqrt();
    let enough = norm * norm.sqrt().min(0.1);
    let mut step = Array2::zeros(gradient.dim());
    let mut residual = gradient.mapv(|g| -g);
    let mut scaled = &residual * &scale;
    let mut search = scaled.clone();
    let mut product = dot(&residual, &scaled);
    for _ in 0..10 * gradient.len().max(20) {
        let curved = objective.curvature(&search, value)?;
        let curvature = dot(&search, &curved);
        if curvature <= f64::EPSILON * dot(&search, &search) * f64::EPSILON {
            break;
        }
        let length = product / curvature;
        step.scaled_add(length, &search);
        residual.scaled_add(-length, &curved);
        if dot(&residual, &residual).sqrt() <= enough {
            break;
        }
        scaled = &residual * &scale;
        let next = dot(&residual, &scaled);
        search = &scaled + &(search * (next / product));
        product = next;
    }
    Ok(if dot(&step, gradient) < 0. { step } else { scaled_gradient(gradient, &scale) })
}

fn scaled_gradient(gradient: &Array2<f64>, scale: &Array2<f64>) -> Array2<f64> {
    -(gradient * scale)
}

/// The first of steps halved that descends enough, but for rounding.
fn descend(
    objective: &Objective,
    at: &Array2<f64>,
    value: &Value,
    step: &Array2<f64>,
    slope: f64,
) -> Result<Option<(Array2<f64>, Value)>> {
    const HALVINGS: usize = 40;
    let rounding = 8. * f64::EPSILON * value.loss.abs();
    let mut length = 1.;
    for _ in 0..HALVINGS {
        let next = at + &(step * length);
        let next_value = objective.at(&next)?;
        if next_value.loss <= value.loss + 1e-4 * length * slope + rounding {
            return Ok(Some((next, next_value)));
        }
        length /= 2.;
    }
    Ok(None)
}
