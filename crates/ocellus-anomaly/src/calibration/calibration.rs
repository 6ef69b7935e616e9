use crate::{Result, ScoreDistribution, State, Threshold};

/// What a detector's scores are like on normal images, and from where on it calls them anomalous.
/// Frozen with the detector and stored in its file.
///
/// See [`Detector::calibrate`](crate::Detector::calibrate).
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Calibration {
    /// The scores of normal images, exactly.
    pub images: ScoreDistribution,
    /// The scores of their pixels, in steps of 1/2048.
    pub pixels: ScoreDistribution,
    /// From where on an image is anomalous; see [`Threshold`].
    pub image_threshold: Option<Threshold>,
    /// From where on a pixel is anomalous.
    pub pixel_threshold: Option<Threshold>,
}

impl Calibration {
    /// Scores of normal images and their pixels, no thresholds.
    #[must_use]
    pub fn new(images: ScoreDistribution, pixels: ScoreDistribution) -> Self {
        Self { images, pixels, image_threshold: None, pixel_threshold: None }
    }

    pub(crate) fn save(&self) -> Result<State> {
        let mut state = State::default();
        state.extend(self.images.save()?.under("images"));
        state.extend(self.pixels.save()?.under("pixels"));
        for (name, threshold) in
            [("image_threshold", &self.image_threshold), ("pixel_threshold", &self.pixel_threshold)]
        {
            if let Some(threshold) = threshold {
                state.extend(threshold.save().under(name));
            }
        }
        Ok(state)
    }

    pub(crate) fn restore(state: &State) -> Result<Self> {
        Ok(Self {
            images: ScoreDistribution::restore(&state.part("images"))?,
            pixels: ScoreDistribution::restore(&state.part("pixels"))?,
            image_threshold: Threshold::restore(&state.part("image_threshold"))?,
            pixel_threshold: Threshold::restore(&state.part("pixel_threshold"))?,
        })
    }
}
