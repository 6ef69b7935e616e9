//! Images to tensors: readers, splits, augmentation, loaders, synthetic ultrasound.

mod atomic;
mod error;
mod image;
mod random;
mod readers;
mod sha256;
mod split;

pub use error::{Error, Result};
pub use image::{Alpha, ChannelStatistics, DecodeConfig, Filter, Fit, Image, Normalize, Resize};
pub use readers::{
    Busi, CsvLabels, DatasetB, Fingerprint, ImageFolder, NearDuplicates, Sample, SampleSet,
};
pub use split::{Fold, Fractions, Holdout, Splitter, named_folds, read_split, write_split};
