use ndarray::{Array1, Array2, ArrayView1, Axis, Zip, s};
use ocellus_cluster::{Result, linalg::product};

use crate::scores::log_softmax;

/// The mean loss and the penalty, of parameters (outputs, columns): one output for two classes.
pub(super) struct Objective {
    samples: Array2<f64>,
    /// Whether each sample is of the class of each output.
    targets: Array2<f64>,
    /// Which add up to 1.
    weights: Array1<f64>,
    /// Of the squares of the first `penalized` columns.
    strength: f64,
    penalized: usize,
}

/// The objective somewhere, and what its derivatives need.
pub(super) struct Value {
    pub(super) loss: f64,
    probabilities: Array2<f64>,
}

impl Objective {
    pub(super) fn new(
        samples: Array2<f64>,
        y: &[usize],
        classes: usize,
        weights: &[f64],
        strength: f64,
        penalized: usize,
    ) -> Self {
        let total: f64 = weights.iter().sum();
        let outputs = if classes == 2 { 1 } else { classes };
        let is = |(i, k): (usize, usize)| y[i] == if outputs == 1 { 1 } else { k };
        Self {
            targets: Array2::from_shape_fn((y.len(), outputs), |at| f64::from(u8::from(is(at)))),
            samples,
            weights: weights.iter().map(|w| w / total).collect(),
            strength: strength / total,
            penalized,
        }
    }

    /// (outputs, columns)
    pub(super) fn dim(&self) -> (usize, usize) {
        (self.targets.ncols(), self.samples.ncols())
    }

    pub(super) fn at(&self, parameters: &Array2<f64>) -> Result<Value> {
        let logits = product(self.samples.view(), parameters.t())?;
        let squares = parameters.slice(s![.., ..self.penalized]).iter().map(|v| v * v).sum::<f64>();
        let (losses, probabilities) = if self.dim().0 == 1 {
            let loss = |z: f64, t: f64| (-z.abs()).exp().ln_1p() + z.max(0.) - t * z;
            let losses = logits.iter().zip(&self.targets).map(|(&z, &t)| loss(z, t));
            (losses.collect::<Array1<f64>>(), logits.mapv(sigmoid))
        } else {
            let log = log_softmax(logits);
            let of = |(log, t): (ArrayView1<'_, f64>, ArrayView1<'_, f64>)| -log.dot(&t);
            let losses = log.outer_iter().zip(self.targets.outer_iter()).map(of);
            (losses.collect::<Array1<f64>>(), log.mapv(f64::exp))
        };
        Ok(Value { loss: self.weights.dot(&losses) + self.strength / 2. * squares, probabilities })
    }

    pub(super) fn gradient(&self, parameters: &Array2<f64>, value: &Value) -> Result<Array2<f64>> {
        self.back(&value.probabilities - &self.targets, parameters)
    }

    /// The Hessian times a direction.
    pub(super) fn curvature(&self, direction: &Array2<f64>, value: &Value) -> Result<Array2<f64>> {
        let mut moved = product(self.samples.view(), direction.t())?;
        let one = self.dim().0 == 1;
        Zip::from(moved.rows_mut()).and(value.probabilities.rows()).for_each(|mut moved, p| {
            let mean = if one { p[0] * moved[0] } else { p.dot(&moved) };
            moved.zip_mut_with(&p, |moved, p| *moved = p * (*moved - mean));
        });
        self.back(moved, direction)
    }

    /// The diagonal of the Hessian.
    pub(super) fn diagonal(&self, value: &Value) -> Result<Array2<f64>> {
        let spread = value.probabilities.mapv(|p| p * (1. - p));
        let spread = spread * self.weights.view().insert_axis(Axis(1));
        let mut diagonal = product(spread.t(), self.samples.mapv(|v| v * v).view())?;
        diagonal.slice_mut(s![.., ..self.penalized]).mapv_inplace(|v| v + self.strength);
        Ok(diagonal)
    }

    /// Σ of weight · residual · sample, and the penalty's part.
    fn back(&self, residuals: Array2<f64>, parameters: &Array2<f64>) -> Result<Array2<f64>> {
        let residuals = residuals * self.weights.view().insert_axis(Axis(1));
        let mut sums = product(residuals.t(), self.samples.view())?;
        let penalized = s![.., ..self.penalized];
        sums.slice_mut(penalized).scaled_add(self.strength, &parameters.slice(penalized));
        Ok(sums)
    }
}

/// 1 / (1 + e⁻ᶻ) without overflow.
pub(super) fn sigmoid(z: f64) -> f64 {
    let e = (-z.abs()).exp();
    if z >= 0. { 1. / (1. + e) } else { e / (1. + e) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn derivatives_are_those_of_finite_differences() {
        for classes in [2, 3] {
            let samples =
                Array2::from_shape_fn((12, 4), |(i, j)| ((i * 5 + j * 3) % 7) as f64 / 3. - 1.);
            let y: Vec<usize> = (0..12).map(|i| i % classes).collect();
            let weights: Vec<f64> = (0..12).map(|i| 1. + (i % 3) as f64).collect();
            let objective = Objective::new(samples, &y, classes, &weights, 0.3, 3);
            let at = Array2::from_shape_fn(objective.dim(), |(k, j)| 0.3 * (k as f64 - j as f64));
            let value = objective.at(&at).unwrap();
            let gradient = objective.gradient(&at, &value).unwrap();
            let diagonal = objective.diagonal(&value).unwrap();
            let step = 1e-5;
            for index in ndarray::indices(objective.dim()) {
                let mut unit = Array2::zeros(objective.dim());
                unit[index] = 1.;
                let shifted = |by: f64| &at + &(&unit * by);
                let value_at = |by| objective.at(&shifted(by)).unwrap();
                let slope = (value_at(step).loss - value_at(-step).loss) / (2. * step);
                assert!((slope - gradient[index]).abs() < 1e-9, "{slope}, {}", gradient[index]);
                let gradient_at = |by| objective.gradient(&shifted(by), &value_at(by)).unwrap();
                let curvature = (gradient_at(step) - gradient_at(-step)) / (2. * step);
                let product = objective.curvature(&unit, &value).unwrap();
                assert!((&curvature - &product).iter().all(|d| d.abs() < 1e-9));
                assert!((diagonal[index] - product[index]).abs() < 1e-12);
            }
        }
    }
}
