//! The scale on which networks and the baseline see the values of scenes.

use anyhow::Result;
use ocellus::data::{ChannelStatistics, Normalize};
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Scale {
    /// Each scene's own mean and deviation.
    EachScene,
    /// Those of the training scenes, a value a band.
    Constants { mean: Vec<f32>, std: Vec<f32> },
}

impl Scale {
    /// That of these training scenes.
    pub(crate) fn of(statistics: &ChannelStatistics, each_scene: bool) -> Self {
        let single = |values: Vec<f64>| values.into_iter().map(|value| value as f32).collect();
        match each_scene {
            true => Self::EachScene,
            false => {
                Self::Constants { mean: single(statistics.mean()), std: single(statistics.std()) }
            }
        }
    }

    /// How a scene's values come to it; `own` gives what the scene's own statistics say.
    pub(crate) fn normalize(&self, own: impl FnOnce() -> Result<Normalize>) -> Result<Normalize> {
        match self {
            Self::EachScene => own(),
            Self::Constants { mean, std } => Ok(Normalize::constants(mean, std)?),
        }
    }
}
