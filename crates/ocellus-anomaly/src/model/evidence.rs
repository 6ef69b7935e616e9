use candle_core::{DType, Tensor};

use crate::{Error, Result, on_cpu::on_cpu};

/// What a detector sees at one scale, at each place of the features. A detector gives what it has.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct ScaleEvidence {
    /// The distance to what is normal, `(batch, 1, height, width)`: the greater, the stranger.
    pub distance: Option<Tensor>,
    /// The log-likelihood per channel, `(batch, 1, height, width)`.
    pub log_likelihood: Option<Tensor>,
    /// The likelihood per channel relative to a maximum that does not depend on the batch,
    /// `(batch, 1, height, width)`: 1 where nothing is strange, 0 where all is.
    pub probability: Option<Tensor>,
}

impl ScaleEvidence {
    /// Sets the distance.
    #[must_use]
    pub fn with_distance(mut self, distance: Tensor) -> Self {
        self.distance = Some(distance);
        self
    }

    /// Sets the log-likelihood.
    #[must_use]
    pub fn with_log_likelihood(mut self, log_likelihood: Tensor) -> Self {
        self.log_likelihood = Some(log_likelihood);
        self
    }

    /// Sets the probability.
    #[must_use]
    pub fn with_probability(mut self, probability: Tensor) -> Self {
        self.probability = Some(probability);
        self
    }

    fn get(&self, kind: FeatureKind) -> Option<&Tensor> {
        match kind {
            FeatureKind::Distance => self.distance.as_ref(),
            FeatureKind::LogLikelihood => self.log_likelihood.as_ref(),
            FeatureKind::Probability => self.probability.as_ref(),
        }
    }
}

/// What a detector sees in a batch of features.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Evidence {
    /// One a scale, fine to coarse.
    pub scales: Vec<ScaleEvidence>,
    /// The scores of the images, `(batch,)`, of a detector that does not take the maximum of the
    /// map.
    pub image_scores: Option<Tensor>,
}

impl Evidence {
    /// The evidence of these scales.
    #[must_use]
    pub fn new(scales: Vec<ScaleEvidence>) -> Self {
        Self { scales, image_scores: None }
    }

    /// Sets the scores of the images.
    #[must_use]
    pub fn with_image_scores(mut self, scores: Tensor) -> Self {
        self.image_scores = Some(scores);
        self
    }

    /// The distances of a detector that has one scale of them.
    pub(crate) fn distance(&self) -> Result<&Tensor> {
        let distance = self.scales.first().and_then(|scale| scale.distance.as_ref());
        let missing = || {
            Error::Value("there is evidence without distances: it is another detector's".to_owned())
        };
        distance.ok_or_else(missing)
    }
}

/// Which evidence the features of an image are made of, for reduction and clustering.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FeatureKind {
    /// [`ScaleEvidence::probability`].
    Probability,
    /// [`ScaleEvidence::log_likelihood`].
    LogLikelihood,
    /// [`ScaleEvidence::distance`].
    Distance,
}

/// What a detector says of a batch of images: tensors on the device that computed them. `PaDiM` and
/// `PatchCore` measure on CUDA or on the CPU.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Scores {
    /// How strange each image is, `(batch,)`: the greater, the stranger.
    pub images: Tensor,
    /// How strange each pixel is, `(batch, 1, height, width)`, of the prepared images' size.
    pub maps: Tensor,
    /// What the detector sees at each scale.
    pub scales: Vec<ScaleEvidence>,
}

impl Scores {
    /// The scores of the images.
    ///
    /// # Errors
    ///
    /// If they cannot be read from their device.
    pub fn image_values(&self) -> Result<Vec<f64>> {
        Ok(on_cpu(&self.images, DType::F64)?.to_vec1()?)
    }

    /// The multi-scale features of each image, `(batch, features)`: the evidence of that kind at
    /// every place of every scale, fine to coarse.
    ///
    /// # Errors
    ///
    /// If the detector gives no such evidence.
    pub fn features(&self, kind: FeatureKind) -> Result<Tensor> {
        let rows = (0..self.scales.len()).map(|scale| self.scale_features(kind, scale));
        Ok(Tensor::cat(&rows.collect::<Result<Vec<_>>>()?, 1)?)
    }

    /// The features of a single scale, `(batch, features)`.
    ///
    /// # Errors
    ///
    /// If there is no such scale, or the detector gives no such evidence.
    pub fn scale_features(&self, kind: FeatureKind, scale: usize) -> Result<Tensor> {
        let Some(evidence) = self.scales.get(scale) else {
            let count = self.scales.len();
            return Err(Error::Setting(format!("scale {scale}: there are {count}, from 0")));
        };
        match evidence.get(kind) {
            Some(tensor) => Ok(tensor.flatten_from(1)?),
            None => Err(Error::Setting(format!(
                "the detector gives no {kind:?} at scale {scale}: take another kind of features"
            ))),
        }
    }
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;

    #[test]
    fn features_are_those_of_all_scales_side_by_side() -> Result<()> {
        let scale = |value: f32, side: usize| -> Result<ScaleEvidence> {
            let x = Tensor::full(value, (2, 1, side, side), &Device::Cpu)?;
            Ok(ScaleEvidence::default().with_probability(x))
        };
        let scores = Scores {
            images: Tensor::zeros(2, DType::F32, &Device::Cpu)?,
            maps: Tensor::zeros((2, 1, 4, 4), DType::F32, &Device::Cpu)?,
            scales: vec![scale(0.25, 2)?, scale(0.75, 1)?],
        };
        let features = scores.features(FeatureKind::Probability)?.to_vec2::<f32>()?;
        assert_eq!(features, [[0.25, 0.25, 0.25, 0.25, 0.75]; 2]);
        assert_eq!(scores.scale_features(FeatureKind::Probability, 1)?.dims(), [2, 1]);
        let error = scores.features(FeatureKind::Distance).unwrap_err().to_string();
        assert!(error.contains("no Distance at scale 0"), "{error}");
        assert!(scores.scale_features(FeatureKind::Probability, 2).is_err());
        Ok(())
    }
}
