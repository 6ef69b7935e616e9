use super::{auroc, average_precision};
use crate::{Average, Error, Result, check};

/// How the AUROC of many classes is put together from that of two.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub enum MulticlassAuroc {
    /// Each class against all others by its own score.
    OneVsRest,
    /// Each pair of classes on the samples of these two, from both sides: insensitive to how
    /// frequent the classes are (Hand and Till).
    OneVsOne,
}

/// The AUROC of each class against all others, by its own score.
///
/// `scores` is row-major `(samples, classes)`. Scores need not be probabilities: each class is
/// ranked on its own.
///
/// # Examples
///
/// ```
/// use ocellus_metrics::auroc_per_class;
///
/// let scores = [2., 0., 1., 0., 3., 2., 1., 2., 5.];
/// assert_eq!(auroc_per_class(&[0, 1, 2], &scores, 3)?, [1., 1., 1.]);
/// # Ok::<(), ocellus_metrics::Error>(())
/// ```
///
/// # Errors
///
/// If the lengths do not fit, a label is no class, a score is not finite, or a class has no samples
/// or all of them.
///
/// # Complexity
///
/// O(classes · n log n).
pub fn auroc_per_class(labels: &[usize], scores: &[f64], classes: usize) -> Result<Vec<f64>> {
    per_class(labels, scores, classes, "AUROC", auroc)
}

/// The average precision of each class against all others, by its own score.
///
/// `scores` is row-major `(samples, classes)`.
///
/// # Examples
///
/// ```
/// use ocellus_metrics::average_precision_per_class;
///
/// let ap = average_precision_per_class(&[0, 1, 1], &[0.9, 0.1, 0.2, 0.8, 0.95, 0.05], 2)?;
/// assert_eq!(ap[0], 0.5); // Of the two highest scores of class 0, the second is right.
/// # Ok::<(), ocellus_metrics::Error>(())
/// ```
///
/// # Errors
///
/// As [`auroc_per_class`].
///
/// # Complexity
///
/// O(classes · n log n).
pub fn average_precision_per_class(
    labels: &[usize],
    scores: &[f64],
    classes: usize,
) -> Result<Vec<f64>> {
    per_class(labels, scores, classes, "average precision", average_precision)
}

/// The AUROC of any number of classes.
///
/// `scores` is row-major `(samples, classes)`. [`Average::Micro`] ranks the scores of all classes
/// together, which takes them to be comparable, and exists for [`MulticlassAuroc::OneVsRest`] only.
///
/// # Examples
///
/// ```
/// use ocellus_metrics::{Average, MulticlassAuroc, auroc_multiclass};
///
/// let labels = [0, 1, 2, 2];
/// let scores = [0.8, 0.1, 0.1, 0.3, 0.6, 0.1, 0.1, 0.2, 0.7, 0.5, 0.3, 0.2];
/// let area = auroc_multiclass(&labels, &scores, 3, MulticlassAuroc::OneVsOne, Average::Macro)?;
/// assert_eq!(area, 1.);
/// # Ok::<(), ocellus_metrics::Error>(())
/// ```
///
/// # Errors
///
/// As [`auroc_per_class`], and for the micro average of pairs.
///
/// # Complexity
///
/// O(classes · n log n).
///
/// # Deviations
///
/// scikit-learn wants each row to sum to 1. Raw scores are welcome here.
///
/// # References
///
/// 1. D. J. Hand and R. J. Till. *A simple generalisation of the area under the ROC curve for
///    multiple class classification problems.* Machine Learning 45 (2001).
pub fn auroc_multiclass(
    labels: &[usize],
    scores: &[f64],
    classes: usize,
    scheme: MulticlassAuroc,
    average: Average,
) -> Result<f64> {
    match scheme {
        MulticlassAuroc::OneVsRest => averaged(labels, scores, classes, average, ("AUROC", auroc)),
        MulticlassAuroc::OneVsOne => one_vs_one(labels, scores, classes, average),
    }
}

/// The average precision of any number of classes, each against all others.
///
/// `scores` is row-major `(samples, classes)`. [`Average::Micro`] ranks the scores of all classes
/// together, which takes them to be comparable.
///
/// # Examples
///
/// ```
/// use ocellus_metrics::{Average, average_precision_multiclass};
///
/// let scores = [0.8, 0.1, 0.1, 0.3, 0.6, 0.1, 0.1, 0.2, 0.7];
/// assert_eq!(average_precision_multiclass(&[0, 1, 2], &scores, 3, Average::Macro)?, 1.);
/// # Ok::<(), ocellus_metrics::Error>(())
/// ```
///
/// # Errors
///
/// As [`auroc_per_class`].
///
/// # Complexity
///
/// O(classes · n log n).
pub fn average_precision_multiclass(
    labels: &[usize],
    scores: &[f64],
    classes: usize,
    average: Average,
) -> Result<f64> {
    averaged(labels, scores, classes, average, ("average precision", average_precision))
}

type Metric = fn(&[bool], &[f64]) -> Result<f64>;

fn per_class(
    labels: &[usize],
    scores: &[f64],
    classes: usize,
    name: &'static str,
    metric: Metric,
) -> Result<Vec<f64>> {
    check::table(labels, scores, classes)?;
    let totals = totals(labels, classes);
    all_present(name, &totals)?;
    let of_class = |class: usize| {
        let truth: Vec<bool> = labels.iter().map(|&label| label == class).collect();
        metric(&truth, &column(scores, classes, class))
    };
    (0..classes).map(of_class).collect()
}

fn averaged(
    labels: &[usize],
    scores: &[f64],
    classes: usize,
    average: Average,
    (name, metric): (&'static str, Metric),
) -> Result<f64> {
    if average == Average::Micro {
        check::table(labels, scores, classes)?;
        let hot = labels.iter().flat_map(|&label| (0..classes).map(move |class| class == label));
        return metric(&hot.collect::<Vec<bool>>(), scores);
    }
    let values = per_class(labels, scores, classes, name, metric)?;
    if average == Average::Macro {
        return Ok(values.iter().sum::<f64>() / classes as f64);
    }
    let weighted = values.iter().zip(totals(labels, classes)).map(|(value, n)| value * n as f64);
    Ok(weighted.sum::<f64>() / labels.len() as f64)
}

fn one_vs_one(labels: &[usize], scores: &[f64], classes: usize, average: Average) -> Result<f64> {
    check::table(labels, scores, classes)?;
    let totals = totals(labels, classes);
    all_present("AUROC", &totals)?;
    if average == Average::Micro {
        let reason = "pairs of classes have no micro average; take macro or weighted";
        return Err(Error::undefined("AUROC", reason));
    }
    let (mut sum, mut weights) = (0., 0.);
    for a in 0..classes {
        for b in a + 1..classes {
            let rows: Vec<usize> =
                (0..labels.len()).filter(|&i| labels[i] == a || labels[i] == b).collect();
            let side = |class: usize| {
                let truth: Vec<bool> = rows.iter().map(|&i| labels[i] == class).collect();
                let own: Vec<f64> = rows.iter().map(|&i| scores[i * classes + class]).collect();
                auroc(&truth, &own)
            };
            let weight =
                if average == Average::Weighted { (totals[a] + totals[b]) as f64 } else { 1. };
            sum += weight * (side(a)? + side(b)?) / 2.;
            weights += weight;
        }
    }
    Ok(sum / weights)
}

fn column(scores: &[f64], classes: usize, class: usize) -> Vec<f64> {
    scores.iter().skip(class).step_by(classes).copied().collect()
}

fn totals(labels: &[usize], classes: usize) -> Vec<usize> {
    let mut totals = vec![0; classes];
    for &label in labels {
        totals[label] += 1;
    }
    totals
}

fn all_present(metric: &'static str, totals: &[usize]) -> Result<()> {
    match totals.iter().position(|&n| n == 0) {
        Some(class) => {
            let reason = format!("class {class} has no samples; leave its scores out or add some");
            Err(Error::undefined(metric, reason))
        }
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::golden::{self, Multiclass, all_close, close, number, numbers};

    #[test]
    fn matches_scikit_learn() {
        for Multiclass { classes, truth: labels, scores, expected: case, .. } in
            golden::multiclass()
        {
            let areas = auroc_per_class(&labels, &scores, classes).unwrap();
            all_close(&areas, &numbers(&case["auroc_per_class"]), 1e-12);
            let precisions = average_precision_per_class(&labels, &scores, classes).unwrap();
            all_close(&precisions, &numbers(&case["ap_per_class"]), 1e-12);
            for (average, key) in [
                (Average::Macro, "macro"),
                (Average::Weighted, "weighted"),
                (Average::Micro, "micro"),
            ] {
                let scheme = MulticlassAuroc::OneVsRest;
                let area = auroc_multiclass(&labels, &scores, classes, scheme, average).unwrap();
                close(area, number(&case[format!("auroc_ovr_{key}")]), 1e-12);
                let ap = average_precision_multiclass(&labels, &scores, classes, average).unwrap();
                close(ap, number(&case[format!("ap_{key}")]), 1e-12);
                let Some(expected) = case.get(format!("auroc_ovo_{key}")) else { continue };
                let scheme = MulticlassAuroc::OneVsOne;
                let area = auroc_multiclass(&labels, &scores, classes, scheme, average).unwrap();
                close(area, number(expected), 1e-12);
            }
        }
    }

    #[test]
    fn a_class_without_samples_is_named() {
        let scores = [0.5, 0.2, 0.3, 0.1, 0.8, 0.1];
        for scheme in [MulticlassAuroc::OneVsRest, MulticlassAuroc::OneVsOne] {
            let error = auroc_multiclass(&[0, 1], &scores, 3, scheme, Average::Macro).unwrap_err();
            assert!(error.to_string().contains("class 2 has no samples"), "{error}");
        }
        let pairs = MulticlassAuroc::OneVsOne;
        let error = auroc_multiclass(&[0, 1], &[1., 0., 0., 1.], 2, pairs, Average::Micro);
        assert!(error.unwrap_err().to_string().contains("no micro average"));
        assert!(auroc_per_class(&[0, 3], &scores, 3).is_err());
        assert!(auroc_per_class(&[0, 1], &scores[1..], 3).is_err());
    }
}
