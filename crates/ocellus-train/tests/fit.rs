//! The training loop: what it learns, how it stops, what it refuses, how it goes on.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]

mod common;

use std::{error::Error, fs, path::Path};

use candle_core::{DType, Device, Tensor};
use common::{Net, batch, batches, config, train};
use ocellus_params::ParamStore;
use ocellus_testing::fill;
use ocellus_train::{
    BoxError, Constant, EarlyStopping, Ended, EpochRecord, FitConfig, Goal, Learner, Monitor,
    Observer, Plateau, PlateauConfig, Resume, Sgd, SgdConfig, StepReport, Validation, fit,
};

type Outcome = Result<(), Box<dyn Error>>;

fn last(folder: &Path) -> Vec<u8> {
    fs::read(folder.join("last.safetensors")).unwrap()
}

/// Ends the training after so many steps.
struct StopAfter(usize);

impl Observer for StopAfter {
    fn wants_to_stop(&mut self) -> bool {
        self.0 -= 1;
        self.0 == 0
    }
}

#[test]
fn learns_and_writes_checkpoints_and_history() -> Outcome {
    let temp = tempfile::tempdir()?;
    let report = train(&config(temp.path(), 15), &ParamStore::seeded(1), &mut ())?;
    let losses: Vec<f64> = report.history.epochs.iter().map(|e| e.train_loss).collect();
    assert!(losses[14] < 0.5 * losses[0], "{losses:?}");
    assert_eq!(report.ended, Ended::Completed);
    let csv = fs::read_to_string(temp.path().join("history.csv"))?;
    assert_eq!(csv.lines().count(), 16);
    assert!(csv.starts_with("epoch,steps,learning_rate,train_loss,validation_loss,one\n"));
    let json: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(temp.path().join("history.json"))?)?;
    assert_eq!(json[14]["steps"], 90);
    let best = candle_core::safetensors::load(temp.path().join("best.safetensors"), &Device::Cpu)?;
    assert!(best.contains_key("norm.running_mean"));
    assert_eq!(best.len(), 8, "no state of the optimizer");
    Ok(())
}

#[test]
fn stopped_anywhere_and_continued_gives_the_same_bytes() -> Outcome {
    let whole = tempfile::tempdir()?;
    let expected = train(&config(whole.path(), 4), &ParamStore::seeded(1), &mut ())?;
    for stop in [1, 5, 6, 7, 12, 23, 24] {
        let temp = tempfile::tempdir()?;
        let config = config(temp.path(), 4).with_resume(Resume::IfPresent);
        let first = train(&config, &ParamStore::seeded(1), &mut StopAfter(stop))?;
        assert_eq!(first.ended, Ended::Observer);
        // The weights of the checkpoint count, not those that the store was drawn with.
        let second = train(&config, &ParamStore::seeded(2), &mut ())?;
        assert_eq!(second.resumed_at, Some(((stop - 1) / 6, (stop - 1) % 6 + 1)));
        assert_eq!(second.history, expected.history, "stopped after {stop}");
        assert_eq!(last(temp.path()), last(whole.path()), "stopped after {stop}");
    }
    Ok(())
}

#[test]
fn accumulated_gradients_continue_with_the_same_bytes() -> Outcome {
    let whole = tempfile::tempdir()?;
    let params = || ParamStore::seeded(1);
    train(&config(whole.path(), 3).with_accumulate(4), &params(), &mut ())?;
    let temp = tempfile::tempdir()?;
    let config = config(temp.path(), 3).with_accumulate(4).with_resume(Resume::IfPresent);
    let stopped = train(&config, &params(), &mut StopAfter(3))?;
    assert_eq!(stopped.ended, Ended::Observer);
    let report = train(&config, &params(), &mut ())?;
    assert_eq!(report.resumed_at, Some((1, 4)));
    assert_eq!(last(temp.path()), last(whole.path()));
    Ok(())
}

#[test]
fn frozen_weights_stay_and_come_back_with_the_checkpoint() -> Outcome {
    let temp = tempfile::tempdir()?;
    let frozen = |seed| {
        let params = ParamStore::seeded(seed);
        params.freeze("first.*");
        params
    };
    let weight = |params: &ParamStore| params.get("first.weight").unwrap().to_vec2::<f32>();
    let (first, second) = (frozen(1), frozen(2));
    train(&config(temp.path(), 2), &first, &mut ())?;
    let drawn = ParamStore::seeded(1);
    Net::new(&drawn)?;
    assert_eq!(weight(&first)?, weight(&drawn)?);
    train(&config(temp.path(), 2).with_resume(Resume::Always), &second, &mut ())?;
    assert_eq!(weight(&second)?, weight(&first)?);
    Ok(())
}

#[test]
fn a_finished_training_can_be_extended() -> Outcome {
    let whole = tempfile::tempdir()?;
    train(&config(whole.path(), 4), &ParamStore::seeded(1), &mut ())?;
    let temp = tempfile::tempdir()?;
    train(&config(temp.path(), 2), &ParamStore::seeded(1), &mut ())?;
    let longer = config(temp.path(), 4).with_resume(Resume::Always);
    train(&longer, &ParamStore::seeded(1), &mut ())?;
    assert_eq!(last(temp.path()), last(whole.path()));
    Ok(())
}

#[test]
fn a_damaged_last_checkpoint_falls_back_to_the_previous() -> Outcome {
    let whole = tempfile::tempdir()?;
    train(&config(whole.path(), 4), &ParamStore::seeded(1), &mut ())?;
    let temp = tempfile::tempdir()?;
    let config = config(temp.path(), 4).with_resume(Resume::IfPresent);
    train(&config, &ParamStore::seeded(1), &mut StopAfter(20))?;
    let path = temp.path().join("last.safetensors");
    let bytes = fs::read(&path)?;
    fs::write(&path, &bytes[..bytes.len() / 3])?;
    let report = train(&config, &ParamStore::seeded(1), &mut ())?;
    assert_eq!(report.resumed_at, Some((3, 0)));
    assert_eq!(last(temp.path()), last(whole.path()));
    fs::write(&path, b"")?;
    fs::write(temp.path().join("last.previous.safetensors"), b"")?;
    let error = train(&config, &ParamStore::seeded(1), &mut ()).unwrap_err().to_string();
    assert!(error.contains("is damaged"), "{error}");
    Ok(())
}

#[test]
fn refuses_a_checkpoint_of_another_run() -> Outcome {
    let temp = tempfile::tempdir()?;
    let config = config(temp.path(), 1).with_resume(Resume::Always);
    let message = |config: &FitConfig| {
        train(config, &ParamStore::seeded(1), &mut ()).unwrap_err().to_string()
    };
    assert!(message(&config).contains("no checkpoint to continue from"));
    train(&config.clone().with_resume(Resume::Never), &ParamStore::seeded(1), &mut ())?;
    let other = message(&config.clone().with_seed(6));
    assert!(other.contains("seed was `5`, is `6`"), "{other}");
    let other = message(&config.clone().with_setting("model", "huge"));
    assert!(other.contains("setting model was `tiny`, is `huge`"), "{other}");

    let params = ParamStore::seeded(1);
    let net = Net::with_hidden(&params, 33)?;
    let mut optimizer = Sgd::new(SgdConfig::new(0.1), params.trainable())?;
    let learner = Learner { params: &params, optimizer: &mut optimizer, schedule: &mut Constant };
    let other =
        fit(&config, learner, batches, |batch, at| Ok(net.loss(batch, at)?), |_| Ok(None), &mut ());
    let other = other.unwrap_err().to_string();
    assert!(other.contains("optimizer was `RmsPropConfig"), "{other}");
    Ok(())
}

#[test]
fn refuses_a_checkpoint_of_another_architecture() -> Outcome {
    let temp = tempfile::tempdir()?;
    let run = |hidden: usize, resume: Resume| -> Result<(), Box<dyn Error>> {
        let params = ParamStore::seeded(1);
        let net = Net::with_hidden(&params, hidden)?;
        let mut optimizer = Sgd::new(SgdConfig::new(0.1), params.trainable())?;
        let learner =
            Learner { params: &params, optimizer: &mut optimizer, schedule: &mut Constant };
        let config = FitConfig::new(1).with_folder(temp.path()).with_resume(resume);
        fit(
            &config,
            learner,
            batches,
            |batch, at| Ok(net.loss(batch, at)?),
            |_| Ok(None),
            &mut (),
        )?;
        Ok(())
    };
    run(32, Resume::Never)?;
    let error = run(33, Resume::Always).unwrap_err().to_string();
    assert!(error.contains("`first.bias` is [32] of F32, the model's [33] of F32"), "{error}");
    Ok(())
}

/// Fits one number to a series of validation losses.
fn fit_scripted(
    config: &FitConfig,
    losses: &[f64],
    schedule: &mut dyn ocellus_train::Schedule,
) -> Result<(ocellus_train::FitReport, f64), ocellus_train::Error> {
    let params = ParamStore::seeded(0);
    let vb = params.var_builder(DType::F64, &Device::Cpu);
    let p = vb.get_with_hints((), "p", candle_nn::Init::Const(0.))?;
    let report = fit(
        config,
        Learner {
            params: &params,
            optimizer: &mut Sgd::new(SgdConfig::new(1.), params.trainable())?,
            schedule,
        },
        |_| Ok([Ok(())]),
        |(), _| Ok(p.affine(-1., 0.)?),
        |epoch| Ok(Some(Validation::new(losses[epoch]))),
        &mut (),
    )?;
    Ok((report, p.to_scalar()?))
}

#[test]
fn stops_early_and_restores_the_best_weights() -> Outcome {
    let losses = [3., 2., 2.5, 2.5, 2.5, 1.];
    let temp = tempfile::tempdir()?;
    let plain = FitConfig::new(6).with_early_stopping(EarlyStopping::new(3));
    let in_folder = plain.clone().with_folder(temp.path());
    // Each epoch adds 1 to the weight.
    let (report, p) = fit_scripted(&plain, &losses, &mut Constant)?;
    assert_eq!((report.ended, report.best_epoch), (Ended::EarlyStopping, Some(1)));
    assert_eq!((report.best_value, p), (Some(2.), 5.));
    for config in [plain, in_folder] {
        let config = config.with_restore_best(true);
        let (report, p) = fit_scripted(&config, &losses, &mut Constant)?;
        assert_eq!((report.history.epochs.len(), p), (5, 2.));
    }
    // A finished training that is continued is still finished.
    let again = FitConfig::new(6)
        .with_early_stopping(EarlyStopping::new(3))
        .with_restore_best(true)
        .with_folder(temp.path())
        .with_resume(Resume::Always);
    let (report, p) = fit_scripted(&again, &losses, &mut Constant)?;
    assert_eq!((report.ended, p), (Ended::EarlyStopping, 2.));
    fs::remove_file(temp.path().join("best.safetensors"))?;
    let error = fit_scripted(&again, &losses, &mut Constant).unwrap_err().to_string();
    assert!(error.contains("best.safetensors") && error.contains("epoch 1"), "{error}");
    Ok(())
}

#[test]
fn a_plateau_is_continued_where_it_was() -> Outcome {
    let losses = [3., 3., 3., 3., 3., 3.];
    let plateau =
        || Plateau::new(PlateauConfig::new(Goal::Minimize).with_patience(1).with_gamma(0.5));
    let (whole, p) = fit_scripted(&FitConfig::new(6), &losses, &mut plateau()?)?;
    let rates: Vec<f64> = whole.history.epochs.iter().map(|e| e.learning_rate).collect();
    assert_eq!(rates, [1., 1., 1., 0.5, 0.5, 0.25]);
    let temp = tempfile::tempdir()?;
    let mut config = FitConfig::new(2).with_folder(temp.path()).with_resume(Resume::IfPresent);
    fit_scripted(&config, &losses, &mut plateau()?)?;
    config.epochs = 6;
    let (continued, q) = fit_scripted(&config, &losses, &mut plateau()?)?;
    assert_eq!((continued.history, q), (whole.history, p));
    Ok(())
}

#[test]
fn monitors_a_metric_by_name_and_says_which_there_are() -> Outcome {
    let temp = tempfile::tempdir()?;
    let best = config(temp.path(), 2).with_monitor(Monitor::maximize("one"));
    let report = train(&best, &ParamStore::seeded(1), &mut ())?;
    assert_eq!((report.best_epoch, report.best_value), (Some(0), Some(1.)));
    let none = config(temp.path(), 2).with_monitor(Monitor::maximize("auc"));
    let error = train(&none, &ParamStore::seeded(1), &mut ()).unwrap_err().to_string();
    assert!(error.contains("auc") && error.contains("\"one\""), "{error}");
    Ok(())
}

/// Trains with a loss that `poison` may replace, and gives the message of the failure.
fn poisoned(
    config: &FitConfig,
    poison: impl Fn(usize, &Tensor, &Net, &common::Batch) -> candle_core::Result<Tensor>,
) -> String {
    let params = ParamStore::seeded(1);
    let net = Net::new(&params).unwrap();
    let mut optimizer = Sgd::new(SgdConfig::new(0.01), params.trainable()).unwrap();
    let learner = Learner { params: &params, optimizer: &mut optimizer, schedule: &mut Constant };
    let error = fit(
        config,
        learner,
        batches,
        |batch, at| Ok(poison(at.step, &net.loss(batch, at)?, &net, batch)?),
        |_| Ok(None),
        &mut (),
    );
    for (name, weight) in params.trainable() {
        let sum = weight.sum_all().unwrap().to_scalar::<f32>().unwrap();
        assert!(sum.is_finite(), "{name} is poisoned");
    }
    error.unwrap_err().to_string()
}

#[test]
fn a_loss_that_is_no_number_stops_with_the_step_and_the_checkpoint() -> Outcome {
    let temp = tempfile::tempdir()?;
    let nan = |step, loss: &Tensor, _: &Net, _: &common::Batch| {
        if step == 8 { loss.affine(f64::NAN, 0.) } else { Ok(loss.clone()) }
    };
    let error = poisoned(&FitConfig::new(3).with_folder(temp.path()), nan);
    let start = "the loss is NaN in epoch 1, step 8; the last good weights are in ";
    assert!(error.starts_with(start) && error.ends_with("last.safetensors"), "{error}");
    let error = poisoned(&FitConfig::new(3), nan);
    assert!(error.contains("lower the learning rate"), "{error}");
    Ok(())
}

#[test]
fn a_gradient_that_is_no_number_stops_with_the_parameter() {
    // The square root at 0 has a finite value and no finite slope.
    let steep = |step, loss: &Tensor, net: &Net, (x, _): &common::Batch| {
        let _ = net;
        if step == 3 {
            let zero = (loss - loss.detach())?;
            return zero.sqrt()? + x.sum_all()? * 0.;
        }
        Ok(loss.clone())
    };
    let error = poisoned(&FitConfig::new(3), steep);
    assert!(error.starts_with("the gradient of `first.bias` is not finite in epoch 0, step 3"));
}

#[test]
fn closures_that_fail_are_named_with_their_place() -> Outcome {
    let params = ParamStore::seeded(1);
    let net = Net::new(&params)?;
    let run = |bad_batch: usize| {
        let mut optimizer = Sgd::new(SgdConfig::new(0.01), params.trainable()).unwrap();
        let learner =
            Learner { params: &params, optimizer: &mut optimizer, schedule: &mut Constant };
        fit(
            &FitConfig::new(1),
            learner,
            |epoch| {
                Ok((0..3).map(move |n| match n == bad_batch {
                    true => Err(BoxError::from("img_7.png is no image")),
                    false => Ok(batch(epoch, n)?),
                }))
            },
            |batch, at| Ok(net.loss(batch, at)?),
            |_| Err("no held-out data".into()),
            &mut (),
        )
    };
    let error = run(2).unwrap_err().to_string();
    assert_eq!(error, "batches failed in epoch 0, batch 2: img_7.png is no image");
    let error = run(9).unwrap_err().to_string();
    assert_eq!(error, "validate failed in epoch 0, batch 3: no held-out data");
    Ok(())
}

#[test]
fn refuses_what_cannot_be_trained() -> Outcome {
    let temp = tempfile::tempdir()?;
    let empty = ParamStore::seeded(0);
    let run = |params: &ParamStore, config: &FitConfig, loss: Tensor, batches: usize| {
        let mut optimizer = Sgd::new(SgdConfig::new(0.1), params.trainable()).unwrap();
        let learner = Learner { params, optimizer: &mut optimizer, schedule: &mut Constant };
        let data = |_| Ok((0..batches).map(|_| Ok(())));
        fit(config, learner, data, |(), _| Ok(loss.clone()), |_| Ok(None), &mut ())
            .unwrap_err()
            .to_string()
    };
    let scalar = Tensor::new(0f32, &Device::Cpu)?;
    assert!(run(&empty, &FitConfig::new(1), scalar.clone(), 1).contains("no parameter to train"));
    let params = ParamStore::seeded(0);
    Net::new(&params)?;
    assert!(run(&params, &FitConfig::new(1), scalar.clone(), 0).contains("has no batches"));
    let shaped = fill((2, 3), 0., DType::F32)?;
    assert!(run(&params, &FitConfig::new(1), shaped, 1).contains("[2, 3]: take its mean"));
    let none = FitConfig::new(1).with_accumulate(0);
    assert!(run(&params, &none, scalar.clone(), 1).contains("at least 1"));
    // A file where the folder should be.
    let file = temp.path().join("file");
    fs::write(&file, "")?;
    let blocked = FitConfig::new(1).with_folder(&file);
    assert!(run(&params, &blocked, scalar, 1).contains("cannot create folder"));
    Ok(())
}

#[derive(Default)]
struct Log(Vec<String>);

impl Observer for Log {
    fn on_resume(&mut self, checkpoint: &Path, epoch: usize, batch: usize) {
        let name = checkpoint.file_name().unwrap_or_default().to_string_lossy();
        self.0.push(format!("resume {name} {epoch}.{batch}"));
    }
    fn on_epoch_start(&mut self, epoch: usize) {
        self.0.push(format!("start {epoch}"));
    }
    fn on_step(&mut self, report: &StepReport) {
        let stepped = report.gradient_norm.is_some();
        self.0.push(format!("step {} {stepped}", report.step));
    }
    fn on_epoch_end(&mut self, record: &EpochRecord, is_best: bool) {
        self.0.push(format!("end {} {is_best}", record.epoch));
    }
    fn on_checkpoint(&mut self, path: &Path) {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        self.0.push(format!("wrote {name}"));
    }
}

#[test]
fn an_observer_sees_everything_in_order() -> Outcome {
    let temp = tempfile::tempdir()?;
    let config = config(temp.path(), 1).with_accumulate(4).with_checkpoint_every(1);
    let mut log = Log::default();
    train(&config, &ParamStore::seeded(1), &mut log)?;
    let expected = [
        "start 0",
        "step 0 false",
        "step 1 false",
        "step 2 false",
        "step 3 true",
        "wrote last.safetensors",
        "step 4 false",
        "step 5 true",
        "wrote best.safetensors",
        "wrote last.safetensors",
        "end 0 true",
    ];
    assert_eq!(log.0, expected);
    let mut log = Log::default();
    train(&config.with_resume(Resume::Always), &ParamStore::seeded(1), &mut log)?;
    assert_eq!(log.0, ["resume last.safetensors 1.0"]);
    Ok(())
}
