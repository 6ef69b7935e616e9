//! One network trained on tiles, or trained further on a part of a new area.

use std::{ops::Range, path::PathBuf, sync::Arc, time::Instant};

use anyhow::{Result, bail};
use ocellus::{
    candle::Tensor,
    data::{Dataset, IGNORED, Loader, LoaderConfig, Sampling, Share, Tiles},
    losses::Loss,
    metrics::ConfusionMatrix,
    parallel::ProcessGroup,
    params::{GroupRule, ParamGroup},
    satellite::Refinement,
    train::{
        BatchLoss, Constant, EarlyStopping, EpochRecord, FitConfig, Learner, Monitor, Per,
        Precision, Resume, Schedule, Sgd, SgdConfig, StepDecay, Validation, fit as train,
    },
};

type BoxError = Box<dyn std::error::Error + Send + Sync>;

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
    /// The processes that train together.
    pub(crate) group: ProcessGroup,
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
        .with_group(place.group.clone())
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
            .with_share(place.group.rank(), place.group.size())
            .with_seed(settings.seed);
        let every = 0..self.train.len();
        let loader = loader(self.train, every, &training)?;
        let checks = self.validation.filter(|tiles| !tiles.is_empty());
        if checks.is_none() && config.restore_best {
            bail!("no sample is left to choose the epoch by: give more or larger scenes")
        }
        let checks = checks.map(|tiles| Checks::new(network, tiles, &place.group)).transpose()?;
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
                let truth = batch.classes()?;
                let weight = match place.group.is_alone() {
                    true => 1.,
                    false => counted(&truth, &settings.class_weights)?,
                };
                Ok(BatchLoss::new(loss.forward(&logits, &truth)?, weight))
            },
            |_| checks.as_ref().map(|checks| checks.validate(loss.as_ref())).transpose(),
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

fn loader(tiles: Tiles, which: Range<usize>, config: &LoaderConfig) -> Result<Loader> {
    let which: Vec<usize> = which.collect();
    Ok(Loader::new(Arc::new(tiles), &which, config)?)
}

/// What the mean loss of a share is a mean over: its pixels that count, by the weights of their classes.
fn counted(truth: &Tensor, weights: &[f64]) -> Result<f64, BoxError> {
    let truth = truth.flatten_all()?.to_vec1::<u32>()?.into_iter();
    let weight = |class: u32| weights.get(class as usize).copied().unwrap_or(1.);
    Ok(truth.filter(|&class| class != IGNORED).map(weight).sum())
}

/// The samples that choose the epoch: of several processes, each looks at its share.
struct Checks<'a> {
    network: &'a Network,
    /// `None` where there are more processes than samples.
    own: Option<Loader>,
    count: usize,
    group: ProcessGroup,
}

impl<'a> Checks<'a> {
    fn new(network: &'a Network, tiles: Tiles, group: &ProcessGroup) -> Result<Self> {
        let config = LoaderConfig::new(network.card.config.protocol.batch_size).with_masks(true);
        let count = tiles.len();
        let own = Share { rank: group.rank(), size: group.size() }.of(count);
        let own = (!own.is_empty()).then(|| loader(tiles, own, &config)).transpose()?;
        Ok(Self { network, own, count, group: group.clone() })
    }

    /// Loss and F1 of the buildings over all samples.
    fn validate(&self, loss: &dyn Loss) -> Result<Validation, BoxError> {
        let classes = self.network.model.classes();
        let (total, own) = self.look(loss)?;
        let counts = own.rows().flatten().map(|&count| count as f64);
        let sums = self.group.sum(&[total].into_iter().chain(counts).collect::<Vec<_>>())?;
        let rows: Vec<Vec<u64>> =
            sums[1..].chunks(classes).map(|row| row.iter().map(|&n| n as u64).collect()).collect();
        let f1 = ConfusionMatrix::from_rows(&rows)?.binary(POSITIVE)?.f1().unwrap_or(0.);
        Ok(Validation::new(sums[0] / self.count.max(1) as f64).with_metric("f1", f1))
    }

    /// The sum of the losses of this process's samples, and what it says of their pixels.
    fn look(&self, loss: &dyn Loss) -> Result<(f64, ConfusionMatrix), BoxError> {
        let network = self.network;
        let (mut total, mut confusion) = (0., ConfusionMatrix::new(network.model.classes())?);
        let Some(loader) = &self.own else { return Ok((total, confusion)) };
        for batch in loader.epoch(0, &network.device)? {
            let batch = batch?;
            let truth = batch.classes()?;
            let logits = network.model.forward_t(&batch.images, false)?;
            let samples = batch.indices.len();
            total += f64::from(loss.forward(&logits, &truth)?.to_scalar::<f32>()?) * samples as f64;
            let said = logits.argmax(1)?.flatten_all()?.to_vec1::<u32>()?;
            for (truth, said) in truth.flatten_all()?.to_vec1::<u32>()?.into_iter().zip(said) {
                if truth != IGNORED {
                    confusion.add(truth as usize, said as usize)?;
                }
            }
        }
        Ok((total, confusion))
    }
}
