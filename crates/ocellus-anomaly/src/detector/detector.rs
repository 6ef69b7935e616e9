use std::path::Path;

use candle_core::{DType, Tensor};

use super::file::{self, Tables};
use crate::{
    Calibration, EncodedImages, Encoder, Error, FeatureModel, FitFeatures, FrozenBackbone,
    ImagePooling, ImageScoring, ImageSource, Result, ScoreDistribution, Scores, Threshold,
    on_cpu::values,
};

/// Says how strange images are, as a whole and pixel by pixel.
///
/// What it says of an image depends on no other image: its scores are the same bits alone, in any
/// batch and in any order.
pub trait AnomalyDetector {
    /// The name of the method, such as `padim`.
    fn kind(&self) -> &str;

    /// Scores images `(batch, channels, height, width)` of values in [0, 1].
    ///
    /// # Errors
    ///
    /// If there is no image, a value is not finite, or the size is not that of the normal images.
    fn score(&self, images: &Tensor) -> Result<Scores>;

    /// The latents of the images, one row each: see [`FeatureModel::pooled_latents`].
    ///
    /// # Errors
    ///
    /// As [`score`](Self::score), and if the method has no latents.
    fn pooled_latents(&self, images: &Tensor) -> Result<Tensor>;

    /// What scores of normal images are like, and the thresholds.
    fn calibration(&self) -> &Calibration;
}

/// A fitted detector: a frozen backbone, what was learned from its features, and the calibration.
///
/// # Examples
///
/// ```
/// use candle_core::{DType, Device, Tensor};
/// use ocellus_anomaly::{AnomalyDetector, Detector, Encoder, FrozenBackbone, ImagePooling, ImageScoring, Padim, Threshold};
/// use ocellus_backbones::ResNetConfig;
/// use ocellus_params::ParamStore;
///
/// let config = ResNetConfig::resnet18().with_channels(8).with_stage_count(2);
/// let backbone = FrozenBackbone::resnet(&config, &ParamStore::seeded(1), &Device::Cpu)?;
/// let encoder = Encoder::new(backbone.clone(), &[1, 2])?;
///
/// // Fitted on normal images alone.
/// let normal = vec![Tensor::rand(0.4f32, 0.6, (8, 3, 32, 32), &Device::Cpu)?];
/// let mut detector = Detector::fit(encoder, &Padim::new(12), &normal)?;
/// detector.set_image_threshold(Threshold::normal_quantile(&detector.calibration().images, 1.)?);
///
/// let image = Tensor::rand(0f32, 1., (1, 3, 32, 32), &Device::Cpu)?;
/// let scores = detector.score(&image)?;
/// assert_eq!(scores.maps.dims(), [1, 1, 32, 32]);
///
/// // One file holds it whole; the backbone's weights stay where they are.
/// let folder = tempfile::tempdir()?;
/// let path = folder.path().join("detector.safetensors");
/// detector.save(&path)?;
/// let loaded = Detector::load(&path, backbone)?;
/// assert_eq!(loaded.score(&image)?.image_values()?, scores.image_values()?);
///
/// // The score of an image as the mean of its map, where images are spoiled as a whole.
/// let scoring = ImageScoring::new(ImagePooling::Mean);
/// detector.set_scoring(scoring, &normal)?;
/// detector.save(&path)?;
/// let loaded = Detector::load(&path, loaded.encoder().backbone().clone())?;
/// assert_eq!(loaded.scoring(), scoring);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Detector {
    pub(super) encoder: Encoder,
    pub(super) model: Box<dyn FeatureModel>,
    pub(super) scoring: ImageScoring,
    /// The median of normal scores: two-sided ones are distances from it.
    pub(super) center: f64,
    pub(super) calibration: Calibration,
}

impl Detector {
    /// Fits on normal images, of which a batch at a time is in memory, and calibrates on the same.
    ///
    /// Scores of images that were fitted on are lower than those of others: where there are normal
    /// images to spare, [`calibrate`](Self::calibrate) on them.
    ///
    /// # Errors
    ///
    /// If there are too few images, they are not all of a size, or the settings make no sense.
    pub fn fit(
        encoder: Encoder,
        settings: &impl FitFeatures,
        normal: &dyn ImageSource,
    ) -> Result<Self> {
        let model = settings.fit(&EncodedImages::new(&encoder, normal))?;
        Self::from_model(encoder, Box::new(model), ImageScoring::default(), normal)
    }

    /// A detector of what was learned elsewhere from features of the encoder, calibrated on normal
    /// images.
    ///
    /// # Errors
    ///
    /// As [`calibrate`](Self::calibrate).
    pub fn from_model(
        encoder: Encoder,
        model: Box<dyn FeatureModel>,
        scoring: ImageScoring,
        normal: &dyn ImageSource,
    ) -> Result<Self> {
        let none = Calibration::new(ScoreDistribution::exact(), ScoreDistribution::coarse());
        let mut detector = Self { encoder, model, scoring, center: 0., calibration: none };
        detector.calibrate(normal)?;
        Ok(detector)
    }

    /// Freezes what scores are measured by, and gathers those of normal images. Thresholds are
    /// taken away: the scores may have another scale now.
    ///
    /// # Errors
    ///
    /// If there is no image, or they do not fit.
    pub fn calibrate(&mut self, normal: &dyn ImageSource) -> Result<()> {
        self.model.calibrate(&EncodedImages::new(&self.encoder, normal))?;
        let (mut images, mut pixels) = (Vec::new(), ScoreDistribution::coarse());
        for batch in normal.pass(0)? {
            let scores = self.one_sided(&batch?)?;
            images.extend(values(&scores.images)?);
            pixels.add(&values(&scores.maps)?)?;
        }
        if images.is_empty() {
            return Err(Error::Value("no image to calibrate on: give normal ones".to_owned()));
        }
        let mut distribution = ScoreDistribution::exact();
        distribution.add(&images)?;
        self.center = distribution.quantile(0.5)?;
        if self.scoring.two_sided {
            distribution = ScoreDistribution::exact();
            for score in &mut images {
                *score = (f64::from(*score) - self.center).abs() as f32;
            }
            distribution.add(&images)?;
        }
        self.calibration = Calibration::new(distribution, pixels);
        Ok(())
    }

    /// Sets what the score of an image is, and calibrates again, for the scale is another.
    ///
    /// # Errors
    ///
    /// As [`calibrate`](Self::calibrate), and if a share is not above 0 and at most 1.
    pub fn set_scoring(&mut self, scoring: ImageScoring, normal: &dyn ImageSource) -> Result<()> {
        self.scoring = scoring;
        self.calibrate(normal)
    }

    /// What the score of an image is.
    #[must_use]
    pub fn scoring(&self) -> ImageScoring {
        self.scoring
    }

    /// Sets from where on an image is anomalous.
    pub fn set_image_threshold(&mut self, threshold: Threshold) {
        self.calibration.image_threshold = Some(threshold);
    }

    /// Sets from where on a pixel is anomalous.
    pub fn set_pixel_threshold(&mut self, threshold: Threshold) {
        self.calibration.pixel_threshold = Some(threshold);
    }

    /// What images go through.
    #[must_use]
    pub fn encoder(&self) -> &Encoder {
        &self.encoder
    }

    /// What was learned.
    #[must_use]
    pub fn model(&self) -> &dyn FeatureModel {
        &*self.model
    }

    /// Writes it whole to a safetensors file, or leaves the file as it was.
    ///
    /// The backbone's weights are not written, but their fingerprint is.
    ///
    /// # Errors
    ///
    /// If the file cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        file::save(self, path.as_ref())
    }

    /// Reads a detector that gives the same bits as the one that was saved, on the backbone's device.
    ///
    /// # Errors
    ///
    /// If the file is missing, cut short or damaged, no detector, of a newer version, or made with
    /// another backbone.
    pub fn load(path: impl AsRef<Path>, backbone: FrozenBackbone) -> Result<Self> {
        file::load(path.as_ref(), backbone, Tables::InMemory)
    }

    /// As [`load`](Self::load), with PatchCore's bank left in the file: for one that outgrows memory.
    ///
    /// It is read block by block for each image, or some that are scored together: what the system
    /// has in its cache costs a copy, the rest a pass over the disk. In memory are the norms of its
    /// rows, 4 bytes each, and 2,048 rows a thread. Scores are the same, to the bit. The file is held
    /// open: it may be replaced or removed, but not written to.
    ///
    /// # Errors
    ///
    /// As [`load`](Self::load).
    pub fn open(path: impl AsRef<Path>, backbone: FrozenBackbone) -> Result<Self> {
        file::load(path.as_ref(), backbone, Tables::InFile)
    }

    /// Scores before distances from the median are taken.
    fn one_sided(&self, images: &Tensor) -> Result<Scores> {
        let size = self.input_size(images)?;
        let mut scores = self.model.score(&self.encoder.features(images)?, size)?;
        if self.scoring.pooling != ImagePooling::OfMethod {
            scores.images = self.scoring.pooling.of_maps(&scores.maps)?;
        }
        Ok(scores)
    }

    fn input_size(&self, images: &Tensor) -> Result<(usize, usize)> {
        let &[_, _, height, width] = images.dims() else {
            return Err(Error::Shape(format!(
                "images are {:?}: give (batch, channels, height, width)",
                images.dims()
            )));
        };
        self.encoder.input_size(height, width)
    }
}

impl AnomalyDetector for Detector {
    fn kind(&self) -> &str {
        self.model.kind()
    }

    fn score(&self, images: &Tensor) -> Result<Scores> {
        let mut scores = self.one_sided(images)?;
        if self.scoring.two_sided {
            let images = scores.images.to_dtype(DType::F64)?;
            let distances = images.affine(1., -self.center)?.abs()?;
            scores.images = distances.to_dtype(scores.images.dtype())?;
        }
        Ok(scores)
    }

    fn pooled_latents(&self, images: &Tensor) -> Result<Tensor> {
        self.model.pooled_latents(&self.encoder.features(images)?)
    }

    fn calibration(&self) -> &Calibration {
        &self.calibration
    }
}

#[cfg(test)]
mod tests {
    use candle_core::Device;
    use ocellus_backbones::ResNetConfig;
    use ocellus_params::ParamStore;

    use super::*;
    use crate::Padim;

    #[test]
    fn two_sides_measure_from_the_median_and_come_back_from_a_file() -> Result<()> {
        let config = ResNetConfig::resnet18().with_channels(4).with_stage_count(2);
        let backbone = FrozenBackbone::resnet(&config, &ParamStore::seeded(1), &Device::Cpu)?;
        let encoder = Encoder::new(backbone.clone(), &[1, 2])?;
        let normal = vec![Tensor::rand(0f32, 1., (9, 3, 32, 32), &Device::Cpu)?];
        let mut detector = Detector::fit(encoder, &Padim::new(6), &normal)?;
        let other = Tensor::rand(0f32, 1., (4, 3, 32, 32), &Device::Cpu)?;
        let one_sided = detector.score(&other)?.image_values()?;
        let median = detector.calibration().images.quantile(0.5)?;
        detector.set_scoring(ImageScoring::default().with_two_sided(true), &normal)?;
        let two_sided = detector.score(&other)?.image_values()?;
        for (one, two) in one_sided.iter().zip(&two_sided) {
            assert!(((one - median).abs() - two).abs() < 1e-5, "{one} {two} {median}");
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("detector.safetensors");
        detector.save(&path)?;
        let loaded = Detector::load(&path, backbone)?;
        assert!(loaded.scoring().two_sided);
        assert_eq!(loaded.score(&other)?.image_values()?, two_sided);
        detector.set_scoring(ImageScoring::default(), &normal)?;
        assert_eq!(detector.score(&other)?.image_values()?, one_sided);
        Ok(())
    }
}
