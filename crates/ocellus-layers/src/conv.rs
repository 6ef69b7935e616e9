use candle_core::{Module, Result, Tensor, bail};
use candle_nn::{Init, VarBuilder};
use ocellus_ops::Padding;

use crate::init::pytorch_default;

/// Configuration of [`Conv2d`]: the sizes, and what [`ocellus_ops::Conv2dConfig`] holds.
///
/// # Examples
///
/// ```
/// use ocellus_layers::Conv2dConfig;
///
/// let config = Conv2dConfig::new(3, 64, 7).with_stride((2, 2)).with_padding(3).with_bias(false);
/// assert_eq!(config.kernel, (7, 7));
/// ```
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Conv2dConfig {
    /// Channels of the input.
    pub in_channels: usize,
    /// Channels of the output.
    pub out_channels: usize,
    /// Height and width of the kernel.
    pub kernel: (usize, usize),
    /// Vertical and horizontal step.
    pub stride: (usize, usize),
    /// Zeros around the input.
    pub padding: Padding,
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

impl Conv2dConfig {
    /// A square kernel, stride 1, no padding, with a bias, drawn as PyTorch does.
    #[must_use]
    pub fn new(in_channels: usize, out_channels: usize, kernel: usize) -> Self {
        Self {
            in_channels,
            out_channels,
            kernel: (kernel, kernel),
            stride: (1, 1),
            padding: Padding::from(0),
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

    /// Sets the vertical and horizontal step.
    #[must_use]
    pub fn with_stride(mut self, stride: (usize, usize)) -> Self {
        self.stride = stride;
        self
    }

    /// Sets the zeros around the input.
    #[must_use]
    pub fn with_padding(mut self, padding: impl Into<Padding>) -> Self {
        self.padding = padding.into();
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

    fn op(&self) -> ocellus_ops::Conv2dConfig {
        let mut op = ocellus_ops::Conv2dConfig::default();
        op.stride = self.stride;
        op.padding = self.padding;
        op.dilation = self.dilation;
        op.groups = self.groups;
        op
    }
}

/// A convolution over images.
///
/// ```text
/// y[n, o, i, j] = b[o] + Σ_{c,u,v} W[o, c, u, v] · x[n, c, s·i + d·u − p, s·j + d·v − p]
/// ```
///
/// # Shapes
///
/// - input: `(batch, in_channels, height, width)`
/// - output: `(batch, out_channels, height', width')`, height' = ⌊(height + padding − dilation ·
///   (kernel − 1) − 1) / stride⌋ + 1, likewise the width
///
/// # Parameters
///
/// - `weight`: `(out_channels, in_channels / groups, kernel height, kernel width)`, drawn from
///   U(−1/√fan, 1/√fan), fan the inputs of an output, as PyTorch does
/// - `bias`: `(out_channels)`, likewise
///
/// # Examples
///
/// ```
/// use candle_core::{DType, Device, Module, Tensor};
/// use candle_nn::VarBuilder;
/// use ocellus_layers::{Conv2d, Conv2dConfig};
///
/// let vb = VarBuilder::zeros(DType::F32, &Device::Cpu);
/// let conv = Conv2d::new(&Conv2dConfig::new(3, 8, 3).with_padding(1), vb)?;
/// let y = conv.forward(&Tensor::ones((1, 3, 6, 5), DType::F32, &Device::Cpu)?)?;
/// assert_eq!(y.dims(), [1, 8, 6, 5]);
/// # Ok::<(), candle_core::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Conv2d {
    weight: Tensor,
    bias: Option<Tensor>,
    op: ocellus_ops::Conv2dConfig,
}

impl Conv2d {
    /// Builds the layer from the parameters under `vb`.
    ///
    /// # Errors
    ///
    /// If a size is zero, the groups do not divide the channels, or a parameter is missing or of
    /// another shape.
    pub fn new(config: &Conv2dConfig, vb: VarBuilder) -> Result<Self> {
        let &Conv2dConfig { in_channels, out_channels, kernel: (height, width), groups, .. } =
            config;
        check_sizes(&vb, in_channels, out_channels, (height, width), groups)?;
        let in_group = in_channels / groups;
        let default = pytorch_default(in_group * height * width);
        let weight = vb.get_with_hints(
            (out_channels, in_group, height, width),
            "weight",
            config.weight_init.unwrap_or(default),
        )?;
        let bias_init = config.bias_init.unwrap_or(default);
        let bias =
            config.bias.then(|| vb.get_with_hints(out_channels, "bias", bias_init)).transpose()?;
        Ok(Self { weight, bias, op: config.op() })
    }

    /// The weight, `(out_channels, in_channels / groups, kernel height, kernel width)`.
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

impl Module for Conv2d {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        ocellus_ops::conv2d(x, &self.weight, self.bias.as_ref(), &self.op)
    }
}

/// What holds for both kinds of convolution.
pub(crate) fn check_sizes(
    vb: &VarBuilder,
    in_channels: usize,
    out_channels: usize,
    kernel: (usize, usize),
    groups: usize,
) -> Result<()> {
    let name = vb.prefix();
    if [in_channels, out_channels, kernel.0, kernel.1, groups].contains(&0) {
        bail!(
            "`{name}`: a convolution of {in_channels} to {out_channels} channels, kernel \
             {kernel:?}, {groups} groups: no size may be 0"
        )
    }
    if !in_channels.is_multiple_of(groups) || !out_channels.is_multiple_of(groups) {
        bail!("`{name}`: {groups} groups do not divide {in_channels} and {out_channels} channels")
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use candle_core::{DType, Device};
    use ocellus_testing::{Golden, assert_close};

    use super::*;

    #[test]
    fn matches_pytorch() -> Result<()> {
        let case = Golden::read(env!("CARGO_MANIFEST_DIR"), "conv")?;
        let config = Conv2dConfig::new(4, 6, 3)
            .with_kernel((3, 2))
            .with_stride((2, 1))
            .with_padding((1, 2))
            .with_dilation((1, 2))
            .with_groups(2);
        let layer = Conv2d::new(&config, case.params())?;
        assert_close(&layer.forward(case.get("input.x")?)?, case.get("output.y")?, 1e-5)
    }

    #[test]
    fn rejects_groups_that_do_not_divide_the_channels() {
        let vb = VarBuilder::zeros(DType::F32, &Device::Cpu).pp("stem");
        let config = Conv2dConfig::new(4, 6, 3).with_groups(4);
        let error = Conv2d::new(&config, vb).unwrap_err().to_string();
        assert!(error.contains("`stem`: 4 groups do not divide 4 and 6"), "{error}");
    }

    #[test]
    fn rejects_a_kernel_of_zero() {
        let vb = VarBuilder::zeros(DType::F32, &Device::Cpu);
        let error = Conv2d::new(&Conv2dConfig::new(1, 1, 0), vb).unwrap_err().to_string();
        assert!(error.contains("kernel (0, 0)"), "{error}");
    }
}
