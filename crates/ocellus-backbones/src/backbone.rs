use candle_core::{Result, Tensor};

/// A scale at which a backbone gives features.
///
/// # Examples
///
/// ```
/// use ocellus_backbones::Stage;
///
/// let stage = Stage::new(512, 16);
/// assert_eq!((stage.channels, stage.stride), (512, 16));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Stage {
    /// Channels of the features.
    pub channels: usize,
    /// How many pixels of the image a step in the features spans.
    pub stride: usize,
}

impl Stage {
    /// Features of that many channels, one per `stride` × `stride` pixels.
    #[must_use]
    pub const fn new(channels: usize, stride: usize) -> Self {
        Self { channels, stride }
    }
}

/// A network that gives features at several scales, fine to coarse.
///
/// # Examples
///
/// ```
/// use candle_core::{DType, Device, Tensor};
/// use candle_nn::VarBuilder;
/// use ocellus_backbones::{Backbone, Vgg, VggConfig};
///
/// let vb = VarBuilder::zeros(DType::F32, &Device::Cpu);
/// let backbone: Box<dyn Backbone> = Box::new(Vgg::new(&VggConfig::vgg11(), vb)?);
/// let strides: Vec<usize> = backbone.stages().iter().map(|stage| stage.stride).collect();
/// assert_eq!(strides, [1, 2, 4, 8, 16, 32]);
///
/// let x = Tensor::zeros((1, 3, 32, 32), DType::F32, &Device::Cpu)?;
/// assert_eq!(backbone.features(&x)?.len(), 6);
/// # Ok::<(), candle_core::Error>(())
/// ```
pub trait Backbone {
    /// The scales, in the order of [`features`](Self::features).
    fn stages(&self) -> &[Stage];

    /// The features of images `(batch, channels, height, width)` at each scale, in evaluation mode.
    ///
    /// # Errors
    ///
    /// If the images are too small or have another number of channels.
    fn features(&self, x: &Tensor) -> Result<Vec<Tensor>> {
        self.features_t(x, false)
    }

    /// The features at those of the [`stages`](Self::stages) alone, in the order asked for, in
    /// evaluation mode. Networks stop behind the last stage that is asked for.
    ///
    /// # Errors
    ///
    /// As [`features`](Self::features), and if there is no such stage.
    fn stage_features(&self, x: &Tensor, stages: &[usize]) -> Result<Vec<Tensor>> {
        let all = self.features(x)?;
        let tap = |&stage: &usize| match all.get(stage) {
            Some(features) => Ok(features.clone()),
            None => candle_core::bail!("stage {stage}: there are {}, from 0", all.len()),
        };
        stages.iter().map(tap).collect()
    }

    /// The features at each scale, in training or evaluation mode.
    ///
    /// # Errors
    ///
    /// As [`features`](Self::features).
    fn features_t(&self, x: &Tensor, train: bool) -> Result<Vec<Tensor>>;
}
