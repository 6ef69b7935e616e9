//! Against scikit-learn (`testdata/trees.py`), laws, and what is no data.

use std::path::PathBuf;

use ndarray::{Array2, ArrayView2, array, s};
use ocellus_cluster::FitLabeled;
use serde_json::Value;

use super::*;
use crate::{ClassWeights, ClassifierModel, Predict, Result, Stored, load};

fn golden() -> Value {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("testdata/trees.json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn numbers(value: &Value) -> Vec<f64> {
    serde_json::from_value(value.clone()).unwrap()
}

/// As in the script.
fn fill(rows: usize, columns: usize, seed: u32) -> Array2<f64> {
    let value = |i: usize| {
        let mut h = (i as u32).wrapping_add(seed << 24).wrapping_mul(0x9E37_79B9);
        h ^= h >> 15;
        h = h.wrapping_mul(0x85EB_CA6B);
        h ^= h >> 13;
        f64::from(h >> 12) / f64::from(1 << 20)
    };
    Array2::from_shape_fn((rows, columns), |(i, j)| value(i * columns + j))
}

/// As in the script.
fn data(rows: usize, columns: usize, seed: u32) -> (Array2<f64>, Vec<usize>) {
    let (x, noise) = (fill(rows, columns, seed), fill(rows, 1, seed + 100));
    let class = |i| {
        let [a, b, c] = [0, 1, 2].map(|j| x[[i, j % columns]]);
        let score = (2. * a - 1.) * (2. * a - 1.) + b * c + 0.5 * noise[[i, 0]];
        usize::from(score > 0.6) + usize::from(score > 1.)
    };
    let y = (0..rows).map(class).collect();
    (x, y)
}

fn accuracy(model: &dyn ClassifierModel<f64>, x: ArrayView2<'_, f64>, y: &[usize]) -> f64 {
    let predicted = model.predict(x).unwrap();
    predicted.iter().zip(y).filter(|(p, y)| p == y).count() as f64 / y.len() as f64
}

#[test]
fn unambiguous_trees_equal_scikit_learns() -> Result<()> {
    for case in golden()["trees"].as_array().unwrap() {
        let size: Vec<usize> = serde_json::from_value(case["data"].clone()).unwrap();
        let (mut x, y) = data(size[0], size[1], size[2] as u32);
        if case["grid"] == true {
            x.mapv_inplace(|v| (8. * v).floor());
        }
        let number = |name: &str| case[name].as_u64().map(|n| n as usize);
        let mut settings = DecisionTree::default()
            .with_min_samples_split(number("min_samples_split").unwrap_or(2))
            .with_min_samples_leaf(number("min_samples_leaf").unwrap_or(1));
        settings.max_depth = number("max_depth");
        if case["criterion"] == "entropy" {
            settings.criterion = Criterion::Entropy;
        }
        if case["class_weight"] == "balanced" {
            settings.class_weights = ClassWeights::Balanced;
        }
        let model = settings.fit(x.view(), &y)?;
        assert_eq!(Some(model.nodes()), number("nodes"), "{case}");
        assert_eq!(Some(model.depth()), number("depth"));
        let (features, thresholds): (Vec<_>, Vec<_>) = model.splits().into_iter().unzip();
        assert_eq!(serde_json::json!(features), case["features"]);
        assert_eq!(thresholds, numbers(&case["thresholds"]), "{case}");
        for (a, e) in model.importances().iter().zip(numbers(&case["importances"])) {
            assert!((a - e).abs() < 1e-12, "{a}, expected {e}");
        }
        // Weights that are no whole numbers are added up in another order there.
        let shares = model.predict_proba(fill(20, size[1], size[2] as u32 + 1).view())?;
        let expected: Vec<Vec<f64>> =
            serde_json::from_value(case["probabilities"].clone()).unwrap();
        for (row, expected) in shares.outer_iter().zip(expected) {
            let close = row.iter().zip(&expected).all(|(a, e)| (a - e).abs() < 1e-12);
            assert!(close, "{row}, expected {expected:?}");
        }
    }
    Ok(())
}

/// The 95 % interval of the mean difference over 20 seeds, 2.093 standard errors wide to each side,
/// holds 0 and tells something.
#[track_caller]
fn as_accurate_as(name: &str, widest: f64, fit: impl Fn(u64) -> Box<dyn crate::Classifier<f64>>) {
    let differences: Vec<f64> = (0..)
        .zip(numbers(&golden()[name]))
        .map(|(seed, expected)| {
            let (x, y) = data(600, 10, seed);
            let model = fit(u64::from(seed)).fit_boxed(x.slice(s![..200, ..]), &y[..200]).unwrap();
            accuracy(model.as_ref(), x.slice(s![200.., ..]), &y[200..]) - expected
        })
        .collect();
    let count = differences.len() as f64;
    let mean = differences.iter().sum::<f64>() / count;
    let squares: f64 = differences.iter().map(|d| (d - mean).powi(2)).sum();
    let half = 2.093 * (squares / (count - 1.) / count).sqrt();
    println!("{name}: {mean:+.4} ± {half:.4}");
    assert!(mean.abs() <= half && half < widest, "{name}: {mean} ± {half}");
}

#[test]
fn random_trees_and_forests_are_as_accurate_as_scikit_learns() {
    as_accurate_as("tree_accuracies", 0.04, |seed| {
        let sqrt = DecisionTree::default().with_max_features(MaxFeatures::Sqrt);
        Box::new(sqrt.with_seed(seed))
    });
    as_accurate_as("forest_accuracies", 0.02, |seed| {
        Box::new(RandomForest::default().with_trees(50).with_seed(seed))
    });
    as_accurate_as("entropy_accuracies", 0.02, |seed| {
        let tree = DecisionTree::default()
            .with_criterion(Criterion::Entropy)
            .with_max_features(MaxFeatures::Log2)
            .with_min_samples_leaf(2);
        Box::new(RandomForest::default().with_tree(tree).with_trees(30).with_seed(seed))
    });
    as_accurate_as("whole_accuracies", 0.02, |seed| {
        let tree =
            DecisionTree::default().with_max_features(MaxFeatures::Share(0.3)).with_max_depth(6);
        let forest = RandomForest::default().with_tree(tree).with_trees(30);
        Box::new(forest.with_bootstrap(false).with_seed(seed))
    });
}

#[test]
fn an_unbounded_tree_knows_its_samples_and_bounds_hold() -> Result<()> {
    let (x, y) = data(300, 4, 30);
    for tries in [MaxFeatures::All, MaxFeatures::Count(1), MaxFeatures::Log2] {
        let settings = DecisionTree::default().with_max_features(tries).with_seed(3);
        let model = settings.fit(x.view(), &y)?;
        assert_eq!(model.predict(x.view())?, y, "{tries:?}");
        assert_eq!(model.nodes(), 2 * model.leaves() - 1);
        assert!((model.importances().sum() - 1.).abs() < 1e-12);
        let bounded = settings.with_max_depth(5).with_min_samples_leaf(9).fit(x.view(), &y)?;
        assert!(bounded.depth() <= 5);
        let mut ends = std::collections::BTreeMap::new();
        for row in x.outer_iter() {
            *ends.entry(bounded.leaf(row).as_ptr()).or_insert(0) += 1;
        }
        assert_eq!(ends.len(), bounded.leaves());
        assert!(ends.values().all(|&samples| samples >= 9));
    }
    Ok(())
}

#[test]
fn sorting_and_counting_find_the_same_splits_and_a_monotone_map_keeps_them() -> Result<()> {
    let (x, y) = data(400, 3, 31);
    let tree = DecisionTree::default().with_min_samples_leaf(4);
    let features = |model: &DecisionTreeModel| {
        model.splits().into_iter().map(|(feature, _)| feature).collect::<Vec<_>>()
    };
    let model = tree.fit(x.view(), &y)?;
    let cubed = tree.fit(x.mapv(|v| v * v * v + 5.).view(), &y)?;
    assert_eq!(features(&model), features(&cubed));
    assert_eq!(model.importances(), cubed.importances());
    // Of few values ranks are counted, of many, in small nodes, sorted: far values change neither.
    let single = tree.fit(x.mapv(|v| v as f32).view(), &y)?;
    assert_eq!(single.splits(), model.splits());
    Ok(())
}

#[test]
fn constant_features_are_passed_over() -> Result<()> {
    let (x, y) = data(100, 2, 32);
    let mut wide = Array2::ones((100, 20));
    wide.column_mut(11).assign(&x.column(0));
    let settings = DecisionTree::default().with_max_features(MaxFeatures::Count(1));
    let model = settings.fit(wide.view(), &y)?;
    assert_eq!(model.predict(wide.view())?, y);
    assert_eq!(model.importances()[11], 1.);
    let constant =
        RandomForest::default().fit(Array2::<f64>::ones((6, 2)).view(), &[0, 0, 0, 0, 1, 1])?;
    assert_eq!(constant.importances().to_vec(), [0., 0.]);
    let shares = constant.predict_proba(array![[1., 1.], [4., -4.]].view())?;
    assert!((shares[[0, 0]] - 4. / 6.).abs() < 0.1 && shares.row(0) == shares.row(1));
    Ok(())
}

#[test]
fn a_forest_of_whole_trees_is_its_tree() -> Result<()> {
    let (x, y) = data(200, 5, 33);
    let tree = DecisionTree::default().with_max_depth(3);
    let forest =
        RandomForest::default().with_tree(tree.clone()).with_bootstrap(false).with_trees(4);
    let (tree, forest) = (tree.fit(x.view(), &y)?, forest.fit(x.view(), &y)?);
    assert!(forest.trees().iter().all(|other| *other == tree));
    assert_eq!(forest.predict_proba(x.view())?, tree.predict_proba(x.view())?);
    let gap = forest.importances() - tree.importances();
    assert!(gap.iter().all(|d| d.abs() < 1e-15));
    Ok(())
}

#[test]
fn a_forest_has_the_same_bits_at_any_number_of_threads_and_in_any_batch() -> Result<()> {
    let (x, y) = data(150, 6, 34);
    let forest = RandomForest::default().with_trees(13).with_out_of_bag(true).with_seed(9);
    let model = forest.fit(x.view(), &y)?;
    for threads in [1, 2, 3] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        assert_eq!(pool.install(|| forest.fit(x.view(), &y)).unwrap(), model, "{threads} threads");
    }
    let turned = x.t().to_owned();
    assert_eq!(forest.fit(turned.t(), &y)?, model);
    let more = forest.clone().with_trees(20).fit(x.view(), &y)?;
    assert_eq!(more.trees()[..13], *model.trees());
    assert_ne!(forest.with_seed(10).fit(x.view(), &y)?, model);
    let all = model.predict_proba(x.view())?;
    for i in [0, 63, 64, 149] {
        assert_eq!(model.predict_proba(x.slice(s![i..=i, ..]))?.row(0), all.row(i));
    }
    assert!(all.outer_iter().all(|row| (row.sum() - 1.).abs() < 1e-12));
    assert_eq!(model.predict_proba(x.slice(s![..0, ..]))?.dim(), (0, 3));
    Ok(())
}

#[test]
fn samples_out_of_the_bag_estimate_the_accuracy_on_new_ones() -> Result<()> {
    let (x, y) = data(4000, 6, 35);
    let forest = RandomForest::default().with_trees(60).with_out_of_bag(true);
    let model = forest.fit(x.slice(s![..2000, ..]), &y[..2000])?;
    let unseen = model.out_of_bag().unwrap();
    assert_eq!(unseen.samples, (0..2000).collect::<Vec<_>>());
    let new = accuracy(&model, x.slice(s![2000.., ..]), &y[2000..]);
    assert!((unseen.accuracy - new).abs() < 0.05, "{} and {new}", unseen.accuracy);
    assert!(accuracy(&model, x.slice(s![..2000, ..]), &y[..2000]) > 0.98);
    // A sample's trees by hand.
    let (mut sum, mut votes) = (0., 0.);
    for (i, tree) in model.trees().iter().enumerate() {
        if forest.bag(i, 2000).0[17] == 0 {
            sum += tree.leaf(x.row(17))[2];
            votes += 1.;
        }
    }
    assert!(votes > 10. && (unseen.probabilities[[17, 2]] - sum / votes).abs() < 1e-12);
    Ok(())
}

#[test]
fn models_are_the_same_from_their_files_and_damage_is_an_error() -> Result<()> {
    let (x, y) = data(120, 4, 36);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.json");
    let tree = DecisionTree::default().fit(x.view(), &y)?;
    ClassifierModel::<f64>::save(&tree, &path)?;
    assert_eq!(DecisionTreeModel::load(&path)?, tree);
    let text = std::fs::read_to_string(&path).unwrap();
    let part = |from: &str, to: &str| {
        assert!(text.contains(from), "{from}");
        std::fs::write(&path, text.replacen(from, to, 1)).unwrap();
        load::<f64>(&path).map(|_| ()).unwrap_err().to_string()
    };
    assert!(part("{\"Leaf\":0}", "{\"Leaf\":999}").contains("leads nowhere"));
    assert!(part("{\"Split\":[", "{\"Split\":[9").contains("node 0 of the tree leads nowhere"));
    assert!(part("\"nodes\":[", "\"nodes\":[{\"Split\":[0,0.5,0]},").contains("node 0"));
    assert!(part("\"classes\":3", "\"classes\":0").contains("empty"));
    let forest = RandomForest::default().with_trees(3).with_out_of_bag(true).fit(x.view(), &y)?;
    ClassifierModel::<f64>::save(&forest, &path)?;
    assert_eq!(RandomForestModel::load(&path)?, forest);
    let loaded = load::<f32>(&path)?;
    let single = x.mapv(|v| v as f32);
    assert_eq!(loaded.predict_proba(single.view())?, forest.predict_proba(single.view())?);
    Ok(())
}

#[test]
fn says_what_is_wrong() {
    let (x, y) = data(30, 3, 37);
    let message = |forest: &RandomForest, x: ArrayView2<'_, f64>, y: &[usize]| {
        forest.fit(x, y).unwrap_err().to_string()
    };
    let forest = RandomForest::default().with_trees(2);
    let tree = |tree: DecisionTree| forest.clone().with_tree(tree);
    let plain = DecisionTree::default();
    for (settings, part) in [
        (forest.clone().with_trees(0), "trees is 0"),
        (
            tree(plain.clone().with_class_weights(ClassWeights::Given(vec![1.]))),
            "class weights has 1",
        ),
        (forest.clone().with_bootstrap(false).with_out_of_bag(true), "`out_of_bag` is true"),
        (tree(plain.clone().with_max_depth(0)), "the depth is 0"),
        (tree(plain.clone().with_min_samples_split(1)), "the samples of a split is 1"),
        (tree(plain.clone().with_min_samples_leaf(0)), "the samples of a leaf is 0"),
        (
            tree(plain.clone().with_max_features(MaxFeatures::Count(4))),
            "the number of features is 4",
        ),
        (
            tree(plain.clone().with_max_features(MaxFeatures::Count(0))),
            "the number of features is 0",
        ),
        (
            tree(plain.clone().with_max_features(MaxFeatures::Share(0.))),
            "the share of features is 0",
        ),
        (tree(plain.with_max_features(MaxFeatures::Share(f64::NAN))), "features is NaN"),
    ] {
        let found = message(&settings, x.view(), &y);
        assert!(found.contains(part), "{found}");
    }
    let mut broken = x.clone();
    broken[[7, 1]] = f64::NAN;
    assert!(message(&forest, broken.view(), &y).starts_with("row 7, column 1 is NaN"));
    assert!(message(&forest, x.view(), &[0; 30]).contains("1 classes"));
    assert!(message(&forest, x.view(), &y[..9]).contains("has 9"));
    assert!(message(&forest, x.slice(s![..0, ..]), &[]).contains("empty"));
    let model = forest.fit(x.view(), &y).unwrap();
    assert!(model.predict(x.slice(s![.., ..2])).is_err());
    assert!(model.predict(broken.view()).is_err());
    let two = RandomForest::default().with_trees(1).with_out_of_bag(true).with_seed(0);
    for seed in 0..20 {
        match two.clone().with_seed(seed).fit(array![[0.], [1.]].view(), &[0, 1]) {
            Ok(model) => assert_eq!(model.out_of_bag().unwrap().samples.len(), 1),
            Err(error) => assert!(error.to_string().contains("fit more trees"), "{error}"),
        }
    }
}
