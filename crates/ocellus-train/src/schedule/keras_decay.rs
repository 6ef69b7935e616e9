use crate::{
    error::Result,
    schedule::{Position, Schedule, schedule::sensible},
};

/// The `decay` of Keras's optimizers before 2.3, which counts steps, not epochs.
///
/// ```text
/// factor = 1 / (1 + decay · steps)
/// ```
///
/// [`RmsPropConfig::keras2`](crate::RmsPropConfig::keras2) has the same as a setting of its own: use
/// one of the two.
///
/// # Examples
///
/// ```
/// use ocellus_train::{KerasDecay, Position, Schedule};
///
/// let schedule = KerasDecay::new(0.01)?;
/// assert_eq!(schedule.factor(Position::new(0, 100)), 0.5);
/// # Ok::<(), ocellus_train::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct KerasDecay {
    decay: f64,
}

impl KerasDecay {
    /// That decay per step.
    ///
    /// # Errors
    ///
    /// When it is negative or not finite.
    pub fn new(decay: f64) -> Result<Self> {
        sensible("the decay", decay)?;
        Ok(Self { decay })
    }
}

impl Schedule for KerasDecay {
    fn factor(&self, at: Position) -> f64 {
        1. / (1. + self.decay * at.step as f64)
    }
}
