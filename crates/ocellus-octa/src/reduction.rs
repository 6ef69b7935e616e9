use ndarray::{Array2, ArrayView2};
use ocellus_cluster::{Components, Fit, Nmf, NmfModel, Pca, PcaModel, Transform};

use crate::Result;

/// How the features become few: the paper's FDR.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Reduction {
    /// Not at all, as in two rows of Table 2.
    None,
    /// Principal components.
    Pca(Pca),
    /// Non-negative factors. Features below 0 are shifted up by the least of each in the fit first; what
    /// lies lower still in later images counts as 0.
    Nmf(Nmf),
}

impl Reduction {
    /// PCA to so many components, or to a share of the variance.
    #[must_use]
    pub fn pca(components: impl Into<Components>) -> Self {
        Self::Pca(Pca::new(components))
    }

    /// NMF to so many components, in the paper's 10,000 iterations at most.
    #[must_use]
    pub fn nmf(components: usize) -> Self {
        Self::Nmf(Nmf::new(components).with_max_iterations(10_000))
    }

    /// With no more components than this: n images allow n − 1.
    ///
    /// ```
    /// use ocellus_octa::Reduction;
    /// assert_eq!(Reduction::pca(32).with_components_at_most(5), Reduction::pca(5));
    /// ```
    #[must_use]
    pub fn with_components_at_most(self, most: usize) -> Self {
        match self {
            Self::None => Self::None,
            Self::Pca(mut pca) => {
                if let Components::Count(count) = pca.components {
                    pca.components = Components::Count(count.min(most));
                }
                Self::Pca(pca)
            }
            Self::Nmf(mut nmf) => {
                nmf.components = nmf.components.min(most);
                Self::Nmf(nmf)
            }
        }
    }

    /// Its name in tables: `PCA`, `NMF` or `none`.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Pca(_) => "PCA",
            Self::Nmf(_) => "NMF",
        }
    }

    /// The model, and the reduced features that it was fitted on.
    pub(crate) fn fit(&self, x: ArrayView2<'_, f32>) -> Result<(Reducer, Array2<f32>)> {
        match self {
            Self::None => Ok((Reducer::None, x.to_owned())),
            Self::Pca(pca) => {
                let model = pca.fit(x)?;
                let reduced = model.transform(x)?;
                Ok((Reducer::Pca(model), reduced))
            }
            Self::Nmf(nmf) => {
                let least = least(x);
                let (model, reduced) = nmf.fit_transform(shifted(x, &least).view())?;
                Ok((Reducer::Nmf { least, model }, reduced))
            }
        }
    }
}

/// A fitted [`Reduction`].
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Reducer {
    None,
    Pca(PcaModel<f32>),
    Nmf { least: Vec<f32>, model: NmfModel<f32> },
}

impl Reducer {
    pub(crate) fn transform(&self, x: ArrayView2<'_, f32>) -> Result<Array2<f32>> {
        Ok(match self {
            Self::None => x.to_owned(),
            Self::Pca(model) => model.transform(x)?,
            Self::Nmf { least, model } => model.transform(shifted(x, least).view())?,
        })
    }

    /// Whether iterations ended by tolerance; they always do where there are none.
    pub(crate) fn converged(&self) -> bool {
        match self {
            Self::None | Self::Pca(_) => true,
            Self::Nmf { model, .. } => model.converged(),
        }
    }
}

/// The least of each feature, 0 at most.
fn least(x: ArrayView2<'_, f32>) -> Vec<f32> {
    x.columns().into_iter().map(|column| column.iter().copied().fold(0., f32::min)).collect()
}

/// Features that are no longer negative. As many columns as `least` are shifted: a wrong number of
/// features is for the model to refuse.
fn shifted(x: ArrayView2<'_, f32>, least: &[f32]) -> Array2<f32> {
    let mut x = x.to_owned();
    for (mut column, &least) in x.columns_mut().into_iter().zip(least) {
        // `max` would swallow what is no number, which the model has to refuse.
        column.mapv_inplace(|value| if value.is_nan() { value } else { (value - least).max(0.) });
    }
    x
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    #[test]
    fn nmf_takes_features_below_zero() {
        let x = array![[-1f32, 0.5], [2., 0.1], [0., 0.9], [1., 0.3]];
        let (reducer, reduced) = Reduction::nmf(1).fit(x.view()).unwrap();
        assert_eq!(reduced.dim(), (4, 1));
        assert!(reduced.iter().all(|value| *value >= 0.));
        let later = reducer.transform(array![[-9f32, 0.5], [-1., 0.5]].view()).unwrap();
        assert_eq!(later.row(0), later.row(1));
    }

    #[test]
    fn nothing_is_reduced_by_none() {
        let x = array![[-1f32, 0.5], [2., 0.1]];
        let (reducer, reduced) = Reduction::None.fit(x.view()).unwrap();
        assert_eq!(reduced, x);
        assert_eq!(reducer.transform(x.view()).unwrap(), x);
        assert!(reducer.converged());
    }

    #[test]
    fn more_components_than_images_are_an_error() {
        let x = array![[1f32, 0.5], [2., 0.1]];
        assert!(Reduction::pca(3).fit(x.view()).is_err());
    }
}
