mod agreement;
mod average;
mod binary;
mod confusion;

pub use agreement::KappaWeights;
pub use average::Average;
pub use binary::BinaryCounts;
pub use confusion::ConfusionMatrix;
pub(crate) use confusion::argmax;
