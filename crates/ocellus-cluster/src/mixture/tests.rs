use ndarray::{Array2, Axis, array, s};
use ocellus_testing::with_threads;
use proptest::prelude::*;
use serde_json::Value;

use super::{CovarianceType, Covariances, GaussianMixture, MixtureInit};
use crate::golden::{all_close, close, indices, matrix, number, numbers, read};
use crate::{Error, Fit, Predict};

const TYPES: [CovarianceType; 4] = [
    CovarianceType::Full,
    CovarianceType::Tied,
    CovarianceType::Diagonal,
    CovarianceType::Spherical,
];

fn flat(covariances: &Covariances) -> Vec<f64> {
    match covariances {
        Covariances::Full(all) => all.iter().flatten().copied().collect(),
        Covariances::Tied(rows) | Covariances::Diagonal(rows) => rows.iter().copied().collect(),
        Covariances::Spherical(all) => all.clone(),
    }
}

fn golden() -> Vec<(Array2<f64>, GaussianMixture, Value)> {
    let mut x = Array2::zeros((0, 0));
    let case = |case: &Value| {
        if !case["x"].is_null() {
            x = matrix(&case["x"]);
        }
        let name = case["kind"].as_str().unwrap();
        let kind = TYPES.iter().find(|kind| format!("{kind:?}").to_lowercase() == name);
        let count = |key: &str| number(&case[key]) as usize;
        let estimator = GaussianMixture::new(count("components"))
            .with_covariance(*kind.unwrap())
            .with_init(MixtureInit::Labels(indices(&case["labels"])))
            .with_tolerance(number(&case["tol"]))
            .with_max_iterations(count("max_iter"))
            .with_regularization(number(&case["reg_covar"]));
        (x.clone(), estimator, case.clone())
    };
    read("mixture")["cases"].as_array().unwrap().iter().map(case).collect()
}

#[test]
fn matches_scikit_learn_from_the_same_labels() {
    for (x, estimator, expected) in golden() {
        let model = estimator.fit(x.view()).unwrap();
        assert_eq!(model.iterations(), number(&expected["iterations"]) as usize);
        assert_eq!(model.converged(), expected["converged"].as_bool().unwrap());
        close(model.lower_bound(), number(&expected["lower_bound"]), 1e-9);
        all_close(model.weights(), &numbers(&expected["weights"]), 1e-8);
        all_close(model.means(), &matrix(&expected["means"]), 1e-8);
        all_close(&flat(model.covariances()), &numbers(&expected["covariances"]), 1e-8);
        all_close(&flat(&model.precisions()), &numbers(&expected["precisions"]), 1e-8);
        assert_eq!(model.predict(x.view()).unwrap(), indices(&expected["predicted"]));
        let new = matrix(&expected["new"]);
        let scores = model.score_samples(new.view()).unwrap();
        all_close(&scores, &numbers(&expected["scores"]), 1e-8);
        let probabilities = model.predict_proba(new.view()).unwrap();
        all_close(&probabilities, &matrix(&expected["probabilities"]), 1e-8);
        close(model.bic(x.view()).unwrap(), number(&expected["bic"]), 1e-8);
        close(model.aic(x.view()).unwrap(), number(&expected["aic"]), 1e-8);
    }
}

#[test]
fn seven_points_have_the_published_means() {
    let x = array![[0., 0.], [0., 1.], [1., 0.], [5., 5.], [5., 6.], [6., 5.], [9., 0.]];
    let model = GaussianMixture::new(2).fit(x.view()).unwrap();
    let first = usize::from(model.weights()[0] < 0.5);
    all_close(model.means().row(first), &[6.25, 4.], 1e-6);
    all_close(model.means().row(1 - first), &[0.333_333, 0.333_333], 1e-6);
    close(model.weights()[first], 0.571_429, 1e-6);
}

#[test]
fn a_sample_alone_has_the_same_bits_as_among_others() {
    let x = Array2::from_shape_fn((200, 9), |(i, j)| ((i * 31 + j * i * 7) % 101) as f32 / 9.);
    for kind in TYPES {
        let model = GaussianMixture::new(3).with_covariance(kind).fit(x.view()).unwrap();
        let all = model.predict_proba(x.view()).unwrap();
        for i in [0, 63, 64, 199] {
            let alone = model.predict_proba(x.slice(s![i..=i, ..])).unwrap();
            assert_eq!(alone.row(0), all.row(i));
        }
    }
}

#[test]
fn the_number_of_threads_changes_no_bit() {
    let x = Array2::from_shape_fn((900, 12), |(i, j)| ((i * 31 + j * i * 7) % 101) as f64 / 9.);
    for kind in TYPES {
        let estimator = GaussianMixture::new(3).with_covariance(kind).with_n_init(2);
        let fit = |threads| with_threads(threads, || estimator.fit(x.view()).unwrap());
        assert_eq!(fit(1), fit(3));
    }
}

#[test]
fn singular_covariances_are_errors_without_regularization() {
    // The second feature is constant.
    let x = array![[0., 1.], [1., 1.], [5., 1.], [6., 1.], [7., 1.]];
    for kind in TYPES {
        let estimator = GaussianMixture::new(2).with_covariance(kind);
        let fitted = estimator.clone().fit(x.view()).unwrap();
        assert!(fitted.score(x.view()).unwrap().is_finite());
        let plain = estimator.with_regularization(0.).fit(x.view());
        if kind == CovarianceType::Spherical {
            assert!(plain.is_ok());
        } else {
            let error = plain.unwrap_err();
            assert!(matches!(error, Error::Covariance { .. }), "{error}");
            assert!(error.to_string().contains("regularization"), "{error}");
        }
    }
}

#[test]
fn rejects_what_cannot_be_fitted() {
    let x = array![[0., 1.], [2., 3.], [0., 1.]];
    let message = |estimator: GaussianMixture| estimator.fit(x.view()).unwrap_err().to_string();
    assert!(message(GaussianMixture::new(0)).contains("components is 0"));
    assert!(message(GaussianMixture::new(4)).contains("3 samples, but 4 are needed"));
    assert!(message(GaussianMixture::new(3)).contains("2 distinct rows"));
    assert!(message(GaussianMixture::new(2).with_n_init(0)).contains("n_init is 0"));
    let labels = |labels| GaussianMixture::new(2).with_init(MixtureInit::Labels(labels));
    assert!(message(labels(vec![0, 1])).contains("labels has 2"));
    assert!(message(labels(vec![0, 1, 2])).contains("an initial label is 2"));
    assert!(message(GaussianMixture::new(2).with_regularization(-1.)).contains("is -1"));
    assert!(GaussianMixture::new(1).fit(array![[0.], [f64::NAN]].view()).is_err());
    assert!(GaussianMixture::new(1).fit(array![[1.]].view()).is_err());
    assert!(GaussianMixture::new(1).fit(array![[1e200], [-1e200]].view()).is_err());
}

#[test]
fn a_sample_far_from_all_components_is_no_nan() {
    let x = array![[0.], [1.], [10.], [11.]];
    let model = GaussianMixture::new(2).fit(x.view()).unwrap();
    let far = array![[1e200]];
    assert_eq!(model.score_samples(far.view()).unwrap(), [f64::NEG_INFINITY]);
    assert_eq!(model.predict_proba(far.view()).unwrap(), array![[0.5, 0.5]]);
    assert!(model.predict(array![[1., 2.]].view()).is_err());
}

#[test]
fn matrices_of_all_types_are_what_they_mean() {
    let x = Array2::from_shape_fn((60, 3), |(i, j)| ((i * 31 + j * i * 7) % 101) as f64 / 9.);
    for kind in TYPES {
        let model = GaussianMixture::new(2).with_covariance(kind).fit(x.view()).unwrap();
        for k in 0..2 {
            let covariance = model.covariances().matrix(k, 3).unwrap();
            let product = covariance.dot(&model.precisions().matrix(k, 3).unwrap());
            all_close(&product, &Array2::<f64>::eye(3), 1e-9);
        }
    }
}

#[cfg(feature = "serde")]
#[test]
fn a_stored_model_is_the_same_and_a_damaged_one_an_error() {
    let (x, estimator, _) = golden().swap_remove(0);
    let model = estimator.fit(x.view()).unwrap();
    let mut stored = serde_json::to_value(&model).unwrap();
    let read = serde_json::from_value::<super::GaussianMixtureModel>(stored.clone()).unwrap();
    assert_eq!(read.predict_proba(x.view()).unwrap(), model.predict_proba(x.view()).unwrap());
    stored["weights"] = serde_json::json!([1.0]);
    let error = serde_json::from_value::<super::GaussianMixtureModel>(stored).unwrap_err();
    assert!(error.to_string().contains("fit it again"), "{error}");
}

proptest! {
    #[test]
    fn iterations_never_lower_the_likelihood(
        values in prop::collection::vec(-9f64..9., 2 * 30), kind in 0usize..4, seed: u64,
    ) {
        let x = Array2::from_shape_vec((30, 2), values).unwrap();
        let bound = |iterations| {
            let estimator = GaussianMixture::new(2)
                .with_covariance(TYPES[kind])
                .with_init(MixtureInit::Random)
                .with_tolerance(0.)
                .with_regularization(0.)
                .with_max_iterations(iterations)
                .with_seed(seed);
            Some(estimator.fit(x.view()).ok()?.lower_bound())
        };
        for (more, fewer) in [(2, 1), (8, 4)] {
            // A covariance that has become singular has no likelihood.
            if let (Some(more), Some(fewer)) = (bound(more), bound(fewer)) {
                prop_assert!(more >= fewer - 1e-9);
            }
        }
    }

    #[test]
    fn probabilities_sum_to_one(values in prop::collection::vec(-9f64..9., 2 * 30)) {
        let x = Array2::from_shape_vec((30, 2), values).unwrap();
        let model = GaussianMixture::new(3).fit(x.view()).unwrap();
        let probabilities = model.predict_proba((&x * 3.).view()).unwrap();
        for sum in probabilities.sum_axis(Axis(1)) {
            prop_assert!((sum - 1.).abs() < 1e-12);
        }
    }
}
