mod atomic;
mod classifier;
mod document;
mod load;

pub use classifier::{Classifier, ClassifierModel};
pub use document::Stored;
pub(crate) use document::{parse, to_document};
pub(crate) use load::classifier;
pub use load::load;
