use crate::schedule::{Position, Schedule};

/// The learning rate stays as it is.
///
/// # Examples
///
/// ```
/// use ocellus_train::{Constant, Position, Schedule};
///
/// assert_eq!(Constant.factor(Position::new(100, 1000)), 1.);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Constant;

impl Schedule for Constant {
    fn factor(&self, _: Position) -> f64 {
        1.
    }
}
