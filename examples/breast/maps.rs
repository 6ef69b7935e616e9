//! Where a network looked in an image, and what spoke for its verdict.

use anyhow::Result;
use ocellus::{breast::Classifier, candle::Tensor};
use serde::{Deserialize, Serialize};

use crate::compared::predictions::Prediction;

/// The maps of one image, row by row.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Maps {
    /// Rows and columns of each map.
    pub(crate) side: usize,
    /// What the gate let through at each place, 0 to 1; absent without a gate.
    pub(crate) gate: Option<Vec<f32>>,
    /// What spoke for the class at each place, 0 or more.
    pub(crate) evidence: Vec<f32>,
}

/// The maps of one image of a data set.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Look {
    /// The image's place in the data set.
    pub(crate) index: usize,
    pub(crate) maps: Maps,
}

/// How sure it was of the true class: low for the worst errors.
pub(crate) fn certainty(prediction: &Prediction) -> f64 {
    prediction.probabilities[prediction.truth]
}

/// The maps of images for one class each; with `mirror`, the mean over an image and its mirror image,
/// as the probabilities are.
pub(crate) fn of(
    model: &Classifier,
    images: &Tensor,
    classes: &[usize],
    mirror: bool,
) -> Result<Vec<Maps>> {
    let (mut gate, mut evidence) = one_way(model, images, classes)?;
    if mirror {
        let across = [3];
        let (other_gate, other) = one_way(model, &images.flip(&across)?, classes)?;
        evidence = ((evidence + other.flip(&across)?)? * 0.5)?;
        gate = match (gate, other_gate) {
            (Some(gate), Some(other)) => Some(((gate + other.flip(&across)?)? * 0.5)?),
            (gate, _) => gate,
        };
    }
    let side = evidence.dim(2)?;
    let mut gates = match gate {
        Some(gate) => gate.flatten_from(1)?.to_vec2::<f32>()?.into_iter().map(Some).collect(),
        None => vec![None; classes.len()],
    };
    let evidence = evidence.flatten_from(1)?.to_vec2::<f32>()?;
    let pairs = gates.drain(..).zip(evidence);
    Ok(pairs.map(|(gate, evidence)| Maps { side, gate, evidence }).collect())
}

fn one_way(
    model: &Classifier,
    images: &Tensor,
    classes: &[usize],
) -> Result<(Option<Tensor>, Tensor)> {
    Ok((model.explain(images)?.map, model.evidence(images, classes)?.detach()))
}
