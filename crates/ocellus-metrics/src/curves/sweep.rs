use crate::{BinaryCounts, Result, check};

/// One distinct score: the counts if it were the threshold.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Step {
    pub(crate) threshold: f64,
    pub(crate) tp: usize,
    pub(crate) fp: usize,
}

/// All thresholds that tell scores apart, from the highest to the lowest.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Sweep {
    pub(crate) positives: usize,
    pub(crate) negatives: usize,
    pub(crate) steps: Vec<Step>,
}

impl Sweep {
    /// Sorts the scores once: O(n log n).
    pub(crate) fn new(metric: &'static str, labels: &[bool], scores: &[f64]) -> Result<Self> {
        check::paired(("labels", labels), ("scores", scores))?;
        check::finite("scores", scores)?;
        let (positives, negatives) = check::both_classes(metric, labels)?;
        let mut sorted: Vec<(f64, bool)> =
            scores.iter().copied().zip(labels.iter().copied()).collect();
        sorted.sort_unstable_by(|a, b| b.0.total_cmp(&a.0));
        let mut steps: Vec<Step> = Vec::new();
        let (mut tp, mut fp) = (0, 0);
        for (threshold, label) in sorted {
            tp += usize::from(label);
            fp += usize::from(!label);
            match steps.last_mut() {
                Some(last) if last.threshold == threshold => (last.tp, last.fp) = (tp, fp),
                _ => steps.push(Step { threshold, tp, fp }),
            }
        }
        Ok(Self { positives, negatives, steps })
    }

    pub(crate) fn counts(&self, step: Step) -> BinaryCounts {
        BinaryCounts {
            tp: step.tp as u64,
            fp: step.fp as u64,
            fn_: (self.positives - step.tp) as u64,
            tn: (self.negatives - step.fp) as u64,
        }
    }
}
