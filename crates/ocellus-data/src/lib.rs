//! Images to tensors: data set readers, leak-free splits, augmentation, parallel loading,
//! simulated ultrasound, OCTA, blood smears and satellite scenes.
//!
//! # Example
//!
//! Simulated images on disk, read back, split, augmented and loaded in batches:
//!
//! ```
//! use std::sync::Arc;
//!
//! use candle_core::Device;
//! use ocellus_data::{
//!     Augment, Cached, Fractions, ImageFiles, ImageFolder, Loader, LoaderConfig, Normalize,
//!     Preprocess, Sampling, Splitter,
//!     synthetic::{BMode, write_folder},
//! };
//!
//! let root = tempfile::tempdir()?;
//! write_folder(root.path(), &BMode::new(48, 48), 40)?;
//!
//! let set = ImageFolder::open(root.path())?;
//! let split = Splitter::of(&set).with_seed(1).holdout(Fractions::default())?;
//! let files = Arc::new(Cached::new(ImageFiles::new(set, Preprocess::new(32, 32)), 1 << 28));
//!
//! let config = LoaderConfig::new(8)
//!     .with_sampling(Sampling::Shuffled)
//!     .with_augment(Augment::ultrasound())
//!     .with_normalize(Normalize::Standardize)
//!     .with_seed(1);
//! let loader = Loader::new(files, &split.train, &config)?;
//! for batch in loader.epoch(0, &Device::Cpu)? {
//!     let batch = batch?;
//!     assert_eq!(batch.images.dims()[1..], [1, 32, 32]);
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Items
//!
//! | Item | What it is |
//! | --- | --- |
//! | [`Image`], [`DecodeConfig`], [`Alpha`] | Planes of `f32`; PNG, JPEG, BMP and TIFF decoding with bounded memory |
//! | [`Resize`], [`Filter`], [`Fit`] | Resizing: antialiased, as PyTorch interpolates, padded or cropped |
//! | [`Normalize`], [`ChannelStatistics`] | Scales: per image, per training set, constants |
//! | [`ImageFolder`], [`CsvLabels`], [`Busi`], [`DatasetB`] | Readers of published layouts; they give a [`SampleSet`] of [`Sample`]s |
//! | [`OctaIqa`], [`Drimdb`], [`Octa500`] | Retinal images with and without quality grades |
//! | [`SnAm`], [`AllIdb`], [`Bccd`], [`CNmc`], [`BallTaleqani`], [`MmSegpc`] | Blood and marrow smears |
//! | [`CellCrop`], [`Outside`], [`CellPart`], [`CellFinder`] | Cells cut out by their masks, single or out of fields |
//! | [`Mvtec`], [`MagneticTiles`] | Normal images, and others with masks of their defects |
//! | [`NearDuplicates`] | Finds images that a split must not part |
//! | [`Fingerprint`] | Which data a result was computed on |
//! | [`Splitter`], [`Fractions`], [`Holdout`], [`Fold`] | Stratified, grouped, nested splits |
//! | [`write_split`], [`read_split`], [`named_folds`] | Splits as CSV, for the record |
//! | [`ScenePairs`], [`PairSet`], [`PairFiles`] | Folders of scenes with masks, cities held apart |
//! | [`LabeledScene`], [`LabeledImage`], [`ScenePair`], [`MaskCoding`], [`IGNORED`] | Scenes with a class for every pixel |
//! | [`TileGrid`], [`Regions`], [`Validation`], [`AnnotatedBlocks`] | Training tiles, and disjoint regions for validation or refinement |
//! | [`Tiles`], [`TilePreparation`], [`PreparedTiles`], [`StatisticsOf`] | Tiles of many scenes as a data set, normalized |
//! | [`PatchDraw`], [`Turn`], [`Sampler`], [`Jitter`] | Samples cut from tiles, turned, mirrored |
//! | [`Augment`], [`Border`] | Seeded random changes of image and mask |
//! | [`Variant`], [`Derived`], [`LeakySplit`], [`Canny`] | Turned images and edges as samples, split before they are derived, or as one should not |
//! | [`Reinhard`], [`Macenko`], [`ColorSpace`], [`ReinhardModel`], [`MacenkoModel`], [`StainModel`] | Stain normalization |
//! | [`Dataset`], [`Example`], [`ImageFiles`], [`Preprocess`], [`Color`], [`Cached`], [`StoredFiles`] | Samples by index, from files, memory or a cache on disk |
//! | [`Loader`], [`LoaderConfig`], [`Sampling`], [`OnError`], [`Skipped`], [`Batches`], [`Batch`] | Parallel loading whose order depends on the seed alone |
//! | [`TileConfig`], [`TilePlan`], [`Tile`], [`Stitcher`], [`Piece`], [`Blend`], [`Parts`], [`PartWriter`] | Overlapping tiles of large images, and back again in bounded memory; what is done survives a kill |
//! | [`synthetic`] | Simulated B-mode images, OCTA images of known quality, smears of blood and marrow, satellite scenes; degradations of real images |
//! | [`raster`] | Whole scenes: GeoTIFF, PNG and JPEG read by windows; GeoTIFF written by rows |
//! | [`geo`] | Where scenes lie on the ground; class maps as GeoJSON, footprints as masks, UTM |
//! | [`Error`], [`Result`] | What can go wrong |
//!
//! # Features
//!
//! `cuda`, `cudnn`, `metal`, `accelerate` and `mkl` are passed on to candle; none is on by default.

mod atomic;
mod augment;
mod dataset;
mod error;
pub mod geo;
mod image;
mod loader;
mod random;
pub mod raster;
mod readers;
mod samples;
mod sha256;
mod split;
mod stain;
pub mod synthetic;
mod tiles;

pub use augment::{Augment, Border, Variant};
pub use dataset::{Cached, Color, Dataset, Derived, Example, ImageFiles, Preprocess, StoredFiles};
pub use error::{Error, Result};
pub use image::{
    Alpha, Canny, CellCrop, ChannelStatistics, DecodeConfig, Filter, Fit, Image, Normalize,
    Outside, Resize,
};
pub use loader::{Batch, Batches, Loader, LoaderConfig, OnError, Sampling, Share, Skipped};
pub use readers::{
    AllIdb, BallTaleqani, Bccd, Busi, CNmc, CellFinder, CellPart, CsvLabels, DatasetB, Drimdb,
    Fingerprint, ImageFolder, MagneticTiles, MmSegpc, Mvtec, NearDuplicates, Octa500, OctaIqa,
    PairFiles, PairSet, Sample, SampleSet, ScenePairs, SnAm,
};
pub use samples::{
    AnnotatedBlocks, IGNORED, Jitter, LabeledImage, LabeledScene, MaskCoding, PatchDraw,
    PreparedTiles, Regions, Sampler, ScenePair, StatisticsOf, TileGrid, TilePreparation, Tiles,
    Turn, Validation,
};
pub use split::{
    Fold, Fractions, Holdout, LeakySplit, Splitter, named_folds, read_split, write_split,
};
pub use stain::{ColorSpace, Macenko, MacenkoModel, Reinhard, ReinhardModel, StainModel};
pub use tiles::{Blend, PartWriter, Parts, Piece, Stitcher, Tile, TileConfig, TilePlan};
