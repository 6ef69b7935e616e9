//! Checks of arguments, shared by all metrics.

use crate::{Error, Result};

const ONE_EACH: &str = "give one each per sample";

/// Errs unless both have the same length, which is not zero.
pub(crate) fn paired<A, B>(left: (&'static str, &[A]), right: (&'static str, &[B])) -> Result<()> {
    let (left_len, right_len) = (left.1.len(), right.1.len());
    if left_len != right_len {
        let (left, right, expected) = (left.0, right.0, ONE_EACH);
        return Err(Error::LengthMismatch { left, left_len, right, right_len, expected });
    }
    not_empty(left.0, left.1)
}

pub(crate) fn not_empty<A>(what: &'static str, values: &[A]) -> Result<()> {
    if values.is_empty() { Err(Error::Empty { what }) } else { Ok(()) }
}

pub(crate) fn finite(what: &'static str, values: &[f64]) -> Result<()> {
    match values.iter().position(|v| !v.is_finite()) {
        Some(index) => Err(Error::NotFinite { what, index, value: values[index] }),
        None => Ok(()),
    }
}

pub(crate) fn probabilities(what: &'static str, values: &[f64]) -> Result<()> {
    finite(what, values)?;
    match values.iter().position(|v| !(0. ..=1.).contains(v)) {
        Some(index) => Err(Error::NotAProbability { what, index, value: values[index] }),
        None => Ok(()),
    }
}

pub(crate) fn labels(what: &'static str, labels: &[usize], classes: usize) -> Result<()> {
    match labels.iter().position(|&label| label >= classes) {
        Some(index) => Err(Error::UnknownClass { what, index, label: labels[index], classes }),
        None => Ok(()),
    }
}

/// Checks a row-major `(samples, classes)` table of finite scores and its labels.
pub(crate) fn table(truth: &[usize], scores: &[f64], classes: usize) -> Result<()> {
    if classes < 2 {
        return Err(Error::setting("classes", classes, "give two or more"));
    }
    not_empty("labels", truth)?;
    if truth.len().checked_mul(classes) != Some(scores.len()) {
        return Err(Error::LengthMismatch {
            left: "labels",
            left_len: truth.len(),
            right: "scores",
            right_len: scores.len(),
            expected: "give the scores of all classes of the first sample, then of the next",
        });
    }
    labels("labels", truth, classes)?;
    finite("scores", scores)
}

/// Checks a row-major table of class probabilities: each row sums to 1 within 1e-5.
pub(crate) fn probability_table(truth: &[usize], scores: &[f64], classes: usize) -> Result<()> {
    table(truth, scores, classes)?;
    probabilities("probabilities", scores)?;
    for (row, p) in scores.chunks_exact(classes).enumerate() {
        let sum: f64 = p.iter().sum();
        if (sum - 1.).abs() > 1e-5 {
            return Err(Error::NotNormalized { row, sum });
        }
    }
    Ok(())
}

/// The numbers of positive and negative labels; errs unless both are there.
pub(crate) fn both_classes(metric: &'static str, labels: &[bool]) -> Result<(usize, usize)> {
    let positives = labels.iter().filter(|&&label| label).count();
    let negatives = labels.len() - positives;
    let all = match (positives, negatives) {
        (0, _) => "negative",
        (_, 0) => "positive",
        _ => return Ok((positives, negatives)),
    };
    let n = labels.len();
    let reason = format!("all {n} labels are {all}; it needs samples of both classes");
    Err(Error::undefined(metric, reason))
}

pub(crate) fn confidence(value: f64) -> Result<()> {
    if value > 0. && value < 1. {
        return Ok(());
    }
    Err(Error::setting("confidence", value, "give a level between 0 and 1, such as 0.95"))
}
