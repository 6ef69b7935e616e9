use candle_core::{Module, Result, Tensor};
use candle_nn::VarBuilder;
use ocellus_ops::PackedConv2d;

use crate::ConvConfig;
use crate::rounded::rounded_pair;

/// Configuration of [`Conv2d`].
pub type Conv2dConfig = ConvConfig<ocellus_ops::Conv2dConfig>;

impl Conv2dConfig {
    /// Height and width of the output for an input of that size; 0 where the kernel does not fit.
    #[must_use]
    pub fn output_size(&self, height: usize, width: usize) -> (usize, usize) {
        let ocellus_ops::Conv2dConfig { stride, padding, dilation, .. } = self.op;
        let side = |size: usize, kernel: usize, stride: usize, dilation: usize| {
            let reach = dilation * kernel.saturating_sub(1) + 1;
            size.checked_sub(reach).map_or(0, |rest| rest / stride.max(1) + 1)
        };
        let (height, width) =
            (height + padding.top + padding.bottom, width + padding.left + padding.right);
        (
            side(height, self.kernel.0, stride.0, dilation.0),
            side(width, self.kernel.1, stride.1, dilation.1),
        )
    }

    /// Multiply-accumulates of one image of that size: output pixels · kernel entries.
    ///
    /// # Examples
    ///
    /// ```
    /// use ocellus_layers::Conv2dConfig;
    ///
    /// let stem = Conv2dConfig::new(3, 64, 7).with_stride((2, 2)).with_padding(3);
    /// assert_eq!(stem.output_size(224, 224), (112, 112));
    /// assert_eq!(stem.macs(224, 224), 112 * 112 * 64 * 3 * 49);
    /// ```
    #[must_use]
    pub fn macs(&self, height: usize, width: usize) -> u64 {
        let (height, width) = self.output_size(height, width);
        self.weight_count() * (height * width) as u64
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
        let (weight, bias) = config.draw(config.out_channels, config.in_channels, &vb)?;
        Ok(Self { weight, bias, op: config.op })
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

    /// [`forward`](Module::forward) and ReLU in one: faster than the two, and with less memory.
    ///
    /// # Examples
    ///
    /// ```
    /// use candle_core::{DType, Device, Tensor};
    /// use candle_nn::VarBuilder;
    /// use ocellus_layers::{Conv2d, Conv2dConfig};
    ///
    /// let vb = VarBuilder::zeros(DType::F32, &Device::Cpu);
    /// let conv = Conv2d::new(&Conv2dConfig::new(3, 4, 3), vb)?;
    /// let y = conv.forward_relu(&Tensor::ones((1, 3, 8, 8), DType::F32, &Device::Cpu)?)?;
    /// assert_eq!(y.dims(), [1, 4, 6, 6]);
    /// # Ok::<(), candle_core::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As `forward`.
    pub fn forward_relu(&self, x: &Tensor) -> Result<Tensor> {
        let (weight, bias) = rounded_pair(&self.weight, self.bias(), x)?;
        ocellus_ops::conv2d_relu(x, &weight, bias.as_ref(), &self.op)
    }

    /// The convolution with given weights in the place of its own, for inference.
    pub(crate) fn packed(&self, weight: &Tensor, bias: Option<&Tensor>) -> Result<PackedConv2d> {
        PackedConv2d::new(weight, bias, &self.op)
    }
}

impl Module for Conv2d {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let (weight, bias) = rounded_pair(&self.weight, self.bias(), x)?;
        ocellus_ops::conv2d(x, &weight, bias.as_ref(), &self.op)
    }
}

#[cfg(test)]
mod tests {
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
}
