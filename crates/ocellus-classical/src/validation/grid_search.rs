use std::sync::Arc;

use ndarray::{Array2, ArrayView2};
use ocellus_cluster::{FitLabeled, Predict, Result, check};
use rayon::prelude::*;

use super::{Folds, Score, cross_validate};
use crate::{Classifier, ClassifierModel, Real};

/// The best of several classifiers or settings, by cross-validation, fitted again on all samples.
///
/// It is a classifier itself: [`cross_validate`] of a grid search is nested, every choice made on
/// inner folds.
///
/// # Examples
///
/// ```
/// use ndarray::Array2;
/// use ocellus_classical::{FitLabeled, GridSearch, Score, Svm};
///
/// let x = Array2::from_shape_fn((20, 1), |(i, _)| (i % 2 * 10 + i / 2) as f64);
/// let y: Vec<usize> = (0..20).map(|i| i % 2).collect();
/// let mut search = GridSearch::new(Score::Accuracy, 5, 0);
/// for c in [0.1, 1., 10.] {
///     search = search.with_candidate(format!("C = {c}"), Svm::default().with_c(c));
/// }
/// let found = search.fit(x.view(), &y)?;
/// assert_eq!(found.mean_scores().len(), 3);
/// # Ok::<(), ocellus_classical::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct GridSearch<T> {
    candidates: Vec<(String, Arc<dyn Classifier<T>>)>,
    score: Score,
    folds: usize,
    seed: u64,
}

impl<T: Real> GridSearch<T> {
    /// No candidates yet; stratified folds by that seed.
    #[must_use]
    pub const fn new(score: Score, folds: usize, seed: u64) -> Self {
        Self { candidates: Vec::new(), score, folds, seed }
    }

    /// One more candidate. Of equals the first is taken: begin with the simplest.
    #[must_use]
    pub fn with_candidate(
        mut self,
        name: impl Into<String>,
        classifier: impl Classifier<T> + 'static,
    ) -> Self {
        self.candidates.push((name.into(), Arc::new(classifier)));
        self
    }

    /// [`fit`](FitLabeled::fit) with folds that keep groups together.
    ///
    /// # Errors
    ///
    /// As there, or if there are too few groups.
    pub fn fit_grouped(
        &self,
        x: ArrayView2<'_, T>,
        y: &[usize],
        groups: &[usize],
    ) -> Result<GridSearchModel<T>> {
        check::labels(x, y)?;
        self.fit_on(x, y, &Folds::grouped(y, groups, self.folds, self.seed)?)
    }

    fn fit_on(
        &self,
        x: ArrayView2<'_, T>,
        y: &[usize],
        folds: &Folds,
    ) -> Result<GridSearchModel<T>> {
        check::positive("the number of candidates", self.candidates.len())?;
        let scores: Vec<Vec<f64>> = self
            .candidates
            .par_iter()
            .map(|(_, classifier)| {
                cross_validate(classifier.as_ref(), x, y, folds)?.score(y, folds, self.score)
            })
            .collect::<Result<_>>()?;
        let mut best = 0;
        for candidate in 1..scores.len() {
            if mean(&scores[candidate]) > mean(&scores[best]) {
                best = candidate;
            }
        }
        let (name, classifier) = &self.candidates[best];
        Ok(GridSearchModel { name: name.clone(), best, scores, model: classifier.fit_boxed(x, y)? })
    }
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

impl<T: Real> FitLabeled<T> for GridSearch<T> {
    type Model = GridSearchModel<T>;

    fn fit(&self, x: ArrayView2<'_, T>, y: &[usize]) -> Result<GridSearchModel<T>> {
        check::labels(x, y)?;
        self.fit_on(x, y, &Folds::stratified(y, self.folds, self.seed)?)
    }
}

/// The model of a [`GridSearch`]: the best candidate's. Its file is that of the best candidate's model.
#[derive(Debug)]
pub struct GridSearchModel<T> {
    name: String,
    best: usize,
    scores: Vec<Vec<f64>>,
    model: Box<dyn ClassifierModel<T>>,
}

impl<T: Real> GridSearchModel<T> {
    /// The name of the best candidate.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The number of the best candidate.
    #[must_use]
    pub const fn best(&self) -> usize {
        self.best
    }

    /// The scores of each candidate on each fold.
    #[must_use]
    pub fn scores_by_fold(&self) -> &[Vec<f64>] {
        &self.scores
    }

    /// The mean score of each candidate. That of the best is too good: cross-validate the search.
    #[must_use]
    pub fn mean_scores(&self) -> Vec<f64> {
        self.scores.iter().map(|scores| mean(scores)).collect()
    }

    /// The best candidate's model, fitted on all samples.
    #[must_use]
    pub fn into_model(self) -> Box<dyn ClassifierModel<T>> {
        self.model
    }
}

impl<T: Real> Predict<T> for GridSearchModel<T> {
    fn predict(&self, x: ArrayView2<'_, T>) -> Result<Vec<usize>> {
        self.model.predict(x)
    }
}

impl<T: Real> ClassifierModel<T> for GridSearchModel<T> {
    fn classes(&self) -> usize {
        self.model.classes()
    }

    fn features(&self) -> usize {
        self.model.features()
    }

    fn parameter_count(&self) -> usize {
        self.model.parameter_count()
    }

    fn predict_proba(&self, x: ArrayView2<'_, T>) -> Result<Array2<f64>> {
        self.model.predict_proba(x)
    }

    fn scores(&self, x: ArrayView2<'_, T>) -> Result<Array2<f64>> {
        self.model.scores(x)
    }

    fn to_document(&self) -> Result<String> {
        self.model.to_document()
    }
}
