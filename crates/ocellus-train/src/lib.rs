//! Optimizers, schedules and a training loop that resumes bit for bit.

mod checkpoint;
mod error;
mod fit;
mod gradient;
mod optim;
mod schedule;

pub use error::{BoxError, Error, Result};
pub use fit::{
    EarlyStopping, Ended, EpochRecord, FitConfig, FitReport, History, Learner, Monitor, Observer,
    Quantity, Resume, StepContext, StepReport, Validation, fit,
};
pub use gradient::{Accumulator, Clip, GradientNorm, clip_norm, clip_value, gradient_norm};
pub use optim::{
    AdaGrad, AdaGradConfig, Adam, AdamConfig, AdamW, AdamWConfig, Groups, Optimizer, RmsProp,
    RmsPropConfig, RmsPropForm, Sgd, SgdConfig,
};
pub use schedule::{
    Constant, Cosine, Goal, KerasDecay, Linear, MultiStepDecay, Per, Plateau, PlateauConfig,
    Position, Schedule, StepDecay, Threshold, WarmUp,
};
