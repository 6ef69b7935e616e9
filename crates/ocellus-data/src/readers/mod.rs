mod busi;
mod csv_labels;
mod dataset_b;
mod duplicates;
mod fingerprint;
mod folder;
mod sample;
mod scan;
mod table;

pub use busi::Busi;
pub use csv_labels::CsvLabels;
pub use dataset_b::DatasetB;
pub use duplicates::NearDuplicates;
pub use fingerprint::Fingerprint;
pub use folder::ImageFolder;
pub use sample::{Sample, SampleSet};
pub(crate) use table::Table;
