mod capillaries;
mod degradation;
mod eye;
mod fovea;
mod generator;
mod grade;
mod graded;
mod ink;
mod motion;
mod scan;
mod tree;

pub use degradation::Degradation;
pub use generator::{Octa, OctaDataset, OctaField};
pub use grade::OctaGrade;
pub use graded::Graded;
