//! What the benchmarks and the comparison with other libraries time: one table of [`Case`]s.
//!
//! A case is a [`Module`], a [`Pass`] and the size of an input. Its name, `group/size`, is stable;
//! criterion shows it as `group/library/size`, such as `conv_by_w/ocellus/vgg_1_2`.
//!
//! | Item | What it is |
//! | --- | --- |
//! | [`all_cases`], [`conv_cases`], … | the table |
//! | [`Case`], [`Module`], [`Pass`] | what is timed |
//! | [`Estimator`], [`Solver`] | a module that learns from feature vectors |
//! | [`Prepared`], [`Library`] | a case with weights and inputs, by our operations or candle's |
//! | [`Target`], [`Precision`] | where it runs |
//! | [`bench()`] | the main function of a criterion benchmark |

use ocellus::ops::CachingAllocator;

/// As in the examples: ours runs as a program is advised to.
#[global_allocator]
static ALLOCATOR: CachingAllocator = CachingAllocator::new();

mod case;
mod cases;
mod detectors;
mod estimator;
mod harness;
mod module;
mod neighbors;
mod prepared;
mod target;
mod values;

pub use case::{Case, Pass};
pub use cases::{
    activation_cases, all_cases, anomaly_cases, conv_cases, estimator_cases, flow_cases, gpu_cases,
    loss_cases, neighbor_cases, network_cases, norm_cases, optimizer_cases, pool_cases,
    upsample_cases,
};
pub use estimator::{Estimator, Solver};
pub use harness::bench;
pub use module::{Library, Module};
pub use prepared::Prepared;
pub use target::{Precision, Target};
