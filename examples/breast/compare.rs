//! Several networks on the same splits: one holdout, or the folds of a cross-validation.

use std::{
    path::{Path, PathBuf},
    time::Instant,
};

use anyhow::{Context as _, Result};
use ocellus::{
    breast::{Architecture, Objective},
    data::{Fractions, Splitter},
    train::EpochRecord,
};
use serde::{Deserialize, Serialize};

use crate::{
    common::files,
    compared::{
        contender::Contender,
        predictions::{Figures, Prediction, figures},
    },
    fitting::{self, Place},
    localization::Located,
    maps::Look,
    run::Run,
    setup::Card,
};

/// A network and its loss: one row of a table.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) slug: String,
    pub(crate) network: String,
    pub(crate) loss: String,
    pub(crate) architecture: Architecture,
    pub(crate) objective: Objective,
    /// Neurons of the head, where they are not the preset's.
    pub(crate) neurons: Option<usize>,
}

impl Row {
    /// The network of `run`'s preset in this architecture.
    pub(crate) fn new(
        run: &Run,
        architecture: Architecture,
        loss: &str,
        objective: Objective,
    ) -> Self {
        Self {
            slug: format!("{}-{}", architecture.slug(), loss.to_lowercase()),
            network: run.card.preset.network_name(architecture),
            loss: loss.to_owned(),
            architecture,
            objective,
            neurons: None,
        }
    }

    pub(crate) fn title(&self) -> String {
        format!("{}, {}", self.network, self.loss)
    }
}

/// Which images train, which choose epoch and threshold, which are reported on.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Split {
    pub(crate) train: Vec<usize>,
    pub(crate) validation: Vec<usize>,
    pub(crate) test: Vec<usize>,
}

/// A trained network's word on images that it has not seen.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct FoldResult {
    /// The settings; a result of other settings is not taken up again.
    pub(crate) settings: String,
    pub(crate) predictions: Vec<Prediction>,
    /// Where the network looked in the images that it found clearest and in those it got worst.
    pub(crate) looks: Vec<Look>,
    /// How well its maps find the lesions that are outlined.
    pub(crate) located: Vec<Located>,
    pub(crate) history: Vec<EpochRecord>,
    pub(crate) best_epoch: usize,
    pub(crate) threshold: f64,
    pub(crate) seconds: f64,
}

/// All folds of one row.
#[derive(Clone, Debug)]
pub(crate) struct RowResult {
    pub(crate) row: Row,
    pub(crate) parameters: usize,
    pub(crate) folds: Vec<FoldResult>,
}

impl RowResult {
    /// The row among others.
    pub(crate) fn contender(&self) -> Contender {
        let folds = self.folds.iter().map(|fold| fold.predictions.clone()).collect();
        Contender { name: self.row.title(), folds }
    }

    /// The predictions of all folds: each image once, by a network that has not seen it.
    pub(crate) fn predictions(&self) -> Vec<Prediction> {
        self.folds.iter().flat_map(|f| f.predictions.iter().cloned()).collect()
    }

    /// The figures of each fold.
    pub(crate) fn figures(&self, positive: usize) -> Vec<Figures> {
        self.folds.iter().map(|f| figures(&f.predictions, positive)).collect()
    }
}

/// The splits of a run: `folds` folds, or for one fold a holdout of the protocol's fractions. Images
/// of one group stay together in all of them.
pub(crate) fn splits(run: &Run, folds: usize) -> Result<Vec<Split>> {
    let seed = run.settings.common.seed;
    let (inner, test) = (run.protocol.validation_fraction, run.protocol.test_fraction);
    let all = Splitter::new(&run.data.labels).with_groups(&run.data.groups)?.with_seed(seed);
    if folds < 2 {
        let parts = all.holdout(Fractions::new(1. - inner - test, inner, test)?)?;
        return Ok(vec![Split {
            train: parts.train,
            validation: parts.validation,
            test: parts.test,
        }]);
    }
    let inner = Fractions::new(1. - inner, inner, 0.)?;
    all.k_fold(folds)?
        .into_iter()
        .enumerate()
        .map(|(i, fold)| {
            let rest = all.within(&fold.train)?.with_seed(seed.wrapping_add(1 + i as u64));
            let parts = rest
                .holdout(inner)
                .with_context(|| format!("the inner split of fold {}", i + 1))?;
            Ok(Split { train: parts.train, validation: parts.validation, test: fold.test })
        })
        .collect()
}

/// Trains every row on every split, or takes up what an earlier run left.
pub(crate) fn compare(run: &Run, rows: &[Row], splits: &[Split]) -> Result<Vec<RowResult>> {
    let mut results: Vec<RowResult> = rows
        .iter()
        .map(|row| RowResult { row: row.clone(), parameters: 0, folds: Vec::new() })
        .collect();
    let started = Instant::now();
    let (total, mut trained) = (rows.len() * splits.len(), 0usize);
    for (fold, split) in splits.iter().enumerate() {
        for (at, result) in results.iter_mut().enumerate() {
            let label = format!("{} (fold {}/{})", result.row.title(), fold + 1, splits.len());
            let card = card(run, &result.row);
            let file = run.out.join("folds").join(format!("{}-{fold}.json", result.row.slug));
            let done = fold * rows.len() + at;
            let (one, parameters, fresh) =
                fold_result(run, &result.row, &card, split, &file, &label)?;
            result.parameters = parameters;
            result.folds.push(one);
            trained += usize::from(fresh);
            let left =
                started.elapsed().as_secs_f64() / trained.max(1) as f64 * (total - done - 1) as f64;
            if fresh && total > 2 {
                eprintln!("{label}: done; about {:.0} minutes left", left / 60.);
            }
        }
    }
    Ok(results)
}

fn card(run: &Run, row: &Row) -> Card {
    let mut card = run.card.clone();
    card.attention = row.architecture == Architecture::AttentionVgg;
    card.neurons = row.neurons.unwrap_or(card.neurons);
    card
}

fn fold_result(
    run: &Run,
    row: &Row,
    card: &Card,
    split: &Split,
    file: &Path,
    label: &str,
) -> Result<(FoldResult, usize, bool)> {
    let mut protocol = run.protocol;
    protocol.objective = row.objective;
    let settings = format!("{card:?} {protocol:?} {split:?}{}", run.settings.training.key());
    let parameters = run.parameter_count(card)?;
    if run.settings.training.resume
        && let Some(known) = known_result(file, &settings)
    {
        return Ok((known, parameters, false));
    }
    let place = Place {
        folder: file.with_extension(""),
        resume: run.settings.training.resume,
        label: label.to_owned(),
    };
    let fitted = fitting::fit(run, card, &protocol, split, &place)?;
    let result = FoldResult { settings, ..fitting::result(run, fitted, split)? };
    files::write(file, &serde_json::to_vec(&result)?)?;
    remove_checkpoints(&place.folder);
    Ok((result, parameters, true))
}

/// A result that is there, whole, and of the same settings.
fn known_result(file: &Path, settings: &str) -> Option<FoldResult> {
    let known: FoldResult = serde_json::from_slice(&std::fs::read(file).ok()?).ok()?;
    (known.settings == settings).then_some(known)
}

/// The checkpoints have served once the fold's result is written; failing to remove them does no harm.
fn remove_checkpoints(folder: &PathBuf) {
    if let Err(error) = std::fs::remove_dir_all(folder) {
        eprintln!("{} could not be removed: {error}", folder.display());
    }
}
