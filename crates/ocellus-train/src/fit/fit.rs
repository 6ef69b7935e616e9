use candle_core::{DType, Tensor};
use ocellus_ops::backward;

use crate::{
    error::{BoxError, Error, Result},
    fit::{
        BatchLoss, Ended, FitConfig, FitReport, Learner, Observer, StepContext, StepReport,
        Validation, ranks::Ranks, run::Run,
    },
    gradient::Accumulator,
};

/// Trains a model: epochs of batches, a loss for each, a step of the optimizer, a look at held-out
/// data, checkpoints and history.
///
/// What is particular to a task are three closures:
///
/// - `batches(epoch)` gives the batches of an epoch. Data order and augmentation should depend on
///   seed and epoch alone.
/// - `step(&batch, &context)` gives the loss of a batch, a scalar tensor or a [`BatchLoss`]. What it draws
///   (dropout) should depend on the context alone.
/// - `validate(epoch)` looks at held-out data after an epoch, or gives `None`.
///
/// An error of a closure ends the training with the place where it happened.
///
/// # Files
///
/// In the folder of the settings, each written whole or not at all:
///
/// | File | Holds |
/// | --- | --- |
/// | `last.safetensors` | weights, buffers, the optimizer's state (`optimizer.…`) and all counters |
/// | `last.previous.safetensors` | the checkpoint before that, taken up if the last one is damaged |
/// | `best.safetensors` | weights and buffers after the epoch with the best monitored value |
/// | `history.csv`, `history.json` | a row per epoch |
///
/// A training that is stopped at any moment, be it by a power cut, and continued gives the weights of
/// one that was not, bit for bit. All but the number of epochs must be as before: a checkpoint of
/// other settings or of another model is refused with the first difference.
///
/// # Precision
///
/// With [`Precision::Bf16`](crate::Precision::Bf16) or `F16` in the settings, `step` should compute in that
/// type: `context.precision.forward(&images, |x| model.forward_t(x, true))`. In f16 the loss is scaled
/// ([`LossScale`](crate::LossScale)): gradients are unscaled before they are measured and clipped, and a
/// step whose gradients are not finite is skipped, which is reported, instead of being an error.
///
/// # Several ranks
///
/// With a group of more than one rank ([`FitConfig::with_group`]), every rank calls this with the same model
/// and settings, and `batches` gives its share of every batch. The result is that of one process at the
/// whole batch, but for the order in which sums are rounded, and the same bits in every run:
///
/// - Ranks begin with the weights of rank 0. Gradients and losses are means over the whole batch;
///   shares that differ in size need a [`BatchLoss`].
/// - Layers take statistics over all ranks ([`synchronized`](ocellus_parallel::synchronized)).
/// - `validate` runs on every rank; what rank 0 gives counts. It can share the work out by the group.
/// - Rank 0 alone writes files, and all continue from its checkpoint, at any number of ranks.
/// - Weights and buffers are compared whenever a checkpoint is due. An error of one rank ends all, with its
///   message; the group is of no more use then.
///
/// # Examples
///
/// ```
/// use candle_core::{DType, Device, Module, Tensor};
/// use ocellus_params::ParamStore;
/// use ocellus_train::{Constant, FitConfig, Learner, Monitor, Sgd, SgdConfig, fit};
///
/// let params = ParamStore::seeded(1);
/// let model = candle_nn::linear(1, 1, params.var_builder(DType::F32, &Device::Cpu))?;
/// let x = Tensor::new(&[[0f32], [1.], [2.], [3.]], &Device::Cpu)?;
/// let y = x.affine(2., 1.)?;
///
/// let report = fit(
///     &FitConfig::new(200).with_monitor(Monitor::train_loss()),
///     Learner {
///         params: &params,
///         optimizer: &mut Sgd::new(SgdConfig::new(0.1), params.trainable())?,
///         schedule: &mut Constant,
///     },
///     |_epoch| Ok([Ok((x.clone(), y.clone()))]),
///     |(x, y), _context| Ok((model.forward(x)? - y)?.sqr()?.mean_all()?),
///     |_epoch| Ok(None),
///     &mut (),
/// )?;
/// assert!(report.history.epochs[199].train_loss < 1e-4);
/// # Ok::<(), ocellus_train::Error>(())
/// ```
///
/// # Errors
///
/// See [`Error`](enum@Error): settings without sense, a NaN or infinity in a loss or gradient, a
/// closure that failed, a file that could not be read or written, a checkpoint of another run.
pub fn fit<B, I, L>(
    config: &FitConfig,
    learner: Learner<'_>,
    batches: impl FnMut(usize) -> Result<I, BoxError>,
    step: impl FnMut(&B, &StepContext) -> Result<L, BoxError>,
    validate: impl FnMut(usize) -> Result<Option<Validation>, BoxError>,
    observer: &mut dyn Observer,
) -> Result<FitReport>
where
    I: IntoIterator<Item = Result<B, BoxError>>,
    L: Into<BatchLoss>,
{
    let trained = train(config, learner, batches, step, validate, observer);
    trained.inspect_err(|error| Ranks::new(&config.group).give_up(error))
}

fn train<B, I, L>(
    config: &FitConfig,
    learner: Learner<'_>,
    mut batches: impl FnMut(usize) -> Result<I, BoxError>,
    mut step: impl FnMut(&B, &StepContext) -> Result<L, BoxError>,
    mut validate: impl FnMut(usize) -> Result<Option<Validation>, BoxError>,
    observer: &mut dyn Observer,
) -> Result<FitReport>
where
    I: IntoIterator<Item = Result<B, BoxError>>,
    L: Into<BatchLoss>,
{
    let mut run = Run::new(config, learner, observer)?;
    let resumed_at = run.resume()?;
    let mut ended = Ended::Completed;
    while run.state.epoch < config.epochs {
        if run.state.watch.stopped {
            ended = Ended::EarlyStopping;
            break;
        }
        let epoch = run.state.epoch;
        run.observer().on_epoch_start(epoch);
        let source = batches(epoch).map_err(|e| run.failed("batches", e))?;
        if !train_epoch(config, &mut run, source, &mut step)? {
            run.save()?;
            ended = Ended::Observer;
            break;
        }
        let validation = validate(epoch).map_err(|e| run.failed("validate", e))?;
        run.end_epoch(validation)?;
    }
    if config.restore_best && ended != Ended::Observer {
        run.restore_best()?;
    }
    Ok(run.into_report(ended, resumed_at))
}

/// The batches of an epoch that are not done yet. Gives `false` if the observer wants to stop.
fn train_epoch<B, L: Into<BatchLoss>>(
    config: &FitConfig,
    run: &mut Run<'_, '_>,
    batches: impl IntoIterator<Item = Result<B, BoxError>>,
    step: &mut impl FnMut(&B, &StepContext) -> Result<L, BoxError>,
) -> Result<bool> {
    let mut gradients = Accumulator::new(run.trainable().to_vec());
    let mut batches = batches.into_iter().skip(run.state.batch).peekable();
    while let Some(batch) = batches.next() {
        let batch = batch.map_err(|e| run.failed("batches", e))?;
        let context = run.context();
        let given = run.ranks().step(|| step(&batch, &context));
        let BatchLoss { mean: loss, weight } = given.map_err(|e| run.failed("step", e))?.into();
        check_scalar(&loss)?;
        let more = !run.ranks().is_alone() && batches.peek().is_some();
        let share = run.ranks().share(weight, more)?;
        gradients.add(backward(&run.scaled(&share.of(&loss)?)?)?)?;
        // With its graph goes the memory of the activations.
        let loss = loss.detach();
        let (learning_rate, loss_scale) = (run.learning_rate(), run.loss_scale());
        // The last batches of an epoch may be too few: they are averaged all the same. To see whether
        // this is the last one loads the next one, while a GPU still computes.
        let is_due = gradients.count() == config.accumulate || batches.peek().is_none();
        let mean = if is_due { Some(run.mean(&mut gradients)?) } else { None };
        // Only here does it wait for a GPU, when all that can be asked of it is on its way.
        let value = run.ranks().loss(loss.to_dtype(DType::F64)?.to_scalar()?, &share)?;
        if !f64::is_finite(value) {
            return Err(run.not_finite_loss(value));
        }
        let gradient_norm = mean.map(|mean| run.update(mean)).transpose()?.flatten();
        let skipped = is_due && gradient_norm.is_none();
        run.count_batch(value);
        let StepContext { epoch, batch, step, .. } = context;
        run.observer().on_step(&StepReport {
            epoch,
            batch,
            step,
            loss: value,
            learning_rate,
            gradient_norm,
            loss_scale,
            skipped,
        });
        if is_due {
            let wants_to_stop = run.observer().wants_to_stop();
            if run.ranks().any(wants_to_stop)? {
                return Ok(false);
            }
            let every = config.checkpoint_every.unwrap_or(usize::MAX);
            let is_at = run.state.update.is_multiple_of(every) && !skipped;
            if is_at && batches.peek().is_some() {
                run.save()?;
            }
        }
    }
    if run.state.batch == 0 {
        let message = format!("epoch {} has no batches", run.state.epoch);
        return Err(Error::Setting(message));
    }
    Ok(true)
}

fn check_scalar(loss: &Tensor) -> Result<()> {
    if loss.rank() != 0 {
        let shape = loss.dims();
        let message = format!("the loss must be a scalar, not of shape {shape:?}: take its mean");
        return Err(Error::Setting(message));
    }
    Ok(())
}
