use crate::{Error, Result, check, counts::argmax, intervals::quantile};

/// Predicted probabilities against what happened, bin by bin.
///
/// An accumulator for calibration errors and the reliability curve. A bin holds the probabilities
/// above its lower edge, up to and with its upper edge; the first holds 0 too. Parts of a data set
/// merge to the whole, up to rounding.
///
/// ```text
/// expected error  ECE = Σ n_b / n · |positives_b / n_b − mean p_b|
/// maximum error   MCE = max |positives_b / n_b − mean p_b|
/// ```
///
/// For more than two classes, bin the probability of the predicted class: see [`top_label`].
///
/// # Examples
///
/// ```
/// use ocellus_metrics::CalibrationBins;
///
/// let mut bins = CalibrationBins::uniform(2)?;
/// bins.add_all(&[false, false, true, true], &[0.1, 0.3, 0.7, 0.9])?;
/// assert!((bins.expected_error().unwrap() - 0.2).abs() < 1e-15);
/// let upper = &bins.curve()[1];
/// assert_eq!((upper.count, upper.fraction_positive), (2, 1.));
/// # Ok::<(), ocellus_metrics::Error>(())
/// ```
///
/// # Deviations
///
/// A probability on an edge belongs to the bin below, as in scikit-learn; torchmetrics puts it above.
///
/// # References
///
/// 1. M. P. Naeini, G. F. Cooper and M. Hauskrecht. *Obtaining well calibrated probabilities using
///    Bayesian binning.* AAAI 2015.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct CalibrationBins {
    edges: Vec<f64>,
    bins: Vec<Bin>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
struct Bin {
    count: u64,
    positives: u64,
    probability_sum: f64,
}

/// One bin of a reliability curve.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct ReliabilityBin {
    /// The lower edge, which belongs to the bin below.
    pub lower: f64,
    /// The upper edge, which belongs to this bin.
    pub upper: f64,
    /// The number of samples.
    pub count: u64,
    /// The mean of the predicted probabilities.
    pub mean_predicted: f64,
    /// The share of positives among the samples.
    pub fraction_positive: f64,
}

impl CalibrationBins {
    /// Empty bins of equal width between 0 and 1.
    ///
    /// # Errors
    ///
    /// If `bins` is zero or above a million.
    pub fn uniform(bins: usize) -> Result<Self> {
        some_bins(bins)?;
        Ok(Self::with_edges((0..=bins).map(|i| i as f64 / bins as f64).collect()))
    }

    /// Empty bins that split these probabilities into equally many; ties may leave bins empty.
    ///
    /// # Errors
    ///
    /// If `bins` is zero or above a million, there are no probabilities, or one is outside 0 to 1.
    pub fn quantiles(probabilities: &[f64], bins: usize) -> Result<Self> {
        some_bins(bins)?;
        check::not_empty("probabilities", probabilities)?;
        check::probabilities("probabilities", probabilities)?;
        let mut sorted = probabilities.to_vec();
        sorted.sort_unstable_by(f64::total_cmp);
        let edge = |i| quantile(&sorted, i as f64 / bins as f64);
        Ok(Self::with_edges((0..=bins).map(edge).collect()))
    }

    fn with_edges(edges: Vec<f64>) -> Self {
        let bins = vec![Bin::default(); edges.len() - 1];
        Self { edges, bins }
    }

    /// Adds a batch of probabilities of the positive class. After an error nothing is changed.
    ///
    /// # Errors
    ///
    /// If the slices are empty or differ in length or a probability is outside 0 to 1.
    pub fn add_all(&mut self, labels: &[bool], probabilities: &[f64]) -> Result<()> {
        check::paired(("labels", labels), ("probabilities", probabilities))?;
        check::probabilities("probabilities", probabilities)?;
        let inner = &self.edges[1..self.bins.len()];
        for (&label, &p) in labels.iter().zip(probabilities) {
            let bin = &mut self.bins[inner.partition_point(|&edge| edge < p)];
            bin.count += 1;
            bin.positives += u64::from(label);
            bin.probability_sum += p;
        }
        Ok(())
    }

    /// Adds what other bins of the same edges hold.
    ///
    /// # Errors
    ///
    /// If the edges differ.
    pub fn merge(&mut self, other: &Self) -> Result<()> {
        if self.edges != other.edges {
            let (left, right) = (format!("edges {:?}", self.edges), format!("{:?}", other.edges));
            return Err(Error::Unmergeable { left, right });
        }
        for (bin, more) in self.bins.iter_mut().zip(&other.bins) {
            bin.count += more.count;
            bin.positives += more.positives;
            bin.probability_sum += more.probability_sum;
        }
        Ok(())
    }

    /// The reliability curve: the bins that hold samples, in rising order.
    #[must_use]
    pub fn curve(&self) -> Vec<ReliabilityBin> {
        let point = |(bin, edges): (&Bin, &[f64])| ReliabilityBin {
            lower: edges[0],
            upper: edges[1],
            count: bin.count,
            mean_predicted: bin.probability_sum / bin.count as f64,
            fraction_positive: bin.positives as f64 / bin.count as f64,
        };
        let bins = self.bins.iter().zip(self.edges.windows(2));
        bins.filter(|(bin, _)| bin.count > 0).map(point).collect()
    }

    /// The expected calibration error; `None` without samples.
    #[must_use]
    pub fn expected_error(&self) -> Option<f64> {
        let total: u64 = self.bins.iter().map(|bin| bin.count).sum();
        let gaps = self.curve().into_iter().map(|bin| gap(&bin) * bin.count as f64);
        (total > 0).then(|| gaps.sum::<f64>() / total as f64)
    }

    /// The maximum calibration error; `None` without samples.
    #[must_use]
    pub fn maximum_error(&self) -> Option<f64> {
        self.curve().iter().map(gap).reduce(f64::max)
    }
}

fn gap(bin: &ReliabilityBin) -> f64 {
    (bin.fraction_positive - bin.mean_predicted).abs()
}

fn some_bins(bins: usize) -> Result<()> {
    if (1..=1_000_000).contains(&bins) {
        return Ok(());
    }
    Err(Error::setting("bins", bins, "give one or more, up to 1000000; 10 or 15 are usual"))
}

/// Whether the most probable class (the first of equals) is right, and its probability: what the
/// calibration of many classes is judged on.
///
/// `probabilities` is row-major `(samples, classes)`.
///
/// # Examples
///
/// ```
/// use ocellus_metrics::{CalibrationBins, top_label};
///
/// let (right, confidence) = top_label(&[0, 2], &[0.5, 0.25, 0.25, 0.125, 0.75, 0.125], 3)?;
/// assert_eq!((right.as_slice(), confidence.as_slice()), (&[true, false][..], &[0.5, 0.75][..]));
/// let mut bins = CalibrationBins::uniform(10)?;
/// bins.add_all(&right, &confidence)?;
/// assert_eq!(bins.maximum_error(), Some(0.75));
/// # Ok::<(), ocellus_metrics::Error>(())
/// ```
///
/// # Errors
///
/// If the lengths do not fit, a label is no class, or a row is no distribution (within 1e-5).
pub fn top_label(
    labels: &[usize],
    probabilities: &[f64],
    classes: usize,
) -> Result<(Vec<bool>, Vec<f64>)> {
    check::probability_table(labels, probabilities, classes)?;
    let top = |(&label, row): (&usize, &[f64])| {
        let best = argmax(row);
        (best == label, row[best])
    };
    Ok(labels.iter().zip(probabilities.chunks_exact(classes)).map(top).unzip())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::golden::{self, all_close, close, number, numbers};

    #[test]
    fn matches_scikit_learn() {
        for (labels, scores, case) in golden::binary() {
            for expected in case["calibration"].as_array().unwrap() {
                let count = number(&expected["bins"]) as usize;
                let mut bins = if expected["strategy"] == "uniform" {
                    CalibrationBins::uniform(count).unwrap()
                } else {
                    CalibrationBins::quantiles(&scores, count).unwrap()
                };
                bins.add_all(&labels, &scores).unwrap();
                let column = |f: fn(&ReliabilityBin) -> f64| -> Vec<f64> {
                    bins.curve().iter().map(f).collect()
                };
                all_close(&column(|b| b.count as f64), &numbers(&expected["counts"]), 0.);
                let fraction = numbers(&expected["fraction_positive"]);
                all_close(&column(|b| b.fraction_positive), &fraction, 1e-12);
                let mean = numbers(&expected["mean_predicted"]);
                all_close(&column(|b| b.mean_predicted), &mean, 1e-12);
                close(bins.expected_error().unwrap(), number(&expected["ece"]), 1e-12);
                close(bins.maximum_error().unwrap(), number(&expected["mce"]), 1e-12);
            }
        }
    }

    #[test]
    fn an_edge_belongs_to_the_bin_below() {
        let mut bins = CalibrationBins::uniform(4).unwrap();
        bins.add_all(&[false; 5], &[0., 0.25, 0.5, 0.75, 1.]).unwrap();
        let counts: Vec<u64> = bins.curve().iter().map(|bin| bin.count).collect();
        assert_eq!(counts, [2, 1, 1, 1]);
    }

    #[test]
    fn nothing_seen_is_undefined() {
        let bins = CalibrationBins::uniform(3).unwrap();
        assert_eq!((bins.expected_error(), bins.maximum_error()), (None, None));
        assert!(bins.curve().is_empty());
        assert!(CalibrationBins::uniform(0).is_err());
        assert!(CalibrationBins::quantiles(&[], 3).is_err());
    }

    #[test]
    fn wrong_input_is_an_error_and_changes_nothing() {
        let mut bins = CalibrationBins::uniform(3).unwrap();
        assert!(bins.add_all(&[true, false], &[0.2, 1.2]).is_err());
        assert!(bins.add_all(&[true], &[0.2, 0.3]).is_err());
        assert!(bins.merge(&CalibrationBins::uniform(4).unwrap()).is_err());
        assert_eq!(bins, CalibrationBins::uniform(3).unwrap());
    }

    proptest! {
        #[test]
        fn parts_merge_to_the_whole(
            pairs in prop::collection::vec((any::<bool>(), 0f64..=1.), 2..60), cut in 1usize..59,
        ) {
            let cut = cut.min(pairs.len() - 1);
            let (labels, p): (Vec<bool>, Vec<f64>) = pairs.into_iter().unzip();
            let empty = CalibrationBins::uniform(7).unwrap();
            let (mut whole, mut a, mut b) = (empty.clone(), empty.clone(), empty);
            whole.add_all(&labels, &p).unwrap();
            a.add_all(&labels[..cut], &p[..cut]).unwrap();
            b.add_all(&labels[cut..], &p[cut..]).unwrap();
            a.merge(&b).unwrap();
            let error = whole.expected_error().unwrap();
            prop_assert!((a.expected_error().unwrap() - error).abs() < 1e-14);
            prop_assert!(error <= whole.maximum_error().unwrap() + 1e-15);
        }
    }
}
