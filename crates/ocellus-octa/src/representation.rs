use candle_core::{DType, Device, Tensor};
use ndarray::{Array2, ArrayView2, s};
use ocellus_anomaly::{AnomalyDetector, FeatureKind, ImageSource, Scores};

use crate::{Error, Result};

/// What of the detector stands for an image: pₖ of the paper, which does not say what it is.
///
/// | | of a decoder at a grid of h × w | paper's network at 320²: features |
/// | --- | --- | ---: |
/// | [`Probability`](Self::Probability) | exp(log p − max log p), the maximum frozen at calibration | 1600 + 400 + 100 |
/// | [`LogLikelihood`](Self::LogLikelihood) | log p a channel | 1600 + 400 + 100 |
/// | [`Distance`](Self::Distance) | the detector's anomaly measure a place: `PaDiM`'s, `PatchCore`'s | 1600 (their one grid) |
/// | [`PooledLatent`](Self::PooledLatent) | z, the mean over the grid | 512 + 1024 + 2048 |
/// | [`Score`](Self::Score) | the image's score alone, `F_QS` of Table 2 | 1 |
///
/// # Deviations
///
/// The paper says "the output of the decoder" and writes p: the probability map is the likeliest
/// reading, since NMF takes no negative numbers and 1.4 million latents an image would be 14.6 GB.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Representation {
    /// The probability map of each scale.
    #[default]
    Probability,
    /// The log-likelihood map of each scale.
    LogLikelihood,
    /// The distance map of each scale.
    Distance,
    /// The latents, averaged over the places of each scale. They are of all scales at once.
    PooledLatent,
    /// The image's score.
    Score,
}

/// Which scales stand for an image.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Scales {
    /// All, side by side: `F_multi` of Table 2.
    #[default]
    All,
    /// One, from 0, the finest: `F_single`. The paper takes the one that agrees best with the grades,
    /// which is an oracle's choice.
    One(usize),
}

/// The scores and features of images.
///
/// # Examples
///
/// ```
/// use ndarray::array;
/// use ocellus_octa::{Represented, Scales};
///
/// let images = Represented::new(vec![0.1, 0.7], array![[1., 0.5, 0.2], [0.9, 0.1, 0.]], vec![2, 1])?;
/// assert_eq!(images.features(Scales::One(1))?, array![[0.2], [0.]]);
/// assert_eq!(images.features(Scales::All)?.ncols(), 3);
/// # Ok::<(), ocellus_octa::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Represented {
    scores: Vec<f64>,
    features: Array2<f32>,
    widths: Vec<usize>,
}

impl Represented {
    /// Scores, a row of features each, and how many of these each scale has.
    ///
    /// # Errors
    ///
    /// If these do not go together, or a score is not finite.
    pub fn new(scores: Vec<f64>, features: Array2<f32>, widths: Vec<usize>) -> Result<Self> {
        if scores.len() != features.nrows() || widths.iter().sum::<usize>() != features.ncols() {
            return Err(Error::Setting(format!(
                "{} scores, features {} × {}, scales of {widths:?}: give a row a score, and scales that add up",
                scores.len(),
                features.nrows(),
                features.ncols()
            )));
        }
        if let Some(image) = scores.iter().position(|score| !score.is_finite()) {
            return Err(Error::Value(format!(
                "the score of image {image} is {}: it must be finite",
                scores[image]
            )));
        }
        Ok(Self { scores, features, widths })
    }

    /// Asks the detector for images, a batch at a time.
    ///
    /// # Errors
    ///
    /// If there are no images, they do not fit the detector, or it has no such representation.
    pub fn of(
        detector: &dyn AnomalyDetector,
        images: &dyn ImageSource,
        representation: Representation,
    ) -> Result<Self> {
        let (mut scores, mut rows, mut widths) = (Vec::new(), Vec::new(), Vec::new());
        for batch in images.pass(0)? {
            let batch = batch?;
            let seen = detector.score(&batch)?;
            let parts = parts(detector, &batch, &seen, representation)?;
            widths = parts.iter().map(|part| part.dim(1)).collect::<candle_core::Result<_>>()?;
            let row = Tensor::cat(&parts, 1)?.to_device(&Device::Cpu)?.to_dtype(DType::F32)?;
            rows.extend(row.flatten_all()?.to_vec1::<f32>()?);
            scores.extend(seen.image_values()?);
        }
        let columns = widths.iter().sum();
        let shape = (scores.len(), columns);
        let features = Array2::from_shape_vec(shape, rows).map_err(|_| {
            Error::Value(
                "batches of images differ in their features: give images of one size".into(),
            )
        })?;
        if scores.is_empty() {
            return Err(Error::Value("no image to represent: give one at least".into()));
        }
        Self::new(scores, features, widths)
    }

    /// How many images.
    #[must_use]
    pub fn len(&self) -> usize {
        self.scores.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.scores.is_empty()
    }

    /// Each image's score: the greater, the stranger.
    #[must_use]
    pub fn scores(&self) -> &[f64] {
        &self.scores
    }

    /// How many features each scale has.
    #[must_use]
    pub fn widths(&self) -> &[usize] {
        &self.widths
    }

    /// The features of scales: (images, features).
    ///
    /// # Errors
    ///
    /// If there is no such scale.
    pub fn features(&self, scales: Scales) -> Result<ArrayView2<'_, f32>> {
        let Scales::One(scale) = scales else { return Ok(self.features.view()) };
        let Some(&width) = self.widths.get(scale) else {
            let count = self.widths.len();
            return Err(Error::Setting(format!("scale {scale}: there are {count}, from 0")));
        };
        let start: usize = self.widths[..scale].iter().sum();
        Ok(self.features.slice(s![.., start..start + width]))
    }

    /// The same images, with nothing but their scores to stand for them: `F_QS` of Table 2.
    ///
    /// # Errors
    ///
    /// None: scores are finite here.
    pub fn of_scores(&self) -> Result<Self> {
        let column = Array2::from_shape_fn((self.len(), 1), |(image, _)| self.scores[image] as f32);
        Self::new(self.scores.clone(), column, vec![1])
    }

    /// The images at these places, in this order.
    ///
    /// # Errors
    ///
    /// If there is no such image.
    pub fn select(&self, images: &[usize]) -> Result<Self> {
        if let Some(image) = images.iter().find(|&&image| image >= self.len()) {
            return Err(Error::Setting(format!("image {image}: there are {}, from 0", self.len())));
        }
        Ok(Self {
            scores: images.iter().map(|&image| self.scores[image]).collect(),
            features: self.features.select(ndarray::Axis(0), images),
            widths: self.widths.clone(),
        })
    }
}

/// (images, features) of each scale.
fn parts(
    detector: &dyn AnomalyDetector,
    batch: &Tensor,
    seen: &Scores,
    representation: Representation,
) -> Result<Vec<Tensor>> {
    let kind = match representation {
        Representation::Probability => FeatureKind::Probability,
        Representation::LogLikelihood => FeatureKind::LogLikelihood,
        Representation::Distance => FeatureKind::Distance,
        Representation::PooledLatent => return Ok(vec![detector.pooled_latents(batch)?]),
        Representation::Score => return Ok(vec![seen.images.unsqueeze(1)?]),
    };
    let count = seen.scales.len();
    (0..count).map(|scale| Ok(seen.scale_features(kind, scale)?)).collect()
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    fn two() -> Represented {
        Represented::new(vec![0.1, 0.7], array![[1., 0.5, 0.2], [0.9, 0.1, 0.]], vec![2, 1])
            .unwrap()
    }

    #[test]
    fn refuses_what_does_not_go_together() {
        let message = |scores: Vec<f64>, widths: Vec<usize>| {
            Represented::new(scores, array![[1., 2.]], widths).unwrap_err().to_string()
        };
        assert!(message(vec![0., 1.], vec![2]).contains("2 scores"));
        assert!(message(vec![0.], vec![1]).contains("[1]"));
        assert!(message(vec![f64::NAN], vec![1, 1]).contains("image 0 is NaN"));
    }

    #[test]
    fn a_scale_that_is_not_there_is_an_error() {
        assert!(two().features(Scales::One(2)).unwrap_err().to_string().contains("there are 2"));
        assert_eq!(two().features(Scales::One(0)).unwrap(), array![[1., 0.5], [0.9, 0.1]]);
    }

    #[test]
    fn scores_alone_are_one_feature() {
        let scores = two().of_scores().unwrap();
        assert_eq!(scores.features(Scales::All).unwrap(), array![[0.1], [0.7]]);
        assert_eq!((scores.scores(), scores.widths()), (&[0.1, 0.7][..], &[1][..]));
    }

    #[test]
    fn selects_images_in_any_order() {
        let one = two().select(&[1]).unwrap();
        assert_eq!((one.len(), one.scores(), one.is_empty()), (1, &[0.7][..], false));
        assert_eq!(one.features(Scales::All).unwrap(), array![[0.9, 0.1, 0.]]);
        assert!(two().select(&[2]).is_err());
    }
}
