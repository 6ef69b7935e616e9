use std::path::Path;

use candle_core::{DType, Device, Tensor};

use super::file::{self, Tables};
use crate::{
    Calibration, EncodedImages, Encoder, Error, FeatureModel, FitFeatures, FrozenBackbone,
    ImageSource, Result, ScoreDistribution, Scores, Threshold,
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
/// use ocellus_anomaly::{AnomalyDetector, Detector, Encoder, FrozenBackbone, Padim, Threshold};
/// use ocellus_backbones::ResNetConfig;
/// use ocellus_params::ParamStore;
///
/// let config = ResNetConfig::resnet18().with_channels(8).with_stage_count(2);
/// let backbone = FrozenBackbone::resnet(&config, &ParamStore::seeded(1))?;
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
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Detector {
    pub(super) encoder: Encoder,
    pub(super) model: Box<dyn FeatureModel>,
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
        Self::from_model(encoder, Box::new(model), normal)
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
        normal: &dyn ImageSource,
    ) -> Result<Self> {
        let none = Calibration::new(ScoreDistribution::exact(), ScoreDistribution::coarse());
        let mut detector = Self { encoder, model, calibration: none };
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
        let (mut images, mut pixels) = (ScoreDistribution::exact(), ScoreDistribution::coarse());
        for batch in normal.pass(0)? {
            let scores = self.score(&batch?)?;
            let values = |x: &Tensor| -> Result<Vec<f32>> {
                let x = x.to_device(&Device::Cpu)?.to_dtype(DType::F32)?;
                Ok(x.flatten_all()?.to_vec1()?)
            };
            images.add(&values(&scores.images)?)?;
            pixels.add(&values(&scores.maps)?)?;
        }
        if images.count() == 0 {
            return Err(Error::Value("no image to calibrate on: give normal ones".to_owned()));
        }
        self.calibration = Calibration::new(images, pixels);
        Ok(())
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

    /// Reads a detector that gives the same bits as the one that was saved.
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
        let size = self.input_size(images)?;
        self.model.score(&self.encoder.features(images)?, size)
    }

    fn pooled_latents(&self, images: &Tensor) -> Result<Tensor> {
        self.model.pooled_latents(&self.encoder.features(images)?)
    }

    fn calibration(&self) -> &Calibration {
        &self.calibration
    }
}
