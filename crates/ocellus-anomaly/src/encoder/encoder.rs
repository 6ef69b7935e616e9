use candle_core::{DType, Tensor};
use ocellus_backbones::Stage;

use crate::{Error, FrozenBackbone, Preparation, Result};

/// Images to features: preparation, then the chosen stages of a frozen backbone.
///
/// Each image goes through the network alone, so its features are the same bits in any batch.
///
/// # Shapes
///
/// - images: `(batch, channels, height, width)` of values in [0, 1], on any device
/// - features: one `(batch, channelsₖ, heightₖ, widthₖ)` a stage, in `f32`, on the backbone's device
///
/// # Examples
///
/// ```
/// use candle_core::{DType, Device, Tensor};
/// use ocellus_anomaly::{Encoder, FrozenBackbone, Preparation};
/// use ocellus_backbones::ResNetConfig;
/// use ocellus_params::ParamStore;
///
/// let config = ResNetConfig::resnet18().with_channels(8).with_stage_count(3);
/// let backbone = FrozenBackbone::resnet(&config, &ParamStore::seeded(1), &Device::Cpu)?;
/// let encoder = Encoder::new(backbone, &[1, 2, 3])?
///     .with_preparation(Preparation::torchvision().with_resize(72, 72).with_crop(64, 64));
///
/// let gray = Tensor::full(0.5f32, (2, 1, 100, 90), &Device::Cpu)?;
/// let features = encoder.features(&gray)?;
/// assert_eq!(features[0].dims(), [2, 8, 16, 16]);
/// assert_eq!(features[2].dims(), [2, 32, 4, 4]);
/// # Ok::<(), ocellus_anomaly::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Encoder {
    backbone: FrozenBackbone,
    stages: Vec<usize>,
    preparation: Preparation,
}

impl Encoder {
    /// The features at these of the backbone's stages, fine to coarse; of a ResNet 0 is the stem
    /// and i is `layer`i. Images are prepared as [`Preparation::torchvision`] says.
    ///
    /// # Errors
    ///
    /// If there is no stage, or they do not ascend.
    pub fn new(backbone: FrozenBackbone, stages: &[usize]) -> Result<Self> {
        let count = backbone.network().stages().len();
        let ascend = stages.windows(2).all(|pair| pair[0] < pair[1]);
        if stages.is_empty() || !ascend || stages.iter().any(|&stage| stage >= count) {
            return Err(Error::Setting(format!(
                "stages {stages:?} of {}: give ascending ones of 0 to {}",
                backbone.name(),
                count.saturating_sub(1)
            )));
        }
        Ok(Self { backbone, stages: stages.to_vec(), preparation: Preparation::torchvision() })
    }

    /// Sets how images are prepared.
    #[must_use]
    pub fn with_preparation(mut self, preparation: Preparation) -> Self {
        self.preparation = preparation;
        self
    }

    /// The backbone.
    #[must_use]
    pub fn backbone(&self) -> &FrozenBackbone {
        &self.backbone
    }

    /// The numbers of the stages.
    #[must_use]
    pub fn stages(&self) -> &[usize] {
        &self.stages
    }

    /// Channels and stride of each stage.
    #[must_use]
    pub fn scales(&self) -> Vec<Stage> {
        let all = self.backbone.network().stages();
        self.stages.iter().map(|&stage| all[stage]).collect()
    }

    /// How images are prepared.
    #[must_use]
    pub fn preparation(&self) -> &Preparation {
        &self.preparation
    }

    /// Height and width that images of that size have when they enter the network: the size of the
    /// maps.
    ///
    /// # Errors
    ///
    /// If they are too small for the crop.
    pub fn input_size(&self, height: usize, width: usize) -> Result<(usize, usize)> {
        self.preparation.output_size(height, width)
    }

    /// The features of images at each stage.
    ///
    /// # Errors
    ///
    /// If there is no image, one has a value that is not finite, or the preparation or the network
    /// does not take them.
    pub fn features(&self, images: &Tensor) -> Result<Vec<Tensor>> {
        let &[batch, _, height, width] = images.dims() else {
            return Err(Error::Shape(format!(
                "images are {:?}: give (batch, channels, height, width)",
                images.dims()
            )));
        };
        if batch == 0 || height == 0 || width == 0 {
            return Err(Error::Shape(format!("no image: {:?}", images.dims())));
        }
        let mut scales = vec![Vec::with_capacity(batch); self.stages.len()];
        for index in 0..batch {
            let image = images.narrow(0, index, 1)?.to_dtype(DType::F32)?;
            let extent = image.abs()?.sum_all()?.to_scalar::<f32>()?;
            if !extent.is_finite() {
                return Err(Error::Value(format!(
                    "image {index} has values that are not finite: give values in [0, 1]"
                )));
            }
            let x = self.preparation.apply(&image)?.to_device(self.backbone.device())?;
            let features = self.backbone.network().stage_features(&x, &self.stages)?;
            for (scale, features) in scales.iter_mut().zip(features) {
                scale.push(features.to_dtype(DType::F32)?);
            }
        }
        scales.iter().map(|scale| Ok(Tensor::cat(scale, 0)?)).collect()
    }
}

#[cfg(test)]
mod tests {
    use candle_core::Device;
    use ocellus_backbones::{ResNetConfig, VggConfig};
    use ocellus_params::ParamStore;
    use ocellus_testing::{assert_close, fill};

    use super::*;

    fn backbone() -> Result<FrozenBackbone> {
        let config = ResNetConfig::resnet18().with_channels(4).with_stage_count(3);
        FrozenBackbone::resnet(&config, &ParamStore::seeded(3), &Device::Cpu)
    }

    #[test]
    fn features_are_the_same_bits_alone_and_in_any_batch() -> Result<()> {
        let encoder = Encoder::new(backbone()?, &[1, 3])?;
        let images = fill((5, 3, 40, 36), 0.2, DType::F32)?.affine(0.5, 0.5)?;
        let all = encoder.features(&images)?;
        for index in 0..5 {
            let alone = encoder.features(&images.narrow(0, index, 1)?)?;
            for (alone, all) in alone.iter().zip(&all) {
                assert_close(alone, &all.narrow(0, index, 1)?, 0.)?;
            }
        }
        Ok(())
    }

    #[test]
    fn a_vgg_is_a_backbone_too() -> Result<()> {
        let config = VggConfig::vgg11().with_channels([2, 3, 4, 5, 6]);
        let backbone = FrozenBackbone::vgg(&config, &ParamStore::seeded(0), &Device::Cpu)?;
        let encoder = Encoder::new(backbone, &[1, 2])?;
        let features = encoder.features(&fill((1, 3, 32, 32), 0., DType::F32)?)?;
        assert_eq!(features[1].dims(), [1, 4, 8, 8]);
        assert_eq!(encoder.scales()[1].stride, 4);
        Ok(())
    }

    #[test]
    fn rejects_stages_and_images_that_make_no_sense() -> Result<()> {
        for stages in [&[][..], &[2, 1], &[1, 1], &[4]] {
            let error = Encoder::new(backbone()?, stages).unwrap_err().to_string();
            assert!(error.contains("give ascending ones of 0 to 3"), "{error}");
        }
        let encoder = Encoder::new(backbone()?, &[1])?;
        let empty = Tensor::zeros((0, 3, 8, 8), DType::F32, &Device::Cpu)?;
        assert!(encoder.features(&empty).unwrap_err().to_string().contains("no image"));
        let nan = Tensor::full(f32::NAN, (1, 3, 32, 32), &Device::Cpu)?;
        assert!(encoder.features(&nan).unwrap_err().to_string().contains("image 0"));
        let flat = Tensor::zeros((3, 8, 8), DType::F32, &Device::Cpu)?;
        assert!(encoder.features(&flat).unwrap_err().to_string().contains("[3, 8, 8]"));
        Ok(())
    }
}
