//! What holds for every classifier, whatever the data.

#![allow(clippy::unwrap_used, reason = "a test reports by panicking")]

use ndarray::{Array2, ArrayView2, Axis, s};
use ocellus_classical::{
    ClassWeights, Classifier, ClassifierModel, DecisionTree, FitLabeled, Folds, GaussianNaiveBayes,
    GridSearch, Kernel, LogisticRegression, MaxFeatures, Penalty, Pipeline, Predict, RandomForest,
    Real, Score, Stored, Svm, SvmModel, cross_validate, cross_validate_with, load,
};
use ocellus_cluster::{FeatureTest, Float, MinMaxScaler, Pca, SelectKBest, StandardScaler};
use proptest::prelude::*;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Clouds of samples that overlap, the classes in turn.
fn clouds<T: Float>(
    samples: usize,
    features: usize,
    classes: usize,
    seed: u64,
) -> (Array2<T>, Vec<usize>) {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let y: Vec<usize> = (0..samples).map(|i| i % classes).collect();
    let x = Array2::from_shape_fn((samples, features), |(i, j)| {
        let noise: f64 = (0..4).map(|_| rng.random_range(-1f64..1.)).sum();
        T::narrow(noise + if j % classes == y[i] { 0.8 } else { 0. })
    });
    (x, y)
}

fn all<T: Real>() -> Vec<(&'static str, Box<dyn Classifier<T>>)> {
    let svm = || Svm::default().with_probability(3);
    let grid = GridSearch::new(Score::BalancedAccuracy, 3, 1)
        .with_candidate("svm", Svm::default().with_probability(1))
        .with_candidate("bayes", GaussianNaiveBayes::default());
    vec![
        ("svm", Box::new(svm())),
        ("linear svm", Box::new(svm().with_kernel(Kernel::Linear).with_cache_bytes(2000))),
        ("polynomial svm", Box::new(svm().with_kernel(Kernel::polynomial(2)))),
        ("sigmoid svm", Box::new(svm().with_kernel(Kernel::sigmoid()))),
        ("logistic", Box::new(LogisticRegression::default())),
        ("bayes", Box::new(GaussianNaiveBayes::default())),
        (
            "pipeline",
            Box::new(
                Pipeline::new(svm())
                    .with_step(StandardScaler::default())
                    .with_step(MinMaxScaler::default())
                    .with_step(Pca::new(3)),
            ),
        ),
        (
            "selection",
            Box::new(
                Pipeline::new(GaussianNaiveBayes::default())
                    .with_step(MinMaxScaler::default())
                    .with_step(SelectKBest::new(2).with_test(FeatureTest::ChiSquared)),
            ),
        ),
        ("tree", Box::new(DecisionTree::default().with_max_features(MaxFeatures::Sqrt))),
        ("forest", Box::new(RandomForest::default().with_trees(9).with_out_of_bag(true))),
        ("grid", Box::new(grid)),
    ]
}

fn with_threads<R: Send>(threads: usize, work: impl FnOnce() -> R + Send) -> R {
    rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap().install(work)
}

fn every_classifier_keeps_the_laws<T: Real>() {
    for classes in [2, 3] {
        let (x, y) = clouds::<T>(150, 5, classes, 0);
        let (new, _) = clouds::<T>(40, 5, classes, 1);
        for (name, classifier) in all::<T>() {
            let name = format!("{name}, {classes} classes of {}", T::NAME);
            let answers = |model: &dyn ClassifierModel<T>, new: ArrayView2<'_, T>| {
                let probabilities = model.predict_proba(new).unwrap();
                (model.predict(new).unwrap(), probabilities, model.scores(new).unwrap())
            };
            let model = classifier.fit_boxed(x.view(), &y).unwrap();
            assert_eq!((model.classes(), model.features()), (classes, 5), "{name}");
            let (predicted, probabilities, scores) = answers(model.as_ref(), new.view());
            assert!(predicted.iter().all(|&class| class < classes), "{name}");
            assert_eq!(scores.dim(), (40, classes), "{name}");
            for row in probabilities.outer_iter() {
                assert!((row.sum() - 1.).abs() < 1e-9, "{name}: {row}");
                assert!(row.iter().all(|p| (0. ..=1.).contains(p)), "{name}: {row}");
            }
            for threads in [1, 2, 3] {
                let same = with_threads(threads, || {
                    let model = classifier.fit_boxed(x.view(), &y).unwrap();
                    (model.to_document().unwrap(), answers(model.as_ref(), new.view()))
                });
                assert!(same.0 == model.to_document().unwrap(), "{name}, {threads} threads");
                assert_eq!(same.1, (predicted.clone(), probabilities.clone(), scores.clone()));
            }
            let (_, few, few_scores) = answers(model.as_ref(), new.slice(s![7..10, ..]));
            assert_eq!(few, probabilities.slice(s![7..10, ..]), "{name}: depends on the batch");
            assert_eq!(few_scores, scores.slice(s![7..10, ..]), "{name}: depends on the batch");
            let transposed = new.t().as_standard_layout().into_owned();
            assert_eq!(answers(model.as_ref(), transposed.t()).1, probabilities, "{name}: strides");
            let none = model.predict_proba(new.slice(s![..0, ..])).unwrap();
            assert_eq!(none.dim(), (0, classes), "{name}");
            file_keeps_the_model(&name, model.as_ref(), new.view());
            bad_data_are_errors(&name, classifier.as_ref(), model.as_ref(), x.view(), &y);
        }
    }
}

fn file_keeps_the_model<T: Real>(
    name: &str,
    model: &dyn ClassifierModel<T>,
    new: ArrayView2<'_, T>,
) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.json");
    model.save(&path).unwrap();
    let loaded = load::<T>(&path).unwrap();
    assert_eq!(loaded.predict_proba(new).unwrap(), model.predict_proba(new).unwrap(), "{name}");
    assert!(loaded.to_document().unwrap() == model.to_document().unwrap(), "{name}");
    let text = std::fs::read_to_string(&path).unwrap();
    let write_and_load = |text: &str| {
        std::fs::write(&path, text).unwrap();
        load::<T>(&path).map(|_| ()).unwrap_err().to_string()
    };
    for length in [30, text.len() / 3, text.len() / 2, text.len() - 1] {
        let message = write_and_load(&text[..length]);
        assert!(message.contains("ends early"), "{name}: {message}");
    }
    for (text, part) in [
        (text.replacen("\"version\":1", "\"version\":2", 1), "take a newer release"),
        ("{\"version\":1}".into(), "holds no model"),
        ("PK\u{3}\u{4}".into(), "holds no model"),
        (String::new(), "holds no model"),
        (text.replacen("\"model\":{", "\"model\":{\"unknown\":{},\"x\":", 1), ""),
        (text.replacen("\"dim\":[", "\"dim\":[1", 1), "damaged"),
    ] {
        if text.contains("\"dim\"") || !part.contains("damaged") {
            let message = write_and_load(&text);
            assert!(message.contains(part), "{name}: {message}");
        }
    }
    std::fs::write(&path, [0xff, 0xfe]).unwrap();
    assert!(load::<T>(&path).is_err());
    std::fs::remove_file(&path).unwrap();
    assert!(load::<T>(&path).unwrap_err().to_string().contains("model.json"));
}

fn bad_data_are_errors<T: Real>(
    name: &str,
    classifier: &dyn Classifier<T>,
    model: &dyn ClassifierModel<T>,
    x: ArrayView2<'_, T>,
    y: &[usize],
) {
    let message = |x: ArrayView2<'_, T>, y: &[usize]| {
        classifier.fit_boxed(x, y).map(|_| ()).unwrap_err().to_string()
    };
    for value in [T::nan(), T::infinity()] {
        let mut bad = x.to_owned();
        bad[[4, 2]] = value;
        for message in [message(bad.view(), y), model.predict(bad.view()).unwrap_err().to_string()]
        {
            assert!(message.contains("row 4, column 2"), "{name}: {message}");
        }
    }
    for (message, part) in [
        (message(x, &y[1..]), "labels has 149"),
        (message(x, &vec![0; y.len()]), "1 classes, but 2 are needed"),
        (message(x, &vec![1; y.len()]), "no sample is of class 0"),
        (message(x.slice(s![..0, ..]), &[]), "is empty"),
        (message(x.slice(s![.., ..0]), y), "is empty"),
        (model.scores(x.slice(s![.., ..4])).unwrap_err().to_string(), "have 4 features"),
    ] {
        assert!(message.contains(part), "{name}: {message}");
    }
    // Whatever comes of these, nothing panics.
    let constant = Array2::from_elem(x.dim(), T::one());
    let _ = classifier.fit_boxed(constant.view(), y).map(|model| model.predict(x));
    for scale in [1e-30, 1e30] {
        let scaled = x.mapv(|v| v * T::narrow(scale));
        let _ = classifier.fit_boxed(scaled.view(), y).map(|model| model.predict_proba(x));
    }
    let _ = classifier.fit_boxed(x.slice(s![..2, ..]), &[0, 1]).map(|model| model.predict_proba(x));
}

#[test]
fn every_classifier_keeps_the_laws_in_double_precision() {
    every_classifier_keeps_the_laws::<f64>();
}

#[test]
fn every_classifier_keeps_the_laws_in_single_precision() {
    every_classifier_keeps_the_laws::<f32>();
}

#[test]
fn bad_settings_are_errors() {
    let (x, y) = clouds::<f64>(20, 2, 2, 0);
    let svm = |svm: Svm| svm.fit(x.view(), &y).unwrap_err().to_string();
    let logistic = |l: LogisticRegression| l.fit(x.view(), &y).unwrap_err().to_string();
    let given = |w: &[f64]| ClassWeights::Given(w.to_vec());
    for (message, part) in [
        (svm(Svm::default().with_c(0.)), "C is 0"),
        (svm(Svm::default().with_c(f64::NAN)), "C is NaN"),
        (svm(Svm::default().with_tolerance(-1.)), "tolerance is -1"),
        (svm(Svm::default().with_kernel(Kernel::rbf(0.))), "gamma is 0"),
        (svm(Svm::default().with_class_weights(given(&[1., 2., 3.]))), "class weights has 3"),
        (logistic(LogisticRegression::default().with_c(-1.)), "C is -1"),
        (logistic(LogisticRegression::default().with_tolerance(0.)), "tolerance is 0"),
        (logistic(LogisticRegression::default().with_max_iterations(0)), "max_iterations is 0"),
        (
            logistic(LogisticRegression::default().with_class_weights(given(&[1., -1.]))),
            "-1 (class 1)",
        ),
        (
            GridSearch::<f64>::new(Score::Accuracy, 3, 0)
                .fit(x.view(), &y)
                .unwrap_err()
                .to_string(),
            "the number of candidates is 0",
        ),
        (
            GridSearch::new(Score::Accuracy, 11, 0)
                .with_candidate("svm", Svm::default())
                .fit(x.view(), &y)
                .unwrap_err()
                .to_string(),
            "take fewer folds",
        ),
    ] {
        assert!(message.contains(part), "{message}");
    }
    let model = Svm::default().fit(x.view(), &y).unwrap();
    let message = model.predict_proba(x.view()).unwrap_err().to_string();
    assert!(message.contains("with_probability"), "{message}");
}

#[test]
fn a_file_of_another_precision_or_kind_is_refused() {
    let (x, y) = clouds::<f32>(20, 2, 2, 0);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("svm");
    let model = Svm::default().fit(x.view(), &y).unwrap();
    model.save(&path).unwrap();
    assert_eq!(SvmModel::<f32>::load(&path).unwrap(), model);
    let message = SvmModel::<f64>::load(&path).unwrap_err().to_string();
    assert!(message.contains("a model of f32, not of f64"), "{message}");
    let message = ocellus_classical::GaussianNaiveBayesModel::load(&path).unwrap_err().to_string();
    assert!(message.contains("kind `svm`"), "{message}");
}

#[test]
fn a_model_that_is_not_fitted_enough_says_so() {
    let (x, y) = clouds::<f64>(60, 3, 2, 0);
    assert!(!Svm::default().with_max_iterations(3).fit(x.view(), &y).unwrap().converged());
    let separable = Array2::from_shape_fn((10, 1), |(i, _)| i as f64);
    let y: Vec<usize> = (0..10).map(|i| i / 5).collect();
    let logistic = LogisticRegression::default().with_penalty(Penalty::None).with_tolerance(1e-300);
    assert!(!logistic.with_max_iterations(20).fit(separable.view(), &y).unwrap().converged());
}

/// The conditions of the optimum, by decisions of the model itself.
fn check_conditions(svm: &Svm, x: &Array2<f64>, y: &[usize]) {
    let model = svm.fit(x.view(), y).unwrap();
    assert!(model.converged());
    let decisions = model.decision_one_vs_one(x.view()).unwrap();
    let mut alpha = vec![0.; y.len()];
    let dual = model.dual_coefficients();
    for (&i, &value) in model.support().iter().zip(dual.row(0)) {
        let sign = if y[i] == 1 { 1. } else { -1. };
        alpha[i] = value * sign;
        assert!(alpha[i] > 0. && alpha[i] <= svm.c, "α = {}", alpha[i]);
    }
    assert!(dual.sum().abs() < 1e-9 * svm.c * y.len() as f64, "Σ yα = {}", dual.sum());
    for (i, &a) in alpha.iter().enumerate() {
        let margin = decisions[[i, 0]] * if y[i] == 1 { 1. } else { -1. };
        // Kernel values are kept in single precision.
        let slack = svm.tolerance + 1e-6 * svm.c * y.len() as f64;
        if a == 0. {
            assert!(margin >= 1. - slack, "outside: {margin}");
        } else if a == svm.c {
            assert!(margin <= 1. + slack, "at the bound: {margin}");
        } else {
            assert!((margin - 1.).abs() <= slack, "on the margin: {margin}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn support_vector_machines_meet_the_conditions_of_the_optimum(
        samples in 10usize..120, features in 1usize..6, c in 0.01f64..20., seed: u64, kernel in 0..3,
    ) {
        let (x, y) = clouds::<f64>(samples, features, 2, seed);
        let kernel = match kernel {
            0 => Kernel::Linear,
            1 => Kernel::polynomial(2),
            _ => Kernel::default(),
        };
        let svm = Svm::default().with_c(c).with_kernel(kernel).with_tolerance(1e-4);
        check_conditions(&svm, &x, &y);
    }

    #[test]
    fn the_optimum_depends_on_no_order_cache_or_shrinking(seed: u64, c in 0.05f64..5.) {
        let (x, y) = clouds::<f64>(90, 3, 2, seed);
        let svm = Svm::default().with_c(c).with_kernel(Kernel::rbf(0.3)).with_tolerance(1e-9);
        let objective = |svm: &Svm, x: ArrayView2<'_, f64>, y: &[usize]| {
            svm.fit(x, y).unwrap().objectives()[0]
        };
        let expected = objective(&svm, x.view(), &y);
        let order: Vec<usize> = (0..90).map(|i| i * 37 % 90).collect();
        let shuffled: Vec<usize> = order.iter().map(|&i| y[i]).collect();
        let shuffled = objective(&svm, x.select(Axis(0), &order).view(), &shuffled);
        let plain = objective(&svm.clone().with_shrinking(false), x.view(), &y);
        let small = objective(&svm.clone().with_cache_bytes(2000), x.view(), &y);
        // γ‖a − b‖² stays.
        let scaled = svm.clone().with_kernel(Kernel::rbf(0.3 / 4.));
        let scaled = objective(&scaled, (&x * 2.).view(), &y);
        for other in [shuffled, plain, small, scaled] {
            prop_assert!((other - expected).abs() <= 1e-6 * expected.abs(), "{} {}", other, expected);
        }
    }

    #[test]
    fn classes_of_another_order_give_the_same_probabilities(seed: u64) {
        let (x, y) = clouds::<f64>(60, 3, 3, seed);
        let turned: Vec<usize> = y.iter().map(|class| (class + 1) % 3).collect();
        let of = |y: &[usize]| {
            let logistic = LogisticRegression::default().with_tolerance(1e-9);
            let logistic = logistic.fit(x.view(), y).unwrap().predict_proba(x.view()).unwrap();
            let bayes = GaussianNaiveBayes::default().fit(x.view(), y).unwrap();
            [logistic, bayes.predict_proba(x.view()).unwrap()]
        };
        for (a, b) in of(&y).iter().zip(of(&turned)) {
            for class in 0..3 {
                let difference = &a.column(class) - &b.column((class + 1) % 3);
                prop_assert!(difference.iter().all(|d| d.abs() < 1e-7));
            }
        }
    }
}

#[test]
fn single_precision_decides_as_double_precision_far_from_the_origin_too() {
    for kernel in [Kernel::default(), Kernel::Linear, Kernel::polynomial(2)] {
        for offset in [0., 1000.] {
            if offset != 0. && kernel != Kernel::default() {
                continue; // Only what depends on differences alone can be moved.
            }
            let (x, y) = clouds::<f32>(80, 4, 3, 2);
            let x = x.mapv(|v| v + offset);
            let wide = x.mapv(f64::from);
            let svm = Svm::default().with_kernel(kernel).with_tolerance(1e-7);
            let single = svm.fit(x.view(), &y).unwrap().decision_one_vs_one(x.view()).unwrap();
            let double =
                svm.fit(wide.view(), &y).unwrap().decision_one_vs_one(wide.view()).unwrap();
            let worst = (&single - &double).iter().map(|d| d.abs()).fold(0., f64::max);
            assert!(worst < 1e-4, "{kernel:?} at {offset}: {worst}");
        }
    }
}

#[test]
fn probabilities_follow_decisions_and_the_classes_shares() {
    for classes in [2, 3] {
        let (x, y) = clouds::<f64>(300, 4, classes, 6);
        let (new, truth) = clouds::<f64>(300, 4, classes, 7);
        let model = Svm::default().with_probability(0).fit(x.view(), &y).unwrap();
        let (p, scores) =
            (model.predict_proba(new.view()).unwrap(), model.scores(new.view()).unwrap());
        for class in 0..classes {
            let share = truth.iter().filter(|&&c| c == class).count() as f64 / 300.;
            let mean = p.column(class).mean().unwrap();
            assert!((mean - share).abs() < 0.08, "class {class}: {mean}, of {share}");
        }
        if classes == 2 {
            let mut order: Vec<usize> = (0..300).collect();
            order.sort_by(|&a, &b| scores[[a, 1]].total_cmp(&scores[[b, 1]]));
            assert!(order.windows(2).all(|w| p[[w[0], 1]] <= p[[w[1], 1]]));
        }
        let log_loss = |i: usize| -p[[i, truth[i]]].ln();
        let loss = (0..300).map(log_loss).sum::<f64>() / 300.;
        assert!(loss < 0.9 * (classes as f64).ln(), "{loss}");
        let other = Svm::default().with_probability(1).fit(x.view(), &y).unwrap();
        assert_ne!(other.platt_scalings(), model.platt_scalings());
    }
}

#[test]
fn a_nested_search_sees_nothing_of_the_fold_it_is_scored_on() {
    let (x, y) = clouds::<f64>(90, 3, 3, 4);
    let groups: Vec<usize> = (0..90).map(|i| i / 3).collect();
    let folds = Folds::grouped(&y, &groups, 4, 0).unwrap();
    let mut search = GridSearch::new(Score::Accuracy, 3, 5);
    for c in [0.01, 1.] {
        let pipeline = Pipeline::new(Svm::default().with_c(c)).with_step(StandardScaler::default());
        search = search.with_candidate(format!("C = {c}"), pipeline);
    }
    let nested = |x: &Array2<f64>| {
        cross_validate_with(x.view(), &y, &folds, |x, y, rows| {
            let groups: Vec<usize> = rows.iter().map(|&i| groups[i]).collect();
            Ok(Box::new(search.fit_grouped(x, y, &groups)?))
        })
        .unwrap()
    };
    let result = nested(&x);
    // Other values in the samples of fold 0 change no answer on a sample of fold 0 that kept its own.
    let (_, test) = folds.split(0);
    let mut changed = x.clone();
    for &i in &test[1..] {
        changed.row_mut(i).mapv_inplace(|v| 50. - v);
    }
    let other = nested(&changed);
    assert_eq!(result.scores.row(test[0]), other.scores.row(test[0]));
    let scores = result.score(&y, &folds, Score::Accuracy).unwrap();
    assert!(scores.iter().sum::<f64>() / 4. > 0.5, "{scores:?}");
    let plain = cross_validate(&search, x.view(), &y, &folds).unwrap();
    assert_eq!(plain.predicted.len(), 90);
}

#[test]
fn the_best_candidate_is_chosen() {
    let (x, y) = clouds::<f64>(120, 4, 2, 9);
    let search = GridSearch::new(Score::Accuracy, 4, 0)
        .with_candidate("blind", GaussianNaiveBayes::default().with_priors(vec![1., 0.]))
        .with_candidate("bayes", GaussianNaiveBayes::default())
        .with_candidate("the same", GaussianNaiveBayes::default());
    let found = search.fit(x.view(), &y).unwrap();
    assert_eq!((found.best(), found.name()), (1, "bayes"));
    assert_eq!(found.scores_by_fold()[1], found.scores_by_fold()[2]);
    let bayes = GaussianNaiveBayes::default().fit(x.view(), &y).unwrap();
    let expected = bayes.predict(x.view()).unwrap();
    assert_eq!(found.into_model().predict(x.view()).unwrap(), expected);
}
