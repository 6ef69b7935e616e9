use std::fmt::Debug;

use candle_core::{D, Tensor};

use super::check::check_features;
use crate::{Error, Evidence, FeatureSource, Result, Scores, State};

/// The settings of a detector, which learn from the features of normal images.
///
/// # Examples
///
/// ```
/// use candle_core::{DType, Device, Tensor};
/// use ocellus_anomaly::{FeatureModel, FitFeatures, Padim};
///
/// // Features of one scale, of three images.
/// let features = vec![vec![Tensor::rand(0f32, 1., (3, 8, 4, 4), &Device::Cpu)?]];
/// let model = Padim::new(6).fit(&features)?;
/// assert_eq!(model.score(&features[0], (16, 16))?.maps.dims(), [3, 1, 16, 16]);
/// # Ok::<(), ocellus_anomaly::Error>(())
/// ```
pub trait FitFeatures {
    /// What is learned.
    type Model: FeatureModel + 'static;

    /// Learns from features of normal images, of which a batch at a time need be in memory.
    ///
    /// # Errors
    ///
    /// If the settings make no sense or do not fit the features, there are too few images, or a
    /// feature is not finite.
    fn fit(&self, features: &dyn FeatureSource) -> Result<Self::Model>;
}

/// What a detector has learned. It works on features alone, and what it says of an image depends on
/// no other image of the batch.
pub trait FeatureModel: Debug + Send + Sync {
    /// The name in files, such as `padim`.
    fn kind(&self) -> &'static str;

    /// Channels, height and width of the features that it was fitted on, one a scale.
    fn scales(&self) -> &[(usize, usize, usize)];

    /// What it sees in features `(batch, channelsₖ, heightₖ, widthₖ)`, one a scale, that are known
    /// to be finite and of the right size: callers use [`score`](Self::score).
    ///
    /// # Errors
    ///
    /// If a tensor operation fails.
    fn evidence(&self, features: &[Tensor]) -> Result<Evidence>;

    /// The features in the space where normal ones are simple, one a scale,
    /// `(batch, channels, height, width)`: a flow's latent, a whitened residual.
    ///
    /// # Errors
    ///
    /// If the features do not fit, or the detector has no such space.
    fn latents(&self, features: &[Tensor]) -> Result<Vec<Tensor>>;

    /// The map of an image of that size, `(batch, 1, height, width)`.
    ///
    /// # Errors
    ///
    /// If the evidence is another detector's.
    fn anomaly_map(&self, evidence: &Evidence, size: (usize, usize)) -> Result<Tensor>;

    /// Freezes what the scores are measured by, such as the greatest likelihood, on normal images
    /// that may be others than it was fitted on.
    ///
    /// # Errors
    ///
    /// If the features do not fit.
    fn calibrate(&mut self, features: &dyn FeatureSource) -> Result<()> {
        let _ = features; // Scores that are measured by nothing need no pass.
        Ok(())
    }

    /// Writes all that it has learned into a file's state, from which it can be restored to the bit.
    ///
    /// # Errors
    ///
    /// If a tensor cannot be read from its device.
    fn save(&self, state: &mut State) -> Result<()>;

    /// Scores images by their features; the maps are of that size.
    ///
    /// # Errors
    ///
    /// If the features do not fit, or are not finite.
    fn score(&self, features: &[Tensor], size: (usize, usize)) -> Result<Scores> {
        check_features(features, self.scales())?;
        let evidence = self.evidence(features)?;
        let maps = self.anomaly_map(&evidence, size)?;
        let images = match &evidence.image_scores {
            Some(scores) => scores.clone(),
            None => maps.flatten_from(1)?.max(D::Minus1)?,
        };
        Ok(Scores { images, maps, scales: evidence.scales })
    }

    /// The latents as one row an image, `(batch, channels of all scales)`: the mean over the places
    /// of each scale.
    ///
    /// # Errors
    ///
    /// As [`latents`](Self::latents).
    fn pooled_latents(&self, features: &[Tensor]) -> Result<Tensor> {
        let latents = self.latents(features)?;
        if latents.is_empty() {
            return Err(Error::Setting(format!("{} has no latents", self.kind())));
        }
        let pooled = latents.iter().map(|latent| Ok(latent.flatten_from(2)?.mean(2)?));
        Ok(Tensor::cat(&pooled.collect::<Result<Vec<_>>>()?, 1)?)
    }
}
