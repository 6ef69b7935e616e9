//! A network trained on a fold.

use anyhow::{Context, Result};
use ocellus::{
    candle::Tensor,
    metrics::auroc,
    train::{
        Adam, AdamConfig, BatchLoss, Cosine, EpochRecord, FitConfig, Learner, Monitor, Per,
        Schedule, StepContext, Validation, fit as train,
    },
};
use rand::{SeedableRng, seq::SliceRandom};
use rand_chacha::ChaCha8Rng;

use crate::{
    common::progress::TrainingBar,
    input::{self, Input},
    method::Method,
    network::Network,
    run::{Run, Split},
    shares,
};

/// Images that are evaluated at a time.
const CHUNK: usize = 32;

/// A trained network.
pub(crate) struct Trained {
    pub(crate) network: Network,
    input: Input,
    pub(crate) history: Vec<EpochRecord>,
    pub(crate) best_epoch: usize,
}

/// Trains on `split.train`; the epoch of the least loss on `split.validation` is kept: the threshold of 0.5
/// needs probabilities that are right.
pub(crate) fn fit(run: &Run, method: Method, split: &Split, label: &str) -> Result<Trained> {
    let (network, input) = input::prepare(run, method, &split.train)?;
    let (protocol, seed) = (run.protocol(method), run.settings.common.seed);
    shares::check(&run.group, split.train.len(), protocol.batch_size)?;
    let epochs = run.settings.common.epochs.unwrap_or(protocol.epochs(split.train.len()));
    let steps = epochs * split.train.len().div_ceil(protocol.batch_size);
    let config = AdamConfig::new(protocol.learning_rate);
    let mut optimizer = Adam::new(config, network.params.trainable())?;
    let mut schedule: Box<dyn Schedule> = match protocol.cosine {
        true => Box::new(Cosine::new(Per::Step, steps)?),
        false => Box::new(ocellus::train::Constant),
    };
    let config = FitConfig::new(epochs)
        .with_seed(seed)
        .with_monitor(Monitor::validation_loss())
        .with_restore_best(true)
        .with_group(run.group.clone())
        .with_precision(run.settings.training.precision);
    // Of several processes one speaks.
    let verbose = run.settings.training.verbose && run.group.rank() == 0;
    let mut bar = TrainingBar::new(steps, label, "auroc", verbose);
    let loss = network.loss();
    let report = train(
        &config,
        Learner { params: &network.params, optimizer: &mut optimizer, schedule: schedule.as_mut() },
        |epoch| Ok(order(&split.train, seed, epoch, protocol.batch_size).into_iter().map(Ok)),
        |batch: &Vec<usize>, context: &StepContext| {
            let batch = &batch[shares::part(&run.group, batch.len())];
            network.noise().at(context.step as u64);
            let logits = input.training(&network, batch, context)?;
            let loss = loss.forward(&logits, &labels(run, batch)?)?;
            Ok(BatchLoss::new(loss, batch.len() as f64))
        },
        |_| Ok(Some(validation(run, (&network, &input), &split.validation)?)),
        &mut bar,
    )?;
    bar.finish();
    let best_epoch = report.best_epoch.unwrap_or(0);
    Ok(Trained { network, input, history: report.history.epochs, best_epoch })
}

/// The order of the training images in an epoch, cut into batches: by seed and epoch alone.
fn order(samples: &[usize], seed: u64, epoch: usize, batch_size: usize) -> Vec<Vec<usize>> {
    let mut samples = samples.to_vec();
    samples.shuffle(&mut ChaCha8Rng::seed_from_u64(seed ^ (epoch as u64 + 1).rotate_left(32)));
    samples.chunks(batch_size).map(<[usize]>::to_vec).collect()
}

fn labels(run: &Run, samples: &[usize]) -> Result<Tensor> {
    let labels: Vec<u32> = samples.iter().map(|&i| run.cells.labels[i] as u32).collect();
    Ok(Tensor::new(labels, &run.device)?)
}

/// Loss and AUROC of the images that choose the epoch; of several processes, each looks at its part.
fn validation(
    run: &Run,
    (network, input): (&Network, &Input),
    samples: &[usize],
) -> Result<Validation> {
    let positive = run.positive().0;
    let (mut total, mut scores) = (0., vec![0.; samples.len()]);
    let own = shares::part(&run.group, samples.len());
    let places = own.clone().step_by(CHUNK);
    for (from, chunk) in places.zip(samples[own].chunks(CHUNK)) {
        let logits = input.evaluation(network, chunk)?;
        let loss = network.loss().forward(&logits, &labels(run, chunk)?)?;
        total += f64::from(loss.to_scalar::<f32>()?) * chunk.len() as f64;
        let probabilities = network.probabilities(&logits)?;
        scores[from..].iter_mut().zip(probabilities).for_each(|(score, p)| *score = p[positive]);
    }
    let sums = run.group.sum(&[&[total], &scores[..]].concat())?;
    let (total, scores) = (sums[0], &sums[1..]);
    let truth: Vec<bool> = samples.iter().map(|&i| run.cells.labels[i] == positive).collect();
    let area = auroc(&truth, scores).context("the AUROC of the inner validation images")?;
    Ok(Validation::new(total / samples.len() as f64).with_metric("auroc", area))
}

impl Trained {
    /// Class probabilities of the run's images.
    pub(crate) fn probabilities(&self, samples: &[usize]) -> Result<Vec<Vec<f64>>> {
        let mut all = Vec::with_capacity(samples.len());
        for chunk in samples.chunks(CHUNK) {
            let logits = self.input.evaluation(&self.network, chunk)?;
            all.extend(self.network.probabilities(&logits)?);
        }
        Ok(all)
    }
}
