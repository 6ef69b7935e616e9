use crate::{Case, Module, Pass};

/// Patches of the second and third stage of Wide-ResNet-50-2: 9 neighbors of those of an image among a
/// bank, a coreset of those of many images.
#[must_use]
pub fn neighbor_cases() -> Vec<Case> {
    let one = |size, module, rows| Case::new(size, module, Pass::Forward, [rows, 1536, 1, 1]);
    vec![
        one("1600_of_16000", Module::Neighbors { rows: 16_000, count: 9 }, 1600),
        one("500_of_160000", Module::Coreset { count: 500 }, 160_000),
        one("1000_of_20000", Module::Coreset { count: 1000 }, 20_000),
    ]
}
