//! What the ranks train.

use std::{collections::BTreeMap, thread};

use candle_core::{DType, Device, ModuleT, Result as Candle, Tensor};
use candle_nn::Module;
use ocellus_layers::{
    BatchNorm2d, BatchNorm2dConfig, Conv2d, Conv2dConfig, Dropout, Linear, LinearConfig, Noise,
};
use ocellus_ops::{cross_entropy, global_avg_pool2d, relu};
use ocellus_parallel::{ProcessGroup, ThreadCommunicator};
use ocellus_params::ParamStore;
use ocellus_testing::fill;
use ocellus_train::{
    BatchLoss, Constant, Error, FitConfig, FitReport, Learner, Observer, Precision, Sgd, SgdConfig,
    Validation, fit,
};

const SAMPLES: usize = 21;
const BATCH: usize = 6;
const CLASSES: usize = 3;

/// Two convolutions with batch normalization, a mean over pixels, dropout, a linear layer.
pub(super) struct Net {
    first: Conv2d,
    norm: BatchNorm2d,
    second: Conv2d,
    last: BatchNorm2d,
    noise: Noise,
    dropout: Dropout,
    head: Linear,
    precision: Precision,
}

impl Net {
    /// In f64, or where half precision is asked for with weights of f32.
    pub(super) fn new(params: &ParamStore, precision: Precision) -> Candle<Self> {
        let dtype = if precision == Precision::F32 { DType::F64 } else { DType::F32 };
        let vb = params.var_builder(dtype, &Device::Cpu);
        let noise = Noise::seeded(5);
        Ok(Self {
            first: Conv2d::new(&Conv2dConfig::new(2, 4, 3).with_padding(1), vb.pp("first"))?,
            norm: BatchNorm2d::new(&BatchNorm2dConfig::new(4), vb.pp("norm"))?,
            second: Conv2d::new(&Conv2dConfig::new(4, 5, 3), vb.pp("second"))?,
            last: BatchNorm2d::new(&BatchNorm2dConfig::new(5), vb.pp("last"))?,
            dropout: Dropout::new(0.3, &noise, "dropout")?,
            noise,
            head: Linear::new(&LinearConfig::new(5, CLASSES), vb.pp("head"))?,
            precision,
        })
    }

    fn logits(&self, x: &Tensor, train: bool) -> Candle<Tensor> {
        let x = self.norm.forward_relu_t(&self.first.forward(x)?, None, train)?;
        let x = relu(&self.last.forward_t(&self.second.forward(&x)?, train)?)?;
        let x = global_avg_pool2d(&x)?.flatten_from(1)?;
        self.head.forward(&self.dropout.forward_t(&x, train)?)
    }

    /// The loss of a training step, which draws its dropout.
    pub(super) fn step(&self, samples: &[usize], step: usize) -> Candle<Tensor> {
        self.noise.at(step as u64);
        self.loss(samples, true)
    }

    fn loss(&self, samples: &[usize], train: bool) -> Candle<Tensor> {
        let images: Vec<_> = samples
            .iter()
            .map(|&i| fill((2, 7, 6), 0.7 * i as f64, self.head.weight().dtype()))
            .collect::<Candle<_>>()?;
        let x = Tensor::stack(&images, 0)?;
        let labels: Vec<u32> = samples.iter().map(|&i| (i * i % CLASSES) as u32).collect();
        let labels = Tensor::new(labels, &Device::Cpu)?;
        let logits = self.precision.forward(&x, |x| self.logits(x, train))?;
        cross_entropy(&logits, &labels, &Default::default())
    }
}

/// The shares of a rank of an epoch's batches: of 6, 6, 6 and 3 samples.
pub(super) fn batches(epoch: usize, group: &ProcessGroup) -> Vec<Vec<usize>> {
    let order: Vec<usize> = (0..SAMPLES).map(|i| (i * 8 + epoch * 5) % SAMPLES).collect();
    let (rank, size) = (group.rank(), group.size());
    let share = |batch: &[usize]| {
        batch[rank * batch.len() / size..(rank + 1) * batch.len() / size].to_vec()
    };
    order.chunks(BATCH).map(share).collect()
}

pub(super) struct Trained {
    pub(super) report: FitReport,
    pub(super) weights: BTreeMap<String, Tensor>,
}

/// Trains from the same beginning, whatever the ranks' own weights.
pub(super) fn train(config: &FitConfig, observer: &mut dyn Observer) -> Result<Trained, Error> {
    let group = &config.group;
    let params = ParamStore::seeded(1 + group.rank() as u64);
    let net = Net::new(&params, config.precision)?;
    let report = fit(
        config,
        Learner {
            params: &params,
            optimizer: &mut Sgd::new(SgdConfig::new(0.1).with_momentum(0.9), params.trainable())?,
            schedule: &mut Constant,
        },
        |epoch| Ok(batches(epoch, group).into_iter().map(Ok)),
        |batch, at| Ok(BatchLoss::new(net.step(batch, at.step)?, batch.len() as f64)),
        |epoch| {
            // What the other ranks say must not count.
            let own = net.loss(&[1, 4, 9, 16], false)?.to_dtype(DType::F64)?.to_scalar::<f64>()?;
            let shift = if epoch > 3 { 1. } else { 0. };
            let loss = own + shift + 100. * group.rank() as f64;
            Ok(Some(Validation::new(loss).with_metric("nan", f64::NAN)))
        },
        observer,
    )?;
    let weights = params.tensors().into_iter().map(|(name, x)| Ok((name, x.copy()?)));
    Ok(Trained { report, weights: weights.collect::<Candle<_>>()? })
}

pub(super) fn threads(size: usize) -> Vec<ProcessGroup> {
    let ranks = ThreadCommunicator::group(size).unwrap();
    ranks.into_iter().map(ProcessGroup::new).collect()
}

/// What `work` gives on each rank.
pub(super) fn on<T: Send>(
    ranks: Vec<ProcessGroup>,
    work: impl Fn(ProcessGroup) -> T + Sync,
) -> Vec<T> {
    thread::scope(|scope| {
        let threads: Vec<_> = ranks.into_iter().map(|rank| scope.spawn(|| work(rank))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    })
}
