use ndarray::{Array1, Array2, ArrayView2, Axis};

use crate::linalg::Cholesky;
use crate::{Error, Result};

/// What the covariances of the components may be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum CovarianceType {
    /// Each component has a covariance matrix of its own.
    #[default]
    Full,
    /// All share one.
    Tied,
    /// Each has a variance for each feature.
    Diagonal,
    /// Each has one variance for all features.
    Spherical,
}

impl CovarianceType {
    /// How many numbers the covariances are free to choose.
    pub(super) fn parameters(self, components: usize, features: usize) -> usize {
        let matrix = features * (features + 1) / 2;
        match self {
            Self::Full => components * matrix,
            Self::Tied => matrix,
            Self::Diagonal => components * features,
            Self::Spherical => components,
        }
    }
}

/// Covariances of the components, or their inverses, the precisions.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum Covariances {
    /// A matrix for each component.
    Full(Vec<Array2<f64>>),
    /// The matrix of all.
    Tied(Array2<f64>),
    /// A row of variances for each component.
    Diagonal(Array2<f64>),
    /// A variance for each component.
    Spherical(Vec<f64>),
}

impl Covariances {
    /// The matrix of a component, whatever the type; none if there are not as many.
    ///
    /// `features` are those of the data.
    #[must_use]
    pub fn matrix(&self, component: usize, features: usize) -> Option<Array2<f64>> {
        match self {
            Self::Full(matrices) => matrices.get(component).cloned(),
            Self::Tied(matrix) => Some(matrix.clone()),
            Self::Diagonal(rows) => {
                let row = rows.axis_iter(Axis(0)).nth(component)?;
                Some(Array2::from_diag(&row))
            }
            Self::Spherical(variances) => {
                let variance = *variances.get(component)?;
                Some(Array2::from_diag(&Array1::from_elem(features, variance)))
            }
        }
    }
}

/// What whitens a component: y = (x − μ) U has unit covariance, where U Uᵀ is the precision.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Whitening {
    /// U, upper triangular, of each component or the one of all.
    Matrices(Vec<Array2<f64>>),
    /// The diagonal of U of each component.
    Diagonals(Array2<f64>),
}

impl Whitening {
    /// # Errors
    ///
    /// If a covariance is not positive definite.
    pub(super) fn new(covariances: &Covariances, means: ArrayView2<'_, f64>) -> Result<Self> {
        match covariances {
            Covariances::Full(matrices) => {
                let factors = matrices.iter().enumerate().map(|(i, c)| inverse_factor(c, Some(i)));
                Ok(Self::Matrices(factors.collect::<Result<_>>()?))
            }
            Covariances::Tied(matrix) => Ok(Self::Matrices(vec![inverse_factor(matrix, None)?])),
            Covariances::Diagonal(variances) => deviations(variances.clone()),
            Covariances::Spherical(variances) => {
                deviations(Array2::from_shape_fn(means.dim(), |(k, _)| variances[k]))
            }
        }
    }

    /// ln det U of a component.
    pub(super) fn log_det(&self, component: usize) -> f64 {
        match self {
            Self::Matrices(all) => all[component.min(all.len() - 1)].diag().mapv(f64::ln).sum(),
            Self::Diagonals(rows) => rows.row(component).mapv(f64::ln).sum(),
        }
    }

    /// The inverses of the covariances it was made of.
    pub(super) fn precisions(&self, of: &Covariances) -> Covariances {
        match (self, of) {
            (Self::Matrices(all), Covariances::Tied(_)) => Covariances::Tied(squared(&all[0])),
            (Self::Matrices(all), _) => Covariances::Full(all.iter().map(squared).collect()),
            (Self::Diagonals(rows), Covariances::Spherical(_)) => {
                Covariances::Spherical(rows.column(0).mapv(|u| u * u).to_vec())
            }
            (Self::Diagonals(rows), _) => Covariances::Diagonal(rows.mapv(|u| u * u)),
        }
    }
}

fn squared(u: &Array2<f64>) -> Array2<f64> {
    u.dot(&u.t())
}

/// U = L⁻ᵀ for a covariance L Lᵀ.
fn inverse_factor(covariance: &Array2<f64>, component: Option<usize>) -> Result<Array2<f64>> {
    let factor = Cholesky::new(covariance.view());
    let factor = factor.map_err(|_| Error::Covariance { component: name(component) })?;
    let inverse = factor.half_solve(Array2::eye(covariance.nrows()).view())?;
    if inverse.iter().all(|value| value.is_finite()) {
        return Ok(inverse.t().as_standard_layout().into_owned());
    }
    Err(Error::Covariance { component: name(component) })
}

fn deviations(variances: Array2<f64>) -> Result<Whitening> {
    let inverse = variances.mapv(|variance| 1. / variance.sqrt());
    let bad = |row: &ndarray::ArrayView1<'_, f64>| !row.iter().all(|u| u.is_finite() && *u > 0.);
    match inverse.outer_iter().position(|row| bad(&row)) {
        None => Ok(Whitening::Diagonals(inverse)),
        Some(component) => Err(Error::Covariance { component: name(Some(component)) }),
    }
}

fn name(component: Option<usize>) -> String {
    component.map_or("all components".to_owned(), |i| format!("component {i}"))
}
