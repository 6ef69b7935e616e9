//! Optimizers, schedules and a training loop that resumes bit for bit.

mod optim;

pub use optim::{
    AdaGrad, AdaGradConfig, Adam, AdamConfig, AdamW, AdamWConfig, Groups, Optimizer, RmsProp,
    RmsPropConfig, RmsPropForm, Sgd, SgdConfig,
};
