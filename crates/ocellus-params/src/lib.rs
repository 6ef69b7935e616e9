//! The weights of a model: named, seeded, freezable, loadable with a report.

mod error;
mod freezing;
mod group;
mod pattern;
mod seed;
mod store;

pub use error::{Error, Result};
pub use group::{GroupRule, ParamGroup};
pub use store::ParamStore;
