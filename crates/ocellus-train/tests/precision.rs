//! Training in half precision: scales as PyTorch's, steps that are skipped, weights that stay f32.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]

use std::{error::Error, fs, path::Path};

use candle_core::{DType, Device, Tensor};
use candle_nn::Init;
use ocellus_params::ParamStore;
use ocellus_testing::{Golden, assert_close};
use ocellus_train::{
    Accumulator, Clip, Constant, FitConfig, FitReport, Learner, LossScale, LossScaleConfig,
    Observer, Optimizer, Precision, Resume, Sgd, SgdConfig, StepContext, StepReport, clip_norm,
    fit,
};

type Outcome = Result<(), Box<dyn Error>>;

const RATE: f64 = 0.05;
const START: [f32; 3] = [0.5, -0.25, 1.];

/// Three weights of f32, `p`.
fn weights() -> Result<(ParamStore, Tensor), Box<dyn Error>> {
    let params = ParamStore::seeded(0);
    let vb = params.var_builder(DType::F32, &Device::Cpu);
    let p = vb.get_with_hints(3, "p", Init::Const(0.))?;
    params.trainable()[0].1.set(&Tensor::new(&START, &Device::Cpu)?)?;
    Ok((params, p))
}

fn golden() -> candle_core::Result<Golden> {
    Golden::read(env!("CARGO_MANIFEST_DIR"), "loss_scale")
}

/// Gradients, scales after each step, whether steps were skipped, weights after each.
type Case = (Vec<Tensor>, Vec<f64>, Vec<bool>, Tensor);

fn case(name: &str) -> Result<Case, Box<dyn Error>> {
    let golden = golden()?;
    let get = |what: &str| golden.get(&format!("{name}.{what}"));
    let gradients = get("gradients")?;
    let rows = (0..gradients.dim(0)?).map(|i| gradients.get(i)).collect::<Result<_, _>>()?;
    let skipped = get("skipped")?.to_vec1::<u8>()?.into_iter().map(|skipped| skipped == 1);
    Ok((rows, get("scales")?.to_vec1()?, skipped.collect(), get("weights")?.clone()))
}

#[test]
fn scales_and_weights_are_those_of_pytorch() -> Outcome {
    let config = LossScaleConfig::default;
    let odd = config().with_initial(1000.).with_growth(1.7).with_backoff(0.3).with_interval(3);
    for (name, config, accumulate) in [
        ("defaults", config(), 1),
        ("short", config().with_interval(4), 1),
        ("odd", odd, 1),
        ("accumulate", config().with_interval(4), 3),
    ] {
        let (gradients, scales, skipped, expected) = case(name)?;
        let (params, p) = weights()?;
        let mut optimizer = Sgd::new(SgdConfig::new(RATE), params.trainable())?;
        let mut scale = LossScale::new(config)?;
        let mut sum = Accumulator::new(params.trainable());
        for (step, batches) in gradients.chunks(accumulate).enumerate() {
            for g in batches {
                sum.add(scale.scaled(&(&p * g)?.sum_all()?)?.backward()?)?;
            }
            let mut mean = sum.take()?;
            scale.unscale(&mut mean, &params.trainable())?;
            let finite = clip_norm(&mut mean, &params.trainable(), 1.)?.is_finite();
            if finite {
                optimizer.step(&mean)?;
            }
            scale.update(finite);
            assert_eq!(finite, !skipped[step], "{name}, step {step}");
            assert_eq!(scale.scale(), scales[step], "{name}, step {step}");
            assert_close(&p, &expected.get(step)?, 1e-6)?;
        }
    }
    Ok(())
}

/// Remembers scales and skipped steps; ends the training after so many, if it shall.
#[derive(Default)]
struct Watcher {
    steps: Vec<StepReport>,
    stop_after: Option<usize>,
}

impl Observer for Watcher {
    fn on_step(&mut self, report: &StepReport) {
        self.steps.push(*report);
    }

    fn wants_to_stop(&mut self) -> bool {
        self.stop_after == Some(self.steps.len())
    }
}

/// `Σ (p − g)²` in the precision of the step.
fn distance(p: &Tensor, g: &Tensor, at: &StepContext) -> candle_core::Result<Tensor> {
    let (p, g) = (at.precision.input(p)?, at.precision.input(g)?);
    at.precision.output(&(p - g)?.sqr()?.sum_all()?)
}

/// The training of the case `half`, in epochs of 20 steps.
fn train_half(
    config: &FitConfig,
    watcher: &mut Watcher,
) -> Result<(FitReport, Vec<f32>), Box<dyn Error>> {
    let (gradients, ..) = case("half")?;
    let (params, p) = weights()?;
    let report = fit(
        config,
        Learner {
            params: &params,
            optimizer: &mut Sgd::new(SgdConfig::new(RATE), params.trainable())?,
            schedule: &mut Constant,
        },
        |epoch| Ok(gradients[20 * epoch..][..20].iter().map(|g| Ok(g.clone()))),
        |g, at| Ok(distance(&p, g, at)?),
        |_| Ok(None),
        watcher,
    )?;
    Ok((report, p.to_vec1()?))
}

fn half() -> FitConfig {
    FitConfig::new(3)
        .with_precision(Precision::F16)
        .with_clip(Clip::Norm(1.))
        .with_loss_scale(LossScaleConfig::default().with_interval(5))
}

#[test]
fn a_training_in_f16_skips_the_steps_that_pytorch_skips() -> Outcome {
    let (_, scales, skipped, expected) = case("half")?;
    assert!(skipped.iter().filter(|&&skipped| skipped).count() > 4, "nothing to see");
    let mut watcher = Watcher::default();
    let (report, p) = train_half(&half(), &mut watcher)?;
    let before: Vec<f64> = [65536.].into_iter().chain(scales.iter().copied()).collect();
    for (step, found) in watcher.steps.iter().enumerate() {
        assert_eq!(found.loss_scale, Some(before[step]), "step {step}");
        assert_eq!((found.skipped, found.gradient_norm.is_none()), (skipped[step], skipped[step]));
    }
    assert_close(&Tensor::new(p, &Device::Cpu)?, &expected.get(59)?, 1e-6)?;
    for (epoch, record) in report.history.epochs.iter().enumerate() {
        let skipped = skipped[20 * epoch..][..20].iter().filter(|&&skipped| skipped).count();
        assert_eq!(record.skipped_steps, skipped, "epoch {epoch}");
        assert_eq!(record.loss_scale, Some(scales[20 * epoch + 19]), "epoch {epoch}");
    }
    assert!(report.history.to_csv().contains("validation_loss,loss_scale,skipped_steps\n"));
    Ok(())
}

fn last(folder: &Path) -> Vec<u8> {
    fs::read(folder.join("last.safetensors")).unwrap()
}

#[test]
fn stopped_anywhere_in_f16_and_continued_gives_the_same_bytes() -> Outcome {
    // Where a step is due, or was skipped.
    for (accumulate, stops) in
        [(1, &[1, 2, 3, 9, 20, 21, 57][..]), (3, &[3, 6, 18, 20, 23, 58][..])]
    {
        let whole = tempfile::tempdir()?;
        let config = |folder: &Path| half().with_accumulate(accumulate).with_folder(folder);
        let (expected, p) = train_half(&config(whole.path()), &mut Watcher::default())?;
        let skipped: usize = expected.history.epochs.iter().map(|e| e.skipped_steps).sum();
        assert!(skipped > 1, "{skipped} steps were skipped");
        for &stop in stops {
            let temp = tempfile::tempdir()?;
            let config = config(temp.path()).with_resume(Resume::IfPresent);
            let mut watcher = Watcher { stop_after: Some(stop), ..Watcher::default() };
            train_half(&config, &mut watcher)?;
            assert_eq!(watcher.steps.len(), stop);
            let (report, q) = train_half(&config, &mut Watcher::default())?;
            assert_eq!((&report.history, &q), (&expected.history, &p), "stopped after {stop}");
            assert_eq!(last(temp.path()), last(whole.path()), "stopped after {stop}");
        }
    }
    Ok(())
}

#[test]
fn a_checkpoint_of_another_precision_is_refused() -> Outcome {
    let temp = tempfile::tempdir()?;
    let config = |precision| {
        half().with_precision(precision).with_folder(temp.path()).with_resume(Resume::IfPresent)
    };
    let message =
        |config: &FitConfig| train_half(config, &mut Watcher::default()).unwrap_err().to_string();
    train_half(&config(Precision::F16), &mut Watcher::default())?;
    let said = message(&config(Precision::F32));
    assert!(said.contains("precision was `f16, ") && said.contains("is not set"), "{said}");
    let said = message(&config(Precision::Bf16));
    assert!(said.contains("is `bf16`"), "{said}");
    let scale = LossScaleConfig::default().with_interval(6);
    let said = message(&config(Precision::F16).with_loss_scale(scale));
    assert!(said.contains("interval: 5") && said.contains("interval: 6"), "{said}");
    Ok(())
}

/// What a checkpoint in f32 held before there was a choice: it can be continued from by a program that
/// knows of no other precision, and the other way round.
#[test]
fn a_checkpoint_in_f32_says_nothing_of_precision() -> Outcome {
    let temp = tempfile::tempdir()?;
    let config = half().with_precision(Precision::F32).with_folder(temp.path());
    let (report, _) = train_half(&config, &mut Watcher::default())?;
    let bytes = last(temp.path());
    let text = String::from_utf8_lossy(&bytes);
    for word in ["precision", "scale", "skipped"] {
        assert!(!text.contains(word), "{word}: {text}");
    }
    let again = train_half(&config.with_resume(Resume::Always), &mut Watcher::default())?.0;
    assert_eq!(again.history, report.history);
    Ok(())
}

#[test]
fn updates_below_the_resolution_of_bf16_are_not_lost() -> Outcome {
    // Around 1, bf16 goes in steps of 2⁻⁷; each update is 2⁻¹² of the gradient 1.
    let (params, p) = weights()?;
    params.trainable()[0].1.set(&Tensor::ones(3, DType::F32, &Device::Cpu)?)?;
    let config = FitConfig::new(1).with_precision(Precision::Bf16);
    let mut seen = Vec::new();
    let report = fit(
        &config,
        Learner {
            params: &params,
            optimizer: &mut Sgd::new(SgdConfig::new(1. / 4096.), params.trainable())?,
            schedule: &mut Constant,
        },
        |_| Ok((0..100).map(|_| Ok(()))),
        |(), at| {
            let half = at.precision.input(&p)?;
            assert_eq!((at.precision, half.dtype()), (Precision::Bf16, DType::BF16));
            seen.push(half.get(0)?.to_dtype(DType::F32)?.to_scalar::<f32>()?);
            Ok(at.precision.output(&half.sum_all()?)?)
        },
        |_| Ok(None),
        &mut (),
    )?;
    assert_eq!(p.dtype(), DType::F32);
    assert_eq!(p.to_vec1::<f32>()?, [1. - 100. / 4096.; 3]);
    // The network sees the weights in few steps.
    seen.dedup();
    assert_eq!(seen, (0..=6).map(|n| 1. - n as f32 / 256.).collect::<Vec<_>>());
    let record = &report.history.epochs[0];
    assert_eq!((record.loss_scale, record.skipped_steps), (None, 0));
    Ok(())
}

/// What becomes of a training whose gradients are not finite, whatever the scale.
fn never_finite(precision: Precision) -> Result<(String, usize), Box<dyn Error>> {
    let (params, p) = weights()?;
    let mut watcher = Watcher::default();
    let error = fit(
        &FitConfig::new(1).with_precision(precision),
        Learner {
            params: &params,
            optimizer: &mut Sgd::new(SgdConfig::new(RATE), params.trainable())?,
            schedule: &mut Constant,
        },
        |_| Ok((0..1000).map(|_| Ok(()))),
        // √0 has no slope.
        |(), _| Ok((&p - p.detach())?.sqrt()?.sum_all()?),
        |_| Ok(None),
        &mut watcher,
    );
    assert_eq!(p.to_vec1::<f32>()?, START);
    Ok((error.unwrap_err().to_string(), watcher.steps.len()))
}

#[test]
fn gradients_that_no_scale_helps_are_an_error() -> Outcome {
    for precision in [Precision::F32, Precision::Bf16] {
        let (said, steps) = never_finite(precision)?;
        assert!(said.contains("the gradient of `p` is not finite in epoch 0, step 0"), "{said}");
        assert_eq!(steps, 0);
    }
    let (said, steps) = never_finite(Precision::F16)?;
    assert!(said.contains("the gradient of `p` is not finite in epoch 0, step 142"), "{said}");
    assert_eq!(steps, 142);
    Ok(())
}

#[test]
fn a_loss_that_overflows_in_f16_names_the_cause() -> Outcome {
    let (params, p) = weights()?;
    let error = fit(
        &half(),
        Learner {
            params: &params,
            optimizer: &mut Sgd::new(SgdConfig::new(RATE), params.trainable())?,
            schedule: &mut Constant,
        },
        |_| Ok([Ok(())]),
        |(), at| Ok(at.precision.output(&(at.precision.input(&p)? * 60000.)?.sum_all()?)?),
        |_| Ok(None),
        &mut (),
    );
    let said = error.unwrap_err().to_string();
    assert!(said.contains("the loss is inf (f16 ends at 65504"), "{said}");
    Ok(())
}

#[test]
fn weights_of_half_precision_are_refused() -> Outcome {
    let params = ParamStore::seeded(0);
    let vb = params.var_builder(DType::BF16, &Device::Cpu);
    let p = vb.get_with_hints(3, "p", Init::Const(1.))?;
    let run = |precision| -> Result<String, Box<dyn Error>> {
        let error = fit(
            &FitConfig::new(1).with_precision(precision),
            Learner {
                params: &params,
                optimizer: &mut Sgd::new(SgdConfig::new(RATE), params.trainable())?,
                schedule: &mut Constant,
            },
            |_| Ok([Ok(())]),
            |(), _| Ok(p.sum_all()?),
            |_| Ok(None),
            &mut (),
        );
        Ok(error.map_or_else(|error| error.to_string(), |_| String::new()))
    };
    let said = run(Precision::Bf16)?;
    assert!(said.contains("weights stay f32, but `p` is BF16"), "{said}");
    assert_eq!(run(Precision::F32)?, "");
    Ok(())
}
