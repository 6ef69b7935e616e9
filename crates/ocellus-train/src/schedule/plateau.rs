use std::collections::BTreeMap;

use crate::{
    error::{Error, Result},
    schedule::{Goal, Position, Schedule, schedule::sensible},
};

/// How much better a value must be to count as better.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Threshold {
    /// By that share of the best value.
    Relative(f64),
    /// By that much.
    Absolute(f64),
}

/// Settings of [`Plateau`].
///
/// # Examples
///
/// ```
/// use ocellus_train::{Goal, PlateauConfig};
///
/// let config = PlateauConfig::new(Goal::Maximize).with_patience(3).with_gamma(0.5);
/// assert_eq!(config.cooldown, 0);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct PlateauConfig {
    /// Whether the monitored value should fall or rise.
    pub goal: Goal,
    /// The factor of a drop.
    pub gamma: f64,
    /// Epochs without improvement that are borne; the next one drops.
    pub patience: usize,
    /// What counts as an improvement.
    pub threshold: Threshold,
    /// Epochs after a drop in which none are counted.
    pub cooldown: usize,
    /// The lowest factor.
    pub min_factor: f64,
    /// A drop that changes the factor by no more than this is left out.
    pub eps: f64,
}

impl PlateauConfig {
    /// PyTorch's defaults: a tenth after more than 10 epochs without an improvement by 0.01 %.
    #[must_use]
    pub fn new(goal: Goal) -> Self {
        Self {
            goal,
            gamma: 0.1,
            patience: 10,
            threshold: Threshold::Relative(1e-4),
            cooldown: 0,
            min_factor: 0.,
            eps: 1e-8,
        }
    }

    /// The factor of a drop.
    #[must_use]
    pub fn with_gamma(self, gamma: f64) -> Self {
        Self { gamma, ..self }
    }

    /// Epochs without improvement that are borne.
    #[must_use]
    pub fn with_patience(self, patience: usize) -> Self {
        Self { patience, ..self }
    }

    /// What counts as an improvement.
    #[must_use]
    pub fn with_threshold(self, threshold: Threshold) -> Self {
        Self { threshold, ..self }
    }

    /// Epochs after a drop in which none are counted.
    #[must_use]
    pub fn with_cooldown(self, cooldown: usize) -> Self {
        Self { cooldown, ..self }
    }

    /// The lowest factor.
    #[must_use]
    pub fn with_min_factor(self, min_factor: f64) -> Self {
        Self { min_factor, ..self }
    }

    /// The change of the factor below which a drop is left out.
    #[must_use]
    pub fn with_eps(self, eps: f64) -> Self {
        Self { eps, ..self }
    }
}

/// A drop whenever the monitored value stops improving, as PyTorch's `ReduceLROnPlateau`.
///
/// # Examples
///
/// ```
/// use ocellus_train::{Goal, Plateau, PlateauConfig, Position, Schedule};
///
/// let config = PlateauConfig::new(Goal::Minimize).with_patience(1);
/// let mut schedule = Plateau::new(config)?;
/// for loss in [1., 0.9, 0.9, 0.9] {
///     schedule.observe(loss);
/// }
/// assert_eq!(schedule.factor(Position::default()), 0.1);
/// # Ok::<(), ocellus_train::Error>(())
/// ```
///
/// # Deviations
///
/// `min_factor` and `eps` are relative to the learning rate of the optimizer, PyTorch's `min_lr` and
/// `eps` absolute.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Plateau {
    config: PlateauConfig,
    factor: f64,
    best: f64,
    bad_epochs: usize,
    cooldown_left: usize,
}

impl Plateau {
    /// A schedule that starts at factor 1.
    ///
    /// # Errors
    ///
    /// When a setting is negative or not finite, or `gamma` is not below 1.
    pub fn new(config: PlateauConfig) -> Result<Self> {
        let (Threshold::Relative(threshold) | Threshold::Absolute(threshold)) = config.threshold;
        sensible("the threshold", threshold)?;
        sensible("gamma", config.gamma)?;
        sensible("the lowest factor", config.min_factor)?;
        sensible("eps", config.eps)?;
        if config.gamma >= 1. {
            return Err(Error::Setting(format!("gamma {} must be below 1", config.gamma)));
        }
        let best = config.goal.worst();
        Ok(Self { config, factor: 1., best, bad_epochs: 0, cooldown_left: 0 })
    }

    fn is_better(&self, value: f64) -> bool {
        match (self.config.goal, self.config.threshold) {
            (Goal::Minimize, Threshold::Relative(share)) => value < self.best * (1. - share),
            (Goal::Maximize, Threshold::Relative(share)) => value > self.best * (1. + share),
            (goal, Threshold::Absolute(delta)) => goal.improves(value, self.best, delta),
        }
    }
}

impl Schedule for Plateau {
    fn factor(&self, _: Position) -> f64 {
        self.factor
    }

    fn observe(&mut self, value: f64) {
        if self.is_better(value) {
            self.best = value;
            self.bad_epochs = 0;
        } else {
            self.bad_epochs += 1;
        }
        if self.cooldown_left > 0 {
            self.cooldown_left -= 1;
            self.bad_epochs = 0;
        }
        if self.bad_epochs > self.config.patience {
            let lower = (self.factor * self.config.gamma).max(self.config.min_factor);
            if self.factor - lower > self.config.eps {
                self.factor = lower;
            }
            self.cooldown_left = self.config.cooldown;
            self.bad_epochs = 0;
        }
    }

    fn state(&self) -> BTreeMap<String, f64> {
        BTreeMap::from([
            ("plateau.factor".to_owned(), self.factor),
            ("plateau.best".to_owned(), self.best),
            ("plateau.bad_epochs".to_owned(), self.bad_epochs as f64),
            ("plateau.cooldown_left".to_owned(), self.cooldown_left as f64),
        ])
    }

    fn load_state(&mut self, state: &BTreeMap<String, f64>) -> Result<()> {
        let get = |name: &str| {
            let value = state.get(&format!("plateau.{name}")).copied();
            value.ok_or_else(|| Error::Setting(format!("the state of a plateau has no `{name}`")))
        };
        let (factor, best) = (get("factor")?, get("best")?);
        let (bad, left) = (get("bad_epochs")?, get("cooldown_left")?);
        // Counts of epochs, which a float holds exactly.
        (self.bad_epochs, self.cooldown_left) = (bad as usize, left as usize);
        (self.factor, self.best) = (factor, best);
        Ok(())
    }

    fn describe(&self) -> String {
        format!("{:?}", self.config)
    }
}
