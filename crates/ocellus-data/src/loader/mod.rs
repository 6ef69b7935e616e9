mod batches;
mod config;
#[allow(clippy::module_inception, reason = "a file is its concept")]
mod loader;
mod order;
mod queue;
mod share;

pub use batches::{Batch, Batches};
pub use config::{LoaderConfig, OnError, Sampling};
pub use loader::{Loader, Skipped};
pub use share::Share;
