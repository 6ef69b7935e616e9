use ndarray::{Array2, ArrayView2, Axis};
use ocellus_cluster::{Error, Float, Result, check};
use rayon::prelude::*;

use super::{Folds, Score};
use crate::{Classifier, ClassifierModel};

/// What models say of samples that they were not fitted on.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct OutOfFold {
    /// The predicted class of each sample.
    pub predicted: Vec<usize>,
    /// The scores of each sample, (samples, classes): comparable within a fold.
    pub scores: Array2<f64>,
}

impl OutOfFold {
    /// A score of each fold.
    ///
    /// # Errors
    ///
    /// If labels or folds are not those of the samples, or the score is undefined on a fold.
    pub fn score(&self, labels: &[usize], folds: &Folds, score: Score) -> Result<Vec<f64>> {
        one_each("labels", labels.len(), self.predicted.len())?;
        one_each("folds", folds.of().len(), self.predicted.len())?;
        (0..folds.count())
            .map(|fold| {
                let test = folds.split(fold).1;
                let of = |all: &[usize]| test.iter().map(|&i| all[i]).collect::<Vec<_>>();
                let scores = self.scores.select(Axis(0), &test);
                score.of(&of(labels), &of(&self.predicted), scores.view())
            })
            .collect()
    }
}

fn one_each(left: &'static str, left_len: usize, right_len: usize) -> Result<()> {
    if left_len == right_len {
        return Ok(());
    }
    Err(Error::LengthMismatch { left, left_len, right: "the samples", right_len })
}

/// Fits a classifier once without each fold, and asks it of that fold; the folds in parallel.
///
/// # Examples
///
/// ```
/// use ndarray::Array2;
/// use ocellus_classical::{Folds, GaussianNaiveBayes, Score, cross_validate};
///
/// let x = Array2::from_shape_fn((20, 1), |(i, _)| (i % 2 * 10 + i / 2) as f64);
/// let y: Vec<usize> = (0..20).map(|i| i % 2).collect();
/// let folds = Folds::stratified(&y, 5, 0)?;
/// let result = cross_validate(&GaussianNaiveBayes::default(), x.view(), &y, &folds)?;
/// assert_eq!(result.score(&y, &folds, Score::Accuracy)?.len(), 5);
/// # Ok::<(), ocellus_classical::Error>(())
/// ```
///
/// # Errors
///
/// If the data or the folds are not as they must be, or a fit fails.
pub fn cross_validate<T: Float>(
    classifier: &dyn Classifier<T>,
    x: ArrayView2<'_, T>,
    y: &[usize],
    folds: &Folds,
) -> Result<OutOfFold> {
    cross_validate_with(x, y, folds, |x, y, _| classifier.fit_boxed(x, y))
}

/// [`cross_validate`] with a fit that is also told which samples it is given: to take their groups, for
/// one, in a choice of settings of its own.
///
/// # Errors
///
/// If the data or the folds are not as they must be, or a fit fails.
pub fn cross_validate_with<T: Float>(
    x: ArrayView2<'_, T>,
    y: &[usize],
    folds: &Folds,
    fit: impl Fn(ArrayView2<'_, T>, &[usize], &[usize]) -> Result<Box<dyn ClassifierModel<T>>> + Sync,
) -> Result<OutOfFold> {
    let classes = check::labels(x, y)?;
    one_each("folds", folds.of().len(), y.len())?;
    let parts: Vec<(Vec<usize>, Vec<usize>, Array2<f64>)> = (0..folds.count())
        .into_par_iter()
        .map(|fold| {
            let (train, test) = folds.split(fold);
            let labels: Vec<usize> = train.iter().map(|&i| y[i]).collect();
            let samples = x.select(Axis(0), &train);
            let found = check::labels(samples.view(), &labels)?;
            if found < classes {
                return Err(Error::TooFew {
                    what: "classes in a training part",
                    found,
                    needed: classes,
                    remedy: format!("let samples of class {found} be in two folds or more"),
                });
            }
            let model = fit(samples.view(), &labels, &train)?;
            let new = x.select(Axis(0), &test);
            Ok((test, model.predict(new.view())?, model.scores(new.view())?))
        })
        .collect::<Result<_>>()?;
    let mut result =
        OutOfFold { predicted: vec![0; y.len()], scores: Array2::zeros((y.len(), classes)) };
    for (test, predicted, scores) in parts {
        for ((i, class), row) in test.into_iter().zip(predicted).zip(scores.outer_iter()) {
            result.predicted[i] = class;
            result.scores.row_mut(i).assign(&row);
        }
    }
    Ok(result)
}
