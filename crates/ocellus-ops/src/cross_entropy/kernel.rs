use std::sync::OnceLock;

use candle_core::{Result, Shape, bail};

use super::CrossEntropyConfig;
use super::target::{IGNORED, Target};
use crate::Reduction;
use crate::axis::{At, Axis};
use crate::cpu::{Float, UnaryKernel, Values, read};
use crate::parallel::{sum, wide};

/// With `v = w ⊙ q` a loss is `Σ v (log Σ exp x − x)`, its gradient `softmax(x) Σ v − v`.
pub(super) struct CrossEntropy {
    target: Target,
    weights: Vec<f64>,
    smoothing: f64,
    reduction: Reduction,
    divisor: f64,
    dim: usize,
    saved: OnceLock<Vec<Saved>>,
}

/// What the backward pass needs to know of a position.
#[derive(Clone, Copy)]
struct Saved {
    log_sum_exp: f64,
    mass: f64,
}

impl CrossEntropy {
    pub(super) fn new(
        target: Target,
        weights: Vec<f64>,
        divisor: f64,
        config: &CrossEntropyConfig,
    ) -> Self {
        let CrossEntropyConfig { label_smoothing, reduction, dim, .. } = *config;
        Self {
            target,
            weights,
            smoothing: label_smoothing,
            reduction,
            divisor,
            dim,
            saved: OnceLock::new(),
        }
    }

    /// The target at `at`, smoothed, times the weight of its class.
    fn weighted<T: Float>(&self, probabilities: &[T], at: At) -> f64 {
        let target = match &self.target {
            Target::Probabilities(_) => wide(probabilities[at.element]),
            Target::Indices(indices) => match indices[at.position] {
                IGNORED => return 0.,
                index => f64::from(u8::from(index as usize == at.class)),
            },
        };
        let spread = self.smoothing / self.weights.len() as f64;
        self.weights[at.class] * (target * (1. - self.smoothing) + spread)
    }

    /// The target probabilities, unless the targets are indices.
    fn probabilities<T: Float>(&self) -> Result<Option<Values<'_, T>>> {
        match &self.target {
            Target::Indices(_) => Ok(None),
            Target::Probabilities(p) => read(p).map(Some),
        }
    }
}

impl UnaryKernel for CrossEntropy {
    const NAME: &'static str = "cross_entropy";

    fn forward<T: Float>(&self, x: &[T], dims: &[usize]) -> Result<(Vec<T>, Shape)> {
        let probabilities = self.probabilities::<T>()?;
        let probabilities = probabilities.as_deref().unwrap_or(&[]);
        let axis = Axis::new(dims, self.dim);
        let largest = axis.largest(x);
        let totals = axis.fold(0., |a, i| a + wide((x[i.element] - largest[i.position]).exp()));
        let sums = largest.iter().zip(&totals).map(|(&m, total): (_, &f64)| wide(m) + total.ln());
        let sums: Vec<f64> = sums.collect();
        let losses = axis.fold((0., 0.), |(loss, mass), i| {
            let v = self.weighted(probabilities, i);
            // A logit of −∞ with target 0 costs nothing.
            let cost = if v == 0. { 0. } else { v * (sums[i.position] - wide(x[i.element])) };
            (loss + cost, mass + v)
        });
        let saved =
            sums.iter().zip(&losses).map(|(&log_sum_exp, &(_, mass))| Saved { log_sum_exp, mass });
        let _ = self.saved.set(saved.collect());
        let losses: Vec<f64> = losses.into_iter().map(|(loss, _)| loss).collect();
        if self.reduction == Reduction::None {
            let shape = [&dims[..self.dim], &dims[self.dim + 1..]].concat();
            return Ok((losses.into_iter().map(T::from_f64).collect(), shape.into()));
        }
        let total = sum(&losses, &losses, |loss, _| loss) / self.divisor;
        Ok((vec![T::from_f64(total)], ().into()))
    }

    fn backward<T: Float>(
        &self,
        x: &[T],
        _: &[T],
        gradient: &[T],
        dims: &[usize],
    ) -> Result<Vec<T>> {
        let Some(saved) = self.saved.get() else { bail!("cross_entropy: backward before forward") };
        let probabilities = self.probabilities::<T>()?;
        let probabilities = probabilities.as_deref().unwrap_or(&[]);
        let each = self.reduction == Reduction::None;
        Ok(Axis::new(dims, self.dim).map(|i| {
            let Saved { log_sum_exp, mass } = saved[i.position];
            let v = self.weighted(probabilities, i);
            if mass == 0. && v == 0. {
                return T::zero(); // Ignored, whatever its logits.
            }
            let softmax = wide(T::from_f64(wide(x[i.element]) - log_sum_exp).exp());
            let g = wide(gradient[if each { i.position } else { 0 }]);
            T::from_f64(g / self.divisor * (softmax * mass - v))
        }))
    }
}
