use ocellus_train::{AdamConfig, FitConfig};

use super::CflowSchedule;

/// What becomes of the fibers that are too few for another step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Tail {
    /// They are left out: the official code's way.
    Dropped,
    /// They go with the last whole step, or make one alone: anomalib's way.
    Joined,
    /// They make a smaller step of their own.
    Kept,
}

/// How a [`Cflow`](crate::Cflow) is fitted: all decoders by one Adam, one step for each batch of
/// fibers.
///
/// [`fit`](ocellus_train::fit()) runs it: see the example.
///
/// # Examples
///
/// ```
/// use candle_core::{DType, Device, Tensor};
/// use ocellus_flows::{Cflow, CflowConfig, CflowTraining, FiberBatches};
/// use ocellus_params::ParamStore;
/// use ocellus_train::{Adam, Learner, fit};
///
/// let params = ParamStore::seeded(1);
/// let config = CflowConfig::anomalib(vec![4]).with_condition(4).with_blocks(2);
/// let flow = Cflow::new(&config, params.var_builder(DType::F32, &Device::Cpu))?;
/// let features = Tensor::randn(0f32, 1., (2, 4, 6, 6), &Device::Cpu)?;
///
/// let training = CflowTraining::anomalib(3).with_learning_rate(1e-2);
/// let report = fit(
///     &training.fit_config(),
///     Learner {
///         params: &params,
///         optimizer: &mut Adam::new(training.optimizer(), params.trainable())?,
///         schedule: &mut training.schedule(1, 1),
///     },
///     |epoch| Ok(FiberBatches::new(&training, 4, epoch, [Ok(vec![features.clone()])])),
///     |batch, _context| Ok(flow.loss(batch)?),
///     |_epoch| Ok(None),
///     &mut (),
/// )?;
/// let losses: Vec<f64> = report.history.epochs.iter().map(|epoch| epoch.train_loss).collect();
/// assert!(losses[2] < losses[0], "{losses:?}");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct CflowTraining {
    /// Outer epochs: the learning rate falls from one to the next.
    pub epochs: usize,
    /// Passes over the data in each.
    pub passes: usize,
    /// Fibers of a step.
    pub fibers: usize,
    /// What becomes of the last ones.
    pub tail: Tail,
    /// Adam's learning rate.
    pub learning_rate: f64,
    /// Whether the learning rate falls along a cosine to a thousandth.
    pub cosine: bool,
    /// Outer epochs over which it rises from a tenth; 0 is none.
    pub warm_up: usize,
    /// What the order of the fibers is drawn from.
    pub seed: u64,
}

impl CflowTraining {
    /// As the authors' code, which takes 25 outer epochs of 8 passes over batches of 32 images and
    /// drops the last, incomplete one: 256 fibers a step, 2 · 10⁻⁴ along a cosine, 2 outer epochs of
    /// warm-up.
    #[must_use]
    pub fn official(epochs: usize) -> Self {
        Self {
            epochs,
            passes: 8,
            fibers: 256,
            tail: Tail::Dropped,
            learning_rate: 2e-4,
            cosine: true,
            warm_up: 2,
            seed: 0,
        }
    }

    /// As anomalib, which takes at most 50 epochs: 64 fibers a step, a constant 10⁻⁴.
    #[must_use]
    pub fn anomalib(epochs: usize) -> Self {
        Self {
            epochs,
            passes: 1,
            fibers: 64,
            tail: Tail::Joined,
            learning_rate: 1e-4,
            cosine: false,
            warm_up: 0,
            seed: 0,
        }
    }

    /// Sets the passes of an outer epoch.
    #[must_use]
    pub fn with_passes(self, passes: usize) -> Self {
        Self { passes, ..self }
    }

    /// Sets the fibers of a step.
    #[must_use]
    pub fn with_fibers(self, fibers: usize) -> Self {
        Self { fibers, ..self }
    }

    /// Sets what becomes of the last fibers.
    #[must_use]
    pub fn with_tail(self, tail: Tail) -> Self {
        Self { tail, ..self }
    }

    /// Sets Adam's learning rate.
    #[must_use]
    pub fn with_learning_rate(self, learning_rate: f64) -> Self {
        Self { learning_rate, ..self }
    }

    /// Sets the outer epochs over which the learning rate rises.
    #[must_use]
    pub fn with_warm_up(self, warm_up: usize) -> Self {
        Self { warm_up, ..self }
    }

    /// Sets what the order of the fibers is drawn from.
    #[must_use]
    pub fn with_seed(self, seed: u64) -> Self {
        Self { seed, ..self }
    }

    /// Settings of the training loop: as many epochs as there are passes.
    #[must_use]
    pub fn fit_config(&self) -> FitConfig {
        FitConfig::new(self.epochs * self.passes)
            .with_seed(self.seed)
            .with_setting("fibers", self.fibers)
            .with_setting("tail", format!("{:?}", self.tail))
    }

    /// Settings of the optimizer.
    #[must_use]
    pub fn optimizer(&self) -> AdamConfig {
        AdamConfig::new(self.learning_rate)
    }

    /// The learning rate over time, for that many batches of images a pass, each of which takes that
    /// many steps.
    #[must_use]
    pub fn schedule(&self, batches: usize, steps: usize) -> CflowSchedule {
        CflowSchedule::new(self, batches, steps)
    }

    /// Steps of a batch of images, from the number of its fibers at each scale.
    ///
    /// ```
    /// use ocellus_flows::CflowTraining;
    ///
    /// // 32 images at 40 × 40, 20 × 20 and 10 × 10.
    /// let fibers = [1600, 400, 100].map(|pixels| 32 * pixels);
    /// assert_eq!(CflowTraining::official(25).steps(&fibers), 200 + 50 + 12);
    /// ```
    #[must_use]
    pub fn steps(&self, fibers: &[usize]) -> usize {
        let size = self.fibers.max(1);
        let of_scale = |&count: &usize| match self.tail {
            Tail::Dropped => count / size,
            Tail::Joined => (count / size).max(usize::from(count > 0)),
            Tail::Kept => count.div_ceil(size),
        };
        fibers.iter().map(of_scale).sum()
    }
}
