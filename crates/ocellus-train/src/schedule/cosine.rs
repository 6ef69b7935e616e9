use std::f64::consts::PI;

use crate::{
    error::Result,
    schedule::{
        Per, Position, Schedule,
        schedule::{lasting, sensible},
    },
};

/// Half a wave of the cosine from 1 down to a last factor, then constant.
///
/// ```text
/// factor = last + (1 − last) · (1 + cos(π · min(t, over) / over)) / 2
/// ```
///
/// # Examples
///
/// ```
/// use ocellus_train::{Cosine, Per, Position, Schedule};
///
/// let schedule = Cosine::new(Per::Step, 100)?.with_last(0.1)?;
/// assert!((schedule.factor(Position::new(0, 50)) - 0.55).abs() < 1e-12);
/// # Ok::<(), ocellus_train::Error>(())
/// ```
///
/// # Deviations
///
/// PyTorch's `CosineAnnealingLR` rises again after its period.
///
/// # References
///
/// Loshchilov, Hutter: SGDR: stochastic gradient descent with warm restarts. ICLR 2017.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cosine {
    per: Per,
    over: usize,
    last: f64,
}

impl Cosine {
    /// From 1 down to 0 over that many epochs or steps.
    ///
    /// # Errors
    ///
    /// When there are none.
    pub fn new(per: Per, over: usize) -> Result<Self> {
        lasting("cosine schedule", over)?;
        Ok(Self { per, over, last: 0. })
    }

    /// The factor at the end.
    ///
    /// # Errors
    ///
    /// When it is negative or not finite.
    pub fn with_last(self, last: f64) -> Result<Self> {
        sensible("the last factor", last)?;
        Ok(Self { last, ..self })
    }
}

impl Schedule for Cosine {
    fn factor(&self, at: Position) -> f64 {
        let t = self.per.of(at).min(self.over) as f64 / self.over as f64;
        self.last + (1. - self.last) * (1. + (PI * t).cos()) / 2.
    }
}
