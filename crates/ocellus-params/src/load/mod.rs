mod config;
mod inflate;
mod loader;
mod names;
mod pending;
mod prepare;
mod report;
#[cfg(test)]
mod tests;

pub use config::LoadConfig;
pub use inflate::inflate_stem;
pub use report::{LoadReport, ReshapeOutcome, Reshaped};

pub(crate) use pending::Pending;
