//! Several ranks train as one process does at the whole batch.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]

use std::{collections::BTreeMap, path::Path, thread};

use candle_core::{DType, Device, ModuleT, Result as Candle, Tensor};
use candle_nn::Module;
use ocellus_layers::{BatchNorm2d, BatchNorm2dConfig, Conv2d, Conv2dConfig, Linear, LinearConfig};
use ocellus_ops::{cross_entropy, global_avg_pool2d, relu};
use ocellus_parallel::{ProcessGroup, Ranks, TcpCommunicator, TcpConfig, ThreadCommunicator};
use ocellus_params::ParamStore;
use ocellus_testing::{assert_close, fill};
use ocellus_train::{
    BatchLoss, BoxError, Clip, Constant, EarlyStopping, Ended, Error, FitConfig, FitReport,
    Learner, LossScaleConfig, Monitor, Observer, Precision, Resume, Sgd, SgdConfig, Validation,
    fit,
};

const SAMPLES: usize = 21;
const BATCH: usize = 6;
const CLASSES: usize = 3;

/// Two convolutions with batch normalization, a mean over pixels, a linear layer.
struct Net {
    first: Conv2d,
    norm: BatchNorm2d,
    second: Conv2d,
    last: BatchNorm2d,
    head: Linear,
    precision: Precision,
}

impl Net {
    /// In f64, or where half precision is asked for with weights of f32.
    fn new(params: &ParamStore, precision: Precision) -> Candle<Self> {
        let dtype = if precision == Precision::F32 { DType::F64 } else { DType::F32 };
        let vb = params.var_builder(dtype, &Device::Cpu);
        Ok(Self {
            first: Conv2d::new(&Conv2dConfig::new(2, 4, 3).with_padding(1), vb.pp("first"))?,
            norm: BatchNorm2d::new(&BatchNorm2dConfig::new(4), vb.pp("norm"))?,
            second: Conv2d::new(&Conv2dConfig::new(4, 5, 3), vb.pp("second"))?,
            last: BatchNorm2d::new(&BatchNorm2dConfig::new(5), vb.pp("last"))?,
            head: Linear::new(&LinearConfig::new(5, CLASSES), vb.pp("head"))?,
            precision,
        })
    }

    fn logits(&self, x: &Tensor, train: bool) -> Candle<Tensor> {
        let x = self.norm.forward_relu_t(&self.first.forward(x)?, None, train)?;
        let x = relu(&self.last.forward_t(&self.second.forward(&x)?, train)?)?;
        self.head.forward(&global_avg_pool2d(&x)?.flatten_from(1)?)
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
fn batches(epoch: usize, group: &ProcessGroup) -> Vec<Vec<usize>> {
    let order: Vec<usize> = (0..SAMPLES).map(|i| (i * 8 + epoch * 5) % SAMPLES).collect();
    let (rank, size) = (group.rank(), group.size());
    let share = |batch: &[usize]| {
        batch[rank * batch.len() / size..(rank + 1) * batch.len() / size].to_vec()
    };
    order.chunks(BATCH).map(share).collect()
}

struct Trained {
    report: FitReport,
    weights: BTreeMap<String, Tensor>,
}

/// Trains from the same beginning, whatever the ranks' own weights.
fn train(config: &FitConfig, observer: &mut dyn Observer) -> Result<Trained, Error> {
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
        |batch, _| Ok(BatchLoss::new(net.loss(batch, true)?, batch.len() as f64)),
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

fn threads(size: usize) -> Vec<ProcessGroup> {
    let ranks = ThreadCommunicator::group(size).unwrap();
    ranks.into_iter().map(ProcessGroup::new).collect()
}

/// What `work` gives on each rank.
fn on<T: Send>(ranks: Vec<ProcessGroup>, work: impl Fn(ProcessGroup) -> T + Sync) -> Vec<T> {
    thread::scope(|scope| {
        let threads: Vec<_> = ranks.into_iter().map(|rank| scope.spawn(|| work(rank))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    })
}

fn all(ranks: Vec<ProcessGroup>, config: &FitConfig) -> Vec<Trained> {
    on(ranks, |group| train(&config.clone().with_group(group), &mut ()).unwrap())
}

fn numbers(x: &Tensor) -> Candle<Vec<f64>> {
    x.to_dtype(DType::F64)?.flatten_all()?.to_vec1()
}

fn bits(weights: &BTreeMap<String, Tensor>) -> Vec<u64> {
    let values = weights.values().flat_map(|x| numbers(x).unwrap());
    values.map(f64::to_bits).collect()
}

/// That all ranks ended alike, to the bit, and as `expected`, to 1e-9.
fn check(ranks: &[Trained], expected: &Trained) {
    check_to(ranks, expected, 1e-9);
}

fn check_to(ranks: &[Trained], expected: &Trained, tolerance: f64) {
    for rank in ranks {
        assert_eq!(bits(&rank.weights), bits(&ranks[0].weights));
        assert_eq!(rank.report.ended, expected.report.ended);
        assert_eq!(rank.report.best_epoch, expected.report.best_epoch);
        let (epochs, others) = (&rank.report.history.epochs, &expected.report.history.epochs);
        assert_eq!(epochs.len(), others.len());
        for (epoch, other) in epochs.iter().zip(others) {
            assert_eq!((epoch.epoch, epoch.steps), (other.epoch, other.steps));
            assert!((epoch.train_loss - other.train_loss).abs() < tolerance);
            let loss = |epoch: &ocellus_train::EpochRecord| epoch.validation_loss.unwrap();
            assert!((loss(epoch) - loss(other)).abs() < tolerance);
            assert!(epoch.metrics["nan"].is_nan());
        }
        for (name, weight) in &rank.weights {
            assert_close(weight, &expected.weights[name], tolerance).unwrap();
        }
    }
}

#[test]
fn two_and_three_ranks_train_as_one_and_again_with_the_same_bits() {
    let plain = FitConfig::new(4);
    let other = FitConfig::new(3).with_accumulate(3).with_clip(Clip::Norm(0.5));
    for config in [plain, other] {
        let one = all(threads(1), &config);
        let losses = &one[0].report.history.epochs;
        assert!(losses[losses.len() - 1].train_loss < losses[0].train_loss);
        for size in [2, 3] {
            let ranks = all(threads(size), &config);
            check(&ranks, &one[0]);
            let again = all(threads(size), &config);
            assert_eq!(bits(&again[0].weights), bits(&ranks[0].weights));
            assert_eq!(again[0].report.history.to_csv(), ranks[0].report.history.to_csv());
        }
    }
}

#[test]
fn in_half_precision_ranks_train_as_one_and_skip_alike() {
    let half = |precision, scale: i32| {
        let scale = LossScaleConfig::default().with_initial(scale.into()).with_interval(5);
        FitConfig::new(3).with_precision(precision).with_loss_scale(scale)
    };
    let skipped = |trained: &Trained| -> usize {
        trained.report.history.epochs.iter().map(|epoch| epoch.skipped_steps).sum()
    };
    // A share's gradients are rounded otherwise than the whole's: weights were 0.032 and 0.0048 apart at most, after
    // 12 steps; one process is 0.011 and 0.0075 from f32.
    for (config, tolerance) in [(half(Precision::Bf16, 1), 0.05), (half(Precision::F16, 256), 0.01)]
    {
        let one = all(threads(1), &config);
        for size in [2, 3] {
            let ranks = all(threads(size), &config);
            check_to(&ranks, &one[0], tolerance);
            assert_eq!(skipped(&ranks[0]), 0);
        }
    }
    // So large that the first steps are skipped: those of ranks, whose sums are smaller, not as
    // many as one's.
    for size in [2, 3] {
        let ranks = all(threads(size), &half(Precision::F16, 1 << 24));
        assert!(skipped(&ranks[0]) > 2);
        for rank in &ranks {
            assert_eq!(rank.report.history.to_csv(), ranks[0].report.history.to_csv());
            assert_eq!(bits(&rank.weights), bits(&ranks[0].weights));
        }
    }
}

#[test]
fn ranks_over_tcp_have_the_bits_of_threads() {
    let port = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
    let config = FitConfig::new(2);
    let expected = all(threads(2), &config);
    let connected = thread::scope(|scope| {
        let connect = |rank| {
            let ranks = Ranks::new(rank, 2, "127.0.0.1", port);
            ProcessGroup::new(TcpCommunicator::connect(&ranks, &TcpConfig::default()).unwrap())
        };
        let other = scope.spawn(move || connect(1));
        vec![connect(0), other.join().unwrap()]
    });
    for rank in all(connected, &config) {
        assert_eq!(bits(&rank.weights), bits(&expected[0].weights));
    }
}

#[test]
fn all_stop_early_and_have_the_best_weights() {
    let temp = tempfile::tempdir().unwrap();
    let config = FitConfig::new(9)
        .with_monitor(Monitor::validation_loss())
        .with_early_stopping(EarlyStopping::new(2))
        .with_restore_best(true);
    let one = all(threads(1), &config);
    assert_eq!(one[0].report.ended, Ended::EarlyStopping);
    check(&all(threads(2), &config), &one[0]);
    check(&all(threads(3), &config.with_folder(temp.path())), &one[0]);
}

/// Ends the training after so many steps.
struct StopAfter(usize);

impl Observer for StopAfter {
    fn wants_to_stop(&mut self) -> bool {
        self.0 = self.0.saturating_sub(1);
        self.0 == 0
    }
}

/// Two ranks in a folder which only rank 0 may touch, stopped by rank 1.
fn stopped(folder: &Path, after: usize) {
    let ended = on(threads(2), |group| {
        let own = if group.rank() == 0 { folder.to_owned() } else { folder.join("not/there") };
        let after = if group.rank() == 1 { after } else { 1000 };
        let config = FitConfig::new(3).with_folder(own).with_group(group);
        train(&config, &mut StopAfter(after)).unwrap().report.ended
    });
    assert_eq!(ended, [Ended::Observer, Ended::Observer]);
    assert!(!folder.join("not").exists());
}

#[test]
fn stopped_anywhere_all_continue_from_rank_0s_checkpoint_at_any_number_of_ranks() {
    let whole = all(threads(2), &FitConfig::new(3));
    for after in [1, 4, 6] {
        let temp = tempfile::tempdir().unwrap();
        stopped(temp.path(), after);
        let kept = temp.path().join("kept");
        std::fs::create_dir(&kept).unwrap();
        std::fs::copy(temp.path().join("last.safetensors"), kept.join("last.safetensors")).unwrap();
        let again = FitConfig::new(3).with_resume(Resume::Always);
        let two = all(threads(2), &again.clone().with_folder(temp.path()));
        for rank in &two {
            // After the last of an epoch's four batches, its validation is still to come.
            let at = ((after - 1) / 4, (after - 1) % 4 + 1);
            assert_eq!(rank.report.resumed_at, Some(at));
            assert_eq!(bits(&rank.weights), bits(&whole[0].weights), "stopped after {after}");
            assert_eq!(rank.report.history.to_csv(), whole[0].report.history.to_csv());
        }
        check(&all(threads(3), &again.with_folder(&kept)), &whole[0]);
    }
}

/// The messages of ranks of which one does something else.
fn errors(
    size: usize,
    work: impl Fn(usize, &mut FitConfig) + Sync,
    step: impl Fn(usize, usize, Tensor) -> Result<BatchLoss, BoxError> + Sync,
) -> Vec<String> {
    on(threads(size), |group| {
        let rank = group.rank();
        let mut config = FitConfig::new(2).with_group(group);
        work(rank, &mut config);
        let params = ParamStore::seeded(1);
        let net = Net::new(&params, Precision::F32).unwrap();
        let mut optimizer = Sgd::new(SgdConfig::new(0.1), params.trainable()).unwrap();
        let learner =
            Learner { params: &params, optimizer: &mut optimizer, schedule: &mut Constant };
        let trained = fit(
            &config,
            learner,
            |epoch| Ok(batches(epoch, &config.group).into_iter().map(Ok)),
            |batch, at| step(rank, at.step, net.loss(batch, true)?),
            |_| Ok(None),
            &mut (),
        );
        trained.map(drop).unwrap_err().to_string()
    })
}

#[test]
fn an_error_of_one_rank_ends_all_and_is_told() {
    for bad in 0..3 {
        let said = errors(
            3,
            |_, _| (),
            |rank, step, loss| {
                if rank == bad && step == 2 {
                    Err("img_7.png is no image".into())
                } else {
                    Ok(loss.into())
                }
            },
        );
        for (rank, said) in said.iter().enumerate() {
            let own = "step failed in epoch 0, batch 2: img_7.png is no image";
            if rank == bad {
                assert_eq!(said, own);
            } else {
                assert!(said.contains(&format!("rank {bad} gave up: {own}")), "{said}");
            }
        }
    }
}

#[test]
fn a_loss_of_one_rank_that_is_no_number_ends_all_alike() {
    let said = errors(
        2,
        |_, _| (),
        |rank, step, loss| {
            Ok(if rank == 1 && step == 1 { loss.affine(f64::NAN, 0.)?.into() } else { loss.into() })
        },
    );
    assert!(said[0].starts_with("the loss is NaN in epoch 0, step 1"), "{}", said[0]);
    assert_eq!(said[0], said[1]);
}

#[test]
fn a_weight_must_be_a_number() {
    let said = errors(
        2,
        |_, _| (),
        |rank, _, loss| Ok(BatchLoss::new(loss, if rank == 0 { f64::INFINITY } else { 1. })),
    );
    assert!(said[0].contains("counts inf"), "{}", said[0]);
    assert!(said[1].contains("rank 0 gave up") && said[1].contains("counts inf"), "{}", said[1]);
    let said = errors(2, |_, _| (), |_, _, loss| Ok(BatchLoss::new(loss, 0.)));
    assert!(said.iter().all(|said| said.contains("count 0")), "{said:?}");
}

#[test]
fn ranks_of_other_settings_are_refused() {
    let step = |_, _, loss: Tensor| Ok(loss.into());
    let said = errors(2, |rank, config| config.seed = rank as u64, step);
    assert!(said[1].contains("other settings than rank 0: seed was `0`, is `1`"), "{}", said[1]);
    assert!(said[0].contains("rank 1 gave up: this rank trains by other settings"), "{}", said[0]);
    let said = errors(2, |rank, config| config.epochs = 2 + rank, step);
    assert!(said[1].contains("(2, None, false) there, (3, None, false) here"), "{}", said[1]);
}

/// Trains ranks on one number, with so many batches each, whose buffer `touch` may change.
fn small(counts: [usize; 2], touch: impl Fn(usize, &ParamStore) + Sync) -> Vec<String> {
    on(threads(2), |group| {
        let rank = group.rank();
        let params = ParamStore::seeded(1);
        let vb = params.var_builder(DType::F64, &Device::Cpu);
        let p = vb.get_with_hints((), "p", candle_nn::Init::Const(0.)).unwrap();
        let _mean = vb.get_with_hints(2, "running_mean", candle_nn::Init::Const(0.)).unwrap();
        let mut optimizer = Sgd::new(SgdConfig::new(0.1), params.trainable()).unwrap();
        let learner =
            Learner { params: &params, optimizer: &mut optimizer, schedule: &mut Constant };
        let trained = fit(
            &FitConfig::new(1).with_group(group),
            learner,
            |_| Ok((0..counts[rank]).map(|_| Ok(()))),
            |(), _| {
                touch(rank, &params);
                Ok(p.sqr()?)
            },
            |_| Ok(None),
            &mut (),
        );
        trained.map_or_else(|error| error.to_string(), |_| "trained".to_owned())
    })
}

#[test]
fn ranks_with_other_numbers_of_batches_are_told() {
    assert_eq!(small([3, 3], |_, _| ()), ["trained", "trained"]);
    for counts in [[3, 2], [1, 3]] {
        for said in small(counts, |_, _| ()) {
            assert!(said.contains("1 of 2 ranks have another batch"), "{said}");
        }
    }
}

#[test]
fn statistics_of_a_ranks_own_share_are_noticed() {
    let touch = |rank, params: &ParamStore| {
        let mean = params.tensors()["running_mean"].clone();
        let own = Tensor::new(&[rank as f64, 1.], &Device::Cpu).unwrap();
        mean.slice_set(&own, 0, 0).unwrap();
    };
    let said = small([1, 1], touch);
    assert!(
        said[1].starts_with("`running_mean` is not the same on rank 1 as on rank 0"),
        "{}",
        said[1]
    );
    assert!(said[0].starts_with("the weights are not the same on all ranks"), "{}", said[0]);
}
