use ndarray::{Array2, ArrayView2, Axis};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

use super::exact::Spectrum;
use crate::linalg::{Svd, orthonormal, product};
use crate::{Float, Result};

/// Singular values and vectors of a random projection of X, sharpened by power iterations.
pub(crate) fn leading<T: Float>(
    x: ArrayView2<'_, T>,
    count: usize,
    oversamples: usize,
    iterations: usize,
    seed: u64,
) -> Result<Svd<T>> {
    let (rows, columns) = x.dim();
    let size = (count + oversamples).min(rows.min(columns));
    let mut basis = normal::<T>(columns, size, seed);
    for _ in 0..iterations {
        let left = orthonormal(product(x, basis.view())?.view());
        basis = orthonormal(product(x.t(), left.view())?.view());
    }
    let left = orthonormal(product(x, basis.view())?.view());
    let small = product(left.t(), x)?;
    // Of the flat matrix's transpose: Householder reflections of long columns are faster.
    let Svd { u, values, vt } = Svd::new(small.t())?;
    let count = count.min(values.len());
    let keep = |axis, array: Array2<T>| array.slice_axis(axis, (..count).into()).to_owned();
    let u_small = keep(Axis(0), vt).reversed_axes();
    Ok(Svd {
        u: product(left.view(), u_small.view())?,
        values: values.slice_axis(Axis(0), (..count).into()).to_owned(),
        vt: keep(Axis(1), u).reversed_axes(),
    })
}

/// Independent standard normal numbers.
pub(crate) fn normal<T: Float>(rows: usize, columns: usize, seed: u64) -> Array2<T> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut draw = || -> f64 { StandardNormal.sample(&mut rng) };
    Array2::from_shape_simple_fn((rows, columns), || T::narrow(draw()))
}

pub(super) fn randomized<T: Float>(
    x: ArrayView2<'_, T>,
    total: f64,
    (count, oversamples, iterations): (usize, usize, usize),
    seed: u64,
) -> Result<Spectrum<T>> {
    let degrees = T::narrow(x.nrows() as f64 - 1.);
    let svd = leading(x, count, oversamples, iterations, seed)?;
    let variance = svd.values.mapv(|value| value * value / degrees);
    Ok(Spectrum { components: svd.vt, variance, total_variance: total, converged: true })
}
