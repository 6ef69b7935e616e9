use candle_core::{Module, Result, Tensor};
use candle_nn::{Init, VarBuilder};
use ocellus_ops::Padding;

use crate::{conv::check_sizes, init::pytorch_default};

/// Configuration of [`ConvTranspose2d`]: the sizes, and what
/// [`ocellus_ops::ConvTranspose2dConfig`] holds.
///
/// # Examples
///
/// ```
/// use ocellus_layers::ConvTranspose2dConfig;
///
/// let config = ConvTranspose2dConfig::new(512, 256, 4).with_stride((2, 2)).with_padding(1);
/// assert_eq!(config.kernel, (4, 4));
/// ```
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct ConvTranspose2dConfig {
    /// Channels of the input.
    pub in_channels: usize,
    /// Channels of the output.
    pub out_channels: usize,
    /// Height and width of the kernel.
    pub kernel: (usize, usize),
    /// Vertical and horizontal factor of enlargement.
    pub stride: (usize, usize),
    /// What is cut off the output's sides.
    pub padding: Padding,
    /// What is added to the output's bottom and right.
    pub output_padding: (usize, usize),
    /// Vertical and horizontal distance of kernel entries.
    pub dilation: (usize, usize),
    /// Number of groups of channels that see only each other.
    pub groups: usize,
    /// Whether a bias is added.
    pub bias: bool,
    /// How the weight is drawn; by default as PyTorch does.
    pub weight_init: Option<Init>,
    /// How the bias is drawn; by default as PyTorch does.
    pub bias_init: Option<Init>,
}

impl ConvTranspose2dConfig {
    /// A square kernel, stride 1, no padding, with a bias, drawn as PyTorch does.
    #[must_use]
    pub fn new(in_channels: usize, out_channels: usize, kernel: usize) -> Self {
        Self {
            in_channels,
            out_channels,
            kernel: (kernel, kernel),
            stride: (1, 1),
            padding: Padding::from(0),
            output_padding: (0, 0),
            dilation: (1, 1),
            groups: 1,
            bias: true,
            weight_init: None,
            bias_init: None,
        }
    }

    /// Sets height and width of the kernel.
    #[must_use]
    pub fn with_kernel(mut self, kernel: (usize, usize)) -> Self {
        self.kernel = kernel;
        self
    }

    /// Sets the factor of enlargement.
    #[must_use]
    pub fn with_stride(mut self, stride: (usize, usize)) -> Self {
        self.stride = stride;
        self
    }

    /// Sets what is cut off the output's sides.
    #[must_use]
    pub fn with_padding(mut self, padding: impl Into<Padding>) -> Self {
        self.padding = padding.into();
        self
    }

    /// Sets what is added to the output's bottom and right.
    #[must_use]
    pub fn with_output_padding(mut self, output_padding: (usize, usize)) -> Self {
        self.output_padding = output_padding;
        self
    }

    /// Sets the distance of kernel entries.
    #[must_use]
    pub fn with_dilation(mut self, dilation: (usize, usize)) -> Self {
        self.dilation = dilation;
        self
    }

    /// Sets the number of groups.
    #[must_use]
    pub fn with_groups(mut self, groups: usize) -> Self {
        self.groups = groups;
        self
    }

    /// Sets whether a bias is added.
    #[must_use]
    pub fn with_bias(mut self, bias: bool) -> Self {
        self.bias = bias;
        self
    }

    /// Sets how the weight is drawn.
    #[must_use]
    pub fn with_weight_init(mut self, init: Init) -> Self {
        self.weight_init = Some(init);
        self
    }

    /// Sets how the bias is drawn.
    #[must_use]
    pub fn with_bias_init(mut self, init: Init) -> Self {
        self.bias_init = Some(init);
        self
    }

    fn op(&self) -> ocellus_ops::ConvTranspose2dConfig {
        let mut op = ocellus_ops::ConvTranspose2dConfig::default();
        op.stride = self.stride;
        op.padding = self.padding;
        op.output_padding = self.output_padding;
        op.dilation = self.dilation;
        op.groups = self.groups;
        op
    }
}

/// A transposed convolution: the gradient of a convolution by its input, used to enlarge.
///
/// ```text
/// y[n, o, s·i + d·u − p, s·j + d·v − p] += W[c, o, u, v] · x[n, c, i, j]
/// ```
///
/// # Shapes
///
/// - input: `(batch, in_channels, height, width)`
/// - output: `(batch, out_channels, height', width')`, height' = (height − 1) · stride − padding +
///   dilation · (kernel − 1) + output padding + 1, likewise the width
///
/// # Parameters
///
/// - `weight`: `(in_channels, out_channels / groups, kernel height, kernel width)`, drawn from
///   U(−1/√fan, 1/√fan) with fan = `out_channels` / groups · kernel area, as PyTorch does
/// - `bias`: `(out_channels)`, likewise
///
/// # Examples
///
/// ```
/// use candle_core::{DType, Device, Module, Tensor};
/// use candle_nn::VarBuilder;
/// use ocellus_layers::{ConvTranspose2d, ConvTranspose2dConfig};
///
/// let vb = VarBuilder::zeros(DType::F32, &Device::Cpu);
/// let config = ConvTranspose2dConfig::new(8, 4, 4).with_stride((2, 2)).with_padding(1);
/// let layer = ConvTranspose2d::new(&config, vb)?;
/// let y = layer.forward(&Tensor::ones((1, 8, 3, 5), DType::F32, &Device::Cpu)?)?;
/// assert_eq!(y.dims(), [1, 4, 6, 10]);
/// # Ok::<(), candle_core::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct ConvTranspose2d {
    weight: Tensor,
    bias: Option<Tensor>,
    op: ocellus_ops::ConvTranspose2dConfig,
}

impl ConvTranspose2d {
    /// Builds the layer from the parameters under `vb`.
    ///
    /// # Errors
    ///
    /// If a size is zero, the groups do not divide the channels, or a parameter is missing or of
    /// another shape.
    pub fn new(config: &ConvTranspose2dConfig, vb: VarBuilder) -> Result<Self> {
        let &ConvTranspose2dConfig { in_channels, out_channels, kernel, groups, .. } = config;
        check_sizes(&vb, in_channels, out_channels, kernel, groups)?;
        let out_group = out_channels / groups;
        let default = pytorch_default(out_group * kernel.0 * kernel.1);
        let weight = vb.get_with_hints(
            (in_channels, out_group, kernel.0, kernel.1),
            "weight",
            config.weight_init.unwrap_or(default),
        )?;
        let bias_init = config.bias_init.unwrap_or(default);
        let bias =
            config.bias.then(|| vb.get_with_hints(out_channels, "bias", bias_init)).transpose()?;
        Ok(Self { weight, bias, op: config.op() })
    }

    /// The weight, `(in_channels, out_channels / groups, kernel height, kernel width)`.
    #[must_use]
    pub fn weight(&self) -> &Tensor {
        &self.weight
    }

    /// The bias, `(out_channels)`.
    #[must_use]
    pub fn bias(&self) -> Option<&Tensor> {
        self.bias.as_ref()
    }
}

impl Module for ConvTranspose2d {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        ocellus_ops::conv_transpose2d(x, &self.weight, self.bias.as_ref(), &self.op)
    }
}

#[cfg(test)]
mod tests {
    use ocellus_testing::{Golden, assert_close};

    use super::*;

    #[test]
    fn matches_pytorch() -> Result<()> {
        let case = Golden::read(env!("CARGO_MANIFEST_DIR"), "conv_transpose")?;
        let config = ConvTranspose2dConfig::new(4, 6, 4)
            .with_kernel((4, 3))
            .with_stride((2, 3))
            .with_padding((1, 0))
            .with_output_padding((1, 2))
            .with_groups(2);
        let layer = ConvTranspose2d::new(&config, case.params())?;
        assert_close(&layer.forward(case.get("input.x")?)?, case.get("output.y")?, 1e-5)
    }
}
