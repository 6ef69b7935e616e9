use kodama::{Method, linkage};
use ndarray::ArrayView2;

use super::dendrogram::{Dendrogram, Merge};
use super::distances::{Metric, check as check_distances};
use crate::{Error, Fit, Float, Result, check};

/// The distance of two clusters A and B of samples.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum Linkage {
    /// By how much merging raises the sum of squared distances to the centroids:
    /// √(2 |A| |B| / (|A| + |B|)) ‖mean A − mean B‖.
    #[default]
    Ward,
    /// Of the two samples farthest from each other.
    Complete,
    /// The mean of all pairs.
    Average,
    /// Of the two samples nearest to each other.
    Single,
    /// The mean of the distances of the two clusters that a cluster was merged of (WPGMA).
    Weighted,
    /// ‖mean A − mean B‖. A merge may be lower than one before it.
    Centroid,
    /// As [`Linkage::Centroid`], where a merged cluster's center is midway between its two parts'
    /// (WPGMC).
    Median,
}

impl Linkage {
    fn method(self) -> Method {
        match self {
            Self::Ward => Method::Ward,
            Self::Complete => Method::Complete,
            Self::Average => Method::Average,
            Self::Single => Method::Single,
            Self::Weighted => Method::Weighted,
            Self::Centroid => Method::Centroid,
            Self::Median => Method::Median,
        }
    }

    /// Whether it means anything for Euclidean distances only.
    fn is_euclidean(self) -> bool {
        matches!(self, Self::Ward | Self::Centroid | Self::Median)
    }
}

/// Agglomerative clustering: from single samples on, the two nearest clusters are merged, until one
/// is left. Gives the whole tree; [`Dendrogram`] cuts it.
///
/// It says nothing of new samples. To assign them without clustering again, fit a
/// [`NearestCentroid`](crate::NearestCentroid) (which fits ward, centroid and average linkage) or a
/// [`NearestSample`](crate::NearestSample) (single linkage) on the labels of a cut.
///
/// # Examples
///
/// ```
/// use ndarray::array;
/// use ocellus_cluster::{Agglomerative, Fit, FitLabeled, NearestCentroid, Predict};
///
/// let x = array![[0., 0.], [0., 1.], [1., 0.], [5., 5.], [5., 6.], [6., 5.]];
/// let tree = Agglomerative::default().fit(x.view())?;
/// let labels = tree.cut(2)?;
/// assert_eq!(labels, [0, 0, 0, 1, 1, 1]);
///
/// let model = NearestCentroid.fit(x.view(), &labels)?;
/// assert_eq!(model.predict(array![[4., 6.]].view())?, [1]);
/// # Ok::<(), ocellus_cluster::Error>(())
/// ```
///
/// # Complexity
///
/// O(samples²) time but for [`Linkage::Centroid`] and [`Linkage::Median`], which may take longer;
/// 4 · samples² bytes.
///
/// # References
///
/// 1. D. Müllner. *Modern hierarchical, agglomerative clustering algorithms.* 2011.
///    <https://arxiv.org/abs/1109.2378>
/// 2. J. H. Ward. *Hierarchical grouping to optimize an objective function.* Journal of the American
///    Statistical Association 58, 1963.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Agglomerative {
    /// The distance of two clusters; Ward's by default.
    pub linkage: Linkage,
    /// The distance of two samples; Euclidean by default.
    pub metric: Metric,
}

impl Agglomerative {
    /// That linkage of Euclidean distances.
    #[must_use]
    pub fn new(linkage: Linkage) -> Self {
        Self { linkage, ..Self::default() }
    }

    /// Sets the distance of two samples.
    #[must_use]
    pub fn with_metric(mut self, metric: Metric) -> Self {
        self.metric = metric;
        self
    }

    /// The tree of samples of which only the distances of all pairs are known: of the first sample
    /// to the second, third, …, then of the second to the third, …. `metric` is not used.
    ///
    /// # Errors
    ///
    /// If they are not n (n − 1) / 2 for any n of 2 or more, or a distance is negative or not finite.
    pub fn fit_distances(&self, distances: Vec<f64>) -> Result<Dendrogram> {
        check_distances(&distances)?;
        let samples = 1 + (2. * distances.len() as f64).sqrt() as usize;
        let pairs = |samples: usize| samples * (samples - 1) / 2;
        let fitting = (samples - 1..=samples + 1)
            .find(|&samples| samples >= 2 && pairs(samples) == distances.len());
        let Some(samples) = fitting else {
            let remedy = "give n (n − 1) / 2, for n samples of 2 or more";
            return Err(Error::setting("the number of distances", distances.len(), remedy));
        };
        self.tree(samples, distances)
    }

    fn tree(&self, samples: usize, mut distances: Vec<f64>) -> Result<Dendrogram> {
        // Some linkages square them, which must neither overflow nor vanish.
        let largest = distances.iter().copied().fold(0., f64::max);
        let moderate = largest == 0. || (1e-100..1e100).contains(&largest);
        let unit = if moderate { 1. } else { largest };
        distances.iter_mut().for_each(|distance| *distance /= unit);
        let tree = linkage(&mut distances, samples, self.linkage.method());
        let merges = tree.steps().iter().map(|step| Merge {
            left: step.cluster1,
            right: step.cluster2,
            height: step.dissimilarity * unit,
            size: step.size,
        });
        Dendrogram::new(merges.collect())
    }
}

impl<T: Float> Fit<T> for Agglomerative {
    type Model = Dendrogram;

    fn fit(&self, x: ArrayView2<'_, T>) -> Result<Dendrogram> {
        check::samples(x)?;
        if self.linkage.is_euclidean() && self.metric != Metric::Euclidean {
            let remedy = "take Metric::Euclidean, or complete, average, single or weighted linkage";
            let value = format!("{:?} with {:?}", self.metric, self.linkage);
            return Err(Error::setting("the metric", value, remedy));
        }
        self.tree(x.nrows(), self.metric.condensed(x)?)
    }
}

#[cfg(test)]
mod tests {
    use std::f64::consts::SQRT_2;

    use ndarray::{Array2, array};
    use ocellus_testing::with_threads;
    use serde_json::Value;

    use super::*;
    use crate::golden::{all_close, indices, matrix, number, numbers, read};

    const LINKAGES: [Linkage; 7] = [
        Linkage::Ward,
        Linkage::Complete,
        Linkage::Average,
        Linkage::Single,
        Linkage::Weighted,
        Linkage::Centroid,
        Linkage::Median,
    ];

    fn estimator(case: &Value) -> Agglomerative {
        let name = |value: &Value| value.as_str().unwrap().to_owned();
        let linkage = name(&case["linkage"]);
        let of_name = |l: &&Linkage| format!("{l:?}").to_lowercase() == linkage;
        let metric = match &*name(&case["metric"]) {
            "euclidean" => Metric::Euclidean,
            "manhattan" => Metric::Manhattan,
            _ => Metric::Cosine,
        };
        Agglomerative::new(*LINKAGES.iter().find(of_name).unwrap()).with_metric(metric)
    }

    #[test]
    fn matches_scipy_and_scikit_learn() {
        let mut x = Array2::zeros((0, 0));
        for case in read("hierarchy")["cases"].as_array().unwrap() {
            if !case["x"].is_null() {
                x = matrix(&case["x"]);
            }
            let tree = estimator(case).fit(x.view()).unwrap();
            let heights: Vec<f64> = tree.merges().iter().map(|merge| merge.height).collect();
            all_close(&heights, &numbers(&case["heights"]), 1e-10);
            if !case["merges"].is_null() {
                let of = |m: &Merge| [m.left as f64, m.right as f64, m.height, m.size as f64];
                let merges: Vec<f64> = tree.merges().iter().flat_map(of).collect();
                all_close(&merges, &matrix(&case["merges"]), 1e-10);
            }
            assert_eq!(tree.leaf_order(), indices(&case["leaves"]));
            for cut in case["cuts"].as_array().unwrap() {
                let clusters = number(&cut["clusters"]) as usize;
                assert_eq!(tree.cut(clusters).unwrap(), indices(&cut["labels"]));
            }
            for cut in case["cuts_at_height"].as_array().unwrap() {
                let labels = tree.cut_at_height(number(&cut["height"])).unwrap();
                assert_eq!(labels, indices(&cut["labels"]));
            }
        }
    }

    #[test]
    fn seven_points_have_the_published_heights() {
        let x = array![[0., 0.], [0., 1.], [1., 0.], [5., 5.], [5., 6.], [6., 5.], [9., 0.]];
        let published = [
            (Linkage::Ward, [1., 1., 1.29099445, 1.29099445, 7.92674797, 12.88871784]),
            (Linkage::Complete, [1., 1., SQRT_2, SQRT_2, 7.21110255, 9.05538514]),
            (Linkage::Average, [1., 1., 1.20710678, 1.20710678, 6.48172623, 7.50979513]),
            (Linkage::Single, [1., 1., 1., 1., 5.83095189, 6.40312424]),
        ];
        for (linkage, heights) in published {
            let tree = Agglomerative::new(linkage).fit(x.view()).unwrap();
            let found: Vec<f64> = tree.merges().iter().map(|merge| merge.height).collect();
            all_close(&found, &heights, 1e-8);
            assert_eq!(tree.cut(2).unwrap(), [0, 0, 0, 1, 1, 1, 1]);
            let single = Agglomerative::new(linkage).fit(x.mapv(|v| v as f32).view()).unwrap();
            assert_eq!(single, tree);
        }
    }

    #[test]
    fn distances_alone_give_the_same_tree() {
        let x = Array2::from_shape_fn((40, 3), |(i, j)| ((i * i * 7 + j * 5 * i) % 97) as f64);
        let distances = Metric::Euclidean.condensed(x.view()).unwrap();
        for linkage in LINKAGES {
            let estimator = Agglomerative::new(linkage);
            let tree = estimator.fit_distances(distances.clone()).unwrap();
            assert_eq!(tree, estimator.fit(x.view()).unwrap());
        }
    }

    #[test]
    fn the_number_of_threads_changes_no_bit() {
        let x = Array2::from_shape_fn((300, 20), |(i, j)| ((i * 31 + j * i) % 101) as f32 / 7.);
        let fit =
            |threads| with_threads(threads, || Agglomerative::default().fit(x.view()).unwrap());
        assert_eq!(fit(1), fit(3));
    }

    #[test]
    fn rejects_what_has_no_tree() {
        let x = array![[0., 1.], [2., 3.]];
        let manhattan = Agglomerative::default().with_metric(Metric::Manhattan);
        assert!(manhattan.fit(x.view()).unwrap_err().to_string().contains("Manhattan with Ward"));
        assert!(Agglomerative::default().fit(array![[0.], [f64::NAN]].view()).is_err());
        let of = |distances| Agglomerative::default().fit_distances(distances);
        assert!(of(vec![1., 2.]).unwrap_err().to_string().contains("distances is 2"));
        assert!(of(vec![]).is_err());
        assert!(of(vec![-1.]).unwrap_err().to_string().contains("is -1"));
        assert!(of(vec![f64::NAN]).is_err());
        assert_eq!(of(vec![3.]).unwrap().cut(1).unwrap(), [0, 0]);
    }

    #[test]
    fn extreme_distances_are_no_harm() {
        let x = array![[0.], [1.], [5.], [7.], [20.]];
        for linkage in LINKAGES {
            let tree = Agglomerative::new(linkage).fit(x.view()).unwrap();
            for scale in [1e150, 1e-150] {
                let distances = Metric::Euclidean.condensed(x.view()).unwrap();
                let distances = distances.into_iter().map(|distance| distance * scale).collect();
                let scaled = Agglomerative::new(linkage).fit_distances(distances).unwrap();
                for (scaled, merge) in scaled.merges().iter().zip(tree.merges()) {
                    assert_eq!((scaled.left, scaled.right), (merge.left, merge.right));
                    assert!((scaled.height / scale - merge.height).abs() < 1e-12 * merge.height);
                }
            }
        }
    }

    #[test]
    fn a_single_sample_is_its_own_tree() {
        let tree = Agglomerative::default().fit(array![[1., 2.]].view()).unwrap();
        assert_eq!((tree.cut(1).unwrap(), tree.leaf_order()), (vec![0], vec![0]));
    }

    #[test]
    fn equal_samples_merge_at_zero() {
        for linkage in LINKAGES {
            let tree = Agglomerative::new(linkage).fit(Array2::<f64>::ones((6, 3)).view()).unwrap();
            assert!(tree.merges().iter().all(|merge| merge.height == 0.));
        }
    }
}
