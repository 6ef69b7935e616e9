mod config;
mod counts;
mod edges;
mod matcher;
mod near;

pub use config::BoundaryConfig;
pub use counts::BoundaryCounts;
pub use matcher::BoundaryMatcher;
