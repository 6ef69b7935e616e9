//! Test helpers shared by the family: golden cases, closeness, gradient checks.
//!
//! Never published, and depends on no crate of the family, so every crate can use it in its tests.

mod close;
mod detector;
mod estimator;
mod filled;
mod golden;
mod gradient;
mod half;
mod invertible;
mod model;
mod op;
mod pattern;
mod summary;

pub use close::{assert_close, relative_error};
pub use detector::check_detector;
pub use estimator::check_estimator;
pub use filled::{Filled, parameter_counts};
pub use golden::{Golden, testdata};
pub use gradient::check_gradients;
pub use half::check_half;
pub use invertible::check_invertible;
pub use model::check_model;
pub use op::{check_op, with_threads};
pub use pattern::{fill, ramp};
pub use summary::{assert_relative, assert_summary};
