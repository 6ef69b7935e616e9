use ndarray::{Array2, ArrayView2};
use ocellus_cluster::{
    Fit, FitLabeled, MinMaxModel, MinMaxScaler, Pca, PcaModel, Result, SelectKBest,
    SelectKBestModel, StandardModel, StandardScaler, Transform,
};

use crate::Real;

/// A step of a [`Pipeline`](crate::Pipeline) before the classifier.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Step {
    /// Mean 0, standard deviation 1.
    Standard(StandardScaler),
    /// Smallest and largest value to the ends of a range.
    MinMax(MinMaxScaler),
    /// Principal components.
    Components(Pca),
    /// The features that tell most about the classes.
    Selection(SelectKBest),
}

impl From<SelectKBest> for Step {
    fn from(settings: SelectKBest) -> Self {
        Self::Selection(settings)
    }
}

impl From<StandardScaler> for Step {
    fn from(settings: StandardScaler) -> Self {
        Self::Standard(settings)
    }
}

impl From<MinMaxScaler> for Step {
    fn from(settings: MinMaxScaler) -> Self {
        Self::MinMax(settings)
    }
}

impl From<Pca> for Step {
    fn from(settings: Pca) -> Self {
        Self::Components(settings)
    }
}

impl Step {
    pub(super) fn fit<T: Real>(&self, x: ArrayView2<'_, T>, y: &[usize]) -> Result<StepModel<T>> {
        Ok(match self {
            Self::Standard(settings) => StepModel::Standard(settings.fit(x)?),
            Self::MinMax(settings) => StepModel::MinMax(settings.fit(x)?),
            Self::Components(settings) => StepModel::Components(settings.fit(x)?),
            Self::Selection(settings) => StepModel::Selection(settings.fit(x, y)?),
        })
    }
}

/// What a step has learned.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum StepModel<T> {
    Standard(StandardModel<T>),
    MinMax(MinMaxModel<T>),
    Components(PcaModel<T>),
    Selection(SelectKBestModel),
}

impl<T: Real> StepModel<T> {
    pub(super) fn features(&self) -> usize {
        match self {
            Self::Standard(model) => model.mean.len(),
            Self::MinMax(model) => model.min.len(),
            Self::Components(model) => model.mean().len(),
            Self::Selection(model) => model.scores().len(),
        }
    }

    pub(super) fn parameter_count(&self) -> usize {
        match self {
            Self::Standard(model) => model.mean.len() + model.scale.len(),
            Self::MinMax(model) => model.min.len() + model.max.len(),
            Self::Components(model) => model.mean().len() + model.components().len(),
            Self::Selection(model) => model.columns().len(),
        }
    }

    /// Whether the parts fit together.
    pub(super) fn fits(&self) -> bool {
        match self {
            Self::Standard(model) => model.mean.len() == model.scale.len(),
            Self::MinMax(model) => model.min.len() == model.max.len(),
            Self::Components(model) => model.components().ncols() == model.mean().len(),
            Self::Selection(model) => {
                model.columns().iter().all(|&column| column < model.scores().len())
            }
        }
    }
}

impl<T: Real> Transform<T> for StepModel<T> {
    fn transform(&self, x: ArrayView2<'_, T>) -> Result<Array2<T>> {
        match self {
            Self::Standard(model) => model.transform(x),
            Self::MinMax(model) => model.transform(x),
            Self::Components(model) => model.transform(x),
            Self::Selection(model) => model.transform(x),
        }
    }
}
