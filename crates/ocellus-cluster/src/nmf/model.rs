use ndarray::{Array2, ArrayView2, Axis, Zip};
use rayon::prelude::*;

use super::coordinate::{hessian, solve_row};
use super::fit::not_negative;
use super::multiplicative::PERIOD;
use super::objective::{LEAST, terms};
use super::{Divergence, Nmf, NmfSolver};
use crate::linalg::{product, product_by_rows};
use crate::{Float, Result, Transform, check};

/// The model of an [`Nmf`].
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct NmfModel<T> {
    settings: Nmf,
    components: Array2<T>,
    error: f64,
    iterations: usize,
    converged: bool,
}

impl<T: Float> NmfModel<T> {
    pub(super) const fn new(
        settings: Nmf,
        components: Array2<T>,
        error: f64,
        iterations: usize,
        converged: bool,
    ) -> Self {
        Self { settings, components, error, iterations, converged }
    }

    /// H: (components, features).
    #[must_use]
    pub fn components(&self) -> ArrayView2<'_, T> {
        self.components.view()
    }

    /// √(2D(X, WH)) of the samples of the fit: ‖X − WH‖ for the Frobenius norm.
    #[must_use]
    pub const fn reconstruction_error(&self) -> f64 {
        self.error
    }

    /// How many iterations were made.
    #[must_use]
    pub const fn iterations(&self) -> usize {
        self.iterations
    }

    /// Whether they ended by tolerance: false if they ran out.
    #[must_use]
    pub const fn converged(&self) -> bool {
        self.converged
    }

    /// WH: (samples, components) → (samples, features).
    ///
    /// # Errors
    ///
    /// If `w` has another number of columns than there are components, or holds what is not finite.
    pub fn inverse_transform(&self, w: ArrayView2<'_, T>) -> Result<Array2<T>> {
        check::features(w, self.components.nrows())?;
        product(w, self.components.view())
    }

    /// Coordinate descent on each row, for itself.
    fn descend(&self, x: ArrayView2<'_, T>) -> Result<Array2<T>> {
        let h = self.components.view();
        let [(l1, l2), _] = self.settings.penalties(x.nrows(), x.ncols());
        let hessian = hessian(h, l2)?;
        let mut w = product_by_rows(x, None, h.t())?;
        w.axis_iter_mut(Axis(0)).into_par_iter().for_each(|mut row| {
            let Nmf { tolerance, max_iterations, .. } = self.settings;
            let solved = solve_row(row.view(), &hessian, l1, tolerance, max_iterations);
            row.iter_mut().zip(solved).for_each(|(to, from)| *to = from);
        });
        Ok(w)
    }

    /// Multiplicative updates of one row, for itself.
    fn multiply(&self, x: ArrayView2<'_, T>) -> Result<Array2<T>> {
        let Nmf { divergence, tolerance, max_iterations, .. } = self.settings;
        let h = self.components.view();
        let [(l1, l2), _] = self.settings.penalties(x.nrows(), x.ncols());
        let error = |w: &Array2<T>| -> Result<f64> {
            Ok((2. * terms(divergence, x, &product(w.view(), h)?).max(0.)).sqrt())
        };
        let mean = x.iter().map(|v| v.widen()).sum::<f64>() / x.len() as f64;
        let start = (mean / h.nrows() as f64).sqrt();
        let mut w = Array2::from_elem((x.nrows(), h.nrows()), T::narrow(start));
        let first = error(&w)?;
        let (mut before, sums) = (first, h.sum_axis(Axis(1)).insert_axis(Axis(0)));
        for iteration in 1..=max_iterations {
            let mut estimate = product(w.view(), h)?;
            let (up, mut down) = match divergence {
                Divergence::Frobenius => (product(x, h.t())?, product(estimate.view(), h.t())?),
                Divergence::KullbackLeibler => {
                    let least = T::narrow(LEAST);
                    Zip::from(&mut estimate).and(x).for_each(|y, &x| *y = x / y.max(least));
                    (product(estimate.view(), h.t())?, sums.clone())
                }
            };
            Zip::from(&mut down)
                .and(&w)
                .for_each(|down, &w| *down += T::narrow(l1) + T::narrow(l2) * w);
            Zip::from(&mut w).and(&up).and(&down).for_each(|w, &up, &down| {
                *w *= up / if down == T::zero() { T::narrow(LEAST) } else { down };
            });
            if iteration % PERIOD == 0 {
                let now = error(&w)?;
                if before - now < tolerance * first || now == 0. {
                    break;
                }
                before = now;
            }
        }
        Ok(w)
    }
}

impl<T: Float> Transform<T> for NmfModel<T> {
    /// W that minimizes the divergence for the components as they are.
    ///
    /// Each row is solved for itself, by the solver and to the tolerance of the fit.
    fn transform(&self, x: ArrayView2<'_, T>) -> Result<Array2<T>> {
        check::features(x, self.components.ncols())?;
        not_negative(x)?;
        if self.settings.solver == NmfSolver::CoordinateDescent {
            return self.descend(x);
        }
        let mut w = Array2::zeros((x.nrows(), self.components.nrows()));
        w.axis_chunks_iter_mut(Axis(0), 1)
            .into_par_iter()
            .zip(x.axis_chunks_iter(Axis(0), 1))
            .try_for_each(|(mut to, x)| {
                to.assign(&self.multiply(x)?);
                Ok(())
            })?;
        Ok(w)
    }
}
