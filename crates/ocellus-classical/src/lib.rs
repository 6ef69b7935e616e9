//! Image features, and classical classifiers of feature vectors, on `ndarray`, for `f32` and `f64`.
//!
//! ```
//! use ndarray::array;
//! use ocellus_classical::{ClassifierModel, FitLabeled, GaussianNaiveBayes, Predict};
//!
//! let (x, y) = (array![[0f64, 0.], [1., 0.], [5., 5.], [6., 5.]], [0, 0, 1, 1]);
//! let model = GaussianNaiveBayes::default().fit(x.view(), &y)?;
//! assert_eq!(model.predict(x.view())?, y);
//! assert!(model.predict_proba(x.view())?[[0, 0]] > 0.99);
//! # Ok::<(), ocellus_classical::Error>(())
//! ```
//!
//! # Items
//!
//! | Classifier | What it is |
//! | --- | --- |
//! | [`Svm`] | support vector machines: see [`Kernel`], [`Gamma`], [`PlattScaling`], [`SvmModel`] |
//! | [`LogisticRegression`] | linear, two classes or more: see [`Penalty`] |
//! | [`GaussianNaiveBayes`] | independent normal distributions of the features of each class |
//! | [`DecisionTree`] | thresholds of single features: see [`Criterion`], [`MaxFeatures`] |
//! | [`RandomForest`] | trees of drawn samples and features; importances, [`OutOfBag`] |
//!
//! | Image features | What it is |
//! | --- | --- |
//! | [`ImageFeatures`] | named numbers of an image: histograms of gray, RGB and HSV values, Fourier magnitudes |
//! | [`Dft`] | which magnitudes: low frequencies, radial and angular profiles |
//!
//! | Around a classifier | What it does |
//! | --- | --- |
//! | [`Pipeline`] | scaling, selection, components and a classifier, fitted together: see [`Step`] |
//! | [`Folds`] | stratified folds, with groups or without |
//! | [`cross_validate`], [`cross_validate_with`] | what models say of samples that they were not fitted on |
//! | [`GridSearch`] | the best of several settings, by a [`Score`] |
//!
//! | Foundations | What it is |
//! | --- | --- |
//! | [`FitLabeled`], [`Predict`], [`Transform`] | the traits of `ocellus-cluster`: settings and labeled samples to a model, samples to classes |
//! | [`ClassifierModel`] | what every fitted classifier does: probabilities, scores, `save` |
//! | [`Classifier`] | settings of any kind, for lists of different classifiers |
//! | [`Stored`], [`load`] | one file for each model |
//! | [`ClassWeights`] | how much the samples of each class count |
//! | [`Real`] | `f32` or `f64` |
//! | [`Error`](enum@Error) | what was wrong, where, and what to do |
//!
//! # Rules
//!
//! - **Samples are rows, classes are 0 to k − 1**, and each has a sample. Settings have `fit`, which
//!   returns a model: an unfitted model does not exist.
//! - **Same seed, same bits**, at any number of threads and from a file again.
//! - **Bad data are errors**, not NaN.

#![cfg_attr(docsrs, feature(doc_cfg))]

mod error;
mod features;
mod logistic;
mod model;
mod naive_bayes;
mod pipeline;
mod real;
mod scores;
mod simd;
mod svm;
mod tree;
mod validation;
mod weights;

pub use error::{Error, Result};
pub use features::{Dft, ImageFeatures};
pub use logistic::{LogisticRegression, LogisticRegressionModel, Penalty};
pub use model::{Classifier, ClassifierModel, Stored, load};
pub use naive_bayes::{GaussianNaiveBayes, GaussianNaiveBayesModel};
pub use ocellus_cluster::{FitLabeled, Predict, Transform};
pub use pipeline::{Pipeline, PipelineModel, Step};
pub use real::Real;
pub use svm::{Gamma, Kernel, PlattScaling, Svm, SvmModel};
pub use tree::{
    Criterion, DecisionTree, DecisionTreeModel, MaxFeatures, OutOfBag, RandomForest,
    RandomForestModel,
};
pub use validation::{
    Folds, GridSearch, GridSearchModel, OutOfFold, Score, cross_validate, cross_validate_with,
};
pub use weights::ClassWeights;
