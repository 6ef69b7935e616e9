use crate::{Result, check};

/// The running mean of a cost per sample.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub(super) struct Mean {
    sum: f64,
    count: u64,
}

impl Mean {
    /// Adds `cost(label, probability)` of each sample, or nothing if the input is wrong.
    pub(super) fn add_all(
        &mut self,
        labels: &[bool],
        probabilities: &[f64],
        cost: impl Fn(bool, f64) -> f64,
    ) -> Result<()> {
        check::paired(("labels", labels), ("probabilities", probabilities))?;
        check::probabilities("probabilities", probabilities)?;
        let costs = labels.iter().zip(probabilities).map(|(&label, &p)| cost(label, p));
        self.sum += costs.sum::<f64>();
        self.count += labels.len() as u64;
        Ok(())
    }

    pub(super) fn merge(&mut self, other: &Self) {
        self.sum += other.sum;
        self.count += other.count;
    }

    pub(super) fn value(&self) -> Option<f64> {
        (self.count > 0).then(|| self.sum / self.count as f64)
    }
}
