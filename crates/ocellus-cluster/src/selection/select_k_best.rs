use ndarray::{Array2, ArrayView2, Axis};

use super::{FeatureScores, MutualInformation, anova_f, chi_squared};
use crate::{Error, FitLabeled, Float, Result, Transform, check};

/// How features are scored.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum FeatureTest {
    /// Analysis of variance: [`anova_f`].
    #[default]
    AnovaF,
    /// Of features that are not negative: [`chi_squared`].
    ChiSquared,
    /// Mutual information of feature and class.
    MutualInformation(MutualInformation),
}

/// Keeps the k features that tell most about the classes, each looked at alone.
///
/// Of equal scores the later feature is kept, as scikit-learn's `SelectKBest` does.
///
/// # Examples
///
/// ```
/// use ndarray::array;
/// use ocellus_cluster::{FeatureTest, FitLabeled, SelectKBest, Transform};
///
/// let x = array![[1., 0., 3.], [2., 1., 0.], [0., 4., 1.], [3., 2., 2.], [5., 0., 1.], [1., 1., 4.]];
/// let settings = SelectKBest::new(2).with_test(FeatureTest::ChiSquared);
/// let model = settings.fit(x.view(), &[0, 0, 0, 1, 1, 1])?;
/// assert_eq!(model.columns(), [0, 2]);
/// assert_eq!(model.transform(x.view())?.row(0).to_vec(), [1., 3.]);
/// # Ok::<(), ocellus_cluster::Error>(())
/// ```
///
/// # Errors
///
/// Those of the test; and if k is 0 or more than there are features (scikit-learn warns then, and
/// keeps all).
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct SelectKBest {
    /// How many features are kept.
    pub count: usize,
    /// How they are scored.
    pub test: FeatureTest,
}

impl SelectKBest {
    /// Keeps `count` features by the F test.
    #[must_use]
    pub const fn new(count: usize) -> Self {
        Self { count, test: FeatureTest::AnovaF }
    }

    /// How features are scored: by the F test by default.
    #[must_use]
    pub fn with_test(mut self, test: FeatureTest) -> Self {
        self.test = test;
        self
    }
}

/// The model of a [`SelectKBest`].
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct SelectKBestModel {
    found: FeatureScores,
    columns: Vec<usize>,
}

impl SelectKBestModel {
    /// The score of each feature.
    #[must_use]
    pub fn scores(&self) -> &[f64] {
        &self.found.scores
    }

    /// The p-value of each feature, where the test has them: mutual information has none.
    #[must_use]
    pub fn p_values(&self) -> Option<&[f64]> {
        self.found.p_values.as_deref()
    }

    /// The columns that are kept, ascending.
    #[must_use]
    pub fn columns(&self) -> &[usize] {
        &self.columns
    }

    /// All features, the best first.
    #[must_use]
    pub fn ranking(&self) -> Vec<usize> {
        self.found.ranking()
    }
}

impl<T: Float> FitLabeled<T> for SelectKBest {
    type Model = SelectKBestModel;

    fn fit(&self, x: ArrayView2<'_, T>, y: &[usize]) -> Result<SelectKBestModel> {
        check::positive("the number of features to keep", self.count)?;
        let found = match &self.test {
            FeatureTest::AnovaF => anova_f(x, y)?,
            FeatureTest::ChiSquared => chi_squared(x, y)?,
            FeatureTest::MutualInformation(settings) => settings.score(x, y)?,
        };
        let features = x.ncols();
        if features < self.count {
            let remedy = format!("keep {features} or fewer");
            let (found, needed) = (features, self.count);
            return Err(Error::TooFew { what: "features", found, needed, remedy });
        }
        let mut columns = found.ranking();
        columns.truncate(self.count);
        columns.sort_unstable();
        Ok(SelectKBestModel { found, columns })
    }
}

impl<T: Float> Transform<T> for SelectKBestModel {
    fn transform(&self, x: ArrayView2<'_, T>) -> Result<Array2<T>> {
        check::features(x, self.scores().len())?;
        if let Some(column) = self.columns.iter().find(|&&column| column >= x.ncols()) {
            return Err(Error::setting("a kept column", column, "load a model as it was saved"));
        }
        Ok(x.select(Axis(1), &self.columns))
    }
}
