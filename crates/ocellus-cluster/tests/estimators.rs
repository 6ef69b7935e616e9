//! Every estimator through the same laws: see `check_estimator`.

#![allow(clippy::unwrap_used, reason = "a test reports by panicking")]
#![allow(clippy::print_stderr, reason = "a failing law is found below the name of its estimator")]

use ndarray::{Array2, ArrayView2, s};
use ocellus_cluster::{
    Agglomerative, CoresetSize, CovarianceType, Divergence, FeatureTest, Fit, FitLabeled, Float,
    GaussianMixture, GreedyCoreset, KMeans, KMeansAlgorithm, KMeansInit, Linkage, Metric,
    MinMaxScaler, MiniBatchKMeans, MixtureInit, MutualInformation, NearestCentroid,
    NearestNeighbors, NearestSample, Nmf, NmfInit, NmfSolver, Pca, PcaSolver, Predict,
    RandomProjection, Result, SelectKBest, StandardScaler, Transform,
};
use ocellus_testing::{check_estimator, with_threads};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Components and clusters of all of them.
const COUNT: usize = 3;

/// What a fitted model does.
type Apply<T> = Box<dyn Fn(ArrayView2<'_, T>) -> Result<Array2<T>> + Send + Sync>;

/// What settings do.
type Learn<T> = Box<dyn Fn(ArrayView2<'_, T>) -> Result<Apply<T>> + Sync>;

struct Estimator<T> {
    name: String,
    fit: Learn<T>,
    /// What the error of too few samples names, where they can be too few.
    needs: Option<&'static str>,
    /// Whether negative values are an error.
    takes_negative: bool,
}

impl<T> Estimator<T> {
    fn new(
        name: impl Into<String>,
        needs: Option<&'static str>,
        fit: impl Fn(ArrayView2<'_, T>) -> Result<Apply<T>> + Sync + 'static,
    ) -> Self {
        Self { name: name.into(), fit: Box::new(fit), needs, takes_negative: true }
    }
}

fn transforms<T: Float, E>(name: String, needs: Option<&'static str>, settings: E) -> Estimator<T>
where
    E: Fit<T> + Sync + 'static,
    E::Model: Transform<T> + Send + Sync + 'static,
{
    Estimator::new(name, needs, move |x| {
        let model = settings.fit(x)?;
        Ok(Box::new(move |x| model.transform(x)))
    })
}

fn column<T: Float>(labels: &[usize]) -> Array2<T> {
    Array2::from_shape_fn((labels.len(), 1), |(i, _)| T::narrow(labels[i] as f64))
}

fn predicts<T: Float>(model: impl Predict<T> + Send + Sync + 'static) -> Apply<T> {
    Box::new(move |x| Ok(column(&model.predict(x)?)))
}

fn reductions<T: Float>() -> Vec<Estimator<T>> {
    let mut all = Vec::new();
    for solver in [
        PcaSolver::Auto,
        PcaSolver::Full,
        PcaSolver::Gram,
        PcaSolver::krylov(),
        PcaSolver::randomized(),
    ] {
        for whiten in [false, true] {
            let settings = Pca::new(COUNT).with_solver(solver).with_whiten(whiten);
            all.push(transforms(format!("{settings:?}"), Some("components"), settings));
        }
    }
    all.push(Estimator::new("PCA of blocks", Some("components"), |x: ArrayView2<'_, T>| {
        let model = Pca::new(COUNT).fit_source(&x, 7)?;
        Ok(Box::new(move |x| model.transform(x)))
    }));
    let multiply = Nmf::new(COUNT).with_solver(NmfSolver::MultiplicativeUpdate);
    let relative = multiply.clone().with_divergence(Divergence::KullbackLeibler);
    for settings in [Nmf::new(COUNT), multiply, relative] {
        for init in [NmfInit::Auto, NmfInit::Random, NmfInit::Nndsvda] {
            let settings = settings.clone().with_init(init).with_max_iterations(30);
            let needs = (init == NmfInit::Nndsvda).then_some("components");
            let nmf = transforms(format!("{settings:?}"), needs, settings);
            all.push(Estimator { takes_negative: false, ..nmf });
        }
    }
    all.push(transforms("standard".into(), None, StandardScaler::default()));
    all.push(transforms("min-max".into(), None, MinMaxScaler::default()));
    for (test, needs) in [
        (FeatureTest::AnovaF, Some("samples")),
        (FeatureTest::ChiSquared, None),
        (FeatureTest::MutualInformation(MutualInformation::default()), Some("samples")),
    ] {
        let settings = SelectKBest::new(COUNT).with_test(test.clone());
        let fit = move |x: ArrayView2<'_, T>| {
            let y: Vec<usize> = (0..x.nrows()).map(|i| i % 2).collect();
            let model = settings.fit(x, &y)?;
            Ok(Box::new(move |x: ArrayView2<'_, T>| model.transform(x)) as Apply<T>)
        };
        let takes_negative = test != FeatureTest::ChiSquared;
        let selection = Estimator::new(format!("{test:?}"), needs, fit);
        all.push(Estimator { takes_negative, ..selection });
    }
    all
}

fn clusterings<T: Float>() -> Vec<Estimator<T>> {
    let mut all = Vec::new();
    for algorithm in [KMeansAlgorithm::Lloyd, KMeansAlgorithm::Hamerly] {
        for init in [KMeansInit::PlusPlus, KMeansInit::Random] {
            let settings = KMeans::new(COUNT).with_algorithm(algorithm).with_init(init);
            all.push(transforms(format!("{settings:?}"), Some("clusters"), settings.clone()));
            let fit = move |x: ArrayView2<'_, T>| Ok(predicts(settings.fit(x)?));
            all.push(Estimator::new("labels of k-means", Some("clusters"), fit));
        }
    }
    let batches = MiniBatchKMeans::new(COUNT).with_batch(16);
    all.push(transforms("mini-batch k-means".into(), Some("clusters"), batches));
    for covariance in [
        CovarianceType::Full,
        CovarianceType::Tied,
        CovarianceType::Diagonal,
        CovarianceType::Spherical,
    ] {
        for init in [MixtureInit::KMeans, MixtureInit::Random] {
            let settings = GaussianMixture::new(COUNT).with_covariance(covariance).with_init(init);
            let name = format!("{settings:?}");
            all.push(Estimator::new(name, Some("components"), move |x: ArrayView2<'_, T>| {
                let model = settings.fit(x)?;
                Ok(Box::new(move |x| Ok(model.predict_proba(x)?.mapv(T::narrow))))
            }));
        }
    }
    for (linkage, metric) in [
        (Linkage::Ward, Metric::Euclidean),
        (Linkage::Complete, Metric::Euclidean),
        (Linkage::Average, Metric::Euclidean),
        (Linkage::Single, Metric::Euclidean),
        (Linkage::Weighted, Metric::Euclidean),
        (Linkage::Centroid, Metric::Euclidean),
        (Linkage::Median, Metric::Euclidean),
    ] {
        let tree = Agglomerative::new(linkage).with_metric(metric);
        let fit = move |x: ArrayView2<'_, T>| {
            let labels = tree.fit(x)?.cut(COUNT)?;
            Ok(predicts(NearestCentroid.fit(x, &labels)?))
        };
        all.push(Estimator::new(format!("{tree:?}"), Some("clusters"), fit));
    }
    all.push(Estimator::new("nearest sample", Some("clusters"), |x: ArrayView2<'_, T>| {
        let labels = Agglomerative::new(Linkage::Single).fit(x)?.cut(COUNT)?;
        Ok(predicts(NearestSample.fit(x, &labels)?))
    }));
    all.push(Estimator::new("neighbors", Some("neighbors"), |x: ArrayView2<'_, T>| {
        let model = NearestNeighbors::new().fit(x)?;
        model.find(x.slice(s![..1, ..]), COUNT)?;
        Ok(Box::new(move |x| Ok(model.find(x, COUNT)?.distances)))
    }));
    all
}

/// Those that know `f32` alone.
fn single_precision() -> Vec<Estimator<f32>> {
    let mut all = Vec::new();
    for settings in
        [RandomProjection::sparse(0.9), RandomProjection::gaussian(5), RandomProjection::uniform(5)]
    {
        all.push(transforms(format!("{settings:?}"), None, settings));
    }
    for projection in [None, Some(RandomProjection::sparse(0.5))] {
        let settings = GreedyCoreset::new(CoresetSize::Count(COUNT)).with_projection(projection);
        let fit = move |x: ArrayView2<'_, f32>| {
            let coreset = x.select(ndarray::Axis(0), &settings.select(&x)?.indices);
            let model = NearestNeighbors::new().index(coreset)?;
            Ok(Box::new(move |x: ArrayView2<'_, f32>| Ok(model.find(x, 1)?.distances)) as Apply<_>)
        };
        all.push(Estimator::new(format!("{settings:?}"), Some("coreset"), fit));
    }
    all
}

fn uniform<T: Float>(rows: usize, columns: usize) -> Array2<T> {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    Array2::from_shape_simple_fn((rows, columns), || T::narrow(rng.random_range(0.0..1.0)))
}

fn pass<T: Float + Into<f64> + From<f32>>(estimators: Vec<Estimator<T>>) {
    for estimator in estimators {
        eprintln!("{}", estimator.name);
        for (rows, columns) in [(70, 9), (40, 12)] {
            let x = uniform::<T>(rows, columns);
            check_estimator(|x| (estimator.fit)(x), |model, x| model(x), x.view());
        }
        let x = uniform::<T>(70, 9);
        let few = (estimator.fit)(x.slice(s![..COUNT - 1, ..]));
        match (few.err().map(|error| error.to_string()), estimator.needs) {
            (Some(error), Some(named)) => {
                let said = error.contains(named) && error.contains(&format!("{}", COUNT - 1));
                assert!(said, "{}: {error}", estimator.name);
            }
            (error, needs) => {
                assert!(error.is_none() && needs.is_none(), "{}: {error:?}", estimator.name);
            }
        }
        let mut negative = x;
        negative[[33, 4]] = T::narrow(-0.5);
        let error = (estimator.fit)(negative.view()).err().map(|error| error.to_string());
        let named = error.as_ref().is_some_and(|e| e.starts_with("row 33, column 4 is -0.5"));
        assert_eq!(named, !estimator.takes_negative, "{}: {error:?}", estimator.name);
        assert_eq!(error.is_none(), estimator.takes_negative, "{}", estimator.name);
    }
}

#[test]
fn reductions_and_scalers_pass_the_suite() {
    pass(reductions::<f32>());
    pass(reductions::<f64>());
}

#[test]
fn clusterings_and_neighbors_pass_the_suite() {
    pass(clusterings::<f32>());
    pass(clusterings::<f64>());
}

#[test]
fn projections_and_coresets_pass_the_suite() {
    pass(single_precision());
}

/// A tree is no function of new samples: what it says of its own is compared.
#[test]
fn trees_and_coresets_are_the_same_at_any_number_of_threads() {
    let x = uniform::<f32>(300, 9);
    let turned = x.t().to_owned();
    let tree = |x: ArrayView2<'_, f32>| {
        let tree = Agglomerative::new(Linkage::Average).fit(x).unwrap();
        tree.merges().iter().map(|merge| (merge.left, merge.right)).collect::<Vec<_>>()
    };
    let rows = |x: ArrayView2<'_, f32>| GreedyCoreset::anomalib(0.1).select(&x).unwrap().indices;
    let expected = (tree(x.view()), rows(x.view()));
    for threads in [1, 2, 3] {
        let found = with_threads(threads, || (tree(turned.t()), rows(turned.t())));
        assert_eq!(found, expected, "{threads} threads");
    }
}

#[cfg(feature = "serde")]
mod text {
    use serde::{Serialize, de::DeserializeOwned};

    use super::*;

    /// A model that is written and read says the same, to the bit.
    fn comes_back<T: Float, M: Serialize + DeserializeOwned>(
        model: &M,
        apply: impl Fn(&M, ArrayView2<'_, T>) -> Result<Array2<T>>,
    ) {
        let text = serde_json::to_string(model).unwrap();
        let back: M = serde_json::from_str(&text).unwrap();
        let x = uniform::<T>(70, 9);
        assert_eq!(apply(&back, x.view()).unwrap(), apply(model, x.view()).unwrap());
        assert_eq!(serde_json::to_string(&back).unwrap(), text);
    }

    fn models<T: Float + Serialize + DeserializeOwned>() {
        let x = uniform::<T>(70, 9);
        let x = x.view();
        comes_back(&Pca::new(COUNT).with_whiten(true).fit(x).unwrap(), |m, x| m.transform(x));
        comes_back(&Nmf::new(COUNT).fit(x).unwrap(), |m, x| m.transform(x));
        comes_back(&StandardScaler::default().fit(x).unwrap(), |m, x| m.transform(x));
        comes_back(&MinMaxScaler::default().fit(x).unwrap(), |m, x| m.transform(x));
        let means = KMeans::new(COUNT).fit(x).unwrap();
        comes_back(&means, |m, x| m.transform(x));
        let labels = means.labels();
        comes_back(&NearestCentroid.fit(x, labels).unwrap(), |m, x| {
            Ok(column::<T>(&m.predict(x)?))
        });
        comes_back(&NearestSample.fit(x, labels).unwrap(), |m, x| Ok(column::<T>(&m.predict(x)?)));
        for covariance in [
            CovarianceType::Full,
            CovarianceType::Tied,
            CovarianceType::Diagonal,
            CovarianceType::Spherical,
        ] {
            let mixture = GaussianMixture::new(COUNT).with_covariance(covariance);
            let model = mixture.fit(x).unwrap();
            comes_back(&model, |m, x: ArrayView2<'_, T>| Ok(m.predict_proba(x)?.mapv(T::narrow)));
        }
        let tree = Agglomerative::default().fit(x).unwrap();
        comes_back(&tree, |m, _: ArrayView2<'_, T>| Ok(column(&m.cut(COUNT)?)));
    }

    #[test]
    fn models_come_back_with_every_bit() {
        models::<f32>();
        models::<f64>();
    }
}
