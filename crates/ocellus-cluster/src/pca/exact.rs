//! Solvers that decompose the samples, or a Gram matrix of them.

use ndarray::{Array1, Array2, ArrayView1, ArrayView2, Axis, s};

use super::Components;
use super::model::complete;
use crate::linalg::{Svd, SymmetricEigen, TopEigen, gram, product};
use crate::{Float, Result};

/// Directions and variances, the largest first, before it is decided how many are kept.
pub(super) struct Spectrum<T> {
    /// (components, features)
    pub(super) components: Array2<T>,
    pub(super) variance: Array1<T>,
    /// Of all directions.
    pub(super) total_variance: f64,
    pub(super) converged: bool,
}

/// How a Gram matrix is decomposed.
#[derive(Clone, Copy)]
pub(super) enum Method {
    All,
    Top { count: usize, tolerance: f64, seed: u64 },
}

/// The spectrum of centered samples by their singular values.
pub(super) fn full<T: Float>(x: ArrayView2<'_, T>, total: f64) -> Result<Spectrum<T>> {
    let degrees = T::narrow(x.nrows() as f64 - 1.);
    let svd = Svd::new(x)?;
    let variance = svd.values.mapv(|value| value * value / degrees);
    Ok(Spectrum { components: svd.vt, variance, total_variance: total, converged: true })
}

/// The spectrum of centered samples by the smaller of their Gram matrices.
pub(super) fn by_gram<T: Float>(
    x: ArrayView2<'_, T>,
    total: f64,
    wanted: Components,
    method: Method,
) -> Result<Spectrum<T>> {
    let (rows, columns) = x.dim();
    let degrees = rows as f64 - 1.;
    if rows >= columns {
        let (values, vectors, converged) = decompose(gram(x)?, method)?;
        let variance = variances(values.view(), degrees);
        let components = vectors.reversed_axes();
        return Ok(Spectrum { components, variance, total_variance: total, converged });
    }
    let (values, vectors, converged) = decompose(gram(x.t())?, method)?;
    let variance = variances(values.view(), degrees);
    let kept = wanted.among(variance.view(), total);
    let (values, vectors) = (values.slice(s![..kept]), vectors.slice(s![.., ..kept]));
    let components = right_vectors(values, vectors, |scaled| product(scaled, x))?;
    let variance = variance.slice(s![..kept]).to_owned();
    Ok(Spectrum { components, variance, total_variance: total, converged })
}

/// Eigenvalues, eigenvectors in columns, and whether iterations converged.
pub(super) fn decompose<T: Float>(
    gram: Array2<T>,
    method: Method,
) -> Result<(Array1<T>, Array2<T>, bool)> {
    match method {
        Method::All => {
            let eigen = SymmetricEigen::new(gram.view())?;
            Ok((eigen.values, eigen.vectors, true))
        }
        Method::Top { count, tolerance, seed } => {
            let top = TopEigen::new(gram.view(), count, tolerance, seed)?;
            Ok((top.values, top.vectors, top.converged))
        }
    }
}

pub(super) fn variances<T: Float>(values: ArrayView1<'_, T>, degrees: f64) -> Array1<T> {
    values.mapv(|value| T::narrow((value.widen() / degrees).max(0.)))
}

/// V = XᵀU·diag(1/σ) in rows, of eigenvectors U and eigenvalues σ² of XXᵀ; `times_x` multiplies by X
/// from the right. Where σ is nothing but rounding, directions are made up.
pub(super) fn right_vectors<T: Float>(
    values: ArrayView1<'_, T>,
    vectors: ArrayView2<'_, T>,
    times_x: impl FnOnce(ArrayView2<'_, T>) -> Result<Array2<T>>,
) -> Result<Array2<T>> {
    let first = values.first().map_or(0., |value| value.widen().max(0.));
    let least = first * T::epsilon().widen() * 10. * vectors.nrows() as f64;
    let rank = values.iter().take_while(|value| value.widen() > least).count();
    let mut scaled = vectors.t().to_owned();
    for (mut row, value) in scaled.axis_iter_mut(Axis(0)).zip(values) {
        let sigma = value.max(T::zero()).sqrt();
        row.mapv_inplace(|entry| if sigma > T::zero() { entry / sigma } else { T::zero() });
    }
    Ok(complete(times_x(scaled.view())?, rank))
}
