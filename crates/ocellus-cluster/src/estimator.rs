use ndarray::{Array2, ArrayView2};

use crate::{Float, Result};

/// Learns a model of samples. The estimator holds settings only.
pub trait Fit<T: Float> {
    /// What was learned.
    type Model;

    /// Learns from `x`, (samples, features).
    ///
    /// # Errors
    ///
    /// If the data hold what is not finite, or do not suffice for the settings.
    fn fit(&self, x: ArrayView2<'_, T>) -> Result<Self::Model>;
}

/// Learns a model of labeled samples.
pub trait FitLabeled<T: Float> {
    /// What was learned.
    type Model;

    /// Learns from `x`, (samples, features), and a class index `y` each.
    ///
    /// # Errors
    ///
    /// If the data hold what is not finite, do not suffice for the settings, or differ in number
    /// from the labels.
    fn fit(&self, x: ArrayView2<'_, T>, y: &[usize]) -> Result<Self::Model>;
}

/// Maps samples to other features.
pub trait Transform<T: Float> {
    /// (samples, features) → (samples, features of the model), row by row.
    ///
    /// # Errors
    ///
    /// If `x` has another number of features than the model, or holds what is not finite.
    fn transform(&self, x: ArrayView2<'_, T>) -> Result<Array2<T>>;
}

/// Tells the class or the cluster of samples.
pub trait Predict<T: Float> {
    /// (samples, features) → an index each.
    ///
    /// # Errors
    ///
    /// If `x` has another number of features than the model, or holds what is not finite.
    fn predict(&self, x: ArrayView2<'_, T>) -> Result<Vec<usize>>;
}
