use candle_core::{DType, Device, Result, Tensor};
use ocellus_flows::{
    Cflow, CflowConfig, CflowTraining, FastFlow, FastFlowConfig, FastFlowScale, FiberBatches,
    Mixing,
};
use ocellus_params::ParamStore;
use ocellus_testing::{fill, with_threads};
use ocellus_train::{Adam, BoxError, Constant, FitConfig, FitReport, Learner, fit};

type Boxed<T> = std::result::Result<T, BoxError>;

/// Two scales of features that are far from normal: each a curve with a little noise.
fn features(seed: f64) -> Result<Vec<Tensor>> {
    let scale = |channels: usize, side: usize, phase: f64| {
        let t = fill((4, 1, side, side), seed + phase, DType::F32)?;
        let noise = (fill((4, channels, side, side), seed + phase + 0.5, DType::F32)? * 0.05)?;
        let bends = (0..channels).map(|c| ((&t * (1. + c as f64))?.sin()? * 2.)? + c as f64);
        Tensor::cat(&bends.collect::<Result<Vec<_>>>()?, 1)? + noise
    };
    Ok(vec![scale(6, 6, 0.1)?, scale(4, 3, 0.2)?])
}

fn fit_cflow(training: &CflowTraining, mixing: Mixing) -> Boxed<(Cflow, FitReport)> {
    let params = ParamStore::seeded(1);
    let config = CflowConfig::anomalib(vec![6, 4]).with_condition(4).with_blocks(3);
    let config = config.with_mixing(mixing);
    let flow = Cflow::new(&config, params.var_builder(DType::F32, &Device::Cpu))?;
    let steps = training.steps(&[4 * 36, 4 * 9]);
    let report = fit(
        &training.fit_config(),
        Learner {
            params: &params,
            optimizer: &mut Adam::new(training.optimizer(), params.trainable())?,
            schedule: &mut training.schedule(2, steps),
        },
        |epoch| {
            let images = [0.3, 0.4].map(|seed| features(seed).map_err(BoxError::from));
            Ok(FiberBatches::new(training, 4, epoch, images))
        },
        |batch, _| Ok(flow.loss(batch)?),
        |_| Ok(None),
        &mut (),
    )?;
    Ok((flow, report))
}

/// The mean log-likelihood of both scales' features.
fn likelihood(flow: &Cflow, features: &[Tensor]) -> Result<f32> {
    let of_scale = |k: usize| flow.log_likelihood(k, &features[k])?.mean_all()?.to_scalar::<f32>();
    Ok(of_scale(0)? + of_scale(1)?)
}

#[test]
fn fitted_decoders_prefer_what_they_were_fitted_to() -> Boxed<()> {
    for (training, mixing) in [
        (CflowTraining::official(12).with_fibers(16).with_learning_rate(5e-3), Mixing::Soft),
        (CflowTraining::anomalib(60).with_fibers(16).with_learning_rate(3e-3), Mixing::Hard),
    ] {
        let (flow, report) = fit_cflow(&training, mixing)?;
        let epochs = &report.history.epochs;
        assert_eq!(epochs.len(), training.epochs * training.passes);
        assert!(epochs[epochs.len() - 1].train_loss < 0.8 * epochs[0].train_loss, "{mixing:?}");
        let normal = features(0.35)?; // Not seen in training.
        let abnormal = [0, 1].map(|k| normal[k].flip(&[1]));
        let abnormal = abnormal.into_iter().collect::<Result<Vec<_>>>()?;
        let (good, bad) = (likelihood(&flow, &normal)?, likelihood(&flow, &abnormal)?);
        assert!(good > bad + 0.5, "{mixing:?}: {good} and {bad}");
    }
    Ok(())
}

#[test]
fn training_gives_the_same_bits_at_any_number_of_threads() -> Boxed<()> {
    let run = || {
        let training = CflowTraining::anomalib(2).with_fibers(16);
        let (flow, _) = fit_cflow(&training, Mixing::Hard).map_err(|error| error.to_string())?;
        likelihood(&flow, &features(0.35).unwrap()).map_err(|error| error.to_string())
    };
    let one = with_threads(1, run)?;
    assert_eq!(one.to_bits(), with_threads(3, run)?.to_bits());
    Ok(())
}

#[test]
fn fastflow_is_fitted_by_the_training_loop() -> Boxed<()> {
    let params = ParamStore::seeded(1);
    let scales = vec![FastFlowScale::new(6, 6, 6), FastFlowScale::new(4, 3, 3)];
    let config = FastFlowConfig::new(scales).with_blocks(2);
    let flow = FastFlow::new(&config, params.var_builder(DType::F32, &Device::Cpu))?;
    let report = fit(
        &FitConfig::new(30),
        Learner {
            params: &params,
            optimizer: &mut Adam::new(FastFlowConfig::optimizer(), params.trainable())?,
            schedule: &mut Constant,
        },
        |_| Ok([features(0.3).map_err(BoxError::from)]),
        |features, _| Ok(flow.loss(features)?),
        |_| Ok(None),
        &mut (),
    )?;
    let epochs = &report.history.epochs;
    assert!(epochs[29].train_loss < 0.9 * epochs[0].train_loss, "{epochs:?}");
    Ok(())
}
