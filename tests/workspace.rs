//! Tests that need more than one crate of the family: one binary, a module a theme.

mod parameters;
mod precision;
mod published_maps;
mod training;
