mod atomic;
mod classifier;
mod document;
mod load;

pub use classifier::{Classifier, ClassifierModel};
pub use document::Stored;
pub(crate) use document::to_document;
pub use load::load;
