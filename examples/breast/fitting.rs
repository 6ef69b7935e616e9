//! One network trained on one split.

use std::{path::PathBuf, time::Instant};

use anyhow::{Context, Result};
use ocellus::{
    breast::{Classifier, OptimizerChoice, Protocol},
    candle::Tensor,
    losses::Loss,
    metrics::{auroc, youden_threshold},
    ops::softmax,
    params::{GroupRule, ParamStore},
    train::{
        Adam, AdamConfig, BatchLoss, Clip, Cosine, EpochRecord, FitConfig, KerasDecay, Learner,
        Monitor, Optimizer, Per, Resume, RmsProp, RmsPropConfig, Schedule, StepContext, Validation,
        WarmUp, fit as train,
    },
};
use rand::{SeedableRng, seq::SliceRandom};
use rand_chacha::ChaCha8Rng;

use crate::{
    common::progress::{self, TrainingBar},
    compare::{FoldResult, Split},
    compared::predictions::{Prediction, labels_and_scores},
    localization::{self, Located},
    maps::{self, Look, certainty},
    run::Run,
    setup::{self, Card},
    shares,
    views::mix,
};

/// Images that are evaluated at a time.
const CHUNK: usize = 32;

/// Where checkpoints go, and what the progress bar says.
pub(crate) struct Place {
    pub(crate) folder: PathBuf,
    pub(crate) resume: bool,
    pub(crate) label: String,
}

/// A trained network.
pub(crate) struct Fitted {
    pub(crate) card: Card,
    pub(crate) model: Classifier,
    pub(crate) params: ParamStore,
    pub(crate) history: Vec<EpochRecord>,
    pub(crate) best_epoch: usize,
    pub(crate) seconds: f64,
}

impl Fitted {
    /// A network that an earlier run trained.
    pub(crate) fn saved(card: Card, model: Classifier, params: ParamStore) -> Self {
        Self { card, model, params, history: Vec::new(), best_epoch: 0, seconds: 0. }
    }
}

/// Trains the network of `card` on `split.train`; `split.validation` chooses epoch and threshold.
pub(crate) fn fit(
    run: &Run,
    card: &Card,
    protocol: &Protocol,
    split: &Split,
    place: &Place,
) -> Result<Fitted> {
    let started = Instant::now();
    shares::check(&run.group, split.train.len(), protocol.batch_size)?;
    let (model, params) = setup::build(card, run.settings.weights.as_deref(), &run.device)?;
    let batches = split.train.len().div_ceil(protocol.batch_size);
    let (mut optimizer, mut schedule) = learner(&params, protocol, batches * protocol.epochs)?;
    let mut config = FitConfig::new(protocol.epochs)
        .with_seed(card.seed)
        .with_monitor(Monitor::maximize("auroc"))
        .with_restore_best(true)
        .with_group(run.group.clone())
        .with_precision(run.settings.training.precision)
        .with_folder(&place.folder)
        .with_resume(if place.resume { Resume::IfPresent } else { Resume::Never })
        .with_setting("card", format!("{card:?}"))
        .with_setting("protocol", format!("{protocol:?}"))
        .with_setting("split", format!("{split:?}"));
    config.clip = protocol.clip_norm.map(Clip::Norm);
    let mut bar = TrainingBar::new(
        batches * protocol.epochs,
        &place.label,
        "auroc",
        // Of several processes one speaks.
        run.settings.training.verbose && run.group.rank() == 0,
    );
    let report = train(
        &config,
        Learner { params: &params, optimizer: optimizer.as_mut(), schedule: schedule.as_mut() },
        |epoch| Ok(order(&split.train, card.seed, epoch, protocol.batch_size).into_iter().map(Ok)),
        |batch, context| Ok(loss(run, &model, protocol, batch, context)?),
        |_| Ok(Some(validation(run, &model, protocol, card, &split.validation)?)),
        &mut bar,
    )?;
    bar.finish();
    let best_epoch = report.best_epoch.unwrap_or(0);
    let history = report.history.epochs;
    let seconds = started.elapsed().as_secs_f64();
    let mut fitted = Fitted { card: card.clone(), model, params, history, best_epoch, seconds };
    let chosen = predictions(run, &fitted, protocol, &split.validation)?;
    let (labels, scores) = labels_and_scores(&chosen, card.positive);
    fitted.card.threshold = youden_threshold(&labels, &scores)?.threshold;
    Ok(fitted)
}

/// What the network says of the test images and where it looks in them, with how it was trained.
pub(crate) fn result(run: &Run, fitted: Fitted, split: &Split) -> Result<FoldResult> {
    let predictions = predictions(run, &fitted, &run.protocol, &split.test)?;
    let (looks, located) = looks(run, &fitted.model, &predictions)?;
    Ok(FoldResult {
        settings: String::new(),
        looks,
        located,
        predictions,
        history: fitted.history,
        best_epoch: fitted.best_epoch,
        threshold: fitted.card.threshold,
        seconds: fitted.seconds,
    })
}

/// The maps of the clearest and of the worst images, and how well those of all images find the
/// lesions that are outlined.
fn looks(
    run: &Run,
    model: &Classifier,
    predictions: &[Prediction],
) -> Result<(Vec<Look>, Vec<Located>)> {
    const EACH: usize = 2;
    let mut ranked: Vec<&Prediction> = predictions.iter().collect();
    ranked.sort_by(|a, b| certainty(a).total_cmp(&certainty(b)));
    let ends = EACH.min(ranked.len() / 2)..ranked.len() - EACH.min(ranked.len().div_ceil(2));
    let (mut looks, mut located) = (Vec::new(), Vec::new());
    let bar = progress::bar(ranked.len() as u64, "maps of the test images");
    for (at, chunk) in ranked.chunks(CHUNK).enumerate() {
        let samples: Vec<usize> = chunk.iter().map(|p| p.index).collect();
        let classes: Vec<usize> = chunk.iter().map(|p| p.class(run.card.positive)).collect();
        let images = run.views.plain(&samples)?;
        let all = maps::of(model, &images, &classes, run.protocol.mirror)?;
        for (i, (index, maps)) in samples.into_iter().zip(all).enumerate() {
            located.extend(localization::locate(run, index, &maps)?);
            if !ends.contains(&(at * CHUNK + i)) {
                looks.push(Look { index, maps });
            }
        }
        bar.inc(chunk.len() as u64);
    }
    bar.finish_and_clear();
    Ok((looks, located))
}

/// The order of the training images in an epoch, cut into batches; it depends on seed and epoch alone.
fn order(samples: &[usize], seed: u64, epoch: usize, batch_size: usize) -> Vec<Vec<usize>> {
    let mut samples = samples.to_vec();
    samples.shuffle(&mut ChaCha8Rng::seed_from_u64(mix(seed ^ mix(epoch as u64))));
    samples.chunks(batch_size).map(<[usize]>::to_vec).collect()
}

type Trainer = (Box<dyn Optimizer>, Box<dyn Schedule>);

fn learner(params: &ParamStore, protocol: &Protocol, steps: usize) -> Result<Trainer> {
    let rules =
        [GroupRule::new("features.*"), GroupRule::new("*").with_lr_scale(protocol.head_rate_scale)];
    let groups = params.groups(&rules)?;
    let rate = protocol.learning_rate;
    Ok(match protocol.optimizer {
        OptimizerChoice::KerasRmsProp { decay } => (
            Box::new(RmsProp::new(RmsPropConfig::keras2(rate), groups)?),
            Box::new(KerasDecay::new(decay)?),
        ),
        OptimizerChoice::AdamWCosine { weight_decay, warmup_steps } => {
            let config = AdamConfig::adamw(rate).with_weight_decay(weight_decay);
            let cosine = Cosine::new(Per::Step, steps)?;
            let warm_up = WarmUp::new(Per::Step, warmup_steps.min(steps).max(1), 0.05, cosine)?;
            (Box::new(Adam::new(config, groups)?), Box::new(warm_up))
        }
        other => anyhow::bail!("this program has no optimizer for {other:?}"),
    })
}

fn loss(
    run: &Run,
    model: &Classifier,
    protocol: &Protocol,
    batch: &[usize],
    context: &StepContext,
) -> Result<BatchLoss> {
    let batch = &batch[shares::part(&run.group, batch.len())];
    model.noise().at(context.step as u64);
    let x = run.views.training(model, batch, context.epoch)?;
    let network = |x: &Tensor| model.forward_from(x, run.views.layers_done(), true);
    let logits = context.precision.forward(&x, network)?;
    let loss = protocol.objective.forward(&logits, &labels(run, batch)?)?;
    Ok(BatchLoss::new(loss, batch.len() as f64))
}

fn labels(run: &Run, samples: &[usize]) -> Result<Tensor> {
    let labels: Vec<u32> = samples.iter().map(|&i| run.data.labels[i] as u32).collect();
    Ok(Tensor::new(labels, &run.device)?)
}

/// Loss and AUROC on the images that choose the epoch; of several processes, each looks at its share.
fn validation(
    run: &Run,
    model: &Classifier,
    protocol: &Protocol,
    card: &Card,
    samples: &[usize],
) -> Result<Validation> {
    let (mut total, mut scores) = (0., vec![0.; samples.len()]);
    let own = shares::part(&run.group, samples.len());
    let places = own.clone().step_by(CHUNK);
    for (from, chunk) in places.zip(samples[own].chunks(CHUNK)) {
        let x = run.views.evaluation(model, chunk, false)?.remove(0);
        let logits = model.forward_from(&x, run.views.layers_done(), false)?;
        let loss = protocol.objective.forward(&logits, &labels(run, chunk)?)?;
        total += f64::from(loss.to_scalar::<f32>()?) * chunk.len() as f64;
        for (score, row) in scores[from..].iter_mut().zip(softmax(&logits, 1)?.to_vec2::<f32>()?) {
            *score = f64::from(row[card.positive]);
        }
    }
    let sums = run.group.sum(&[&[total], &scores[..]].concat())?;
    let (total, scores) = (sums[0], &sums[1..]);
    let truth: Vec<bool> = samples.iter().map(|&i| run.data.labels[i] == card.positive).collect();
    let area = auroc(&truth, scores).context("the AUROC of the inner validation images")?;
    Ok(Validation::new(total / samples.len() as f64).with_metric("auroc", area))
}

/// The probabilities of `samples`, each the mean over an image and, if the protocol says so, its
/// mirror image.
pub(crate) fn predictions(
    run: &Run,
    fitted: &Fitted,
    protocol: &Protocol,
    samples: &[usize],
) -> Result<Vec<Prediction>> {
    let mut predictions = Vec::with_capacity(samples.len());
    for chunk in samples.chunks(CHUNK) {
        let views = run.views.evaluation(&fitted.model, chunk, protocol.mirror)?;
        let share = 1. / views.len() as f64;
        let mut mean = vec![vec![0.; fitted.card.classes.len()]; chunk.len()];
        for x in views {
            let logits = fitted.model.forward_from(&x, run.views.layers_done(), false)?;
            for (sum, row) in mean.iter_mut().zip(softmax(&logits, 1)?.to_vec2::<f32>()?) {
                sum.iter_mut().zip(row).for_each(|(s, p)| *s += share * f64::from(p));
            }
        }
        for (&index, probabilities) in chunk.iter().zip(mean) {
            predictions.push(Prediction {
                index,
                file: run.data.files[index].clone(),
                truth: run.data.labels[index],
                probabilities,
                threshold: fitted.card.threshold,
            });
        }
    }
    Ok(predictions)
}
