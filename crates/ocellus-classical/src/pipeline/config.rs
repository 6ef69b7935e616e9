use std::sync::Arc;

use ndarray::ArrayView2;
use ocellus_cluster::{FitLabeled, Result, Transform, check};

use super::{PipelineModel, Step};
use crate::{Classifier, Real};

/// Steps that prepare the features, and a classifier of what comes out; all learn from the same samples.
///
/// Where a pipeline is fitted on the training part of a fold, nothing of the other part is seen by any
/// of its steps: see [`cross_validate`](crate::cross_validate).
///
/// # Examples
///
/// ```
/// use ndarray::array;
/// use ocellus_classical::{FitLabeled, Pipeline, Predict, Svm};
/// use ocellus_cluster::{Pca, StandardScaler};
///
/// let x = array![[0f64, 9., 1.], [1., 9., 2.], [4., 9., 4.], [5., 9., 5.]];
/// let pipeline = Pipeline::new(Svm::default())
///     .with_step(StandardScaler::default())
///     .with_step(Pca::new(1));
/// let model = pipeline.fit(x.view(), &[0, 0, 1, 1])?;
/// assert_eq!(model.predict(array![[4.5, 9., 5.]].view())?, [1]);
/// # Ok::<(), ocellus_classical::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Pipeline<T> {
    steps: Vec<Step>,
    classifier: Arc<dyn Classifier<T>>,
}

impl<T: Real> Pipeline<T> {
    /// A classifier with no step before it.
    #[must_use]
    pub fn new(classifier: impl Classifier<T> + 'static) -> Self {
        Self { steps: Vec::new(), classifier: Arc::new(classifier) }
    }

    /// One more step, after those there are and before the classifier.
    #[must_use]
    pub fn with_step(mut self, step: impl Into<Step>) -> Self {
        self.steps.push(step.into());
        self
    }
}

impl<T: Real> FitLabeled<T> for Pipeline<T> {
    type Model = PipelineModel<T>;

    fn fit(&self, x: ArrayView2<'_, T>, y: &[usize]) -> Result<PipelineModel<T>> {
        check::labels(x, y)?;
        let (mut steps, mut prepared) = (Vec::new(), None);
        for step in &self.steps {
            let x = prepared.as_ref().map_or(x, |x: &ndarray::Array2<T>| x.view());
            let model = step.fit(x, y)?;
            prepared = Some(model.transform(x)?);
            steps.push(model);
        }
        let x = prepared.as_ref().map_or(x, |x| x.view());
        Ok(PipelineModel { steps, classifier: self.classifier.fit_boxed(x, y)? })
    }
}
