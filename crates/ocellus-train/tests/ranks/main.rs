//! Several ranks train as one process does at the whole batch.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]

mod errors;
mod net;

use std::{collections::BTreeMap, path::Path, thread};

use candle_core::{DType, Result as Candle, Tensor};
use ocellus_parallel::{ProcessGroup, Ranks, TcpCommunicator, TcpConfig};
use ocellus_testing::assert_close;
use ocellus_train::{
    Clip, EarlyStopping, Ended, FitConfig, LossScaleConfig, Monitor, Observer, Precision, Resume,
};

use net::{Trained, on, threads, train};

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
