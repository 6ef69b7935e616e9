use crate::{
    error::Result,
    schedule::{
        Per, Position, Schedule,
        schedule::{lasting, sensible},
    },
};

/// A straight line from one factor to another, then constant, as PyTorch's `LinearLR`.
///
/// ```text
/// factor = first + (last − first) · min(t, over) / over
/// ```
///
/// # Examples
///
/// ```
/// use ocellus_train::{Linear, Per, Position, Schedule};
///
/// let schedule = Linear::new(Per::Epoch, 10, 1., 0.)?;
/// assert_eq!(schedule.factor(Position::new(5, 0)), 0.5);
/// assert_eq!(schedule.factor(Position::new(20, 0)), 0.);
/// # Ok::<(), ocellus_train::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Linear {
    per: Per,
    over: usize,
    first: f64,
    last: f64,
}

impl Linear {
    /// From `first` to `last` over that many epochs or steps.
    ///
    /// # Errors
    ///
    /// When there are none, or a factor is negative or not finite.
    pub fn new(per: Per, over: usize, first: f64, last: f64) -> Result<Self> {
        lasting("linear schedule", over)?;
        sensible("the first factor", first)?;
        sensible("the last factor", last)?;
        Ok(Self { per, over, first, last })
    }
}

impl Schedule for Linear {
    fn factor(&self, at: Position) -> f64 {
        let t = self.per.of(at).min(self.over) as f64 / self.over as f64;
        self.first + (self.last - self.first) * t
    }
}
