use ocellus_train::AdamConfig;

use crate::{Clamp, FlowConfig, Mixing};

/// The size of the features at a scale.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct FastFlowScale {
    /// Channels.
    pub channels: usize,
    /// Height.
    pub height: usize,
    /// Width.
    pub width: usize,
}

impl FastFlowScale {
    /// That size.
    #[must_use]
    pub fn new(channels: usize, height: usize, width: usize) -> Self {
        Self { channels, height, width }
    }
}

/// Configuration of [`FastFlow`](crate::FastFlow).
///
/// # Examples
///
/// ```
/// use ocellus_flows::FastFlowConfig;
///
/// let config = FastFlowConfig::wide_resnet50(256, 256);
/// assert_eq!(config.scales.len(), 3);
/// assert_eq!((config.scales[0].channels, config.scales[0].height), (256, 64));
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct FastFlowConfig {
    /// The features' sizes.
    pub scales: Vec<FastFlowScale>,
    /// Coupling blocks of a flow.
    pub blocks: usize,
    /// Whether all convolutions are 3 × 3; else every second block has 1 × 1 ones.
    pub only_3x3: bool,
    /// Channels of a subnet's hidden layer, as a share of its input's.
    pub hidden_ratio: f64,
    /// Whether features are normalized first, with a trained scale and shift for each value. For a
    /// transformer, whose own norm does that, no.
    pub layer_norm: bool,
    /// The bound α of the logarithm of a coupling's scale.
    pub alpha: f64,
    /// How the bound is kept.
    pub clamp: Clamp,
    /// How channels change places after a block.
    pub mixing: Mixing,
}

impl FastFlowConfig {
    /// The paper's setting for residual networks: 8 blocks, 3 × 3 and 1 × 1 convolutions by turns.
    #[must_use]
    pub fn new(scales: Vec<FastFlowScale>) -> Self {
        Self {
            scales,
            blocks: 8,
            only_3x3: false,
            hidden_ratio: 1.,
            layer_norm: true,
            alpha: 2.,
            clamp: Clamp::Scaled,
            mixing: Mixing::Hard,
        }
    }

    /// The paper's setting for stages 1 to 3 of ResNet-18 on images of that size: 3 × 3 convolutions
    /// alone. (anomalib since version 1 alternates them.)
    #[must_use]
    pub fn resnet18(height: usize, width: usize) -> Self {
        Self::new(stages([64, 128, 256], height, width)).with_only_3x3(true)
    }

    /// The paper's setting for stages 1 to 3 of Wide-ResNet-50-2 on images of that size.
    #[must_use]
    pub fn wide_resnet50(height: usize, width: usize) -> Self {
        Self::new(stages([256, 512, 1024], height, width))
    }

    /// The paper's setting for the tokens of a vision transformer, as an image of that size: 20
    /// blocks with narrow hidden layers, no norm.
    #[must_use]
    pub fn transformer(channels: usize, height: usize, width: usize) -> Self {
        let config = Self::new(vec![FastFlowScale::new(channels, height, width)]);
        Self { blocks: 20, hidden_ratio: 0.16, layer_norm: false, ..config }
    }

    /// Sets the number of coupling blocks.
    #[must_use]
    pub fn with_blocks(self, blocks: usize) -> Self {
        Self { blocks, ..self }
    }

    /// Sets whether all convolutions are 3 × 3.
    #[must_use]
    pub fn with_only_3x3(self, only_3x3: bool) -> Self {
        Self { only_3x3, ..self }
    }

    /// Sets the share of hidden channels.
    #[must_use]
    pub fn with_hidden_ratio(self, hidden_ratio: f64) -> Self {
        Self { hidden_ratio, ..self }
    }

    /// Sets whether features are normalized first.
    #[must_use]
    pub fn with_layer_norm(self, layer_norm: bool) -> Self {
        Self { layer_norm, ..self }
    }

    /// Sets how the bound of the logarithm of a coupling's scale is kept: FastFlow with a FrEIA of
    /// after August 2023 has [`Clamp::SoftLimit`].
    #[must_use]
    pub fn with_clamp(self, clamp: Clamp) -> Self {
        Self { clamp, ..self }
    }

    /// Sets how channels change places.
    #[must_use]
    pub fn with_mixing(self, mixing: Mixing) -> Self {
        Self { mixing, ..self }
    }

    /// The optimizer of paper and code: Adam at 10⁻³ with a weight decay of 10⁻⁵, for 500 epochs of
    /// batches of 32 images.
    ///
    /// ```
    /// use ocellus_flows::FastFlowConfig;
    ///
    /// assert_eq!(FastFlowConfig::optimizer().weight_decay, 1e-5);
    /// ```
    #[must_use]
    pub fn optimizer() -> AdamConfig {
        AdamConfig::new(1e-3).with_weight_decay(1e-5)
    }

    /// The flow of a scale.
    pub(crate) fn flow(&self, channels: usize) -> FlowConfig {
        FlowConfig::fastflow(channels, self.blocks, self.only_3x3, self.hidden_ratio)
            .with_alpha(self.alpha)
            .with_clamp(self.clamp)
            .with_mixing(self.mixing)
    }
}

/// Stages of strides 4, 8 and 16.
fn stages(channels: [usize; 3], height: usize, width: usize) -> Vec<FastFlowScale> {
    let stage = |(channels, stride)| FastFlowScale::new(channels, height / stride, width / stride);
    channels.into_iter().zip([4, 8, 16]).map(stage).collect()
}
