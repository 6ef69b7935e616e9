use std::f64::consts::PI;

use ocellus_train::{Position, Schedule};

use super::CflowTraining;

/// The learning rate of CFLOW-AD over time, as a factor.
///
/// ```text
/// cosine(e) = 10⁻³ + (1 − 10⁻³) · (1 + cos(π e / epochs)) / 2          e: outer epochs so far
/// factor    = cosine(e), or, while e < warm_up:
///             1/10 + p · (cosine(warm_up) − 1/10)    p: share of the warm-up's batches of images
/// ```
///
/// An epoch of [`fit`](ocellus_train::fit()) is a pass over the data, of which an outer epoch has
/// several.
///
/// # Examples
///
/// ```
/// use ocellus_flows::CflowTraining;
/// use ocellus_train::{Position, Schedule};
///
/// let schedule = CflowTraining::official(25).schedule(10, 262); // 10 batches of 262 steps a pass.
/// assert_eq!(schedule.factor(Position::new(0, 0)), 0.1);
/// assert!(schedule.factor(Position::new(8, 8 * 2620)) < schedule.factor(Position::new(16, 16 * 2620)));
/// assert!((schedule.factor(Position::new(8 * 24, 0)) - 0.00494).abs() < 1e-5);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CflowSchedule {
    epochs: usize,
    passes: usize,
    cosine: bool,
    warm_up: usize,
    batches: usize,
    steps: usize,
}

/// What the cosine falls to.
const LAST: f64 = 1e-3;

/// What the warm-up starts from.
const FIRST: f64 = 0.1;

impl CflowSchedule {
    pub(crate) fn new(training: &CflowTraining, batches: usize, steps: usize) -> Self {
        let &CflowTraining { epochs, passes, cosine, warm_up, .. } = training;
        let (batches, steps) = (batches.max(1), steps.max(1));
        Self { epochs: epochs.max(1), passes: passes.max(1), cosine, warm_up, batches, steps }
    }

    fn at_epoch(&self, epoch: usize) -> f64 {
        if !self.cosine {
            return 1.;
        }
        let share = epoch as f64 / self.epochs as f64;
        LAST + (1. - LAST) * (1. + (PI * share).cos()) / 2.
    }
}

impl Schedule for CflowSchedule {
    fn factor(&self, at: Position) -> f64 {
        let epoch = at.epoch / self.passes;
        if epoch >= self.warm_up {
            return self.at_epoch(epoch);
        }
        let all = self.warm_up * self.passes * self.batches;
        let share = (at.step / self.steps) as f64 / all as f64;
        FIRST + share * (self.at_epoch(self.warm_up) - FIRST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The official code's arithmetic, written down from its formulas for 25 epochs at 2 · 10⁻⁴.
    #[test]
    fn equals_the_official_learning_rates() {
        let (passes, batches, steps) = (8, 6, 31);
        let schedule = CflowTraining::official(25).schedule(batches, steps);
        let lr = 2e-4;
        let cosine = |epoch: usize| {
            let least = lr * 0.1f64.powi(3);
            least + (lr - least) * (1. + (PI * epoch as f64 / 25.).cos()) / 2.
        };
        for epoch in 0..25 {
            for pass in 0..passes {
                for batch in 0..batches {
                    let done = (epoch * passes + pass) * batches + batch;
                    let expected = if epoch < 2 {
                        let total = passes * batches;
                        let p =
                            (batch + pass * batches + epoch * total) as f64 / (2 * total) as f64;
                        lr / 10. + p * (cosine(2) - lr / 10.)
                    } else {
                        cosine(epoch)
                    };
                    for step in [0, steps - 1] {
                        let at = Position::new(epoch * passes + pass, done * steps + step);
                        let rate = lr * schedule.factor(at);
                        assert!((rate - expected).abs() < 1e-17, "{epoch} {pass} {batch}: {rate}");
                    }
                }
            }
        }
    }

    #[test]
    fn anomalibs_is_constant() {
        let schedule = CflowTraining::anomalib(50).schedule(10, 100);
        assert!((0..50).all(|epoch| schedule.factor(Position::new(epoch, epoch * 1000)) == 1.));
    }
}
