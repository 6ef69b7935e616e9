//! What all programs need.

pub(crate) mod device;
pub(crate) mod files;
pub(crate) mod progress;
