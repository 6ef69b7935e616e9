//! The training loop and what it is told and tells.

mod batch_loss;
mod config;
mod context;
mod early_stopping;
#[expect(clippy::module_inception, reason = "the file of the function bears its name")]
mod fit;
mod history;
mod observer;
mod precision;
mod ranks;
mod report;
mod run;
mod state;

pub use batch_loss::BatchLoss;
pub use config::{EarlyStopping, FitConfig, Monitor, Quantity, Resume};
pub use context::{Learner, StepContext, Validation};
pub use fit::fit;
pub use history::{EpochRecord, History};
pub use observer::{Observer, StepReport};
pub use precision::Precision;
pub use report::{Ended, FitReport};
