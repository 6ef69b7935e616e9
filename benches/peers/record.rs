//! What was measured.

use ocellus_benches::Precision;
use serde::Serialize;

use crate::machine::Machine;
use crate::peer::Peer;

/// A whole run.
#[derive(Debug, Serialize)]
pub(crate) struct Record {
    pub(crate) machine: Machine,
    pub(crate) threads: usize,
    pub(crate) repetitions: usize,
    pub(crate) keep_memory: bool,
    pub(crate) device: String,
    pub(crate) precision: Precision,
    /// Names and versions.
    pub(crate) libraries: Vec<(String, String)>,
    pub(crate) cases: Vec<Measured>,
}

/// A case.
#[derive(Debug, Serialize)]
pub(crate) struct Measured {
    pub(crate) case: String,
    pub(crate) ours: Times,
    pub(crate) peers: Vec<Compared>,
    /// Our best time divided by that of the fastest peer that does the same in the same precision.
    pub(crate) ratio: Option<f64>,
}

impl Measured {
    /// The fastest peer that does the same in the same precision.
    pub(crate) fn fastest(&self) -> Option<&Compared> {
        let alike =
            self.peers.iter().filter(|compared| compared.agrees && !compared.peer.is_coarse());
        alike.min_by(|a, b| a.times.min().total_cmp(&b.times.min()))
    }

    /// Takes the ratio.
    pub(crate) fn compare(&mut self) {
        self.ratio = self.fastest().map(|fastest| self.ours.min() / fastest.times.min());
    }
}

/// A peer at a case.
#[derive(Debug, Serialize)]
pub(crate) struct Compared {
    pub(crate) peer: Peer,
    pub(crate) times: Times,
    /// The largest relative difference of its results from ours.
    pub(crate) difference: f64,
    /// Whether that is little enough for the same work.
    pub(crate) agrees: bool,
}

/// Seconds of each repetition.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Times(pub(crate) Vec<f64>);

impl Times {
    pub(crate) fn min(&self) -> f64 {
        self.0.iter().copied().fold(f64::INFINITY, f64::min)
    }

    pub(crate) fn median(&self) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        match sorted.len() {
            0 => f64::NAN,
            n if n % 2 == 1 => sorted[n / 2],
            n => (sorted[n / 2 - 1] + sorted[n / 2]) / 2.,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_of_an_even_number_lies_between() {
        let times = Times(vec![4., 1., 2., 10.]);
        assert_eq!((times.min(), times.median()), (1., 3.));
        assert_eq!(Times(vec![3., 1., 2.]).median(), 2.);
    }
}
