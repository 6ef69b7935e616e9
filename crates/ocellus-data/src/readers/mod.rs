mod busi;
mod csv_labels;
mod dataset_b;
mod duplicates;
mod folder;
mod sample;
mod scan;
mod table;

pub use busi::Busi;
pub use csv_labels::CsvLabels;
pub use dataset_b::DatasetB;
pub use duplicates::NearDuplicates;
pub use folder::ImageFolder;
pub use sample::{Fingerprint, Sample, SampleSet};
pub(crate) use table::Table;
