use std::{collections::BTreeMap, fmt};

use crate::error::{Error, Result};

/// How far training has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Position {
    /// Finished epochs.
    pub epoch: usize,
    /// Finished steps of the optimizer, over all epochs.
    pub step: usize,
}

impl Position {
    /// After that many epochs and steps.
    #[must_use]
    pub fn new(epoch: usize, step: usize) -> Self {
        Self { epoch, step }
    }
}

/// What a schedule counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Per {
    /// Epochs: the learning rate is constant within one.
    Epoch,
    /// Steps of the optimizer.
    Step,
}

impl Per {
    pub(crate) fn of(self, at: Position) -> usize {
        match self {
            Self::Epoch => at.epoch,
            Self::Step => at.step,
        }
    }
}

/// Whether a monitored value should fall or rise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Goal {
    /// Lower is better, as for a loss.
    Minimize,
    /// Higher is better, as for an accuracy.
    Maximize,
}

impl Goal {
    /// Whether `value` beats `best` by more than `delta`. Never for a NaN.
    #[must_use]
    pub fn improves(self, value: f64, best: f64, delta: f64) -> bool {
        match self {
            Self::Minimize => value < best - delta,
            Self::Maximize => value > best + delta,
        }
    }

    /// The value that any other beats.
    #[must_use]
    pub fn worst(self) -> f64 {
        match self {
            Self::Minimize => f64::INFINITY,
            Self::Maximize => f64::NEG_INFINITY,
        }
    }
}

/// A factor on the optimizer's learning rate over time.
///
/// The factor is a pure function of the position, but for schedules that react to a monitored value
/// ([`Plateau`](crate::Plateau)), which keep a state.
///
/// # Examples
///
/// ```
/// use ocellus_train::{Cosine, Per, Position, Schedule};
///
/// let schedule = Cosine::new(Per::Epoch, 10)?;
/// assert_eq!(schedule.factor(Position::new(0, 0)), 1.);
/// assert!((schedule.factor(Position::new(5, 0)) - 0.5).abs() < 1e-12);
/// # Ok::<(), ocellus_train::Error>(())
/// ```
pub trait Schedule: fmt::Debug {
    /// The factor for the step at that position.
    fn factor(&self, at: Position) -> f64;

    /// Takes note of the monitored value of an epoch.
    fn observe(&mut self, value: f64) {
        let _ = value;
    }

    /// What the next factors depend on beside position and settings.
    fn state(&self) -> BTreeMap<String, f64> {
        BTreeMap::new()
    }

    /// Takes over a state that [`state`](Self::state) gave.
    ///
    /// # Errors
    ///
    /// When the state is of another schedule.
    fn load_state(&mut self, state: &BTreeMap<String, f64>) -> Result<()> {
        match state.keys().next() {
            None => Ok(()),
            Some(name) => Err(Error::Setting(format!("this schedule has no state `{name}`"))),
        }
    }

    /// Name and settings in one line. A checkpoint of other settings is refused.
    fn describe(&self) -> String {
        format!("{self:?}")
    }
}

impl<S: Schedule + ?Sized> Schedule for Box<S> {
    fn factor(&self, at: Position) -> f64 {
        (**self).factor(at)
    }

    fn observe(&mut self, value: f64) {
        (**self).observe(value);
    }

    fn state(&self) -> BTreeMap<String, f64> {
        (**self).state()
    }

    fn load_state(&mut self, state: &BTreeMap<String, f64>) -> Result<()> {
        (**self).load_state(state)
    }

    fn describe(&self) -> String {
        (**self).describe()
    }
}

/// An error unless a schedule lasts for something.
pub(crate) fn lasting(name: &str, duration: usize) -> Result<()> {
    if duration == 0 {
        return Err(Error::Setting(format!("{name} over 0 epochs or steps: choose at least 1")));
    }
    Ok(())
}

/// An error unless a factor is finite and not negative.
pub(crate) fn sensible(name: &str, factor: f64) -> Result<()> {
    if !(factor.is_finite() && factor >= 0.) {
        return Err(Error::Setting(format!("{name} {factor} must be finite and not negative")));
    }
    Ok(())
}
