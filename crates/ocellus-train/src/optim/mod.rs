//! Optimizers and what they share.

mod adagrad;
mod adam;
mod groups;
mod in_place;
mod optimizer;
mod rmsprop;
mod rule;
mod sgd;
mod updater;
mod value;

pub use adagrad::{AdaGrad, AdaGradConfig};
pub use adam::{Adam, AdamConfig};
pub use groups::Groups;
pub use optimizer::Optimizer;
pub use rmsprop::{RmsProp, RmsPropConfig, RmsPropForm};
pub use sgd::{Sgd, SgdConfig};
