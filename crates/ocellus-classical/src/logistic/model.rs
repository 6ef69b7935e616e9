use ndarray::{Array1, Array2, ArrayView1, ArrayView2};
use ocellus_cluster::{Float, Predict, Result, check, linalg::product_by_rows};

use super::objective::sigmoid;
use crate::{ClassifierModel, Stored, model::to_document, scores};

/// The model of a [`LogisticRegression`](crate::LogisticRegression).
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct LogisticRegressionModel {
    pub(super) coefficients: Array2<f64>,
    pub(super) intercepts: Array1<f64>,
    pub(super) iterations: usize,
    pub(super) converged: bool,
}

impl LogisticRegressionModel {
    /// (1, features) for two classes, of which the second is the positive one, or (classes, features).
    #[must_use]
    pub fn coefficients(&self) -> ArrayView2<'_, f64> {
        self.coefficients.view()
    }

    /// One for each row of [`coefficients`](Self::coefficients).
    #[must_use]
    pub fn intercepts(&self) -> ArrayView1<'_, f64> {
        self.intercepts.view()
    }

    /// Steps of Newton's method.
    #[must_use]
    pub const fn iterations(&self) -> usize {
        self.iterations
    }

    /// Whether the tolerance was reached.
    #[must_use]
    pub const fn converged(&self) -> bool {
        self.converged
    }

    /// w·x + b, (samples, 1) for two classes or (samples, classes).
    ///
    /// # Errors
    ///
    /// If `x` has another number of features than the model, or holds what is not finite.
    pub fn decision<T: Float>(&self, x: ArrayView2<'_, T>) -> Result<Array2<f64>> {
        check::features(x, self.coefficients.ncols())?;
        let x = x.mapv(T::widen);
        Ok(product_by_rows(x.view(), None, self.coefficients.t())? + &self.intercepts)
    }

    /// (samples, 2) from (samples, 1).
    fn both(&self, one: &Array2<f64>, of: impl Fn(f64) -> f64) -> Array2<f64> {
        let sign = |j| if j == 0 { -1. } else { 1. };
        Array2::from_shape_fn((one.nrows(), 2), |(i, j)| of(sign(j) * one[[i, 0]]))
    }
}

impl<T: Float> Predict<T> for LogisticRegressionModel {
    fn predict(&self, x: ArrayView2<'_, T>) -> Result<Vec<usize>> {
        Ok(scores::largest(&self.scores(x)?))
    }
}

impl<T: Float> ClassifierModel<T> for LogisticRegressionModel {
    fn classes(&self) -> usize {
        self.intercepts.len().max(2)
    }

    fn features(&self) -> usize {
        self.coefficients.ncols()
    }

    fn parameter_count(&self) -> usize {
        self.coefficients.len() + self.intercepts.len()
    }

    fn predict_proba(&self, x: ArrayView2<'_, T>) -> Result<Array2<f64>> {
        let decision = self.decision(x)?;
        let two = decision.ncols() == 1;
        Ok(if two { self.both(&decision, sigmoid) } else { scores::softmax(decision) })
    }

    /// The decisions; for two classes those of class 1 and their negatives.
    fn scores(&self, x: ArrayView2<'_, T>) -> Result<Array2<f64>> {
        let decision = self.decision(x)?;
        Ok(if decision.ncols() == 1 { self.both(&decision, |z| z) } else { decision })
    }

    fn to_document(&self) -> Result<String> {
        to_document(self)
    }
}

impl Stored for LogisticRegressionModel {
    const KIND: &'static str = "logistic-regression";

    fn check(&self) -> std::result::Result<(), String> {
        let (rows, features) = self.coefficients.dim();
        let fits = rows == self.intercepts.len() && rows != 0 && rows != 2 && features > 0;
        if fits { Ok(()) } else { Err("coefficients and intercepts differ in size".into()) }
    }
}
