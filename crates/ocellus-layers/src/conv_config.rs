use candle_core::{Result, Tensor, bail};
use candle_nn::{Init, VarBuilder};
use ocellus_ops::Padding;

use crate::init::drawn;

/// Configuration of a convolution or a transposed one: the sizes, how the parameters are drawn, and
/// `op`, the configuration of the operation.
///
/// Its names are [`Conv2dConfig`](crate::Conv2dConfig) and
/// [`ConvTranspose2dConfig`](crate::ConvTranspose2dConfig).
///
/// # Examples
///
/// ```
/// use ocellus_layers::{Conv2dConfig, ConvTranspose2dConfig};
///
/// let stem = Conv2dConfig::new(3, 64, 7).with_stride((2, 2)).with_padding(3).with_bias(false);
/// assert_eq!((stem.kernel, stem.op.stride), ((7, 7), (2, 2)));
///
/// let double = ConvTranspose2dConfig::new(512, 256, 4).with_stride((2, 2)).with_padding(1);
/// assert_eq!(double.op, ocellus_ops::ConvTranspose2dConfig::default().with_stride((2, 2)).with_padding(1));
/// ```
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct ConvConfig<C> {
    /// Channels of the input.
    pub in_channels: usize,
    /// Channels of the output.
    pub out_channels: usize,
    /// Height and width of the kernel.
    pub kernel: (usize, usize),
    /// Stride, padding, dilation and groups.
    pub op: C,
    /// Whether a bias is added.
    pub bias: bool,
    /// How the weight is drawn; by default as PyTorch does.
    pub weight_init: Option<Init>,
    /// How the bias is drawn; by default as PyTorch does.
    pub bias_init: Option<Init>,
}

impl<C: ConvOp> ConvConfig<C> {
    /// A square kernel, stride 1, no padding, with a bias, drawn as PyTorch does.
    #[must_use]
    pub fn new(in_channels: usize, out_channels: usize, kernel: usize) -> Self {
        Self {
            in_channels,
            out_channels,
            kernel: (kernel, kernel),
            op: C::default(),
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

    /// Sets the vertical and horizontal step; of a transposed convolution, the enlargement.
    #[must_use]
    pub fn with_stride(mut self, stride: (usize, usize)) -> Self {
        *self.op.shared().stride = stride;
        self
    }

    /// Sets the zeros around the input; of a transposed convolution, what is cut off the output.
    #[must_use]
    pub fn with_padding(mut self, padding: impl Into<Padding>) -> Self {
        *self.op.shared().padding = padding.into();
        self
    }

    /// Sets the vertical and horizontal distance of kernel entries.
    #[must_use]
    pub fn with_dilation(mut self, dilation: (usize, usize)) -> Self {
        *self.op.shared().dilation = dilation;
        self
    }

    /// Sets the number of groups of channels that see only each other.
    #[must_use]
    pub fn with_groups(mut self, groups: usize) -> Self {
        *self.op.shared().groups = groups;
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

    /// How many values the weight has.
    pub(crate) fn weight_count(mut self) -> u64 {
        let groups = (*self.op.shared().groups).max(1);
        let (height, width) = self.kernel;
        (self.in_channels * self.out_channels / groups * height * width) as u64
    }

    /// The weight, `(first, second / groups, kernel height, kernel width)`, and the bias.
    pub(crate) fn draw(
        &self,
        first: usize,
        second: usize,
        vb: &VarBuilder,
    ) -> Result<(Tensor, Option<Tensor>)> {
        let &Self { in_channels, out_channels, kernel: (height, width), mut op, .. } = self;
        let (name, groups) = (vb.prefix(), *op.shared().groups);
        if [in_channels, out_channels, height, width, groups].contains(&0) {
            bail!(
                "`{name}`: a convolution of {in_channels} to {out_channels} channels, kernel \
                 {:?}, {groups} groups: no size may be 0",
                self.kernel
            )
        }
        if !in_channels.is_multiple_of(groups) || !out_channels.is_multiple_of(groups) {
            bail!(
                "`{name}`: {groups} groups do not divide {in_channels} and {out_channels} channels"
            )
        }
        let second = second / groups;
        let fan = second * height * width;
        let weight = drawn(vb, (first, second, height, width), "weight", self.weight_init, fan)?;
        let draw_bias = || drawn(vb, out_channels, "bias", self.bias_init, fan);
        Ok((weight, self.bias.then(draw_bias).transpose()?))
    }
}

/// The configuration of a convolution's operation, of either kind.
pub trait ConvOp: Copy + Default {
    /// What both kinds have.
    fn shared(&mut self) -> Shared<'_>;
}

/// What the configurations of both kinds of convolution have.
#[derive(Debug)]
pub struct Shared<'a> {
    stride: &'a mut (usize, usize),
    padding: &'a mut Padding,
    dilation: &'a mut (usize, usize),
    groups: &'a mut usize,
}

impl ConvOp for ocellus_ops::Conv2dConfig {
    fn shared(&mut self) -> Shared<'_> {
        let Self { stride, padding, dilation, groups, .. } = self;
        Shared { stride, padding, dilation, groups }
    }
}

impl ConvOp for ocellus_ops::ConvTranspose2dConfig {
    fn shared(&mut self) -> Shared<'_> {
        let Self { stride, padding, dilation, groups, .. } = self;
        Shared { stride, padding, dilation, groups }
    }
}

#[cfg(test)]
mod tests {
    use candle_core::{DType, Device};

    use crate::{Conv2d, Conv2dConfig, ConvTranspose2d, ConvTranspose2dConfig};

    use super::*;

    #[test]
    fn rejects_groups_that_do_not_divide_the_channels() {
        let vb = VarBuilder::zeros(DType::F32, &Device::Cpu).pp("stem");
        let config = Conv2dConfig::new(4, 6, 3).with_groups(4);
        let error = Conv2d::new(&config, vb.clone()).unwrap_err().to_string();
        assert!(error.contains("`stem`: 4 groups do not divide 4 and 6"), "{error}");
        let config = ConvTranspose2dConfig::new(4, 6, 3).with_groups(4);
        let error = ConvTranspose2d::new(&config, vb).unwrap_err().to_string();
        assert!(error.contains("`stem`: 4 groups do not divide 4 and 6"), "{error}");
    }

    #[test]
    fn rejects_a_kernel_of_zero() {
        let vb = VarBuilder::zeros(DType::F32, &Device::Cpu);
        let error = Conv2d::new(&Conv2dConfig::new(1, 1, 0), vb).unwrap_err().to_string();
        assert!(error.contains("kernel (0, 0)"), "{error}");
    }
}
