use crate::{NetworkConfig, Refinement};

/// The three areas that the paper tests on.
pub const AREAS: [&str; 3] = ["D12", "D19", "D22"];

/// What a network reaches on an area, in percent.
///
/// # Examples
///
/// ```
/// use ocellus_satellite::AreaScore;
///
/// let mean = AreaScore::mean(&[AreaScore::new(60., 90.), AreaScore::new(70., 95.)]);
/// assert_eq!((mean.f1, mean.accuracy), (65., 92.5));
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct AreaScore {
    /// F1 of the buildings.
    pub f1: f64,
    /// The share of the pixels that are right.
    pub accuracy: f64,
}

impl AreaScore {
    /// Those two, in percent.
    #[must_use]
    pub const fn new(f1: f64, accuracy: f64) -> Self {
        Self { f1, accuracy }
    }

    /// The mean over areas; of none, NaN.
    #[must_use]
    pub fn mean(scores: &[Self]) -> Self {
        let mean = |of: fn(&Self) -> f64| scores.iter().map(of).sum::<f64>() / scores.len() as f64;
        Self { f1: mean(|score| score.f1), accuracy: mean(|score| score.accuracy) }
    }
}

/// A row of the paper's Table II or III: a network, never shown the three areas or refined on a part
/// of each.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct PublishedRow {
    /// The network's name as printed.
    pub name: &'static str,
    /// How it was refined, if it was.
    pub refinement: Option<Refinement>,
    /// Its scores on the [`AREAS`], on what of them it was not refined on.
    pub areas: [AreaScore; 3],
}

impl PublishedRow {
    /// F1 and accuracy, area by area.
    pub(crate) const fn new(
        name: &'static str,
        refinement: Option<Refinement>,
        figures: [f64; 6],
    ) -> Self {
        let [f12, a12, f19, a19, f22, a22] = figures;
        let areas = [AreaScore::new(f12, a12), AreaScore::new(f19, a19), AreaScore::new(f22, a22)];
        Self { name, refinement, areas }
    }

    /// The network.
    #[must_use]
    pub fn network(&self) -> Option<NetworkConfig> {
        NetworkConfig::named(self.name)
    }

    /// The mean over the areas.
    #[must_use]
    pub fn mean(&self) -> AreaScore {
        AreaScore::mean(&self.areas)
    }
}
