use std::collections::BTreeMap;

use crate::{
    error::Result,
    schedule::{
        Per, Position, Schedule,
        schedule::{lasting, sensible},
    },
};

/// Another schedule whose first factors are lowered.
///
/// ```text
/// factor = inner · (first + (1 − first) · min(t, over) / over)
/// ```
///
/// Warm-up and inner schedule may count differently: steps for the first, epochs for the second,
/// say. Both count from the beginning, as PyTorch's `ChainedScheduler` with a `LinearLR`.
///
/// # Examples
///
/// ```
/// use ocellus_train::{Constant, Per, Position, Schedule, WarmUp};
///
/// let schedule = WarmUp::new(Per::Step, 10, 0.1, Constant)?;
/// assert!((schedule.factor(Position::new(0, 5)) - 0.55).abs() < 1e-12);
/// assert_eq!(schedule.factor(Position::new(0, 10)), 1.);
/// # Ok::<(), ocellus_train::Error>(())
/// ```
///
/// # References
///
/// Goyal et al.: Accurate, large minibatch SGD: training `ImageNet` in 1 hour. 2017.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct WarmUp<S> {
    per: Per,
    over: usize,
    first: f64,
    inner: S,
}

impl<S: Schedule> WarmUp<S> {
    /// `inner`, entered over that many epochs or steps from a share `first` of its factor.
    ///
    /// # Errors
    ///
    /// When there are none, or `first` is negative or not finite.
    pub fn new(per: Per, over: usize, first: f64, inner: S) -> Result<Self> {
        lasting("warm-up", over)?;
        sensible("the first factor", first)?;
        Ok(Self { per, over, first, inner })
    }
}

impl<S: Schedule> Schedule for WarmUp<S> {
    fn factor(&self, at: Position) -> f64 {
        let t = self.per.of(at).min(self.over) as f64 / self.over as f64;
        self.inner.factor(at) * (self.first + (1. - self.first) * t)
    }

    fn observe(&mut self, value: f64) {
        self.inner.observe(value);
    }

    fn state(&self) -> BTreeMap<String, f64> {
        self.inner.state()
    }

    fn load_state(&mut self, state: &BTreeMap<String, f64>) -> Result<()> {
        self.inner.load_state(state)
    }

    fn describe(&self) -> String {
        let Self { per, over, first, inner } = self;
        format!("WarmUp {{ per: {per:?}, over: {over}, first: {first} }} of {}", inner.describe())
    }
}
