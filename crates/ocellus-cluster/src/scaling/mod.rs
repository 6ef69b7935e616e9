//! Features brought to comparable scales.

mod min_max;
mod standard;

pub use min_max::{MinMaxModel, MinMaxScaler};
pub use standard::{StandardModel, StandardScaler};
