//! Reads the golden cases of `testdata`.

use serde_json::Value;

use crate::Pixels;

/// The golden file `testdata/NAME.json`.
pub(crate) fn read(name: &str) -> Value {
    let path = format!("{}/testdata/{name}.json", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).expect(&path);
    serde_json::from_str(&text).expect(&path)
}

/// The cases of `testdata/binary.json`: labels, scores, and what is expected of them.
pub(crate) fn binary() -> Vec<(Vec<bool>, Vec<f64>, Value)> {
    let case = |case: &Value| (flags(&case["labels"]), numbers(&case["scores"]), case.clone());
    read("binary")["cases"].as_array().unwrap().iter().map(case).collect()
}

/// A case of `testdata/multiclass.json`.
pub(crate) struct Multiclass {
    pub(crate) classes: usize,
    pub(crate) truth: Vec<usize>,
    pub(crate) predicted: Vec<usize>,
    pub(crate) scores: Vec<f64>,
    pub(crate) expected: Value,
}

pub(crate) fn multiclass() -> Vec<Multiclass> {
    let case = |case: &Value| Multiclass {
        classes: number(&case["classes"]) as usize,
        truth: indices(&case["truth"]),
        predicted: indices(&case["predicted"]),
        scores: numbers(&case["scores"]),
        expected: case.clone(),
    };
    read("multiclass")["cases"].as_array().unwrap().iter().map(case).collect()
}

/// A case of `testdata/maps.json`.
pub(crate) struct Maps {
    pub(crate) width: usize,
    truth: Vec<u8>,
    predicted: Vec<u8>,
    pub(crate) expected: Value,
}

impl Maps {
    pub(crate) fn pixels(&self) -> Pixels<'_, u8> {
        Pixels::new(&self.truth, &self.predicted).unwrap().with_ignored(255)
    }
}

pub(crate) fn maps() -> Vec<Maps> {
    let labels = |value: &Value| indices(value).into_iter().map(|label| label as u8).collect();
    let case = |case: &Value| Maps {
        width: number(&case["width"]) as usize,
        truth: labels(&case["truth"]),
        predicted: labels(&case["predicted"]),
        expected: case.clone(),
    };
    read("maps")["cases"].as_array().unwrap().iter().map(case).collect()
}

/// A number; `"inf"` stands for infinity.
#[track_caller]
pub(crate) fn number(value: &Value) -> f64 {
    match value.as_str() {
        Some("inf") => f64::INFINITY,
        _ => value.as_f64().unwrap(),
    }
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
pub(crate) fn flags(value: &Value) -> Vec<bool> {
    value.as_array().unwrap().iter().map(|v| v.as_u64().unwrap() == 1).collect()
}

/// Panics unless `|actual − expected| ≤ tol · max(1, |expected|)`.
#[track_caller]
pub(crate) fn close(actual: f64, expected: f64, tol: f64) {
    let same = actual == expected || (actual - expected).abs() <= tol * expected.abs().max(1.);
    assert!(same, "{actual}, expected {expected} (tolerance {tol})");
}

#[track_caller]
pub(crate) fn all_close(actual: &[f64], expected: &[f64], tol: f64) {
    assert_eq!(actual.len(), expected.len(), "{actual:?}, expected {expected:?}");
    for (&a, &e) in actual.iter().zip(expected) {
        close(a, e, tol);
    }
}
