//! Fits the detectors of the paper's comparison.

use anyhow::Result;
use ocellus::{
    anomaly::{
        CflowAd, Detector, EncodedImages, FastFlow, FeatureBatches, FeatureModel, FeatureSource,
        FitFeatures, FlowStart, ImageSource, Padim, PatchCore,
    },
    candle::Tensor,
    cluster::GreedyCoreset,
    flows::CflowTraining,
    octa::Method,
};

use crate::{cli::Start, common::progress::TrainingBar, run::Run};

/// Features that are kept rather than computed in each pass, bytes.
const KEPT: usize = 2 << 30;

/// Features of the outstanding images, batch by batch.
pub(crate) enum Features<'a> {
    Kept(Vec<Vec<Tensor>>),
    Computed(EncodedImages<'a>),
}

impl FeatureSource for Features<'_> {
    fn pass(&self, pass: u64) -> ocellus::anomaly::Result<FeatureBatches<'_>> {
        match self {
            // Batches change places, not images: they are the same tensors in every pass.
            Self::Kept(batches) => {
                let first = pass as usize % batches.len().max(1);
                let turned = batches[first..].iter().chain(&batches[..first]);
                Ok(Box::new(turned.cloned().map(Ok)))
            }
            Self::Computed(images) => images.pass(pass),
        }
    }
}

/// The features that all detectors learn from.
pub(crate) fn features<'a>(
    run: &'a Run,
    encoder: &'a ocellus::anomaly::Encoder,
) -> Result<Features<'a>> {
    let images = EncodedImages::new(encoder, &run.sets.train as &dyn ImageSource);
    let bytes = run.sets.train.len() * run.network.feature_bytes(run.preset.side)?;
    if bytes > KEPT {
        return Ok(Features::Computed(images));
    }
    let kept = images.pass(0)?.collect::<ocellus::anomaly::Result<_>>()?;
    Ok(Features::Kept(kept))
}

/// Fits a detector on the features of outstanding images, and calibrates it on others.
pub(crate) fn fit(run: &Run, method: Method, features: &Features<'_>) -> Result<Detector> {
    let (preset, seed) = (&run.preset, run.settings.common.seed);
    let model: Box<dyn FeatureModel> = match method {
        Method::Padim => {
            let channels = run.network.channels()?.min(preset.padim_channels);
            Box::new(Padim::anomalib(channels, seed as u32).fit(features)?)
        }
        Method::FastFlow => {
            let batches = run.sets.train.batches();
            let mut bar = bar(batches * preset.fastflow_epochs, method);
            let settings = FastFlow::new(preset.fastflow_epochs)
                .with_blocks(preset.blocks)
                .with_only_3x3(run.network.name.starts_with("resnet18"))
                .with_seed(seed);
            let model = settings.fit_observed(features, &mut bar)?;
            bar.finish();
            Box::new(model)
        }
        Method::Cflow => {
            let mut training = CflowTraining::anomalib(preset.cflow_epochs);
            if !preset.paper {
                // Fewer steps, each of more places, at a rate that fits.
                training = training.with_fibers(256).with_learning_rate(1e-3);
            }
            let fibers = run.network.places(preset.side, run.sets.train.len())?;
            let mut bar = bar(training.steps(&fibers) * preset.cflow_epochs, method);
            let settings = CflowAd::anomalib(preset.cflow_epochs)
                .with_blocks(preset.blocks)
                .with_condition(preset.condition)
                .with_training(training)
                .with_start(match run.settings.start {
                    Start::Standard => FlowStart::Standard,
                    Start::Gaussian => FlowStart::Gaussian,
                })
                .with_seed(seed);
            let model = settings.fit_observed(features, &mut bar)?;
            bar.finish();
            Box::new(model)
        }
        Method::PatchCore => {
            let coreset = GreedyCoreset::anomalib(preset.bank).with_seed(seed);
            Box::new(PatchCore::anomalib().with_coreset(coreset).fit(features)?)
        }
        method => anyhow::bail!("{} is no detector of this program", method.name()),
    };
    let encoder = run.network.encoder()?;
    Ok(Detector::from_model(encoder, model, run.scoring, &run.sets.calibration)?)
}

fn bar(steps: usize, method: Method) -> TrainingBar {
    TrainingBar::new(steps, method.name(), "", false)
}
