use ndarray::{Array2, ArrayView2};
use rayon::prelude::*;

use super::coordinate::descend;
use super::multiplicative::multiply;
use super::objective::divergence;
use super::{Nmf, NmfModel, NmfSolver};
use crate::{Error, Fit, Float, Result, check};

impl<T: Float> Fit<T> for Nmf {
    type Model = NmfModel<T>;

    fn fit(&self, x: ArrayView2<'_, T>) -> Result<NmfModel<T>> {
        self.fit_transform(x).map(|(model, _)| model)
    }
}

impl Nmf {
    /// The model, and W as the iterations left it, (samples, components). `transform` gives nearly the
    /// same, since it solves for W once more.
    ///
    /// # Errors
    ///
    /// As [`Fit::fit`]: also if an entry is negative.
    pub fn fit_transform<T: Float>(
        &self,
        x: ArrayView2<'_, T>,
    ) -> Result<(NmfModel<T>, Array2<T>)> {
        check::samples(x)?;
        not_negative(x)?;
        let (rows, columns) = x.dim();
        self.check(rows, columns)?;
        let mut factors = self.start(x)?;
        let penalties = self.penalties(rows, columns);
        let (tolerance, most) = (self.tolerance, self.max_iterations);
        let (iterations, converged) = match self.solver {
            NmfSolver::CoordinateDescent => descend(x, &mut factors, penalties, tolerance, most)?,
            NmfSolver::MultiplicativeUpdate => {
                multiply(self.divergence, x, &mut factors, penalties, tolerance, most)?
            }
        };
        let error = (2. * divergence(self.divergence, x, &factors)?.max(0.)).sqrt();
        let w = factors.wt.t().as_standard_layout().into_owned();
        Ok((NmfModel::new(self.clone(), factors.h, error, iterations, converged), w))
    }
}

/// Errs at the first negative entry.
pub(super) fn not_negative<T: Float>(x: ArrayView2<'_, T>) -> Result<()> {
    let negative = |value: &T| *value < T::zero();
    let bad = x.outer_iter().into_par_iter().enumerate().find_map_first(|(row, values)| {
        let column = values.iter().position(negative)?;
        Some((row, column, values[column].widen()))
    });
    let Some((row, column, value)) = bad else { return Ok(()) };
    let remedy = "shift or scale the features to 0 and above, with a MinMaxScaler say";
    Err(Error::Negative { method: "NMF", row, column, value, remedy })
}
