//! What all programs need.

pub(crate) mod common_settings;
pub(crate) mod device;
pub(crate) mod files;
pub(crate) mod outcome;
pub(crate) mod progress;
pub(crate) mod published;
pub(crate) mod training_settings;
pub(crate) mod weights;
