//! One network trained on tiles, or trained further on a part of a new area.

use std::{path::PathBuf, sync::Arc, time::Instant};

use anyhow::{Result, bail};
use ocellus::{
    candle::Tensor,
    data::{Dataset, IGNORED, Loader, LoaderConfig, Sampling, Tiles},
    losses::Loss,
    metrics::ConfusionMatrix,
    params::{GroupRule, ParamGroup},
    satellite::Refinement,
    train::{
        Constant, EarlyStopping, EpochRecord, FitConfig, Learner, Monitor, Per, Precision, Resume,
        Schedule, Sgd, SgdConfig, StepDecay, Validation, fit as train,
    },
};

use crate::{areas::Samples, common::progress::TrainingBar, network::Network};

/// The building class.
pub(crate) const POSITIVE: usize = 1;

/// Sets the draws of a refinement apart from those of the training.
const REFINEMENT: u64 = 0x7ef1;

/// Where checkpoints go, and what the progress bar says.
pub(crate) struct Place {
    pub(crate) folder: Option<PathBuf>,
    pub(crate) resume: bool,
    pub(crate) label: String,
    /// Whether each epoch is told.
    pub(crate) verbose: bool,
    /// What is computed in.
    pub(crate) precision: Precision,
}

/// How a training went.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub(crate) struct Course {
    pub(crate) history: Vec<EpochRecord>,
    pub(crate) best_epoch: usize,
    pub(crate) seconds: f64,
}

/// Trains a network; the validation samples choose the epoch.
pub(crate) fn fit(network: &Network, samples: Samples, place: &Place) -> Result<Course> {
    let config = &network.card.config;
    let protocol = &config.protocol;
    // What does not start from published weights learns faster.
    let fresh = config.fresh_patterns().into_iter();
    let fresh =
        fresh.map(|pattern| GroupRule::new(pattern).with_lr_scale(protocol.fresh_rate_scale));
    let rules: Vec<_> = fresh.chain([GroupRule::new("*")]).collect();
    let groups = network.params.groups(&rules)?;
    let schedule = StepDecay::new(Per::Epoch, protocol.rate_period, protocol.rate_factor)?;
    let mut fitting = FitConfig::new(protocol.epochs)
        .with_seed(config.seed)
        .with_monitor(Monitor::validation_loss())
        .with_early_stopping(EarlyStopping::new(protocol.patience))
        .with_restore_best(true)
        .with_precision(place.precision)
        .with_setting("card", format!("{:?}", network.card));
    if let Some(folder) = &place.folder {
        let resume = if place.resume { Resume::IfPresent } else { Resume::Never };
        fitting = fitting.with_folder(folder).with_resume(resume);
    }
    let rate = protocol.learning_rate;
    let (train, validation) = (samples.train, Some(samples.validation));
    Work { network, train, validation, rate }.run(&fitting, groups, Box::new(schedule), place)
}

/// Trains a network further on the annotated tiles of a new area, all of them, for a fixed number of
/// epochs: there is nothing left to choose an epoch by.
pub(crate) fn refine(
    network: &Network,
    tiles: Tiles,
    refinement: &Refinement,
    place: &Place,
) -> Result<Course> {
    let groups = network.params.groups(&[GroupRule::new("*")])?;
    let config = FitConfig::new(refinement.epochs)
        .with_seed(network.card.config.seed ^ REFINEMENT)
        .with_precision(place.precision);
    let work = Work { network, train: tiles, validation: None, rate: refinement.learning_rate };
    work.run(&config, groups, Box::new(Constant), place)
}

struct Work<'a> {
    network: &'a Network,
    train: Tiles,
    validation: Option<Tiles>,
    rate: f64,
}

impl Work<'_> {
    fn run(
        self,
        config: &FitConfig,
        groups: Vec<ParamGroup>,
        mut schedule: Box<dyn Schedule>,
        place: &Place,
    ) -> Result<Course> {
        let started = Instant::now();
        let network = self.network;
        let settings = &network.card.config;
        let protocol = &settings.protocol;
        let rule = SgdConfig::new(self.rate)
            .with_momentum(protocol.momentum)
            .with_weight_decay(protocol.weight_decay);
        let mut optimizer = Sgd::new(rule, groups)?;
        let batch = protocol.batch_size.min(self.train.len().max(1));
        let training = LoaderConfig::new(batch)
            .with_sampling(Sampling::Shuffled)
            .with_drop_last(true)
            .with_patches(protocol.patches())
            .with_masks(true)
            .with_seed(settings.seed);
        let loader = loader(self.train, &training)?;
        let checks = self.validation.filter(|tiles| !tiles.is_empty());
        if checks.is_none() && config.restore_best {
            bail!("no sample is left to choose the epoch by: give more or larger scenes")
        }
        let still = LoaderConfig::new(protocol.batch_size).with_masks(true);
        let checks = checks.map(|tiles| self::loader(tiles, &still)).transpose()?;
        let loss = settings.loss(&network.device)?;
        let steps = loader.batches() * config.epochs;
        let mut bar = TrainingBar::new(steps, &place.label, "f1", place.verbose);
        let report = train(
            config,
            Learner {
                params: &network.params,
                optimizer: &mut optimizer,
                schedule: schedule.as_mut(),
            },
            |epoch| Ok(loader.epoch(epoch, &network.device)?.map(|batch| Ok(batch?))),
            |batch, context| {
                let model = |x: &Tensor| network.model.forward_t(x, true);
                let logits = context.precision.forward(&batch.images, model)?;
                Ok(loss.forward(&logits, &batch.classes()?)?)
            },
            |_| checks.as_ref().map(|checks| validate(network, checks, loss.as_ref())).transpose(),
            &mut bar,
        )?;
        bar.finish();
        Ok(Course {
            best_epoch: report.best_epoch.unwrap_or(0),
            history: report.history.epochs,
            seconds: started.elapsed().as_secs_f64(),
        })
    }
}

fn loader(tiles: Tiles, config: &LoaderConfig) -> Result<Loader> {
    let all: Vec<usize> = (0..tiles.len()).collect();
    Ok(Loader::new(Arc::new(tiles), &all, config)?)
}

/// Loss and F1 of the buildings on the samples that choose the epoch.
fn validate(
    network: &Network,
    checks: &Loader,
    loss: &dyn Loss,
) -> Result<Validation, Box<dyn std::error::Error + Send + Sync>> {
    let (mut total, mut count) = (0., 0);
    let mut confusion = ConfusionMatrix::new(network.model.classes())?;
    for batch in checks.epoch(0, &network.device)? {
        let batch = batch?;
        let truth = batch.classes()?;
        let logits = network.model.forward_t(&batch.images, false)?;
        let samples = batch.indices.len();
        total += f64::from(loss.forward(&logits, &truth)?.to_scalar::<f32>()?) * samples as f64;
        count += samples;
        let said = logits.argmax(1)?.flatten_all()?.to_vec1::<u32>()?;
        for (truth, said) in truth.flatten_all()?.to_vec1::<u32>()?.into_iter().zip(said) {
            if truth != IGNORED {
                confusion.add(truth as usize, said as usize)?;
            }
        }
    }
    let f1 = confusion.binary(POSITIVE)?.f1().unwrap_or(0.);
    Ok(Validation::new(total / f64::from(count.max(1) as u32)).with_metric("f1", f1))
}
