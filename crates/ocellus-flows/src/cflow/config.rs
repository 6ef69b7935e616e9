use crate::{Clamp, FlowConfig, Mixing};

/// Configuration of [`Cflow`](crate::Cflow).
///
/// # Examples
///
/// ```
/// use ocellus_flows::{CflowConfig, Mixing};
///
/// // Stages 2 to 4 of a Wide-ResNet-50-2.
/// let config = CflowConfig::official(vec![512, 1024, 2048]);
/// assert_eq!((config.condition, config.blocks, config.mixing), (128, 8, Mixing::Soft));
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct CflowConfig {
    /// Channels of the features at each scale.
    pub channels: Vec<usize>,
    /// Channels of the positional encoding, a multiple of 4.
    pub condition: usize,
    /// Coupling blocks of a decoder.
    pub blocks: usize,
    /// The bound α of the logarithm of a coupling's scale.
    pub alpha: f64,
    /// How the bound is kept.
    pub clamp: Clamp,
    /// How channels change places after a block.
    pub mixing: Mixing,
}

impl CflowConfig {
    /// As the authors' code: channels are rotated.
    ///
    /// A rotation of C channels takes O(C³) to draw and C² products a pixel; see
    /// [`anomalib`](Self::anomalib) for what is faster.
    #[must_use]
    pub fn official(channels: Vec<usize>) -> Self {
        Self { mixing: Mixing::Soft, ..Self::anomalib(channels) }
    }

    /// As anomalib has it, 0.3.7 to 2.7: channels are permuted.
    #[must_use]
    pub fn anomalib(channels: Vec<usize>) -> Self {
        let (clamp, mixing) = (Clamp::Scaled, Mixing::Hard);
        Self { channels, condition: 128, blocks: 8, alpha: 1.9, clamp, mixing }
    }

    /// Sets the channels of the positional encoding.
    #[must_use]
    pub fn with_condition(self, condition: usize) -> Self {
        Self { condition, ..self }
    }

    /// Sets the number of coupling blocks.
    #[must_use]
    pub fn with_blocks(self, blocks: usize) -> Self {
        Self { blocks, ..self }
    }

    /// Sets the bound of the logarithm of a coupling's scale.
    #[must_use]
    pub fn with_alpha(self, alpha: f64) -> Self {
        Self { alpha, ..self }
    }

    /// Sets how the bound is kept.
    #[must_use]
    pub fn with_clamp(self, clamp: Clamp) -> Self {
        Self { clamp, ..self }
    }

    /// Sets how channels change places.
    #[must_use]
    pub fn with_mixing(self, mixing: Mixing) -> Self {
        Self { mixing, ..self }
    }

    /// The decoder of a scale with that many channels.
    pub(crate) fn flow(&self, channels: usize) -> FlowConfig {
        FlowConfig::cflow(channels, self.condition)
            .with_blocks(self.blocks)
            .with_alpha(self.alpha)
            .with_clamp(self.clamp)
            .with_mixing(self.mixing)
    }
}
