//! What users feed a pipeline and its folds with: errors that say what and where, no panic.

#![allow(clippy::unwrap_used, reason = "a test reports by panicking")]

use ndarray::Array2;
use ocellus_classical::{
    Classifier, DecisionTree, FitLabeled, Folds, GaussianNaiveBayes, GridSearch,
    LogisticRegression, Pipeline, RandomForest, Score, Svm, cross_validate,
};
use ocellus_cluster::{FeatureTest, Result, SelectKBest, StandardScaler};

/// Two classes in turn, told apart by column 0; column 1 is constant.
fn data(samples: usize) -> (Array2<f64>, Vec<usize>) {
    let y: Vec<usize> = (0..samples).map(|i| i % 2).collect();
    let x = Array2::from_shape_fn((samples, 3), |(i, j)| match j {
        0 => (3 * y[i] + i % 5) as f64,
        1 => 7.,
        _ => (i * i % 11) as f64,
    });
    (x, y)
}

fn scaled(classifier: impl Classifier<f64> + 'static) -> Pipeline<f64> {
    Pipeline::new(classifier).with_step(StandardScaler::default())
}

fn all() -> Vec<(&'static str, Pipeline<f64>)> {
    vec![
        ("svm", scaled(Svm::default().with_probability(1))),
        ("bayes", scaled(GaussianNaiveBayes::default())),
        ("tree", scaled(DecisionTree::default())),
        ("forest", scaled(RandomForest::default().with_trees(5))),
        ("logistic", scaled(LogisticRegression::default())),
    ]
}

fn message<T>(result: Result<T>) -> String {
    result.map(|_| ()).unwrap_err().to_string()
}

#[test]
fn a_fold_of_one_class_is_named() {
    let (x, y) = data(20);
    // Without fold 1 all are of class 0.
    let apart = Folds::new(y.clone()).unwrap();
    for (name, pipeline) in all() {
        let said = message(cross_validate(&pipeline, x.view(), &y, &apart));
        assert!(said.contains("class"), "{name}: {said}");
    }
    // A test part of one class has no AUROC.
    let folds = Folds::new((0..20).map(|i| if i == 0 { 2 } else { i / 10 }).collect()).unwrap();
    let said = cross_validate(&scaled(DecisionTree::default()), x.view(), &y, &folds).unwrap();
    assert!(said.score(&y, &folds, Score::Accuracy).is_ok());
    let said = message(said.score(&y, &folds, Score::Auroc));
    assert!(said.contains("fewer folds, or more samples of each class"), "{said}");
    // All of class 1 in one group: no fold can be without it and learn of it.
    let search =
        GridSearch::new(Score::Auroc, 2, 0).with_candidate("tree", DecisionTree::default());
    let groups: Vec<usize> = y.iter().enumerate().map(|(i, &class)| i * (1 - class)).collect();
    let said = message(search.fit_grouped(x.view(), &y, &groups));
    assert!(said.contains("more groups of class 1"), "{said}");
}

#[test]
fn constant_features_are_no_harm_beside_others_and_named_alone() {
    let (x, y) = data(40);
    let folds = Folds::stratified(&y, 4, 0).unwrap();
    for (name, pipeline) in all() {
        let selected = pipeline.clone().with_step(SelectKBest::new(2));
        for pipeline in [pipeline.clone(), selected] {
            let found = cross_validate(&pipeline, x.view(), &y, &folds).unwrap();
            let scores = found.score(&y, &folds, Score::Accuracy).unwrap();
            assert!(scores.iter().sum::<f64>() / 4. > 0.7, "{name}: {scores:?}");
            assert!(found.scores.iter().all(|score| !score.is_nan()), "{name}");
        }
        // Of constants alone nothing can be learned: an error that says so, or scores that tell nothing.
        let constant = Array2::from_elem((40, 3), 0.25);
        match pipeline.fit(constant.view(), &y) {
            Ok(_) => {
                let found = cross_validate(&pipeline, constant.view(), &y, &folds).unwrap();
                let scores = found.score(&y, &folds, Score::Auroc).unwrap();
                assert!(scores.iter().all(|&score| score == 0.5), "{name}: {scores:?}");
            }
            Err(error) => assert!(error.to_string().contains("constant features"), "{error}"),
        }
    }
}

#[test]
fn bad_values_are_found_before_anything_is_computed() {
    let (mut x, y) = data(40);
    x[[5, 2]] = f64::NAN;
    let folds = Folds::stratified(&y, 4, 0).unwrap();
    let grid = GridSearch::new(Score::Auroc, 3, 0).with_candidate("svm", scaled(Svm::default()));
    for said in [
        message(scaled(Svm::default()).fit(x.view(), &y)),
        message(cross_validate(&scaled(Svm::default()), x.view(), &y, &folds)),
        message(grid.fit(x.view(), &y)),
    ] {
        assert!(said.starts_with("row 5, column 2 is NaN: finite numbers only"), "{said}");
    }
}

#[test]
fn a_selection_that_cannot_be_made_is_named() {
    let (x, y) = data(40);
    let chi = SelectKBest::new(2).with_test(FeatureTest::ChiSquared);
    let pipeline = |select| Pipeline::new(GaussianNaiveBayes::default()).with_step(select);
    assert!(pipeline(chi.clone()).fit(x.view(), &y).is_ok());
    let said = message(pipeline(SelectKBest::new(4)).fit(x.view(), &y));
    assert!(said.starts_with("3 features, but 4 are needed: keep 3 or fewer"), "{said}");
    let grid = GridSearch::new(Score::Auroc, 2, 0)
        .with_candidate("two", pipeline(SelectKBest::new(2)))
        .with_candidate("four", pipeline(SelectKBest::new(4)));
    assert!(message(grid.fit(x.view(), &y)).contains("keep 3 or fewer"));
    // Behind a standardization about half of all values are negative.
    let said = message(scaled(GaussianNaiveBayes::default()).with_step(chi).fit(x.view(), &y));
    assert!(
        said.contains("column 0 is -") && said.contains("the χ² test takes no negative"),
        "{said}"
    );
}
