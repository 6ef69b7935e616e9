//! Reduction, selection and clustering of feature vectors on `ndarray`, for `f32` and `f64`.
//!
//! ```
//! use ndarray::array;
//! use ocellus_cluster::{Fit, Pca, Transform};
//!
//! let x = array![[0f64, 0.], [1., 1.], [2., 2.]];
//! let model = Pca::new(1).fit(x.view())?;
//! assert!((model.transform(x.view())?[[2, 0]] - 2f64.sqrt()).abs() < 1e-12);
//! # Ok::<(), ocellus_cluster::Error>(())
//! ```
//!
//! # Items
//!
//! | Reduction | What it does |
//! | --- | --- |
//! | [`Pca`] | principal components: by SVD, Gram matrix, block Lanczos or random projection, in memory or from a [`RowSource`] |
//! | [`Nmf`] | non-negative factors: coordinate descent or multiplicative updates, Frobenius or Kullback-Leibler |
//!
//! | Scaling | What it does |
//! | --- | --- |
//! | [`StandardScaler`] | mean 0 and standard deviation 1 for each feature |
//! | [`MinMaxScaler`] | smallest and largest value of each feature to the ends of a range |
//!
//! | Selection | What it does |
//! | --- | --- |
//! | [`SelectKBest`] | keeps the features that tell most about the classes, by a [`FeatureTest`] |
//! | [`chi_squared`], [`anova_f`], [`MutualInformation`] | the tests alone: [`FeatureScores`]; see [`DiscreteFeatures`] |
//!
//! | Clustering | What it finds |
//! | --- | --- |
//! | [`KMeans`], [`MiniBatchKMeans`] | centers with the least squared distances: see [`KMeansInit`], [`KMeansAlgorithm`], [`KMeansModel`] |
//! | [`Agglomerative`] | a tree of merges, [`Dendrogram`], by any [`Linkage`] and [`Metric`] |
//! | [`GaussianMixture`] | densities and soft clusters: see [`CovarianceType`], [`MixtureInit`], [`GaussianMixtureModel`] |
//! | [`NearestCentroid`], [`NearestSample`] | the clusters of new samples, where a method knows only its own |
//!
//! | Indices | What it tells |
//! | --- | --- |
//! | [`silhouette`], [`silhouette_samples`] | how separate clusters are |
//! | [`adjusted_rand_index`], [`mutual_information`], [`normalized_mutual_information`] | how far two clusterings agree |
//! | [`ClusterNames`] | what clusters are called, by true labels (oracle) or by scores (label-free) |
//! | [`assignment`] | the one-to-one assignment of least cost (Hungarian method) |
//!
//! | Neighbors and coresets | What it does |
//! | --- | --- |
//! | [`NearestNeighbors`] | the k nearest of many rows, exactly; see [`NeighborDistance`] |
//! | [`GreedyCoreset`] | rows that cover all others, chosen greedily; see [`CoresetSize`], [`CoresetStart`], [`CoresetBeginning`] |
//! | [`RandomProjection`] | fewer features, distances kept; see [`ProjectionWeights`], [`ProjectionDims`], [`johnson_lindenstrauss_dims`] |
//! | [`RowSource`], [`RowStore`], [`RowFile`] | rows that need not be in memory |
//!
//! | Foundations | What it is |
//! | --- | --- |
//! | [`Fit`], [`FitLabeled`] | settings and samples to a model |
//! | [`Transform`], [`Predict`] | a model and samples to features, or to indices |
//! | [`Float`] | `f32` or `f64` |
//! | [`linalg`] | products and decompositions |
//! | [`check`] | checks of arguments, for estimators of other crates |
//! | [`Error`](enum@Error) | what was wrong, where, and what to do |
//!
//! # Rules
//!
//! - **Samples are rows.** An estimator holds settings, `fit` returns a model: an unfitted model does
//!   not exist.
//! - **Same seed, same bits**, at any number of threads: work is cut by sizes alone, partial sums are
//!   added in a fixed order.
//! - **Bad data are errors**, not NaN: what is not finite is found before anything is computed.
//!
//! # Features
//!
//! - `serde`: derives `Serialize` and `Deserialize` for settings and models.

#![expect(clippy::doc_markdown, reason = "AᵀA is a formula, not code")]
#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod check;
mod coreset;
mod error;
mod estimator;
mod float;
#[cfg(test)]
mod golden;
mod hierarchy;
mod indices;
mod kmeans;
pub mod linalg;
mod mixture;
mod moments;
mod neighbors;
mod nmf;
mod pca;
mod projection;
mod rows;
mod scaling;
mod selection;
mod table;

pub use coreset::{Coreset, CoresetBeginning, CoresetSize, CoresetStart, GreedyCoreset};
pub use error::{Error, Result};
pub use estimator::{Fit, FitLabeled, Predict, Transform};
pub use float::Float;
pub use hierarchy::{Agglomerative, Dendrogram, Linkage, Merge, Metric};
pub use indices::{
    ClusterNames, adjusted_rand_index, assignment, mutual_information,
    normalized_mutual_information, silhouette, silhouette_samples,
};
pub use kmeans::{KMeans, KMeansAlgorithm, KMeansInit, KMeansModel, MiniBatchKMeans};
pub use mixture::{
    CovarianceType, Covariances, GaussianMixture, GaussianMixtureModel, MixtureInit,
};
pub use neighbors::{
    NearestCentroid, NearestCentroidModel, NearestNeighbors, NearestNeighborsModel, NearestSample,
    NearestSampleModel, NeighborDistance, Neighbors,
};
pub use nmf::{Divergence, Nmf, NmfInit, NmfModel, NmfSolver};
pub use pca::{Components, Pca, PcaModel, PcaSolver};
pub use projection::{
    ProjectionDims, ProjectionWeights, RandomProjection, RandomProjectionModel,
    johnson_lindenstrauss_dims,
};
pub use rows::{RowFile, RowSource, RowStore};
pub use scaling::{MinMaxModel, MinMaxScaler, StandardModel, StandardScaler};
pub use selection::{
    DiscreteFeatures, FeatureScores, FeatureTest, MutualInformation, SelectKBest, SelectKBestModel,
    anova_f, chi_squared,
};
