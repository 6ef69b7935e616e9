//! All methods on the same folds.

use std::{path::Path, time::Instant};

use anyhow::{Context, Result};
use ndarray::Array2;
use ocellus::train::EpochRecord;
use serde::{Deserialize, Serialize};

use crate::{
    classical,
    common::files,
    compared::{contender::Contender, predictions::Prediction},
    fitting,
    method::Method,
    run::{Run, Split},
};

/// From which probability on an image is of the positive class: no method's is chosen.
pub(crate) const THRESHOLD: f64 = 0.5;

/// What a method said of a fold.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct FoldResult {
    /// The settings; a result of other settings is not taken up again.
    settings: String,
    pub(crate) predictions: Vec<Prediction>,
    /// The settings that were chosen on inner folds, or the epoch.
    pub(crate) chosen: String,
    /// Numbers that the fitted method holds.
    pub(crate) parameters: usize,
    pub(crate) history: Vec<EpochRecord>,
    pub(crate) best_epoch: usize,
    pub(crate) fit_seconds: f64,
    pub(crate) score_seconds: f64,
}

/// All folds of a method.
#[derive(Clone, Debug)]
pub(crate) struct MethodResult {
    pub(crate) method: Method,
    /// What it is called in this run.
    pub(crate) name: String,
    pub(crate) folds: Vec<FoldResult>,
}

impl MethodResult {
    /// The method among others.
    pub(crate) fn contender(&self) -> Contender {
        let folds = self.folds.iter().map(|fold| fold.predictions.clone()).collect();
        Contender { name: self.name.clone(), folds }
    }

    /// The mean of a figure over the folds.
    pub(crate) fn mean(&self, figure: impl Fn(&FoldResult) -> f64) -> f64 {
        self.folds.iter().map(figure).sum::<f64>() / self.folds.len() as f64
    }
}

/// Fits every method on every split, or takes up what an earlier run left.
pub(crate) fn compare(run: &Run, splits: &[Split]) -> Result<Vec<MethodResult>> {
    let methods = run.methods();
    let features = match methods.iter().all(|method| method.is_network()) {
        true => Array2::zeros((0, 0)),
        false => classical::features(run)?,
    };
    let empty = |method| MethodResult { method, name: run.name(method), folds: Vec::new() };
    let mut results: Vec<MethodResult> = methods.into_iter().map(empty).collect();
    for (n, split) in splits.iter().enumerate() {
        for result in &mut results {
            let label = format!("{} (fold {}/{})", result.name, n + 1, splits.len());
            let file = run.out.join("folds").join(format!("{}-{n}.json", result.method.slug()));
            let settings = format!("{} {split:?}", run.key());
            let known = run.settings.training.resume.then(|| known(&file, &settings)).flatten();
            let fold = match known {
                Some(known) => known,
                None => {
                    let fold = fold(run, result.method, &features, split, &label)
                        .with_context(|| format!("{label} could not be fitted"))?;
                    let fold = FoldResult { settings, ..fold };
                    files::write(&file, serde_json::to_vec(&fold)?)?;
                    fold
                }
            };
            result.folds.push(fold);
        }
    }
    Ok(results)
}

/// A result that is there, whole, and of the same settings.
fn known(file: &Path, settings: &str) -> Option<FoldResult> {
    let known: FoldResult = serde_json::from_slice(&std::fs::read(file).ok()?).ok()?;
    (known.settings == settings).then_some(known)
}

fn fold(
    run: &Run,
    method: Method,
    features: &Array2<f32>,
    split: &Split,
    label: &str,
) -> Result<FoldResult> {
    let started = Instant::now();
    let seconds = |since: Instant| since.elapsed().as_secs_f64();
    let (mut history, mut best_epoch) = (Vec::new(), 0);
    let (chosen, parameters, fit_seconds, scored, probabilities);
    if method.is_network() {
        let trained = fitting::fit(run, method, split, label)?;
        fit_seconds = seconds(started);
        scored = Instant::now();
        probabilities = trained.probabilities(&split.test)?;
        chosen = format!("epoch {}", trained.best_epoch + 1);
        parameters = trained.network.params.parameter_count();
        (history, best_epoch) = (trained.history, trained.best_epoch);
    } else {
        let fitted = classical::fit(run, method, features, split)?;
        fit_seconds = seconds(started);
        scored = Instant::now();
        probabilities = classical::probabilities(&*fitted.model, features, &split.test)?;
        chosen = fitted.chosen;
        parameters = fitted.model.parameter_count();
    }
    let score_seconds = seconds(scored);
    let predictions = predictions(run, &split.test, probabilities);
    Ok(FoldResult {
        settings: String::new(),
        predictions,
        chosen,
        parameters,
        history,
        best_epoch,
        fit_seconds,
        score_seconds,
    })
}

/// What was said of these images.
pub(crate) fn predictions(
    run: &Run,
    samples: &[usize],
    probabilities: Vec<Vec<f64>>,
) -> Vec<Prediction> {
    let one = |(&index, probabilities): (&usize, Vec<f64>)| Prediction {
        index,
        file: run.cells.files[index].clone(),
        truth: run.cells.labels[index],
        probabilities,
        threshold: THRESHOLD,
    };
    samples.iter().zip(probabilities).map(one).collect()
}
