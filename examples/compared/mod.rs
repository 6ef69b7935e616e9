//! Classifiers compared on the same images: predictions, figures, paired tests, curves.

pub(crate) mod contender;
pub(crate) mod curves;
pub(crate) mod digits;
pub(crate) mod intervals;
pub(crate) mod paired_tests;
pub(crate) mod predictions;
