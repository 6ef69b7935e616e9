//! Detectors as their users meet them: against the references, through files, with bad input.

mod bad_input;
mod detector;
mod dinov2;
mod padim;
mod patchcore;
mod support;
