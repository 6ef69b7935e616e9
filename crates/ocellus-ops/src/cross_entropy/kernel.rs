#![allow(unsafe_code, reason = "tiles of the result lie interleaved")]

use candle_core::{Result, Shape};

use super::CrossEntropyConfig;
use super::target::{IGNORED, Target};
use crate::Reduction;
use crate::axis::{Axis, SMALL, TILE, Tile};
use crate::cpu::{Float, Output, UnaryKernel, Values, read};
use crate::parallel::{sum, wide};
use crate::simd::{Loop, vectorized_loop};
use crate::softmax::{Sums, ln};

/// With `v = w ⊙ q` a loss is `Σ v (log Σ exp x − x)`, its gradient `softmax(x) Σ v − v`.
///
/// Nothing is saved for the backward pass: to sum the powers anew takes it no longer than to take
/// them, which it must in any case.
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
        }
    }

    /// The class at each position of the tile, if it is the only one with a target.
    #[inline(always)]
    fn hard(&self, tile: Tile) -> Option<&[u32]> {
        match &self.target {
            Target::Indices(indices) if self.spread == 0. => {
                Some(&indices[tile.position..][..tile.len])
            }
            _ => None,
        }
    }

    /// The weight of a class; 0 for what is ignored.
    #[inline(always)]
    fn weight(&self, index: u32) -> f64 {
        if index == IGNORED { 0. } else { self.weights[index as usize] }
    }

    /// The target of a class at position `j` of the tile, smoothed, times the weight of the class.
    #[inline(always)]
    fn weighted<T: Float>(&self, probabilities: &[T], tile: Tile, class: usize, j: usize) -> f64 {
        let target = match &self.target {
            Target::Probabilities(_) => wide(probabilities[tile.row(class).start + j]) * self.kept,
            Target::Indices(indices) => match indices[tile.position + j] {
                index if index as usize == class => self.kept,
                IGNORED => return 0.,
                _ => 0.,
            },
        };
        self.weights[class] * (target + self.spread)
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
        let losses = |each: Option<&Output<T>>| {
            let kernel = self;
            if axis.inner <= SMALL {
                axis.tiles(|tile| {
                    vectorized_loop(Losses::<_, SMALL> { kernel, x, probabilities, tile, each })
                })
            } else {
                axis.tiles(|tile| {
                    vectorized_loop(Losses::<_, TILE> { kernel, x, probabilities, tile, each })
                })
            }
        };
        if self.reduction == Reduction::None {
            let fill = |y: &Output<T>| drop(losses(Some(y)));
            // SAFETY: the tiles cover all positions.
            let y = unsafe { Output::collect(axis.positions(), fill) };
            return Ok((y, [&dims[..self.dim], &dims[self.dim + 1..]].concat().into()));
        }
        let total = losses(None).iter().sum::<f64>() / self.divisor;
        Ok((vec![T::from_f64(total)], ().into()))
    }

    fn backward<T: Float>(
        &self,
        x: &[T],
        _: &[T],
        gradient: &[T],
        dims: &[usize],
    ) -> Result<Vec<T>> {
        let probabilities = self.probabilities::<T>()?;
        let probabilities = probabilities.as_deref().unwrap_or(&[]);
        let fill = |dx: &Output<T>| {
            let (axis, kernel) = (Axis::new(dims, self.dim), self);
            if axis.inner <= SMALL {
                axis.tiles(|tile| {
                    vectorized_loop(Gradients::<_, SMALL> {
                        kernel,
                        x,
                        probabilities,
                        gradient,
                        tile,
                        dx,
                    });
                });
            } else {
                axis.tiles(|tile| {
                    vectorized_loop(Gradients::<_, TILE> {
                        kernel,
                        x,
                        probabilities,
                        gradient,
                        tile,
                        dx,
                    });
                });
            }
        };
        // SAFETY: the tiles cover all elements, and each writes its own.
        Ok(unsafe { Output::collect(x.len(), fill) })
    }
}

/// The sum of the losses of a tile, each of which is written too if asked for.
struct Losses<'a, T, const N: usize> {
    kernel: &'a CrossEntropy,
    x: &'a [T],
    probabilities: &'a [T],
    tile: Tile,
    each: Option<&'a Output<T>>,
}

impl<T: Float, const N: usize> Loop for Losses<'_, T, N> {
    type Output = f64;

    #[inline(always)]
    fn run(self) -> f64 {
        let Self { kernel, x, probabilities, tile, each } = self;
        // A logit of −∞ with target 0 costs nothing.
        let cost = |v: f64, log: f64, x: T| if v == 0. { 0. } else { v * (log - wide(x)) };
        // SAFETY: nothing is written.
        let Sums::<T, N> { largest, totals: mut logs } = unsafe { Sums::of(x, tile, None) };
        let logs = &mut logs[..tile.len];
        for (log, &m) in logs.iter_mut().zip(&largest) {
            *log = wide(m) + ln(*log);
        }
        let mut losses = [0.; N];
        let losses = &mut losses[..tile.len];
        if let Some(indices) = kernel.hard(tile) {
            let mut hits = [T::zero(); N];
            for (j, ((&index, v), hit)) in
                indices.iter().zip(&mut *losses).zip(&mut hits).enumerate()
            {
                *v = kernel.weight(index);
                if index != IGNORED {
                    *hit = x[tile.row(index as usize).start + j];
                }
            }
            for ((v, &log), &hit) in losses.iter_mut().zip(&*logs).zip(&hits) {
                *v = cost(*v, log, hit);
            }
        } else {
            for class in 0..tile.size {
                let row = losses.iter_mut().zip(&*logs).zip(&x[tile.row(class)]);
                for (j, ((loss, &log), &x)) in row.enumerate() {
                    *loss += cost(kernel.weighted(probabilities, tile, class, j), log, x);
                }
            }
        }
        if let Some(each) = each {
            // SAFETY: the caller gives each tile, and so its positions, to one task.
            let each = unsafe { each.slice(tile.position, tile.len) };
            for (each, &loss) in each.iter_mut().zip(&*losses) {
                each.write(T::from_f64(loss));
            }
        }
        sum(losses, losses, |loss, _| loss)
    }
}

/// The gradient by the logits of a tile.
struct Gradients<'a, T, const N: usize> {
    kernel: &'a CrossEntropy,
    x: &'a [T],
    probabilities: &'a [T],
    gradient: &'a [T],
    tile: Tile,
    dx: &'a Output<T>,
}

impl<T: Float, const N: usize> Loop for Gradients<'_, T, N> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { kernel, x, probabilities, gradient, tile, dx } = self;
        // What the gradient of each loss is multiplied by.
        let mut scales = [0.; N];
        let scales = &mut scales[..tile.len];
        if kernel.reduction == Reduction::None {
            for (scale, &g) in scales.iter_mut().zip(&gradient[tile.position..]) {
                *scale = wide(g);
            }
        } else {
            scales.fill(wide(gradient[0]) / kernel.divisor);
        }
        // Σ v of each position.
        let mut masses = [0.; N];
        let masses = &mut masses[..tile.len];
        let hard = kernel.hard(tile);
        if let Some(indices) = hard {
            for (mass, &index) in masses.iter_mut().zip(indices) {
                *mass = kernel.weight(index);
            }
        } else {
            for class in 0..tile.size {
                for (j, mass) in masses.iter_mut().enumerate() {
                    *mass += kernel.weighted(probabilities, tile, class, j);
                }
            }
        }
        // SAFETY: the caller gives each tile to one task.
        let sums = unsafe { Sums::<T, N>::of(x, tile, Some(dx)) };
        // What makes the powers softmax · Σ v, and what is subtracted of the one with the target.
        let (mut factors, mut hits) = ([T::zero(); N], [T::zero(); N]);
        let (factors, hits) = (&mut factors[..tile.len], &mut hits[..tile.len]);
        let of_position = scales.iter().zip(&*masses).zip(&sums.totals);
        for (((&scale, &mass), &total), (factor, hit)) in
            of_position.zip(factors.iter_mut().zip(&mut *hits))
        {
            // Exactly 0 where it is ignored, whatever its logits.
            *factor = if mass == 0. { T::zero() } else { T::from_f64(scale * mass / total) };
            *hit = T::from_f64(scale * mass);
        }
        for class in 0..tile.size {
            // SAFETY: as above; the powers were written there.
            let dx = unsafe { dx.slice(tile.row(class).start, tile.len).assume_init_mut() };
            for (dx, &factor) in dx.iter_mut().zip(&*factors) {
                *dx = if factor == T::zero() { T::zero() } else { *dx * factor };
            }
            if let Some(indices) = hard {
                for ((dx, &index), &hit) in dx.iter_mut().zip(indices).zip(&*hits) {
                    *dx -= if index == class as u32 { hit } else { T::zero() };
                }
            } else {
                for (j, (dx, &scale)) in dx.iter_mut().zip(&*scales).enumerate() {
                    let v = kernel.weighted(probabilities, tile, class, j);
                    *dx -= T::from_f64(scale * v);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use candle_core::{DType, Device, Tensor, Var};
    use ocellus_testing::{assert_close, fill};

    use super::*;
    use crate::{Implementation, cross_entropy, softmax, with_implementation};

    #[test]
    fn tiles_of_any_size_give_what_the_composition_gives() -> Result<()> {
        for shape in [(2, 3, 1), (3, 2, SMALL + 1), (2, 3, 2 * TILE + 7)] {
            let x = Var::from_tensor(&(fill(shape, 0.3, DType::F64)? * 3.)?)?;
            let count = shape.0 * shape.2;
            let indices: Vec<i64> = (0..count).map(|i| (i % (shape.1 + 1)) as i64 - 1).collect();
            let indices = Tensor::from_vec(indices, (shape.0, shape.2), &Device::Cpu)?;
            let probabilities = softmax(&fill(shape, 0.7, DType::F64)?, 1)?;
            let weights = fill(shape.1, 0.2, DType::F64)?.affine(0.5, 1.)?;
            let config = CrossEntropyConfig::default().with_class_weights(weights);
            let smoothed = config.clone().with_label_smoothing(0.2);
            let each = config.clone().with_reduction(Reduction::None);
            let cases = [
                (&indices, config.clone().with_ignore_index(-1)),
                (&indices, each.clone().with_ignore_index(-1)),
                (&indices, smoothed.clone().with_ignore_index(-1)),
                (&probabilities, smoothed),
                (&probabilities, each),
            ];
            for (target, config) in cases {
                let run = || {
                    let loss = cross_entropy(&x, target, &config)?;
                    let gradients = loss.sqr()?.sum_all()?.backward()?;
                    Ok::<_, candle_core::Error>((loss, gradients.get(&x).unwrap().clone()))
                };
                let (loss, dx) = run()?;
                let (expected_loss, expected_dx) =
                    with_implementation(Implementation::Composed, run)?;
                assert_close(&loss, &expected_loss, 1e-12)?;
                assert_close(&dx, &expected_dx, 1e-12)?;
            }
        }
        Ok(())
    }
}
