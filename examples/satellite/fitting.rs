//! One network trained on tiles, or trained further on a part of a new area.

use std::{path::PathBuf, sync::Arc, time::Instant};

use anyhow::{Result, bail};
use indicatif::ProgressBar;
use ocellus::{
    data::{Dataset, IGNORED, Loader, LoaderConfig, PatchDraw, Sampling, Tiles},
    losses::{CrossEntropy, Dice, Focal, Jaccard, Loss, LovaszSoftmax},
    metrics::ConfusionMatrix,
    params::{GroupRule, ParamGroup},
    satellite::{Protocol, Refinement},
    train::{
        Constant, EarlyStopping, EpochRecord, FitConfig, Learner, Monitor, Observer, Per, Resume,
        Schedule, Sgd, SgdConfig, StepDecay, StepReport, Validation, fit as train,
    },
};

use crate::{
    areas::Samples,
    cli::{LossChoice, Settings},
    common::progress,
    network::Network,
};

/// The building class.
pub(crate) const POSITIVE: usize = 1;

/// Where checkpoints go, and what the progress bar says.
pub(crate) struct Place {
    pub(crate) folder: Option<PathBuf>,
    pub(crate) resume: bool,
    pub(crate) label: String,
}

/// How a training went.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub(crate) struct Course {
    pub(crate) history: Vec<EpochRecord>,
    pub(crate) best_epoch: usize,
    pub(crate) seconds: f64,
}

/// Trains a network; the validation samples choose the epoch.
pub(crate) fn fit(
    network: &Network,
    samples: Samples,
    protocol: &Protocol,
    settings: &Settings,
    place: &Place,
) -> Result<Course> {
    let mut rules = vec![GroupRule::new("*")];
    if settings.weights.is_some() && network.card.network.starts_with("prop") {
        // What is not from the file learns faster.
        rules = vec![
            GroupRule::new("encoder.*"),
            GroupRule::new("*").with_lr_scale(protocol.fresh_rate_scale),
        ];
    }
    let groups = network.params.groups(&rules)?;
    let schedule = StepDecay::new(Per::Epoch, protocol.rate_period, protocol.rate_factor)?;
    let mut config = FitConfig::new(protocol.epochs)
        .with_seed(network.card.seed)
        .with_monitor(Monitor::validation_loss())
        .with_early_stopping(EarlyStopping::new(protocol.patience))
        .with_restore_best(true)
        .with_setting("card", format!("{:?}", network.card))
        .with_setting("protocol", format!("{protocol:?}"))
        .with_setting("loss", format!("{:?}", settings.loss));
    if let Some(folder) = &place.folder {
        let resume = if place.resume { Resume::IfPresent } else { Resume::Never };
        config = config.with_folder(folder).with_resume(resume);
    }
    let work = Work {
        network,
        train: samples.train,
        validation: Some(samples.validation),
        protocol,
        rate: protocol.learning_rate,
        settings,
    };
    work.run(&config, groups, Box::new(schedule), place)
}

/// Trains a network further on the annotated tiles of a new area, all of them, for a fixed number of
/// epochs: there is nothing left to choose an epoch by.
pub(crate) fn refine(
    network: &Network,
    tiles: Tiles,
    refinement: &Refinement,
    protocol: &Protocol,
    settings: &Settings,
    place: &Place,
) -> Result<Course> {
    let groups = network.params.groups(&[GroupRule::new("*")])?;
    let config = FitConfig::new(refinement.epochs).with_seed(network.card.seed ^ 0x7ef1);
    let rate = refinement.learning_rate;
    let work = Work { network, train: tiles, validation: None, protocol, rate, settings };
    work.run(&config, groups, Box::new(Constant), place)
}

struct Work<'a> {
    network: &'a Network,
    train: Tiles,
    validation: Option<Tiles>,
    protocol: &'a Protocol,
    rate: f64,
    settings: &'a Settings,
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
        let (protocol, network) = (self.protocol, self.network);
        let rule = SgdConfig::new(self.rate)
            .with_momentum(protocol.momentum)
            .with_weight_decay(protocol.weight_decay);
        let mut optimizer = Sgd::new(rule, groups)?;
        let draw = PatchDraw::paper()
            .with_size(protocol.crop)
            .with_crop(1. - protocol.rotation as f32)
            .with_flips(protocol.flip as f32, protocol.flip as f32);
        let batch = protocol.batch_size.min(self.train.len().max(1));
        let training = LoaderConfig::new(batch)
            .with_sampling(Sampling::Shuffled)
            .with_drop_last(true)
            .with_patches(draw)
            .with_masks(true)
            .with_seed(network.card.seed);
        let loader = loader(self.train, &training)?;
        let checks = self.validation.filter(|tiles| !tiles.is_empty());
        if checks.is_none() && config.restore_best {
            bail!("no sample is left to choose the epoch by: give more or larger scenes")
        }
        let still = LoaderConfig::new(protocol.batch_size).with_masks(true);
        let checks = checks.map(|tiles| self::loader(tiles, &still)).transpose()?;
        let loss = loss(self.settings.loss);
        let length = (loader.batches() * config.epochs) as u64;
        let mut bar = Bar {
            bar: progress::bar(length, &place.label),
            label: place.label.clone(),
            verbose: self.settings.verbose,
        };
        let report = train(
            config,
            Learner {
                params: &network.params,
                optimizer: &mut optimizer,
                schedule: schedule.as_mut(),
            },
            |epoch| Ok(loader.epoch(epoch, &network.device)?.map(|batch| Ok(batch?))),
            |batch, _| {
                let logits = network.model.forward_t(&batch.images, true)?;
                Ok(loss.forward(&logits, &batch.classes()?)?)
            },
            |_| checks.as_ref().map(|checks| validate(network, checks, loss.as_ref())).transpose(),
            &mut bar,
        )?;
        bar.bar.finish_and_clear();
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
    let mut confusion = ConfusionMatrix::new(network.card.classes.len())?;
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

/// What is minimized.
fn loss(choice: LossChoice) -> Box<dyn Loss> {
    let ignored = i64::from(IGNORED);
    let entropy = || CrossEntropy::default().with_ignore_index(ignored);
    let dice = || Dice::softmax().with_ignore_index(ignored);
    match choice {
        LossChoice::Ce => Box::new(entropy()),
        LossChoice::Dice => Box::new(dice()),
        LossChoice::CeDice => Box::new((entropy().weighted(0.5), dice().weighted(0.5))),
        LossChoice::Focal => Box::new(Focal::softmax().with_ignore_index(ignored)),
        LossChoice::Jaccard => Box::new(Jaccard::softmax().with_ignore_index(ignored)),
        LossChoice::Lovasz => Box::new(LovaszSoftmax::default().with_ignore_index(ignored)),
    }
}

/// Shows steps, loss and the last validation.
struct Bar {
    bar: ProgressBar,
    label: String,
    verbose: bool,
}

impl Observer for Bar {
    fn on_step(&mut self, report: &StepReport) {
        self.bar.set_position(report.step as u64 + 1);
        self.bar.set_message(format!("{}  loss {:.3}", self.label, report.loss));
    }

    fn on_epoch_end(&mut self, record: &EpochRecord, _best: bool) {
        if self.verbose {
            let validation = record.validation_loss.map_or(String::new(), |loss| {
                let f1 = record.metrics.get("f1").copied().unwrap_or(f64::NAN);
                format!(", validation loss {loss:.4}, F1 {f1:.4}")
            });
            eprintln!(
                "{}: epoch {}, loss {:.4}{validation}",
                self.label,
                record.epoch + 1,
                record.train_loss
            );
        }
    }
}
