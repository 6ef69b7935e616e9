//! Reads the golden cases of `testdata`.

use ndarray::Array2;
use serde_json::Value;

/// The golden file `testdata/NAME.json`.
pub(crate) fn read(name: &str) -> Value {
    let path = format!("{}/testdata/{name}.json", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).expect(&path);
    serde_json::from_str(&text).expect(&path)
}

#[track_caller]
pub(crate) fn number(value: &Value) -> f64 {
    value.as_f64().unwrap()
}

#[track_caller]
pub(crate) fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(number).collect()
}

#[track_caller]
pub(crate) fn indices(value: &Value) -> Vec<usize> {
    value.as_array().unwrap().iter().map(|v| v.as_u64().unwrap() as usize).collect()
}

#[track_caller]
pub(crate) fn matrix(value: &Value) -> Array2<f64> {
    let rows: Vec<Vec<f64>> = value.as_array().unwrap().iter().map(numbers).collect();
    Array2::from_shape_vec((rows.len(), rows[0].len()), rows.concat()).unwrap()
}

/// Panics unless `|actual − expected| ≤ tol · max(1, |expected|)`.
#[track_caller]
pub(crate) fn close(actual: f64, expected: f64, tol: f64) {
    let same = actual == expected || (actual - expected).abs() <= tol * expected.abs().max(1.);
    assert!(same, "{actual}, expected {expected} (tolerance {tol})");
}

#[track_caller]
pub(crate) fn all_close<'a>(
    actual: impl IntoIterator<Item = &'a f64>,
    expected: impl IntoIterator<Item = &'a f64>,
    tol: f64,
) {
    let (actual, expected): (Vec<_>, Vec<_>) =
        (actual.into_iter().collect(), expected.into_iter().collect());
    assert_eq!(actual.len(), expected.len(), "{actual:?}, expected {expected:?}");
    for (&&a, &&e) in actual.iter().zip(&expected) {
        close(a, e, tol);
    }
}
