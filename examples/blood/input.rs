//! What a network computes logits of: images, or what its frozen layers say of them.

use std::path::Path;

use anyhow::{Context, Result, bail};
use ocellus::{
    blood::{FrozenVgg, PixelSelection, TransferConfig},
    candle::{DType, Tensor},
    params::ParamStore,
    train::StepContext,
};

use crate::{
    common::progress,
    method::Method,
    network::{self, Network},
    run::Run,
    views::Views,
};

/// Images that are passed through frozen layers at a time.
const CHUNK: usize = 16;

/// The input of a network.
pub(crate) enum Input {
    Images(Views),
    /// What frozen layers say of each image, `(images, features)`.
    Features(Tensor),
}

impl Input {
    /// The logits of a batch of the run's images in a step of training.
    pub(crate) fn training(
        &self,
        network: &Network,
        samples: &[usize],
        at: &StepContext,
    ) -> Result<Tensor> {
        match self {
            Self::Images(views) => {
                let images = views.training(samples, at.epoch)?;
                at.precision.forward(&images, |x| network.logits(x, true))
            }
            Self::Features(features) => {
                at.precision.forward(&rows(features, samples)?, |x| network.classify(x, true))
            }
        }
    }

    /// The logits of a batch of the run's images.
    pub(crate) fn evaluation(&self, network: &Network, samples: &[usize]) -> Result<Tensor> {
        match self {
            Self::Images(views) => network.logits(&views.plain(samples)?, false),
            Self::Features(features) => network.classify(&rows(features, samples)?, false),
        }
    }
}

fn rows(features: &Tensor, samples: &[usize]) -> Result<Tensor> {
    let index: Vec<u32> = samples.iter().map(|&i| i as u32).collect();
    Ok(features.index_select(&Tensor::new(index, features.device())?, 0)?)
}

/// A network of a method and its input; pixels are chosen by the training images.
pub(crate) fn prepare(run: &Run, method: Method, training: &[usize]) -> Result<(Network, Input)> {
    match method {
        Method::Vgg => vgg(run),
        _ => dcnn(run, training),
    }
}

fn dcnn(run: &Run, training: &[usize]) -> Result<(Network, Input)> {
    let config = &run.dcnn;
    let form = (config.image_size, config.in_channels == 1);
    let views = Views::new(&run.cells.images, form, &run.device)?;
    let Some(count) = run.pixels else {
        let views = match run.protocol(Method::Dcnn).augment {
            true => views.augmented(run.settings.common.seed),
            false => views,
        };
        return Ok((Network::dcnn(config, None, &run.device)?, Input::Images(views)));
    };
    // A pixel is a place: images stay as they are.
    let labels: Vec<usize> = training.iter().map(|&i| run.cells.labels[i]).collect();
    let pixels = PixelSelection::new(count).fit(&views.plain(training)?, &labels);
    let pixels = pixels.with_context(|| {
        format!("{count} pixels of images of {0}×{0} by chi²", config.image_size)
    })?;
    Ok((Network::dcnn(config, Some(pixels), &run.device)?, Input::Images(views)))
}

fn vgg(run: &Run) -> Result<(Network, Input)> {
    let network = Network::vgg(&transfer(run), run.settings.weights.as_deref(), &run.device)?;
    let views = Views::new(&run.cells.images, (run.vgg_side(), false), &run.device)?;
    if run.settings.weights.is_none() {
        return Ok((network, Input::Images(views.augmented(run.settings.common.seed))));
    }
    let features = run.frozen(|| {
        passed(run, &views, "layers of VGG16", |x| network.features(x)?.context("VGG has features"))
    })?;
    Ok((network, Input::Features(features)))
}

/// The settings of the transfer network: small where there are no weights to transfer.
pub(crate) fn transfer(run: &Run) -> TransferConfig {
    let config = match run.settings.weights {
        Some(_) => TransferConfig::paper(),
        None => TransferConfig::tiny(),
    };
    config.with_classes(run.cells.classes.len()).with_seed(run.settings.common.seed)
}

/// A vector of each image from frozen convolutions, `(images, channels)`.
pub(crate) fn vectors(run: &Run) -> Result<Tensor> {
    let config = transfer(run);
    let params = ParamStore::seeded(config.seed);
    let vb = params.var_builder(DType::F32, &run.device);
    let vgg = FrozenVgg::new(&config.backbone, config.preprocessing, vb)?;
    if let Some(file) = &run.settings.weights {
        network::load_vgg(&params, file)?;
    }
    let views = Views::new(&run.cells.images, (run.side(), false), &run.device)?;
    passed(run, &views, "vectors of VGG16", |x| Ok(vgg.vectors(x)?))
}

/// What frozen layers say of all images.
fn passed(
    run: &Run,
    views: &Views,
    what: &str,
    layers: impl Fn(&Tensor) -> Result<Tensor>,
) -> Result<Tensor> {
    let bar = progress::bar(run.cells.len() as u64, what);
    let all: Vec<usize> = (0..run.cells.len()).collect();
    let mut parts = Vec::new();
    for chunk in all.chunks(CHUNK) {
        let part = layers(&views.plain(chunk)?)?;
        for (&index, row) in chunk.iter().zip(part.flatten_from(1)?.to_vec2::<f32>()?) {
            if let Some(value) = row.iter().find(|value| !value.is_finite()) {
                let file = &run.cells.files[index];
                let weights = run.settings.weights.as_deref().unwrap_or(Path::new("drawn"));
                bail!(
                    "{what} give {value} for {file}: the weights are damaged ({})",
                    weights.display()
                )
            }
        }
        parts.push(part);
        bar.inc(chunk.len() as u64);
    }
    bar.finish_and_clear();
    Ok(Tensor::cat(&parts, 0)?)
}
