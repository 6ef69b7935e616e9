use ndarray::{Array2, ArrayView2};
use rand::Rng;

use super::data::Data;
use super::hamerly::hamerly;
use super::lloyd::{Run, Stop, lloyd};
use super::model::KMeansModel;
use super::seeding::{generator, plus_plus, random_rows};
use crate::table::Table;
use crate::{Error, Fit, Float, Result, check};

/// Where the centers start.
#[derive(Clone, Debug, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum KMeansInit {
    /// Greedy k-means++ \[2\]: rows far from each other.
    #[default]
    PlusPlus,
    /// Different rows, drawn uniformly.
    Random,
    /// These, (clusters, features): there is a single run.
    Centers(Array2<f64>),
}

/// How the nearest centers are found. The result is the same, up to rounding where two centers are
/// equally near.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum KMeansAlgorithm {
    /// All distances, as one matrix product for all runs together.
    #[default]
    Lloyd,
    /// Bounds that the triangle inequality gives decide most rows without measuring \[3\]: for few
    /// features, many samples and separate clusters.
    Hamerly,
}

/// K-means clustering: centers c that minimize the inertia.
///
/// ```text
/// inertia = Σᵢ minⱼ ‖xᵢ − cⱼ‖²
/// ```
///
/// Lloyd's iterations assign each sample to its nearest center and move each center to the mean of
/// its samples, until no sample changes its cluster, or the sum of the squared shifts is at most
/// `tolerance` times the mean variance of the features. A cluster that loses its last sample starts
/// again at the sample that is farthest from its center. Of `n_init` runs that with the least
/// inertia is kept. That the last allowed iteration was reached is told by
/// [`KMeansModel::converged`].
///
/// # Examples
///
/// ```
/// use ndarray::array;
/// use ocellus_cluster::{Fit, KMeans, Predict};
///
/// let x = array![[0., 0.], [0., 1.], [1., 0.], [5., 5.], [5., 6.], [6., 5.]];
/// let model = KMeans::new(2).with_seed(7).fit(x.view())?;
/// assert_eq!(model.labels()[0], model.labels()[2]);
/// assert_ne!(model.labels()[0], model.labels()[3]);
/// assert!((model.inertia() - 8. / 3.).abs() < 1e-12);
/// assert!(model.converged());
/// assert_eq!(model.predict(array![[0.2, 0.1]].view())?, [model.labels()[0]]);
/// # Ok::<(), ocellus_cluster::Error>(())
/// ```
///
/// # Complexity
///
/// O(samples · features · clusters) for an iteration, and a copy of the samples.
///
/// # Deviations
///
/// Scikit-learn 1.9 \[4\] gives `n_init = 1` to k-means++; runs cost little here, for they share their
/// products. Fewer different rows than clusters are an error, not a warning.
///
/// # References
///
/// 1. S. P. Lloyd. *Least squares quantization in PCM.* IEEE Transactions on Information Theory 28,
///    1982.
/// 2. D. Arthur and S. Vassilvitskii. *k-means++: the advantages of careful seeding.* SODA 2007.
/// 3. G. Hamerly. *Making k-means even faster.* SIAM International Conference on Data Mining 2010.
/// 4. <https://scikit-learn.org/stable/modules/generated/sklearn.cluster.KMeans.html>
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct KMeans {
    /// How many clusters.
    pub clusters: usize,
    /// Where the centers start; k-means++ by default.
    pub init: KMeansInit,
    /// How the nearest centers are found; by products by default.
    pub algorithm: KMeansAlgorithm,
    /// Runs from different starts; 10 by default.
    pub n_init: usize,
    /// The most iterations of a run; 300 by default.
    pub max_iterations: usize,
    /// When a run ends early, see above; 1e-4 by default.
    pub tolerance: f64,
    /// The seed of the draws: the same seed gives the same clusters. 0 by default.
    pub seed: u64,
}

impl KMeans {
    /// That many clusters, the best of ten runs from k-means++.
    #[must_use]
    pub fn new(clusters: usize) -> Self {
        Self {
            clusters,
            init: KMeansInit::default(),
            algorithm: KMeansAlgorithm::default(),
            n_init: 10,
            max_iterations: 300,
            tolerance: 1e-4,
            seed: 0,
        }
    }

    /// Sets where the centers start.
    #[must_use]
    pub fn with_init(mut self, init: KMeansInit) -> Self {
        self.init = init;
        self
    }

    /// Sets how the nearest centers are found.
    #[must_use]
    pub fn with_algorithm(mut self, algorithm: KMeansAlgorithm) -> Self {
        self.algorithm = algorithm;
        self
    }

    /// Sets how many runs there are.
    #[must_use]
    pub fn with_n_init(mut self, n_init: usize) -> Self {
        self.n_init = n_init;
        self
    }

    /// Sets the most iterations of a run.
    #[must_use]
    pub fn with_max_iterations(mut self, max_iterations: usize) -> Self {
        self.max_iterations = max_iterations;
        self
    }

    /// Sets when a run ends early; 0 to wait until no sample changes its cluster.
    #[must_use]
    pub fn with_tolerance(mut self, tolerance: f64) -> Self {
        self.tolerance = tolerance;
        self
    }

    /// Sets the seed.
    #[must_use]
    pub fn with_seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    fn check<T: Float>(&self, x: ArrayView2<'_, T>) -> Result<()> {
        check::samples(x)?;
        check::clusters(x.nrows(), self.clusters)?;
        check::positive("n_init", self.n_init)?;
        check::positive("max_iterations", self.max_iterations)?;
        check::not_negative("tolerance", self.tolerance)?;
        let KMeansInit::Centers(centers) = &self.init else { return Ok(()) };
        check::samples(centers.view())?;
        if centers.nrows() != self.clusters {
            let remedy = "give as many initial centers as clusters";
            return Err(Error::setting("clusters", self.clusters, remedy));
        }
        check::features(centers.view(), x.ncols())
    }

    fn starts<T: Float>(&self, data: &Data<T>) -> Result<Vec<Table<T>>> {
        let samples = data.rows.len();
        let generators = (0..self.n_init).map(|run| generator(self.seed, run));
        let rows: Vec<Vec<usize>> = match &self.init {
            KMeansInit::Centers(centers) => {
                return Ok(vec![Table::centered(centers.view(), &data.mean)]);
            }
            KMeansInit::Random => {
                generators.map(|mut rng| random_rows(samples, self.clusters, &mut rng)).collect()
            }
            KMeansInit::PlusPlus => {
                let draws = generators.map(|mut rng| move || rng.random::<f64>());
                plus_plus(data, self.clusters, &mut draws.collect::<Vec<_>>())?
            }
        };
        Ok(rows.iter().map(|rows| data.rows.select(rows)).collect())
    }
}

impl<T: Float> Fit<T> for KMeans {
    type Model = KMeansModel<T>;

    fn fit(&self, x: ArrayView2<'_, T>) -> Result<KMeansModel<T>> {
        self.check(x)?;
        let data = Data::new(x)?;
        let starts = self.starts(&data)?;
        let tolerance = self.tolerance * data.variance;
        let stop = Stop { max_iterations: self.max_iterations, tolerance };
        let runs = match self.algorithm {
            KMeansAlgorithm::Lloyd => lloyd(&data, starts, stop)?,
            KMeansAlgorithm::Hamerly => {
                let run = |start| hamerly(&data, start, stop);
                starts.into_iter().map(run).collect::<Result<_>>()?
            }
        };
        let runs = runs.into_iter().map(|run| (run.clusters.inertia(&data), run));
        let best: Option<(f64, Run<T>)> = runs.reduce(|a, b| if b.0 < a.0 { b } else { a });
        let (inertia, Run { clusters, iterations, converged }) =
            best.ok_or(Error::setting("n_init", 0, "give one run or more"))?;
        let shift = data.mean.iter().map(|mean| -mean).collect::<Vec<_>>();
        let centers = Table::centered(clusters.centers.view(), &shift);
        Ok(KMeansModel::new(centers, clusters.labels, inertia, iterations, converged))
    }
}

#[cfg(test)]
mod tests {
    use ndarray::{Axis, array, concatenate};
    use ocellus_testing::with_threads;
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;
    use crate::Predict;
    use crate::golden::{all_close, close, indices, matrix, number, read};

    const ALGORITHMS: [KMeansAlgorithm; 2] = [KMeansAlgorithm::Lloyd, KMeansAlgorithm::Hamerly];

    fn golden() -> Vec<(Array2<f64>, KMeans, Value)> {
        let case = |case: &Value| {
            let init = matrix(&case["init"]);
            let estimator = KMeans::new(init.nrows())
                .with_init(KMeansInit::Centers(init))
                .with_tolerance(number(&case["tol"]))
                .with_max_iterations(case["max_iter"].as_u64().unwrap() as usize);
            (matrix(&case["x"]), estimator, case.clone())
        };
        read("kmeans")["runs"].as_array().unwrap().iter().map(case).collect()
    }

    #[test]
    fn matches_scikit_learn_from_the_same_centers() {
        for (x, estimator, expected) in golden() {
            for algorithm in ALGORITHMS {
                let model = estimator.clone().with_algorithm(algorithm).fit(x.view()).unwrap();
                assert_eq!(model.labels(), indices(&expected["labels"]));
                assert_eq!(model.iterations(), number(&expected["iterations"]) as usize);
                all_close(model.centers(), &matrix(&expected["centers"]), 1e-12);
                close(model.inertia(), number(&expected["inertia"]), 1e-12);
                assert_eq!(model.converged(), model.iterations() < estimator.max_iterations);
                assert_eq!(model.predict(x.view()).unwrap(), model.labels());
            }
        }
    }

    #[test]
    fn single_precision_finds_the_same_clusters() {
        for (x, estimator, expected) in golden() {
            let x = x.mapv(|value| value as f32);
            for algorithm in ALGORITHMS {
                let model = estimator.clone().with_algorithm(algorithm).fit(x.view()).unwrap();
                close(model.inertia(), number(&expected["inertia"]), 1e-5);
            }
        }
    }

    #[test]
    fn ten_starts_are_no_worse_than_scikit_learns_one() {
        for (x, estimator, expected) in golden() {
            let estimator = KMeans::new(estimator.clusters).with_seed(1);
            let model = estimator.fit(x.view()).unwrap();
            assert!(model.inertia() <= number(&expected["inertia"]) * (1. + 1e-12));
        }
    }

    #[test]
    fn the_number_of_threads_changes_no_bit() {
        let x = Array2::from_shape_fn((700, 150), |(i, j)| ((i * 31 + j * 17) % 101) as f32 / 7.);
        for algorithm in ALGORITHMS {
            let estimator = KMeans::new(5).with_n_init(3).with_algorithm(algorithm);
            let fit = |threads| with_threads(threads, || estimator.fit(x.view()).unwrap());
            assert_eq!(fit(1), fit(3));
        }
    }

    #[test]
    fn any_strides_give_the_same_clusters() {
        let x = Array2::from_shape_fn((40, 3), |(i, j)| ((i * 7 + j * 5) % 13) as f64);
        let columns = x.t().as_standard_layout().into_owned();
        let fit = |x: ArrayView2<'_, f64>| KMeans::new(3).fit(x).unwrap();
        assert_eq!(fit(x.view()), fit(columns.t()));
    }

    #[test]
    fn rejects_what_cannot_be_clustered() {
        let x = array![[0., 1.], [2., 3.], [0., 1.]];
        let message = |estimator: KMeans| estimator.fit(x.view()).unwrap_err().to_string();
        assert!(message(KMeans::new(0)).contains("clusters is 0"));
        assert!(message(KMeans::new(4)).starts_with("3 samples, but 4 are needed"));
        for algorithm in ALGORITHMS {
            let init = array![[0., 1.], [5., 5.], [2., 3.]];
            for init in [KMeansInit::PlusPlus, KMeansInit::Random, KMeansInit::Centers(init)] {
                let estimator = KMeans::new(3).with_algorithm(algorithm).with_init(init);
                let found = message(estimator);
                assert!(found.starts_with("2 distinct rows, but 3 are needed"), "{found}");
            }
        }
        assert!(message(KMeans::new(2).with_n_init(0)).contains("n_init is 0"));
        assert!(message(KMeans::new(2).with_max_iterations(0)).contains("max_iterations is 0"));
        assert!(message(KMeans::new(2).with_tolerance(f64::NAN)).contains("tolerance is NaN"));
        let centers = |centers| KMeans::new(2).with_init(KMeansInit::Centers(centers));
        assert!(message(centers(array![[0., 1.]])).contains("as many initial centers"));
        assert!(message(centers(array![[0.], [1.]])).contains("1 features"));
        let bad = array![[0., f64::NAN], [2., 3.]];
        assert!(KMeans::new(1).fit(bad.view()).unwrap_err().to_string().contains("NaN"));
        let huge = array![[1e200], [-1e200]];
        assert!(KMeans::new(1).fit(huge.view()).unwrap_err().to_string().contains("scale"));
    }

    #[test]
    fn constant_columns_are_no_harm() {
        let x = array![[0., 7., 1.], [0., 7., 1.5], [9., 7., 1.], [9., 7., 1.5]];
        let model = KMeans::new(2).fit(x.view()).unwrap();
        close(model.inertia(), 0.25, 1e-12);
        let same = Array2::<f64>::ones((5, 2));
        assert_eq!(KMeans::new(1).fit(same.view()).unwrap().inertia(), 0.);
    }

    #[test]
    fn the_last_allowed_iteration_is_told() {
        let x = Array2::from_shape_fn((200, 2), |(i, j)| ((i * (j + 3) * 37) % 101) as f64);
        let model = KMeans::new(9).with_max_iterations(1).fit(x.view()).unwrap();
        assert!(!model.converged());
    }

    #[cfg(feature = "serde")]
    #[test]
    fn a_stored_model_predicts_the_same() {
        let (x, estimator, _) = golden().swap_remove(1);
        let model = estimator.fit(x.view()).unwrap();
        let stored = serde_json::to_value(&model).unwrap();
        assert_eq!(serde_json::from_value::<KMeansModel<f64>>(stored).unwrap(), model);
    }

    proptest! {
        #[test]
        fn no_sample_gains_by_another_center(
            values in prop::collection::vec(-9f64..9., 3 * 40), clusters in 1usize..7,
        ) {
            let x = Array2::from_shape_vec((40, 3), values).unwrap();
            let fit = |algorithm| {
                let estimator = KMeans::new(clusters).with_n_init(2).with_tolerance(0.);
                estimator.with_algorithm(algorithm).fit(x.view()).unwrap()
            };
            let (model, other) = (fit(ALGORITHMS[0]), fit(ALGORITHMS[1]));
            prop_assert_eq!(model.labels(), other.labels());
            prop_assert_eq!(&model.predict(x.view()).unwrap(), model.labels());
            for cluster in 0..clusters {
                let own = (0..40).filter(|&i| model.labels()[i] == cluster).collect::<Vec<_>>();
                let mean = x.select(Axis(0), &own).mean_axis(Axis(0)).unwrap();
                let center = model.centers();
                for (a, b) in mean.iter().zip(center.row(cluster)) {
                    prop_assert!((a - b).abs() < 1e-9);
                }
            }
        }

        #[test]
        fn more_clusters_or_starts_are_never_worse(seed: u64) {
            let x = Array2::from_shape_fn((30, 2), |(i, j)| ((i * (7 + j)) % 23) as f64);
            let x = concatenate(Axis(0), &[x.view(), (&x + 40.).view()]).unwrap();
            let inertia = |clusters, n_init| {
                let estimator = KMeans::new(clusters).with_n_init(n_init).with_seed(seed);
                estimator.fit(x.view()).unwrap().inertia()
            };
            prop_assert!(inertia(4, 6) <= inertia(4, 2));
            prop_assert!(inertia(2, 4) < inertia(1, 1));
        }
    }
}
