use ndarray::ArrayView2;
use ocellus_cluster::{
    Agglomerative, CovarianceType, Dendrogram, Fit, FitLabeled, GaussianMixture,
    GaussianMixtureModel, KMeans, KMeansModel, Linkage, NearestCentroid, NearestCentroidModel,
    NearestSample, NearestSampleModel, Predict,
};

use crate::Result;

/// The paper's limit of iterations.
const ITERATIONS: usize = 10_000;

/// How the reduced features are clustered.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Clustering {
    /// k-means.
    KMeans(KMeans),
    /// Agglomerative, cut into so many clusters. A later image belongs to the nearest centroid, for single
    /// linkage to the cluster of the nearest image.
    Hierarchical {
        /// How the distance of two clusters is measured.
        linkage: Linkage,
        /// How many clusters.
        clusters: usize,
    },
    /// A mixture of Gaussians.
    Mixture(GaussianMixture),
}

impl Clustering {
    /// k-means with two clusters, from ten starts, 10,000 iterations at most.
    #[must_use]
    pub fn k_means() -> Self {
        Self::KMeans(KMeans::new(2).with_n_init(10).with_max_iterations(ITERATIONS))
    }

    /// Two clusters by Ward's linkage: the paper does not name one, this is scikit-learn's default.
    #[must_use]
    pub const fn hierarchical() -> Self {
        Self::Hierarchical { linkage: Linkage::Ward, clusters: 2 }
    }

    /// Two Gaussians of full covariances, 10,000 iterations at most.
    #[must_use]
    pub fn mixture() -> Self {
        let mixture = GaussianMixture::new(2).with_covariance(CovarianceType::Full);
        Self::Mixture(mixture.with_max_iterations(ITERATIONS))
    }

    /// Its name in tables, as the paper writes it.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::KMeans(_) => "K-means",
            Self::Hierarchical { .. } => "Hierarchy",
            Self::Mixture(_) => "GMM",
        }
    }

    pub(crate) fn fit(&self, x: ArrayView2<'_, f32>) -> Result<Clustered> {
        let mut dendrogram = None;
        let (clusters, assigner) = match self {
            Self::KMeans(settings) => {
                let model = settings.fit(x)?;
                (model.labels().to_vec(), Assigner::KMeans(model))
            }
            Self::Mixture(settings) => {
                let model = settings.fit(x)?;
                (model.predict(x)?, Assigner::Mixture(model))
            }
            Self::Hierarchical { linkage, clusters } => {
                let tree = Agglomerative::new(*linkage).fit(x)?;
                let labels = tree.cut(*clusters)?;
                dendrogram = Some(tree);
                let assigner = match linkage {
                    Linkage::Single => Assigner::Sample(NearestSample.fit(x, &labels)?),
                    _ => Assigner::Centroid(NearestCentroid.fit(x, &labels)?),
                };
                (labels, assigner)
            }
        };
        Ok(Clustered { clusters, assigner, dendrogram })
    }
}

/// What a [`Clustering`] found.
#[derive(Debug)]
pub(crate) struct Clustered {
    /// The cluster of each image.
    pub(crate) clusters: Vec<usize>,
    /// Tells the cluster of later images.
    pub(crate) assigner: Assigner,
    pub(crate) dendrogram: Option<Dendrogram>,
}

/// Tells the cluster of an image that was not there when the clusters were found.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Assigner {
    KMeans(KMeansModel<f32>),
    Mixture(GaussianMixtureModel),
    Centroid(NearestCentroidModel<f32>),
    Sample(NearestSampleModel<f32>),
}

impl Assigner {
    pub(crate) fn predict(&self, x: ArrayView2<'_, f32>) -> Result<Vec<usize>> {
        Ok(match self {
            Self::KMeans(model) => model.predict(x)?,
            Self::Mixture(model) => model.predict(x)?,
            Self::Centroid(model) => model.predict(x)?,
            Self::Sample(model) => model.predict(x)?,
        })
    }

    /// Whether iterations ended by tolerance; they always do where there are none.
    pub(crate) fn converged(&self) -> bool {
        match self {
            Self::KMeans(model) => model.converged(),
            Self::Mixture(model) => model.converged(),
            Self::Centroid(_) | Self::Sample(_) => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use ndarray::{Array2, array};

    use super::*;

    fn two_heaps() -> Array2<f32> {
        array![[0., 0.1], [0.2, 0.], [0.1, 0.2], [5., 5.1], [5.2, 5.], [5.1, 4.8], [0.05, 0.15]]
    }

    #[test]
    fn every_clustering_finds_two_heaps_and_where_new_images_belong() {
        let single = Clustering::Hierarchical { linkage: Linkage::Single, clusters: 2 };
        for clustering in
            [Clustering::k_means(), Clustering::hierarchical(), Clustering::mixture(), single]
        {
            let found = clustering.fit(two_heaps().view()).unwrap();
            let (low, high) = (found.clusters[0], found.clusters[3]);
            assert_ne!(low, high);
            assert_eq!(found.clusters, [low, low, low, high, high, high, low], "{clustering:?}");
            let new = found.assigner.predict(array![[0.1f32, 0.1], [4.9, 5.2]].view()).unwrap();
            assert_eq!(new, [low, high], "{clustering:?}");
            assert!(found.assigner.converged());
            let tree = matches!(clustering, Clustering::Hierarchical { .. });
            assert_eq!(found.dendrogram.is_some(), tree);
        }
    }

    #[test]
    fn fewer_images_than_clusters_are_an_error() {
        let x = array![[0f32, 1.]];
        for clustering in [Clustering::k_means(), Clustering::hierarchical(), Clustering::mixture()]
        {
            assert!(clustering.fit(x.view()).is_err(), "{clustering:?}");
        }
    }
}
