use serde::{Deserialize, Serialize};

use crate::{
    checkpoint::exact,
    fit::{EarlyStopping, Monitor},
};

/// What monitoring remembers from epoch to epoch.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Watch {
    /// The best value.
    #[serde(with = "exact::number")]
    pub(crate) best: f64,
    /// Its epoch.
    pub(crate) best_epoch: Option<usize>,
    /// The value that the next improvement must beat by `min_delta`.
    #[serde(with = "exact::number")]
    reference: f64,
    /// Epochs since then.
    waited: usize,
    /// Whether patience has run out.
    pub(crate) stopped: bool,
}

impl Watch {
    pub(crate) fn new(monitor: &Monitor) -> Self {
        let worst = monitor.goal.worst();
        Self { best: worst, best_epoch: None, reference: worst, waited: 0, stopped: false }
    }

    /// Takes note of the value of an epoch; says whether it is the best so far.
    pub(crate) fn observe(
        &mut self,
        epoch: usize,
        value: f64,
        monitor: &Monitor,
        rule: Option<&EarlyStopping>,
    ) -> bool {
        let is_best = monitor.goal.improves(value, self.best, 0.) || self.best_epoch.is_none();
        if is_best {
            (self.best, self.best_epoch) = (value, Some(epoch));
        }
        if let Some(rule) = rule {
            if monitor.goal.improves(value, self.reference, rule.min_delta) {
                (self.reference, self.waited) = (value, 0);
            } else {
                self.waited += 1;
            }
            self.stopped = self.waited >= rule.patience;
        }
        is_best
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn epochs_until_stop(values: &[f64], monitor: &Monitor, rule: EarlyStopping) -> (usize, f64) {
        let mut watch = Watch::new(monitor);
        for (epoch, &value) in values.iter().enumerate() {
            watch.observe(epoch, value, monitor, Some(&rule));
            if watch.stopped {
                return (epoch + 1, watch.best);
            }
        }
        (values.len(), watch.best)
    }

    #[test]
    fn stops_after_patience_epochs_without_improvement() {
        let monitor = Monitor::validation_loss();
        let values = [1., 0.5, 0.6, 0.5, 0.4];
        assert_eq!(epochs_until_stop(&values, &monitor, EarlyStopping::new(2)), (4, 0.5));
        assert_eq!(epochs_until_stop(&values, &monitor, EarlyStopping::new(3)), (5, 0.4));
    }

    #[test]
    fn small_improvements_count_for_the_best_but_not_for_patience() {
        let monitor = Monitor::maximize("auc");
        let rule = EarlyStopping::new(2).with_min_delta(0.1);
        assert_eq!(epochs_until_stop(&[0.5, 0.55, 0.59, 0.9], &monitor, rule), (3, 0.59));
        // Steady small gains add up.
        assert_eq!(epochs_until_stop(&[0.5, 0.58, 0.66, 0.74], &monitor, rule), (4, 0.74));
    }
}
