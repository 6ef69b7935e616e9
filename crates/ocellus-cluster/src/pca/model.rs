use ndarray::{Array1, Array2, ArrayView1, ArrayView2, Axis, s};

use super::Pca;
use super::exact::Spectrum;
use crate::linalg::{orthonormal, product, product_by_rows};
use crate::{Float, Result, Transform, check};

/// The model of a [`Pca`].
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct PcaModel<T> {
    mean: Array1<T>,
    components: Array2<T>,
    variance: Array1<T>,
    ratio: Array1<T>,
    noise: T,
    samples: usize,
    whiten: bool,
    converged: bool,
}

impl<T: Float> PcaModel<T> {
    /// Keeps what the settings want of a spectrum.
    pub(super) fn new(
        settings: &Pca,
        samples: usize,
        mean: Array1<T>,
        mut found: Spectrum<T>,
    ) -> Self {
        let total = found.total_variance;
        let ratio = |variance: T| if total > 0. { variance.widen() / total } else { 0. };
        let kept = settings.components.among(found.variance.view(), total);
        found.components.slice_axis_inplace(Axis(0), (..kept).into());
        let mut components = found.components.as_standard_layout().into_owned();
        flip_signs(&mut components);
        let variance: Array1<T> = found.variance.iter().take(kept).copied().collect();
        let possible = samples.min(mean.len());
        let sum = |variance: ArrayView1<'_, T>| variance.iter().map(|v| v.widen()).sum::<f64>();
        let left = if found.variance.len() == possible {
            sum(found.variance.slice(s![kept..]))
        } else {
            (total - sum(variance.view())).max(0.)
        };
        let noise = if kept < possible { left / (possible - kept) as f64 } else { 0. };
        Self {
            ratio: variance.mapv(|variance| T::narrow(ratio(variance))),
            noise: T::narrow(noise),
            whiten: settings.whiten,
            converged: found.converged,
            mean,
            components,
            variance,
            samples,
        }
    }

    /// The mean of each feature.
    #[must_use]
    pub fn mean(&self) -> ArrayView1<'_, T> {
        self.mean.view()
    }

    /// The components in rows, orthonormal: (components, features).
    #[must_use]
    pub fn components(&self) -> ArrayView2<'_, T> {
        self.components.view()
    }

    /// The variance along each component, the largest first, with n − 1 in the denominator.
    #[must_use]
    pub fn explained_variance(&self) -> ArrayView1<'_, T> {
        self.variance.view()
    }

    /// The fraction of the whole variance that each component explains; 0 where there is none.
    #[must_use]
    pub fn explained_variance_ratio(&self) -> ArrayView1<'_, T> {
        self.ratio.view()
    }

    /// The singular values of the centered samples.
    #[must_use]
    pub fn singular_values(&self) -> Array1<T> {
        let degrees = T::narrow(self.samples as f64 - 1.);
        self.variance.mapv(|variance| (variance * degrees).sqrt())
    }

    /// The mean variance along the directions that were not kept.
    #[must_use]
    pub const fn noise_variance(&self) -> T {
        self.noise
    }

    /// Whether iterations ended by tolerance: false if they ran out. True for exact solvers and for
    /// [`PcaSolver::Randomized`](crate::PcaSolver::Randomized), which has no tolerance.
    #[must_use]
    pub const fn converged(&self) -> bool {
        self.converged
    }

    /// Takes transformed samples back: x = y·Vᵀ + μ, whitening undone.
    ///
    /// # Errors
    ///
    /// If `y` has another number of columns than there are components, or holds what is not finite.
    pub fn inverse_transform(&self, y: ArrayView2<'_, T>) -> Result<Array2<T>> {
        check::features(y, self.components.nrows())?;
        let scaled = if self.whiten { &y * &self.deviations() } else { y.to_owned() };
        let mut x = product(scaled.view(), self.components.view())?;
        x += &self.mean;
        Ok(x)
    }

    /// What whitening divides by: 1 along a direction without variance.
    fn deviations(&self) -> Array1<T> {
        let first = self.variance.first().copied().unwrap_or_else(T::one);
        let least = first * T::epsilon();
        self.variance.mapv(|v| if v > least { v.sqrt() } else { T::one() })
    }
}

impl<T: Float> Transform<T> for PcaModel<T> {
    fn transform(&self, x: ArrayView2<'_, T>) -> Result<Array2<T>> {
        check::features(x, self.mean.len())?;
        let mut y = product_by_rows(x, Some(self.mean.view()), self.components.t())?;
        if self.whiten {
            y /= &self.deviations();
        }
        Ok(y)
    }
}

/// Makes the entry of the largest magnitude in each row positive; of equal ones the first.
fn flip_signs<T: Float>(components: &mut Array2<T>) {
    for mut row in components.outer_iter_mut() {
        let largest = |best: T, &value: &T| if value.abs() > best.abs() { value } else { best };
        if row.iter().fold(T::zero(), largest) < T::zero() {
            row.mapv_inplace(|value| -value);
        }
    }
}

/// Replaces rows from `rank` on, which are not yet directions, by an orthonormal completion.
pub(super) fn complete<T: Float>(mut components: Array2<T>, rank: usize) -> Array2<T> {
    if rank < components.nrows() {
        components.slice_axis_mut(Axis(0), (rank..).into()).fill(T::zero());
        let basis = orthonormal(components.t());
        let mut missing = components.slice_axis_mut(Axis(0), (rank..).into());
        missing.assign(&basis.t().slice_axis(Axis(0), (rank..).into()));
    }
    components
}
