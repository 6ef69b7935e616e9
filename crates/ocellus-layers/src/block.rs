use candle_core::{Module, ModuleT, Result, Tensor};
use candle_nn::{Init, VarBuilder};
use ocellus_ops::{PackedConv2d, Padding};

use crate::conv_norm::refuse_training;
use crate::{Conv2d, Conv2dConfig, ConvNorm2d, Dropout, Linear, LinearConfig, Noise};

/// Configuration of [`ConvBlock`].
///
/// # Examples
///
/// ```
/// use ocellus_layers::ConvBlockConfig;
///
/// let config = ConvBlockConfig::new(64, 128, 3).with_batch_norm(true);
/// assert!(!config.conv.bias); // Batch norm has its own.
/// ```
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct ConvBlockConfig {
    /// The convolution.
    pub conv: Conv2dConfig,
    /// Whether batch normalization follows it.
    pub batch_norm: bool,
}

impl ConvBlockConfig {
    /// An odd kernel, padded such that the size stays, without batch normalization.
    #[must_use]
    pub fn new(in_channels: usize, out_channels: usize, kernel: usize) -> Self {
        let conv = Conv2dConfig::new(in_channels, out_channels, kernel).with_padding(kernel / 2);
        Self { conv, batch_norm: false }
    }

    /// Sets whether batch normalization follows; the convolution then has no bias.
    #[must_use]
    pub fn with_batch_norm(mut self, batch_norm: bool) -> Self {
        self.batch_norm = batch_norm;
        self.conv.bias = !batch_norm;
        self
    }

    /// Sets the step of the convolution.
    #[must_use]
    pub fn with_stride(mut self, stride: (usize, usize)) -> Self {
        self.conv = self.conv.with_stride(stride);
        self
    }

    /// Sets the padding of the convolution.
    #[must_use]
    pub fn with_padding(mut self, padding: impl Into<Padding>) -> Self {
        self.conv = self.conv.with_padding(padding);
        self
    }

    /// Sets whether the convolution has a bias.
    #[must_use]
    pub fn with_bias(mut self, bias: bool) -> Self {
        self.conv.bias = bias;
        self
    }

    /// Sets how the convolution's weight is drawn.
    #[must_use]
    pub fn with_weight_init(mut self, init: Init) -> Self {
        self.conv.weight_init = Some(init);
        self
    }
}

/// A convolution, batch normalization if wanted, and ReLU.
///
/// ```text
/// y = relu(norm(conv(x)))
/// ```
///
/// # Shapes
///
/// - input: `(batch, in_channels, height, width)`
/// - output: as [`Conv2d`]'s
///
/// # Parameters
///
/// - `conv.weight`, `conv.bias`: as [`Conv2d`]'s
/// - `bn.weight`, `bn.bias`, `bn.running_mean`, `bn.running_var`: as [`BatchNorm2d`](crate::BatchNorm2d)'s
///
/// # Examples
///
/// ```
/// use candle_core::{DType, Device, ModuleT, Tensor};
/// use candle_nn::VarBuilder;
/// use ocellus_layers::{ConvBlock, ConvBlockConfig};
///
/// let vb = VarBuilder::zeros(DType::F32, &Device::Cpu);
/// let block = ConvBlock::new(&ConvBlockConfig::new(3, 8, 3), vb)?;
/// let y = block.forward_t(&Tensor::ones((1, 3, 6, 5), DType::F32, &Device::Cpu)?, true)?;
/// assert_eq!(y.dims(), [1, 8, 6, 5]);
/// # Ok::<(), candle_core::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct ConvBlock(Inner);

#[derive(Clone, Debug)]
enum Inner {
    Plain(Conv2d),
    Packed(PackedConv2d),
    Normalized(ConvNorm2d),
}

impl ConvBlock {
    /// Builds the block from the parameters under `vb`.
    ///
    /// # Errors
    ///
    /// As [`Conv2d::new`] and [`BatchNorm2d::new`](crate::BatchNorm2d::new).
    pub fn new(config: &ConvBlockConfig, vb: VarBuilder) -> Result<Self> {
        let conv = vb.pp("conv");
        Ok(Self(if config.batch_norm {
            Inner::Normalized(ConvNorm2d::new(&config.conv, conv, vb.pp("bn"))?)
        } else {
            Inner::Plain(Conv2d::new(&config.conv, conv)?)
        }))
    }

    /// Makes one operation of the block, for inference: see [`ConvNorm2d::pack`]. Parameters that change
    /// later have no effect, and training is an error from here on.
    ///
    /// # Errors
    ///
    /// As [`ConvNorm2d::pack`].
    pub fn pack(&mut self) -> Result<()> {
        match &mut self.0 {
            Inner::Plain(conv) => {
                self.0 = Inner::Packed(conv.packed(conv.weight(), conv.bias())?);
            }
            Inner::Packed(_) => {}
            Inner::Normalized(unit) => unit.pack()?,
        }
        Ok(())
    }
}

impl ModuleT for ConvBlock {
    fn forward_t(&self, x: &Tensor, train: bool) -> Result<Tensor> {
        match &self.0 {
            Inner::Plain(conv) => conv.forward_relu(x),
            Inner::Packed(conv) => {
                refuse_training(train)?;
                conv.forward_fused(x, None, true)
            }
            Inner::Normalized(unit) => unit.forward_relu_t(x, None, train),
        }
    }
}

/// Configuration of [`LinearBlock`].
///
/// # Examples
///
/// ```
/// use ocellus_layers::LinearBlockConfig;
///
/// let config = LinearBlockConfig::new(512, 10).with_dropout(0.5);
/// assert_eq!(config.linear.out_features, 10);
/// ```
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct LinearBlockConfig {
    /// The linear layer.
    pub linear: LinearConfig,
    /// The probability of dropping an output.
    pub dropout: f64,
}

impl LinearBlockConfig {
    /// Without dropout, drawn as PyTorch does.
    #[must_use]
    pub fn new(in_features: usize, out_features: usize) -> Self {
        Self { linear: LinearConfig::new(in_features, out_features), dropout: 0. }
    }

    /// Sets the probability of dropping an output.
    #[must_use]
    pub fn with_dropout(mut self, probability: f64) -> Self {
        self.dropout = probability;
        self
    }

    /// Sets how the weight is drawn.
    #[must_use]
    pub fn with_weight_init(mut self, init: Init) -> Self {
        self.linear.weight_init = Some(init);
        self
    }

    /// Sets how the bias is drawn.
    #[must_use]
    pub fn with_bias_init(mut self, init: Init) -> Self {
        self.linear.bias_init = Some(init);
        self
    }
}

/// A linear layer, ReLU and dropout: a hidden layer of a classifier.
///
/// ```text
/// y = dropout(relu(x Wᵀ + b))
/// ```
///
/// # Shapes
///
/// - input: `(…, in_features)`
/// - output: `(…, out_features)`
///
/// # Parameters
///
/// - `weight`, `bias`: as [`Linear`]'s
///
/// # Examples
///
/// ```
/// use candle_core::{DType, Device, ModuleT, Tensor};
/// use candle_nn::VarBuilder;
/// use ocellus_layers::{LinearBlock, LinearBlockConfig, Noise};
///
/// let vb = VarBuilder::zeros(DType::F32, &Device::Cpu);
/// let config = LinearBlockConfig::new(4, 2).with_dropout(0.5);
/// let block = LinearBlock::new(&config, &Noise::seeded(1), vb)?;
/// let y = block.forward_t(&Tensor::ones((3, 4), DType::F32, &Device::Cpu)?, true)?;
/// assert_eq!(y.dims(), [3, 2]);
/// # Ok::<(), candle_core::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct LinearBlock {
    linear: Linear,
    dropout: Dropout,
}

impl LinearBlock {
    /// Builds the block from the parameters under `vb`, whose prefix names the dropout's masks.
    ///
    /// # Errors
    ///
    /// As [`Linear::new`] and [`Dropout::new`].
    pub fn new(config: &LinearBlockConfig, noise: &Noise, vb: VarBuilder) -> Result<Self> {
        let dropout = Dropout::new(config.dropout, noise, vb.prefix())?;
        Ok(Self { linear: Linear::new(&config.linear, vb)?, dropout })
    }
}

impl ModuleT for LinearBlock {
    fn forward_t(&self, x: &Tensor, train: bool) -> Result<Tensor> {
        let y = ocellus_ops::relu(&self.linear.forward(x)?)?;
        self.dropout.forward_t(&y, train)
    }
}

#[cfg(test)]
mod tests {
    use candle_core::{DType, Device};
    use candle_nn::VarMap;
    use ocellus_testing::{assert_close, check_model, fill};

    use super::*;

    #[test]
    fn a_conv_block_conforms() -> Result<()> {
        for batch_norm in [false, true] {
            let config = ConvBlockConfig::new(2, 3, 3).with_batch_norm(batch_norm);
            check_model(
                |vb| ConvBlock::new(&config, vb),
                |block, x, train| block.forward_t(&x[0], train),
                &[
                    vec![fill((2, 2, 5, 4), 0.1, DType::F32)?],
                    vec![fill((1, 2, 7, 3), 0.2, DType::F32)?],
                ],
            )?;
        }
        Ok(())
    }

    #[test]
    fn packing_a_conv_block_changes_no_result() -> Result<()> {
        for batch_norm in [false, true] {
            let vb = VarBuilder::from_varmap(&VarMap::new(), DType::F64, &Device::Cpu);
            let config = ConvBlockConfig::new(4, 6, 3).with_batch_norm(batch_norm);
            let mut block = ConvBlock::new(&config, vb)?;
            let x = fill((2, 4, 9, 8), 0.1, DType::F64)?;
            let plain = block.forward_t(&x, false)?;
            block.pack()?;
            block.pack()?; // Again: nothing is left to do.
            let packed = block.forward_t(&x, false)?;
            assert_close(&packed, &plain, 1e-12)?;
            assert!(!packed.track_op());
            assert!(block.forward_t(&x, true).is_err());
        }
        Ok(())
    }

    #[test]
    fn a_linear_block_conforms() -> Result<()> {
        let config = LinearBlockConfig::new(6, 4).with_dropout(0.5);
        check_model(
            |vb| LinearBlock::new(&config, &Noise::seeded(5), vb),
            |block, x, train| block.forward_t(&x[0], train),
            &[vec![fill((5, 6), 0.1, DType::F32)?], vec![fill((2, 3, 6), 0.2, DType::F32)?]],
        )
    }

    #[test]
    fn the_prefix_names_the_masks() -> Result<()> {
        let vb = VarBuilder::zeros(DType::F32, &Device::Cpu);
        let config =
            LinearBlockConfig::new(64, 64).with_dropout(0.5).with_bias_init(Init::Const(1.));
        let noise = Noise::seeded(1);
        let ones = |_: &Tensor| Tensor::ones((1, 64), DType::F32, &Device::Cpu);
        let mask = |name: &str| {
            let block = LinearBlock::new(&config, &noise, vb.pp(name))?;
            let y = block.dropout.forward_t(&ones(block.linear.weight())?, true)?;
            y.flatten_all()?.to_vec1::<f32>()
        };
        assert_ne!(mask("fc1")?, mask("fc2")?);
        Ok(())
    }
}
