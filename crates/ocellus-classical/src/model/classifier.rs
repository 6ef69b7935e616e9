use std::{fmt::Debug, path::Path};

use ndarray::{Array2, ArrayView2};
use ocellus_cluster::{FitLabeled, Float, Predict, Result};

use super::atomic;

/// A fitted classifier of the classes 0 to `classes` − 1. Object-safe.
pub trait ClassifierModel<T: Float>: Predict<T> + Debug + Send + Sync {
    /// How many classes there are.
    fn classes(&self) -> usize;

    /// How many features a sample has.
    fn features(&self) -> usize;

    /// How many numbers were learned: of a support vector machine its vectors and their coefficients, of a
    /// tree the splits' features and thresholds and the shares in the leaves.
    fn parameter_count(&self) -> usize;

    /// (samples, features) → the probability of each class, (samples, classes).
    ///
    /// # Errors
    ///
    /// If `x` has another number of features than the model, or holds what is not finite; or if the
    /// model was not fitted to know probabilities.
    fn predict_proba(&self, x: ArrayView2<'_, T>) -> Result<Array2<f64>>;

    /// (samples, features) → a score of each class, (samples, classes), in no fixed unit: the larger,
    /// the likelier. By default the probabilities.
    ///
    /// # Errors
    ///
    /// If `x` has another number of features than the model, or holds what is not finite.
    fn scores(&self, x: ArrayView2<'_, T>) -> Result<Array2<f64>> {
        self.predict_proba(x)
    }

    /// The content of the model's file: see [`Stored`](crate::Stored).
    ///
    /// # Errors
    ///
    /// If the model holds numbers that are not finite.
    fn to_document(&self) -> Result<String>;

    /// Saves the model to a file, which is there whole or not at all; [`load`](crate::load) reads it.
    ///
    /// # Errors
    ///
    /// If the file cannot be written.
    fn save(&self, path: &Path) -> crate::Result<()> {
        atomic::write(path, self.to_document()?.as_bytes())
    }
}

/// The settings of a classifier, of whatever kind: what has [`FitLabeled`] with a model that is a
/// [`ClassifierModel`]. Object-safe.
///
/// # Examples
///
/// ```
/// use ndarray::array;
/// use ocellus_classical::{Classifier, GaussianNaiveBayes};
///
/// let list: Vec<Box<dyn Classifier<f32>>> = vec![Box::new(GaussianNaiveBayes::default())];
/// for classifier in list {
///     let model = classifier.fit_boxed(array![[0.], [1.], [5.], [6.]].view(), &[0, 0, 1, 1])?;
///     assert_eq!(model.predict(array![[2.], [4.]].view())?, [0, 1]);
/// }
/// # Ok::<(), ocellus_classical::Error>(())
/// ```
pub trait Classifier<T: Float>: Debug + Send + Sync {
    /// What [`FitLabeled::fit`] does, for a model of any kind.
    ///
    /// # Errors
    ///
    /// As there.
    fn fit_boxed(&self, x: ArrayView2<'_, T>, y: &[usize]) -> Result<Box<dyn ClassifierModel<T>>>;
}

impl<T: Float, C> Classifier<T> for C
where
    C: FitLabeled<T, Model: ClassifierModel<T> + 'static> + Debug + Send + Sync,
{
    fn fit_boxed(&self, x: ArrayView2<'_, T>, y: &[usize]) -> Result<Box<dyn ClassifierModel<T>>> {
        Ok(Box::new(self.fit(x, y)?))
    }
}
