//! Against scikit-learn (`testdata/selection.py`), and what is no data.

use ndarray::{Array2, ArrayView2, array};
use serde_json::Value;

use super::*;
use crate::golden::{all_close, close, indices, numbers, read};
use crate::{FitLabeled, Result, Transform};

/// As `data` of the script.
fn data(case: &Value) -> (Array2<f64>, Vec<usize>) {
    let size = numbers(&case["data"]);
    let [rows, columns, classes] = [size[0], size[1], size[3]].map(|v| v as usize);
    let y: Vec<usize> = (0..rows).map(|i| i * i % (2 * classes + 1) % classes).collect();
    let x = Array2::from_shape_fn((rows, columns), |(i, j)| {
        let v = (size[2] + 12.9898 * (i * columns + j) as f64).sin() * 43758.5453;
        let x = v - v.floor() + y[i] as f64 * j as f64 / (2 * columns) as f64;
        if case["grid"] == true { (4. * x).floor() } else { x }
    });
    (x, y)
}

#[test]
fn the_tests_equal_scikit_learns() -> Result<()> {
    for case in read("selection")["tests"].as_array().unwrap() {
        let (x, y) = data(case);
        let chi = chi_squared(x.view(), &y)?;
        all_close(&chi.scores, &numbers(&case["chi2"]), 1e-8);
        all_close(&chi.p_values.unwrap(), &numbers(&case["chi2_p"]), 1e-8);
        let f = anova_f(x.view(), &y)?;
        all_close(&f.scores, &numbers(&case["f"]), 1e-8);
        for (p, expected) in f.p_values.unwrap().iter().zip(numbers(&case["f_p"])) {
            assert!((p - expected).abs() <= 1e-6 * expected, "{p}, expected {expected}");
        }
        if case["grid"] == true {
            let all = MutualInformation::default().with_discrete(DiscreteFeatures::All);
            all_close(&all.score(x.view(), &y)?.scores, &numbers(&case["mutual"]), 1e-10);
        }
        for neighbors in [1, 3, 7] {
            let settings = MutualInformation::default().with_neighbors(neighbors);
            let found = settings.score(x.view(), &y)?.scores;
            let expected = numbers(&case[format!("mutual_{neighbors}")]);
            // Where values are equal the noise decides.
            let spread = numbers(&case[format!("spread_{neighbors}")]);
            for ((found, expected), spread) in found.iter().zip(expected).zip(spread) {
                assert!((found - expected).abs() <= 4. * spread + 1e-9, "{found}, {expected}");
            }
        }
    }
    Ok(())
}

#[test]
fn the_example_of_six_samples() -> Result<()> {
    let x = small();
    let found = chi_squared(x.view(), &SIX)?;
    all_close(&found.scores, &[3., 0.5, 0.818_181_8], 1e-7);
    all_close(&found.p_values.unwrap(), &[0.083_264_52, 0.479_500_12, 0.365_712_3], 1e-7);
    Ok(())
}

const SIX: [usize; 6] = [0, 0, 0, 1, 1, 1];

fn small() -> Array2<f64> {
    array![[1., 0., 3.], [2., 1., 0.], [0., 4., 1.], [3., 2., 2.], [5., 0., 1.], [1., 1., 4.]]
}

#[test]
fn of_equal_features_scikit_learns_are_kept() -> Result<()> {
    let mut x = small().select(ndarray::Axis(1), &[0, 1, 2, 0, 1, 1, 2]);
    x.column_mut(4).fill(0.);
    let golden = &read("selection")["kept"];
    for (name, test) in [("chi2", FeatureTest::ChiSquared), ("f", FeatureTest::AnovaF)] {
        for (i, expected) in golden[name].as_array().unwrap().iter().enumerate() {
            let settings = SelectKBest::new(i + 1).with_test(test.clone());
            assert_eq!(settings.fit(x.view(), &SIX)?.columns(), indices(expected), "{name} {i}");
        }
    }
    Ok(())
}

#[test]
fn labels_may_be_any_numbers_and_precision_either() -> Result<()> {
    let x = small();
    let found = SelectKBest::new(1).fit(x.view(), &[7, 7, 7, 3, 3, 3])?;
    assert_eq!(found, SelectKBest::new(1).fit(x.view(), &SIX)?);
    assert_eq!(found, SelectKBest::new(1).fit(x.mapv(|v| v as f32).view(), &SIX)?);
    assert_eq!(found.ranking().len(), 3);
    Ok(())
}

#[test]
fn a_model_is_the_same_after_serde() -> Result<()> {
    let x = array![[1., 0.1, 3.], [1., 0.2, 3.], [1., 0.3, 4.], [1., 0.1, 4.]];
    let model = SelectKBest::new(2).fit(x.view(), &[0, 0, 1, 1])?;
    close(model.scores()[2], f64::MAX, 0.);
    if cfg!(feature = "serde") {
        same_again(&model);
    }
    let columns = model.transform(x.view())?;
    assert_eq!(columns, x.select(ndarray::Axis(1), &[1, 2]));
    Ok(())
}

#[cfg(feature = "serde")]
fn same_again(model: &SelectKBestModel) {
    let text = serde_json::to_string(model).unwrap();
    assert_eq!(&serde_json::from_str::<SelectKBestModel>(&text).unwrap(), model);
    let broken = text.replace("\"columns\":[1,", "\"columns\":[9,");
    let broken: SelectKBestModel = serde_json::from_str(&broken).unwrap();
    let error = broken.transform(array![[1., 2., 3.]].view()).unwrap_err();
    assert!(error.to_string().starts_with("a kept column is 9"), "{error}");
}

#[cfg(not(feature = "serde"))]
fn same_again(_: &SelectKBestModel) {}

#[test]
fn what_cannot_be_tested_is_named() {
    let message = |settings: &SelectKBest, x: ArrayView2<'_, f64>, y: &[usize]| {
        settings.fit(x, y).unwrap_err().to_string()
    };
    let (f, x) = (SelectKBest::new(1), small());
    let chi = SelectKBest::new(1).with_test(FeatureTest::ChiSquared);
    let negative = array![[1., 2.], [3., -0.5], [1., 1.]];
    let error = message(&chi, negative.view(), &[0, 1, 1]);
    assert!(error.starts_with("row 1, column 1 is -0.5: the χ² test takes no"), "{error}");
    let error = message(&f, array![[1., f64::NAN], [3., 1.]].view(), &[0, 1]);
    assert!(error.starts_with("row 0, column 1 is NaN"), "{error}");
    for settings in [&f, &chi] {
        let error = message(settings, x.view(), &[2; 6]);
        assert!(error.starts_with("1 classes, but 2 are needed"), "{error}");
        assert!(message(settings, x.view(), &[0, 1]).starts_with("the data has 6 entries"));
    }
    let error = message(&SelectKBest::new(4), x.view(), &SIX);
    assert!(error.starts_with("3 features, but 4 are needed: keep 3 or fewer"), "{error}");
    let error = message(&SelectKBest::new(0), x.view(), &SIX);
    assert!(error.starts_with("the number of features to keep is 0"), "{error}");
    let error = message(&f, array![[1.], [2.]].view(), &[0, 1]);
    assert!(error.starts_with("2 samples, but 3 are needed"), "{error}");
    let huge = array![[f64::MAX], [f64::MAX], [1.]];
    assert!(message(&chi, huge.view(), &[0, 0, 1]).starts_with("the sums over column 0 overflow"));
    assert!(message(&f, huge.view(), &[0, 1, 1]).starts_with("the sums over column 0 overflow"));
}
