use std::ops::{AddAssign, Range};

use candle_core::{Result, Shape};

use super::CrossEntropyConfig;
use super::indices::IGNORED;
use super::target::Target;
use crate::Reduction;
use crate::axis::{Axis, Lanes, narrow};
use crate::cpu::{Float, UnaryKernel, Values, read};
use crate::parallel::{sum, wide};
use crate::softmax::{largest, ln, powers};

/// With `v = w ⊙ q` a loss is `Σ v (log Σ exp x − x)`, its gradient `softmax(x) Σ v − v`.
///
/// Nothing is saved for the backward pass: to sum the powers anew takes it no longer than to take
/// them, which it must in any case.
pub(crate) struct CrossEntropy {
    pub(crate) target: Target,
    pub(crate) weights: Vec<f64>,
    /// What of a target is kept where the rest is spread over the classes.
    pub(crate) kept: f64,
    /// What each class gets of that.
    pub(crate) spread: f64,
    pub(crate) reduction: Reduction,
    pub(crate) divisor: f64,
    pub(crate) dim: usize,
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

    /// Whether a position has one class alone.
    #[inline(always)]
    fn is_hard(&self) -> bool {
        self.spread == 0. && matches!(self.target, Target::Indices(_))
    }

    /// The class of each position; [`IGNORED`] where there is none.
    #[inline(always)]
    fn indices<const N: usize>(&self, positions: Range<usize>) -> [u32; N] {
        let mut lanes = [IGNORED; N];
        if let Target::Indices(indices) = &self.target {
            let indices = indices.classes();
            match indices[positions.start..].first_chunk() {
                Some(indices) if positions.len() == N => lanes = *indices,
                _ => lanes[..positions.len()].copy_from_slice(&indices[positions]),
            }
        }
        lanes
    }

    /// The weight of the class of each position.
    #[inline(always)]
    fn weights<const N: usize>(&self, indices: &[u32; N]) -> [f64; N] {
        entries(indices, self.weights.len(), |class| [self.weights[class]; N])
    }

    /// The targets of a class, smoothed, times its weight; from the indices, or else from the
    /// probabilities.
    #[inline(always)]
    fn weighted<T: Float, const N: usize>(
        &self,
        class: usize,
        indices: &[u32; N],
        probabilities: &[[T; N]],
    ) -> [f64; N] {
        let (weight, mut weighted) = (self.weights[class], [0.; N]);
        if let Some(probabilities) = probabilities.get(class) {
            for (v, &p) in weighted.iter_mut().zip(probabilities) {
                *v = weight * (wide(p) * self.kept + self.spread);
            }
        } else {
            for (v, &index) in weighted.iter_mut().zip(indices) {
                let target = if index == class as u32 { self.kept } else { 0. };
                *v = if index == IGNORED { 0. } else { weight * (target + self.spread) };
            }
        }
        weighted
    }

    /// The target probabilities, unless the targets are indices.
    fn probabilities<T: Float>(&self) -> Result<Option<Values<'_, T>>> {
        match &self.target {
            Target::Indices(_) => Ok(None),
            Target::Probabilities(p) => read(p).map(Some),
        }
    }
}

/// That of GPUs takes the target as it is, and does not look at it first.
#[cfg(any(feature = "cuda", all(test, target_os = "linux")))]
impl crate::cuda::OnGpu for CrossEntropy {}

impl UnaryKernel for CrossEntropy {
    const NAME: &'static str = "cross_entropy";

    fn forward<T: Float>(&self, x: &[T], dims: &[usize]) -> Result<(Vec<T>, Shape)> {
        let probabilities = self.probabilities::<T>()?;
        let probabilities = probabilities.as_deref().unwrap_or(&[]);
        let axis = Axis::new(dims, self.dim);
        let losses = axis.fold([x, probabilities], &Losses(self));
        if self.reduction == Reduction::None {
            let each: Vec<_> = losses.into_iter().map(|losses| losses.each).collect();
            return Ok((each.concat(), [&dims[..self.dim], &dims[self.dim + 1..]].concat().into()));
        }
        let total = losses.iter().map(|losses| losses.sum).sum::<f64>() / self.divisor;
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
        let axis = Axis::new(dims, self.dim);
        Ok(axis.transform([x, probabilities], &Gradients { kernel: self, gradient }))
    }
}

/// Classes so few that to look at all takes less time than to load the positions' one by one.
const FEW: usize = 16;

/// Of each position that has a class its entry in the row of that class; else zero.
#[inline(always)]
fn entries<V: AddAssign + Copy + Default, const N: usize>(
    indices: &[u32; N],
    classes: usize,
    row: impl Fn(usize) -> [V; N],
) -> [V; N] {
    let mut entries = [V::default(); N];
    if classes <= FEW {
        for class in 0..classes {
            let row = row(class);
            for ((entry, &index), value) in entries.iter_mut().zip(indices).zip(row) {
                // A sum: to choose between values would become to choose where to load from.
                *entry += if index == class as u32 { value } else { V::default() };
            }
        }
    } else {
        for (lane, (entry, &index)) in entries.iter_mut().zip(indices).enumerate() {
            if index != IGNORED {
                *entry = row(index as usize)[lane];
            }
        }
    }
    entries
}

/// The losses.
struct Losses<'a>(&'a CrossEntropy);

/// The sum of losses, or each of them, as the reduction has it.
#[derive(Clone, Default)]
struct Total<T> {
    sum: f64,
    each: Vec<T>,
}

impl<T: Float> Lanes<T, 2> for Losses<'_> {
    type Output = Total<T>;

    #[inline(always)]
    fn run<const N: usize>(
        &self,
        positions: Range<usize>,
        [x, probabilities]: [&mut [[T; N]]; 2],
        total: &mut Total<T>,
    ) {
        // A logit of −∞ with target 0 costs nothing.
        let cost = |v: f64, m: T, x: T| if v == 0. { 0. } else { v * (wide(m) - wide(x)) };
        let (kernel, count) = (self.0, positions.len());
        let (largest, indices) = (largest(x), kernel.indices(positions));
        // Σ v and Σ v (largest − x) of each position.
        let (mut masses, mut losses) = ([0.; N], [0.; N]);
        if kernel.is_hard() {
            masses = kernel.weights(&indices);
            let hits = entries(&indices, x.len(), |class| x[class]);
            for (((loss, &v), &m), &x) in losses.iter_mut().zip(&masses).zip(&largest).zip(&hits) {
                *loss = cost(v, m, x);
            }
        } else {
            for (class, x) in x.iter().enumerate() {
                let weighted = kernel.weighted(class, &indices, probabilities);
                for (mass, &v) in masses.iter_mut().zip(&weighted) {
                    *mass += v;
                }
                for (((loss, &v), &m), &x) in losses.iter_mut().zip(&weighted).zip(&largest).zip(x)
                {
                    *loss += cost(v, m, x);
                }
            }
        }
        let totals = powers(x, &largest);
        for ((loss, &mass), &total) in losses.iter_mut().zip(&masses).zip(&totals) {
            // Nothing where it is ignored, whatever its logits.
            *loss += if mass == 0. { 0. } else { mass * ln(total) };
        }
        let losses = &losses[..count];
        if kernel.reduction == Reduction::None {
            total.each.extend(losses.iter().map(|&loss| T::from_f64(loss)));
        } else {
            total.sum += sum(losses, losses, |loss, _| loss);
        }
    }
}

/// The gradient by the logits.
struct Gradients<'a, T> {
    kernel: &'a CrossEntropy,
    /// By the losses.
    gradient: &'a [T],
}

impl<T: Float> Lanes<T, 2> for Gradients<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<const N: usize>(
        &self,
        positions: Range<usize>,
        [x, probabilities]: [&mut [[T; N]]; 2],
        (): &mut (),
    ) {
        let Self { kernel, gradient } = self;
        let (hard, indices) = (kernel.is_hard(), kernel.indices(positions.clone()));
        // Σ v of each position.
        let mut masses = [0.; N];
        if hard {
            masses = kernel.weights(&indices);
        } else {
            for class in 0..x.len() {
                let weighted = kernel.weighted(class, &indices, probabilities);
                for (mass, v) in masses.iter_mut().zip(weighted) {
                    *mass += v;
                }
            }
        }
        // What the gradient of each loss is multiplied by.
        let mut scales = [wide(gradient[0]) / kernel.divisor; N];
        if kernel.reduction == Reduction::None {
            for (scale, &g) in scales.iter_mut().zip(&gradient[positions]) {
                *scale = wide(g);
            }
        }
        let totals = powers(x, &largest(x));
        // What makes the powers softmax · Σ v, and what is subtracted of the one with the target.
        let (mut factors, mut hits) = ([0.; N], [0.; N]);
        for lane in 0..N {
            hits[lane] = scales[lane] * masses[lane];
            // Exactly 0 where it is ignored, whatever its logits.
            factors[lane] = if masses[lane] == 0. { 0. } else { hits[lane] / totals[lane] };
        }
        let (factors, hits) = (narrow(&factors), narrow(&hits));
        for (class, x) in x.iter_mut().enumerate() {
            for (x, &factor) in x.iter_mut().zip(&factors) {
                let product = *x * factor;
                *x = if factor == T::zero() { T::zero() } else { product };
            }
            if hard {
                for ((x, &index), &hit) in x.iter_mut().zip(&indices).zip(&hits) {
                    *x -= if index == class as u32 { hit } else { T::zero() };
                }
            } else {
                let weighted = kernel.weighted(class, &indices, probabilities);
                for ((x, v), scale) in x.iter_mut().zip(weighted).zip(&scales) {
                    *x -= T::from_f64(scale * v);
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
        let shapes =
            [(1, 3, 1), (9, 3, 1), (75, 3, 1), (75, 100, 1), (3, 2, 17), (70, 20, 3), (2, 3, 1031)];
        let types = [(DType::F64, 1e-12), (DType::F32, 1e-5)];
        for (shape, (dtype, tolerance)) in shapes.into_iter().flat_map(|s| types.map(|t| (s, t))) {
            let x = Var::from_tensor(&(fill(shape, 0.3, dtype)? * 3.)?)?;
            let count = shape.0 * shape.2;
            let indices: Vec<i64> = (1..=count).map(|i| (i % (shape.1 + 1)) as i64 - 1).collect();
            let indices = Tensor::from_vec(indices, (shape.0, shape.2), &Device::Cpu)?;
            let probabilities = softmax(&fill(shape, 0.7, dtype)?, 1)?;
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
                assert_close(&loss, &expected_loss, tolerance)?;
                assert_close(&dx, &expected_dx, tolerance)?;
            }
        }
        Ok(())
    }
}
