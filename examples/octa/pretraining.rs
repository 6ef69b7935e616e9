//! A backbone of its own: it learns to find vessels in synthetic outstanding images.
//!
//! What a blur, a weak signal or noise spoils is then what its features are about. No grade and no
//! spoiled image is seen; the vessels are known, for they were drawn.

use anyhow::{Context, Result};
use ocellus::{
    anomaly::Preparation,
    backbones::{Backbone, ResNet, ResNetConfig, Stage},
    candle::{DType, Device, Module, Tensor},
    data::{
        Cached, Dataset, Image,
        synthetic::{Octa, OctaField},
    },
    layers::{Conv2d, Conv2dConfig},
    ops::{Reduction, adaptive_avg_pool2d, binary_cross_entropy},
    params::ParamStore,
    train::{Adam, AdamConfig, BoxError, Cosine, FitConfig, Learner, Per, fit},
};
use rand::seq::SliceRandom;
use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};

use crate::common::progress::TrainingBar;

/// How long it learns.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pretraining {
    pub(crate) images: usize,
    pub(crate) epochs: usize,
}

const BATCH: usize = 8;
const LEARNING_RATE: f64 = 2e-3;

impl Pretraining {
    /// Weights of the backbone, learned from images of that size, on that device.
    pub(crate) fn run(
        self,
        config: &ResNetConfig,
        side: usize,
        seed: u64,
        device: &Device,
    ) -> Result<ParamStore> {
        let (params, head_params) = (ParamStore::seeded(seed), ParamStore::seeded(seed));
        let network = ResNet::new(config, params.var_builder(DType::F32, device))?;
        let vb = head_params.var_builder(DType::F32, device);
        let head = |(n, stage): (usize, &Stage)| {
            let config = Conv2dConfig::new(stage.channels, 1, 1);
            Conv2d::new(&config, vb.pp(format!("head{n}")))
        };
        let heads = network.stages()[1..].iter().enumerate().map(head);
        let heads = heads.collect::<ocellus::candle::Result<Vec<_>>>()?;
        let octa = Octa::new(OctaField::ThreeMm).with_side(side).with_seed(seed ^ 0x9e37_79b9);
        let drawn = Cached::new(octa.with_shares([1., 0., 0.]).dataset(self.images), usize::MAX);
        let steps = self.images.div_ceil(BATCH) * self.epochs;
        let mut bar = TrainingBar::new(steps, "backbone, vessels", "", false);
        let trained = [params.trainable(), head_params.trainable()].concat();
        fit(
            &FitConfig::new(self.epochs).with_seed(seed),
            Learner {
                params: &params,
                optimizer: &mut Adam::new(AdamConfig::new(LEARNING_RATE), trained)?,
                schedule: &mut Cosine::new(Per::Step, steps)?,
            },
            |epoch| Ok(order(self.images, seed ^ (epoch as u64).rotate_left(32))),
            |batch: &Vec<usize>, _| Ok(loss(&network, &heads, batch_of(&drawn, batch, device)?)?),
            |_| Ok(None),
            &mut bar,
        )?;
        bar.finish();
        Ok(params)
    }
}

/// The batches of an epoch.
fn order(images: usize, seed: u64) -> Vec<Result<Vec<usize>, BoxError>> {
    let mut all: Vec<usize> = (0..images).collect();
    all.shuffle(&mut ChaCha8Rng::seed_from_u64(seed));
    all.chunks(BATCH).map(|batch| Ok(batch.to_vec())).collect()
}

/// Prepared images and their vessels.
fn batch_of(drawn: &dyn Dataset, batch: &[usize], device: &Device) -> Result<(Tensor, Tensor)> {
    let (mut images, mut masks) = (Vec::new(), Vec::new());
    for &index in batch {
        let example = drawn.load(index)?;
        masks.push(example.mask.context("a drawn image has no mask of its vessels")?);
        images.push(example.image);
    }
    let x = Preparation::torchvision().apply(&Image::stack(&images, device)?)?;
    Ok((x, Image::stack(&masks, device)?))
}

/// How far each stage is from telling the share of vessels at each of its places.
fn loss(network: &ResNet, heads: &[Conv2d], (x, masks): (Tensor, Tensor)) -> Result<Tensor> {
    let features = network.features_t(&x, true)?;
    let mut total = None;
    for (head, features) in heads.iter().zip(&features[1..]) {
        let logits = head.forward(features)?;
        let (_, _, height, width) = logits.dims4()?;
        let target = adaptive_avg_pool2d(&masks, (height, width))?;
        let loss = binary_cross_entropy(&logits, &target, None, Reduction::Mean)?;
        total = Some(match total {
            None => loss,
            Some(total) => (loss + total)?,
        });
    }
    total.context("the backbone has no stage to learn")
}
