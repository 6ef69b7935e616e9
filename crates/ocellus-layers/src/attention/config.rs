use ocellus_ops::Alignment;

use crate::AttentionNormalization;

/// How the weights of an attention gate are drawn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum GateInit {
    /// PyTorch's default for convolutions.
    #[default]
    PyTorch,
    /// Kaiming's normal distribution by the inputs; the scale of batch norms from N(1, 0.02²).
    Kaiming,
}

/// Configuration of [`AttentionGate`](crate::AttentionGate).
///
/// | Preset | θ | φ | ψ | α | output |
/// | --- | --- | --- | --- | --- | --- |
/// | [`paper`](Self::paper) | 1×1, no bias | 1×1, bias | bias | sigmoid | α ⊙ x |
/// | [`grid_attention`](Self::grid_attention) | 2×2 stride 2, no bias | 1×1, bias | bias | sigmoid | norm(W(α ⊙ x)) |
/// | [`sononet`](Self::sononet) | 1×1, no bias | 1×1, no bias | bias | sum of shifted | α ⊙ x |
/// | [`monai`](Self::monai) | 1×1, bias, norm | 1×1, bias, norm | bias, norm | sigmoid | α ⊙ x |
///
/// # Examples
///
/// ```
/// use ocellus_layers::AttentionGateConfig;
///
/// let gate = AttentionGateConfig::paper(512, 512);
/// assert_eq!(gate.parameter_count(), 262_657);
/// assert_eq!(gate.with_inter_channels(512).parameter_count(), 525_313);
/// ```
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct AttentionGateConfig {
    /// Channels of the features x.
    pub in_channels: usize,
    /// Channels of the gating signal g.
    pub gate_channels: usize,
    /// Channels in which features and signal are added; by default half of the features'.
    pub inter_channels: usize,
    /// Kernel and stride of θ: by how much the map is coarser than the features.
    pub sub_sample: (usize, usize),
    /// Whether θ, on the features, has a bias.
    pub theta_bias: bool,
    /// Whether φ, on the signal, has a bias.
    pub phi_bias: bool,
    /// Whether ψ, which makes the scores, has a bias.
    pub psi_bias: bool,
    /// The value at which the bias of ψ starts, if not drawn: a high one starts with an open gate.
    pub psi_bias_start: Option<f64>,
    /// Whether batch normalization follows θ, φ and ψ.
    pub batch_norm: bool,
    /// How scores become weights.
    pub normalization: AttentionNormalization,
    /// Whether a 1×1 convolution and batch normalization follow the gated features.
    pub output: bool,
    /// The convention by which signal and map are resampled.
    pub alignment: Alignment,
    /// How the weights are drawn.
    pub init: GateInit,
}

impl AttentionGateConfig {
    /// Equations 1 and 2 of the breast-ultrasound paper, and of the gate it takes up: θ 1×1 without
    /// bias, φ 1×1 and ψ 1×1 with bias, sigmoid, half the channels in between.
    #[must_use]
    pub fn paper(in_channels: usize, gate_channels: usize) -> Self {
        Self {
            in_channels,
            gate_channels,
            inter_channels: (in_channels / 2).max(1),
            sub_sample: (1, 1),
            theta_bias: false,
            phi_bias: true,
            psi_bias: true,
            psi_bias_start: None,
            batch_norm: false,
            normalization: AttentionNormalization::Sigmoid,
            output: false,
            alignment: Alignment::HalfPixel,
            init: GateInit::PyTorch,
        }
    }

    /// The segmentation gate of the AG-Networks: θ 2×2 with stride 2, a 1×1 convolution with batch
    /// normalization on the output, Kaiming's weights.
    ///
    /// Its authors' PyTorch upsampled with aligned corners; set [`Alignment::Corners`] for that.
    #[must_use]
    pub fn grid_attention(in_channels: usize, gate_channels: usize) -> Self {
        Self {
            sub_sample: (2, 2),
            output: true,
            init: GateInit::Kaiming,
            ..Self::paper(in_channels, gate_channels)
        }
    }

    /// The classification gate of the AG-Networks (attention-gated Sononet): no bias in θ and φ, and
    /// weights that sum to one; pool its output with [`Gated::pooled`](crate::Gated::pooled).
    #[must_use]
    pub fn sononet(in_channels: usize, gate_channels: usize) -> Self {
        Self {
            phi_bias: false,
            normalization: AttentionNormalization::SumShifted,
            init: GateInit::Kaiming,
            ..Self::paper(in_channels, gate_channels)
        }
    }

    /// MONAI's `AttentionBlock`: biases and batch normalization on θ, φ and ψ.
    ///
    /// MONAI expects the signal in the features' size; here it may be smaller. See
    /// [`MONAI_GATE_NAMES`] for its parameters' names.
    #[must_use]
    pub fn monai(in_channels: usize, gate_channels: usize) -> Self {
        Self { theta_bias: true, batch_norm: true, ..Self::paper(in_channels, gate_channels) }
    }

    /// Sets the channels in which features and signal are added.
    #[must_use]
    pub fn with_inter_channels(mut self, channels: usize) -> Self {
        self.inter_channels = channels;
        self
    }

    /// Sets kernel and stride of θ.
    #[must_use]
    pub fn with_sub_sample(mut self, factors: (usize, usize)) -> Self {
        self.sub_sample = factors;
        self
    }

    /// Sets whether θ has a bias.
    #[must_use]
    pub fn with_theta_bias(mut self, bias: bool) -> Self {
        self.theta_bias = bias;
        self
    }

    /// Sets whether φ has a bias.
    #[must_use]
    pub fn with_phi_bias(mut self, bias: bool) -> Self {
        self.phi_bias = bias;
        self
    }

    /// Sets whether ψ has a bias.
    #[must_use]
    pub fn with_psi_bias(mut self, bias: bool) -> Self {
        self.psi_bias = bias;
        self
    }

    /// Starts the bias of ψ at that value.
    #[must_use]
    pub fn with_psi_bias_start(mut self, start: f64) -> Self {
        self.psi_bias_start = Some(start);
        self
    }

    /// Sets whether batch normalization follows θ, φ and ψ.
    #[must_use]
    pub fn with_batch_norm(mut self, batch_norm: bool) -> Self {
        self.batch_norm = batch_norm;
        self
    }

    /// Sets how scores become weights.
    #[must_use]
    pub fn with_normalization(mut self, normalization: AttentionNormalization) -> Self {
        self.normalization = normalization;
        self
    }

    /// Sets whether a 1×1 convolution and batch normalization follow the gated features.
    #[must_use]
    pub fn with_output(mut self, output: bool) -> Self {
        self.output = output;
        self
    }

    /// Sets the convention by which signal and map are resampled.
    #[must_use]
    pub fn with_alignment(mut self, alignment: Alignment) -> Self {
        self.alignment = alignment;
        self
    }

    /// Sets how the weights are drawn.
    #[must_use]
    pub fn with_init(mut self, init: GateInit) -> Self {
        self.init = init;
        self
    }

    /// How many values a gate of this configuration trains (running statistics not counted).
    #[must_use]
    pub fn parameter_count(&self) -> usize {
        let &Self { in_channels: c, gate_channels: g, inter_channels: i, .. } = self;
        let (height, width) = self.sub_sample;
        let theta = c * i * height * width + if self.theta_bias { i } else { 0 };
        let phi = g * i + if self.phi_bias { i } else { 0 };
        let psi = i + usize::from(self.psi_bias);
        let norms = if self.batch_norm { 4 * i + 2 } else { 0 };
        let output = if self.output { c * c + 3 * c } else { 0 };
        theta + phi + psi + norms + output
    }
}

/// From the parameter names of MONAI's `AttentionBlock` to ours: pairs of patterns for
/// `ocellus_params::LoadConfig::with_rename`.
///
/// # Examples
///
/// ```
/// use ocellus_layers::MONAI_GATE_NAMES;
/// use ocellus_params::LoadConfig;
///
/// let mut config = LoadConfig::default();
/// for (theirs, ours) in MONAI_GATE_NAMES {
///     config = config.with_rename(theirs, ours);
/// }
/// assert_eq!(config.rename[0], ("W_x.0.conv.*".to_owned(), "theta.*".to_owned()));
/// ```
pub const MONAI_GATE_NAMES: [(&str, &str); 6] = [
    ("W_x.0.conv.*", "theta.*"),
    ("W_x.1.*", "theta_norm.*"),
    ("W_g.0.conv.*", "phi.*"),
    ("W_g.1.*", "phi_norm.*"),
    ("psi.0.conv.*", "psi.*"),
    ("psi.1.*", "psi_norm.*"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_the_published_parameters() {
        let paper = AttentionGateConfig::paper(512, 512);
        assert_eq!(paper.parameter_count(), 262_657);
        assert_eq!(paper.with_inter_channels(512).parameter_count(), 525_313);
        assert_eq!(paper.with_sub_sample((2, 2)).parameter_count(), 655_873);
        let grid = AttentionGateConfig::grid_attention(512, 512);
        assert_eq!(grid.parameter_count() - 655_873, 263_680);
        let sononet = AttentionGateConfig::sononet(512, 512);
        assert_eq!(sononet.parameter_count(), 262_657 - 256);
    }
}
