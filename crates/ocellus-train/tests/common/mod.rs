//! A tiny network with momentum, dropout and running statistics, so that a checkpoint has to hold
//! weights, buffers, optimizer state and counters to continue exactly.

#![allow(dead_code, reason = "no test binary uses all of it")]

use std::path::Path;

use candle_core::{DType, Device, Result, Tensor};
use candle_nn::{BatchNorm, BatchNormConfig, Linear, Module, ModuleT, batch_norm, linear};
use ocellus_params::ParamStore;
use ocellus_testing::fill;
use ocellus_train::{
    BoxError, Clip, Cosine, FitConfig, FitReport, Learner, Monitor, Observer, Per, RmsProp,
    RmsPropConfig, StepContext, Validation, WarmUp,
};

pub(crate) type Batch = (Tensor, Tensor);

/// Two layers with a norm between them.
#[derive(Debug)]
pub(crate) struct Net {
    first: Linear,
    norm: BatchNorm,
    second: Linear,
}

impl Net {
    pub(crate) fn new(params: &ParamStore) -> Result<Self> {
        Self::with_hidden(params, 32)
    }

    pub(crate) fn with_hidden(params: &ParamStore, hidden: usize) -> Result<Self> {
        let vb = params.var_builder(DType::F32, &Device::Cpu);
        Ok(Self {
            first: linear(8, hidden, vb.pp("first"))?,
            norm: batch_norm(hidden, BatchNormConfig::default(), vb.pp("norm"))?,
            second: linear(hidden, 1, vb.pp("second"))?,
        })
    }

    /// With a dropout that depends on the context alone.
    pub(crate) fn loss(&self, (x, y): &Batch, at: &StepContext) -> Result<Tensor> {
        let h = self.hidden(x, true)?;
        let phase = (at.seed as f64).mul_add(0.37, at.step as f64);
        let mask = fill(h.shape().clone(), phase, DType::F32)?.gt(-0.5)?.to_dtype(DType::F32)?;
        self.error(&(h * mask)?, y)
    }

    pub(crate) fn evaluate(&self, (x, y): &Batch) -> Result<f64> {
        Ok(f64::from(self.error(&self.hidden(x, false)?, y)?.to_scalar::<f32>()?))
    }

    fn hidden(&self, x: &Tensor, train: bool) -> Result<Tensor> {
        self.norm.forward_t(&self.first.forward(x)?, train)?.tanh()
    }

    fn error(&self, h: &Tensor, y: &Tensor) -> Result<Tensor> {
        (self.second.forward(h)? - y)?.sqr()?.mean_all()
    }
}

/// Batch `n` of an epoch: data and order depend on the epoch alone.
pub(crate) fn batch(epoch: usize, n: usize) -> Result<Batch> {
    let x = fill((16, 8), 0.1 * epoch as f64 + n as f64, DType::F32)?;
    let y = x.sum_keepdim(1)?.sin()?;
    Ok((x, y))
}

/// What a training of this test reads its data from.
pub(crate) fn batches(
    epoch: usize,
) -> std::result::Result<impl Iterator<Item = std::result::Result<Batch, BoxError>>, BoxError> {
    Ok((0..6).map(move |n| Ok(batch(epoch, n)?)))
}

pub(crate) fn config(folder: &Path, epochs: usize) -> FitConfig {
    FitConfig::new(epochs)
        .with_seed(5)
        .with_clip(Clip::Norm(2.))
        .with_monitor(Monitor::validation_loss())
        .with_folder(folder)
        .with_setting("model", "tiny")
}

/// Trains the tiny network under these settings, from the same beginning each time.
pub(crate) fn train(
    config: &FitConfig,
    params: &ParamStore,
    observer: &mut dyn Observer,
) -> ocellus_train::Result<FitReport> {
    let net = Net::new(params)?;
    let held_out = batch(1000, 0)?;
    ocellus_train::fit(
        config,
        Learner {
            params,
            optimizer: &mut RmsProp::new(
                RmsPropConfig::pytorch(0.01).with_momentum(0.5).with_centered(true),
                params.trainable(),
            )?,
            schedule: &mut WarmUp::new(Per::Step, 10, 0.1, Cosine::new(Per::Epoch, 20)?)?,
        },
        batches,
        |batch, context| Ok(net.loss(batch, context)?),
        |_| Ok(Some(Validation::new(net.evaluate(&held_out)?).with_metric("one", 1.))),
        observer,
    )
}
