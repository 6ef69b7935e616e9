//! Flows against anomalib and FrEIA, and the laws that every one obeys.

mod anomalib;
mod cflow;
mod counts;
mod fastflow;
mod formula;
mod laws;
mod training;
