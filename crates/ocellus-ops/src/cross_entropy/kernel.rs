use std::sync::OnceLock;

use candle_core::{Result, Shape, bail};
use rayon::prelude::*;

use super::CrossEntropyConfig;
use super::target::{IGNORED, Target};
use crate::Reduction;
use crate::axis::{At, Axis};
use crate::cpu::{Float, UnaryKernel, Values, read};
use crate::parallel::{GRAIN, sum, wide};

/// With `v = w ⊙ q` a loss is `Σ v (log Σ exp x − x)`, its gradient `softmax(x) Σ v − v`.
pub(super) struct CrossEntropy {
    target: Target,
    weights: Vec<f64>,
    /// What of a target is kept where the rest is spread over the classes.
    kept: f64,
    /// What each class gets of that.
    spread: f64,
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
            kept: 1. - label_smoothing,
            spread: label_smoothing / weights.len() as f64,
            weights,
            reduction,
            divisor,
            dim,
            saved: OnceLock::new(),
        }
    }

    /// The target at `at`, smoothed, times the weight of its class.
    fn weighted<T: Float>(&self, probabilities: &[T], at: At) -> f64 {
        let target = match &self.target {
            Target::Probabilities(_) => wide(probabilities[at.element]) * self.kept,
            Target::Indices(indices) => match indices[at.position] {
                index if index as usize == at.class => self.kept,
                IGNORED => return 0.,
                _ => 0.,
            },
        };
        self.weights[at.class] * (target + self.spread)
    }

    /// Loss and mass `Σ v` of each position.
    fn losses<T: Float>(
        &self,
        axis: Axis,
        x: &[T],
        probabilities: &[T],
        log_sums: &[f64],
    ) -> Vec<(f64, f64)> {
        // A logit of −∞ with target 0 costs nothing.
        let cost = |v: f64, position: usize, x: T| match v {
            0. => 0.,
            v => v * (log_sums[position] - wide(x)),
        };
        match &self.target {
            Target::Indices(indices) if self.spread == 0. => {
                let one = |(position, &index): (usize, &u32)| {
                    if index == IGNORED {
                        return (0., 0.);
                    }
                    let weight = self.weights[index as usize];
                    let x = x[axis.element(position, index as usize)];
                    (cost(weight, position, x), weight)
                };
                indices.par_iter().enumerate().with_min_len(GRAIN).map(one).collect()
            }
            _ => axis.fold(x, (0., 0.), |(loss, mass), x, i| {
                let v = self.weighted(probabilities, i);
                (loss + cost(v, i.position, x), mass + v)
            }),
        }
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
        let totals = axis.fold(x, 0., |a, x, i| a + wide((x - largest[i.position]).exponential()));
        let pairs = largest.par_iter().zip(&totals).with_min_len(GRAIN / 16);
        let sums: Vec<f64> = pairs.map(|(&m, total): (_, &f64)| wide(m) + total.ln()).collect();
        let losses = self.losses(axis, x, probabilities, &sums);
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
        Ok(Axis::new(dims, self.dim).map(x, |x, i| {
            let Saved { log_sum_exp, mass } = saved[i.position];
            let v = self.weighted(probabilities, i);
            if mass == 0. && v == 0. {
                return T::zero(); // Ignored, whatever its logits.
            }
            let softmax = wide(T::from_f64(wide(x) - log_sum_exp).exponential());
            let g = wide(gradient[if each { i.position } else { 0 }]);
            T::from_f64(g / self.divisor * (softmax * mass - v))
        }))
    }
}
