use crate::{
    error::Result,
    schedule::{
        Per, Position, Schedule,
        schedule::{lasting, sensible},
    },
};

/// A drop by a factor again and again, as PyTorch's `StepLR`; its `ExponentialLR` with `every` 1.
///
/// ```text
/// factor = gamma ^ ⌊t / every⌋
/// ```
///
/// # Examples
///
/// ```
/// use ocellus_train::{Per, Position, Schedule, StepDecay};
///
/// let schedule = StepDecay::new(Per::Epoch, 30, 0.1)?;
/// assert_eq!(schedule.factor(Position::new(29, 0)), 1.);
/// assert!((schedule.factor(Position::new(60, 0)) - 0.01).abs() < 1e-12);
/// # Ok::<(), ocellus_train::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StepDecay {
    per: Per,
    every: usize,
    gamma: f64,
}

impl StepDecay {
    /// A drop by `gamma` after every so many epochs or steps.
    ///
    /// # Errors
    ///
    /// When `every` is 0, or `gamma` is negative or not finite.
    pub fn new(per: Per, every: usize, gamma: f64) -> Result<Self> {
        lasting("step schedule", every)?;
        sensible("gamma", gamma)?;
        Ok(Self { per, every, gamma })
    }
}

impl Schedule for StepDecay {
    fn factor(&self, at: Position) -> f64 {
        self.gamma.powf((self.per.of(at) / self.every) as f64)
    }
}

/// A drop by a factor at chosen times, as PyTorch's `MultiStepLR`.
///
/// ```text
/// factor = gamma ^ #{milestones ≤ t}
/// ```
///
/// # Examples
///
/// ```
/// use ocellus_train::{MultiStepDecay, Per, Position, Schedule};
///
/// let schedule = MultiStepDecay::new(Per::Epoch, vec![60, 80], 0.5)?;
/// assert_eq!(schedule.factor(Position::new(80, 0)), 0.25);
/// # Ok::<(), ocellus_train::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct MultiStepDecay {
    per: Per,
    milestones: Vec<usize>,
    gamma: f64,
}

impl MultiStepDecay {
    /// A drop by `gamma` at each milestone.
    ///
    /// # Errors
    ///
    /// When `gamma` is negative or not finite.
    pub fn new(per: Per, milestones: Vec<usize>, gamma: f64) -> Result<Self> {
        sensible("gamma", gamma)?;
        Ok(Self { per, milestones, gamma })
    }
}

impl Schedule for MultiStepDecay {
    fn factor(&self, at: Position) -> f64 {
        let t = self.per.of(at);
        self.gamma.powf(self.milestones.iter().filter(|&&m| m <= t).count() as f64)
    }
}
