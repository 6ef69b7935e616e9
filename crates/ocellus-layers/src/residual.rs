use candle_core::{ModuleT, Result, Tensor};
use candle_nn::{Init, VarBuilder};

use crate::{Conv2dConfig, ConvNorm2d};

/// The convolutions of a [`ResidualUnit`].
///
/// # Examples
///
/// ```
/// use ocellus_layers::{ResidualKind, ResidualUnitConfig};
///
/// let unit = ResidualUnitConfig::bottleneck(256, 64, 256);
/// assert_eq!(unit.kind, ResidualKind::Bottleneck { inner: 64 });
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ResidualKind {
    /// Two of 3×3, as in ResNet-18 and 34.
    Basic,
    /// 1×1, 3×3 and 1×1, as in ResNet-50 and deeper.
    Bottleneck {
        /// Channels between the convolutions.
        inner: usize,
    },
}

/// Configuration of [`ResidualUnit`].
///
/// # Examples
///
/// ```
/// use ocellus_layers::ResidualUnitConfig;
///
/// assert!(!ResidualUnitConfig::basic(64, 64).projects());
/// assert!(ResidualUnitConfig::basic(64, 64).with_stride((2, 2)).projects());
/// assert!(ResidualUnitConfig::bottleneck(64, 64, 256).projects());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct ResidualUnitConfig {
    /// Channels of the input.
    pub in_channels: usize,
    /// Channels of the output.
    pub out_channels: usize,
    /// The convolutions.
    pub kind: ResidualKind,
    /// The vertical and horizontal step, of the first 3×3 convolution and of the shortcut.
    pub stride: (usize, usize),
}

impl ResidualUnitConfig {
    /// Two 3×3 convolutions, stride 1.
    #[must_use]
    pub const fn basic(in_channels: usize, out_channels: usize) -> Self {
        Self { in_channels, out_channels, kind: ResidualKind::Basic, stride: (1, 1) }
    }

    /// A 1×1 convolution to `inner` channels, a 3×3 one, and a 1×1 one to `out_channels`, stride 1.
    #[must_use]
    pub const fn bottleneck(in_channels: usize, inner: usize, out_channels: usize) -> Self {
        let kind = ResidualKind::Bottleneck { inner };
        Self { in_channels, out_channels, kind, stride: (1, 1) }
    }

    /// Sets the vertical and horizontal step.
    #[must_use]
    pub const fn with_stride(mut self, stride: (usize, usize)) -> Self {
        self.stride = stride;
        self
    }

    /// Whether the shortcut is a convolution: where the size or the channels change.
    #[must_use]
    pub const fn projects(&self) -> bool {
        self.stride.0 != 1 || self.stride.1 != 1 || self.in_channels != self.out_channels
    }

    /// Height and width of the output for an input of that size.
    #[must_use]
    pub const fn output_size(&self, height: usize, width: usize) -> (usize, usize) {
        let (vertical, horizontal) = self.stride;
        (height.div_ceil(at_least_1(vertical)), width.div_ceil(at_least_1(horizontal)))
    }

    /// Multiply-accumulates of one image of that size, in all convolutions of the unit.
    ///
    /// # Examples
    ///
    /// ```
    /// use ocellus_layers::ResidualUnitConfig;
    ///
    /// let unit = ResidualUnitConfig::basic(64, 128).with_stride((2, 2));
    /// assert_eq!(unit.output_size(56, 56), (28, 28));
    /// assert_eq!(unit.macs(56, 56), 28 * 28 * 128 * (64 * 9 + 128 * 9 + 64));
    /// ```
    #[must_use]
    pub fn macs(&self, height: usize, width: usize) -> u64 {
        let mut macs = self.projection().map_or(0, |conv| conv.macs(height, width));
        let mut size = (height, width);
        for conv in self.convolutions() {
            macs += conv.macs(size.0, size.1);
            size = conv.output_size(size.0, size.1);
        }
        macs
    }

    /// The convolution of the shortcut, if it has one.
    fn projection(&self) -> Option<Conv2dConfig> {
        self.projects().then(|| conv(self.in_channels, self.out_channels, 1, self.stride))
    }

    fn convolutions(&self) -> Vec<Conv2dConfig> {
        let (inputs, outputs, stride) = (self.in_channels, self.out_channels, self.stride);
        match self.kind {
            ResidualKind::Basic => {
                vec![conv(inputs, outputs, 3, stride), conv(outputs, outputs, 3, (1, 1))]
            }
            ResidualKind::Bottleneck { inner } => vec![
                conv(inputs, inner, 1, (1, 1)),
                conv(inner, inner, 3, stride),
                conv(inner, outputs, 1, (1, 1)),
            ],
        }
    }
}

/// A residual unit: convolutions whose result is added to their input.
///
/// ```text
/// y = relu(normₖ(Wₖ ∗ … relu(norm₁(W₁ ∗ x))) + s(x)),  k = 2 (basic) or 3 (bottleneck)    [1], Fig. 5
/// s(x) = x, or norm(W ∗ x), a 1×1 convolution, where size or channels change    [1], option B
/// ```
///
/// The last normalization, the sum and ReLU are one operation. For inference, [`pack`](Self::pack)
/// makes one operation of each convolution and all that follows it.
///
/// # Shapes
///
/// - input: `(batch, in_channels, height, width)`
/// - output: `(batch, out_channels, ⌈height / stride⌉, ⌈width / stride⌉)`
///
/// # Parameters
///
/// - `conv1.weight`, `conv2.weight`, of a bottleneck `conv3.weight`: without a bias, drawn as torchvision
///   does, from N(0, 2 / (out · kernel²))
/// - `bn1.*`, `bn2.*`, `bn3.*`: as [`BatchNorm2d`](crate::BatchNorm2d)'s
/// - `downsample.0.weight`, `downsample.1.*`: convolution and normalization of the shortcut, if it has them
///
/// # Examples
///
/// ```
/// use candle_core::{DType, Device, ModuleT, Tensor};
/// use candle_nn::{VarBuilder, VarMap};
/// use ocellus_layers::{ResidualUnit, ResidualUnitConfig};
///
/// let weights = VarMap::new();
/// let vb = VarBuilder::from_varmap(&weights, DType::F32, &Device::Cpu);
/// let config = ResidualUnitConfig::bottleneck(8, 4, 16).with_stride((2, 2));
/// let mut unit = ResidualUnit::new(&config, vb)?;
///
/// let x = Tensor::ones((2, 8, 6, 5), DType::F32, &Device::Cpu)?;
/// assert_eq!(unit.forward_t(&x, true)?.dims(), [2, 16, 3, 3]);
///
/// unit.pack()?;
/// assert_eq!(unit.forward_t(&x, false)?.dims(), [2, 16, 3, 3]);
/// # Ok::<(), candle_core::Error>(())
/// ```
///
/// # Deviations
///
/// A bottleneck strides in its 3×3 convolution, as torchvision's and timm's do; in \[1\] the first 1×1 does,
/// and leaves out three quarters of its input.
///
/// # References
///
/// 1. K. He, X. Zhang, S. Ren and J. Sun. *Deep residual learning for image recognition.* CVPR 2016.
///    <https://arxiv.org/abs/1512.03385>
#[derive(Clone, Debug)]
pub struct ResidualUnit {
    path: Vec<ConvNorm2d>,
    shortcut: Option<ConvNorm2d>,
}

impl ResidualUnit {
    /// Builds the unit from the parameters under `vb`.
    ///
    /// # Errors
    ///
    /// If a number of channels is 0, or a parameter is missing or of another shape.
    pub fn new(config: &ResidualUnitConfig, vb: VarBuilder) -> Result<Self> {
        let convolutions = config.convolutions();
        let path = convolutions.iter().enumerate().map(|(i, conv)| {
            let name = |kind: &str| vb.pp(format!("{kind}{}", i + 1));
            ConvNorm2d::new(conv, name("conv"), name("bn"))
        });
        let path = path.collect::<Result<_>>()?;
        let shortcut = config.projection().map(|conv| {
            let vb = vb.pp("downsample");
            ConvNorm2d::new(&conv, vb.pp("0"), vb.pp("1"))
        });
        Ok(Self { path, shortcut: shortcut.transpose()? })
    }

    /// Packs the convolutions for inference: see [`ConvNorm2d::pack`].
    ///
    /// # Errors
    ///
    /// As [`ConvNorm2d::pack`].
    pub fn pack(&mut self) -> Result<()> {
        self.path.iter_mut().chain(&mut self.shortcut).try_for_each(ConvNorm2d::pack)
    }
}

impl ModuleT for ResidualUnit {
    fn forward_t(&self, x: &Tensor, train: bool) -> Result<Tensor> {
        let shortcut = self.shortcut.as_ref().map(|unit| unit.forward_t(x, train)).transpose()?;
        let shortcut = shortcut.as_ref().unwrap_or(x);
        let mut y = x.clone();
        for (i, unit) in self.path.iter().enumerate() {
            let last = i + 1 == self.path.len();
            y = unit.forward_relu_t(&y, last.then_some(shortcut), train)?;
        }
        Ok(y)
    }
}

const fn at_least_1(stride: usize) -> usize {
    if stride == 0 { 1 } else { stride }
}

/// A convolution without a bias that keeps the size but for its stride, drawn as torchvision does.
fn conv(inputs: usize, outputs: usize, kernel: usize, stride: (usize, usize)) -> Conv2dConfig {
    let stdev = (2. / (outputs * kernel * kernel).max(1) as f64).sqrt();
    Conv2dConfig::new(inputs, outputs, kernel)
        .with_stride(stride)
        .with_padding(kernel / 2)
        .with_bias(false)
        .with_weight_init(Init::Randn { mean: 0., stdev })
}

#[cfg(test)]
mod tests {
    use candle_core::{DType, Device, Var};
    use candle_nn::VarMap;
    use ocellus_testing::{Golden, assert_close, check_model, fill};

    use super::*;

    fn configs() -> [(&'static str, ResidualUnitConfig); 4] {
        [
            ("basic", ResidualUnitConfig::basic(3, 3)),
            ("basic_projected", ResidualUnitConfig::basic(3, 4).with_stride((2, 2))),
            ("bottleneck", ResidualUnitConfig::bottleneck(8, 2, 8)),
            ("bottleneck_projected", ResidualUnitConfig::bottleneck(3, 2, 8).with_stride((2, 2))),
        ]
    }

    fn built(config: &ResidualUnitConfig) -> Result<(ResidualUnit, VarMap)> {
        let weights = VarMap::new();
        let vb = VarBuilder::from_varmap(&weights, DType::F64, &Device::Cpu);
        Ok((ResidualUnit::new(config, vb)?, weights))
    }

    fn vars(weights: &VarMap) -> Vec<(String, Var)> {
        let data = weights.data().lock().unwrap();
        data.iter().map(|(name, var)| (name.clone(), var.clone())).collect()
    }

    #[test]
    fn conforms() -> Result<()> {
        for (_, config) in configs() {
            let channels = config.in_channels;
            check_model(
                |vb| ResidualUnit::new(&config, vb),
                |unit, x, train| unit.forward_t(&x[0], train),
                &[
                    vec![fill((2, channels, 5, 4), 0.1, DType::F32)?],
                    vec![fill((1, channels, 7, 3), 0.2, DType::F32)?],
                ],
            )?;
        }
        Ok(())
    }

    /// A training step, then an evaluation, then the same packed.
    #[test]
    fn matches_torchvision() -> Result<()> {
        let golden = Golden::read(env!("CARGO_MANIFEST_DIR"), "residual")?;
        for (case, config) in configs() {
            let get = |name: &str| golden.get(&format!("output.{case}.{name}"));
            let (mut unit, weights) = built(&config)?;
            for (name, var) in vars(&weights) {
                var.set(golden.get(&format!("param.{case}.{name}"))?)?;
            }
            let x = Var::from_tensor(golden.get(&format!("input.{case}"))?)?;
            let y = unit.forward_t(x.as_tensor(), true)?;
            assert_close(&y, get("train")?, 1e-12)?;
            let grads = (&y * fill(y.shape().clone(), 0.5, DType::F64)?)?.sum_all()?.backward()?;
            assert_close(grads.get(&x).expect("a gradient"), get("gradient.x")?, 1e-9)?;
            for (name, var) in vars(&weights) {
                if name.contains("running_") {
                    assert_close(var.as_tensor(), get(&name)?, 1e-12)?;
                } else {
                    let gradient = grads.get(&var).expect("a gradient");
                    assert_close(gradient, get(&format!("gradient.{name}"))?, 1e-9)?;
                }
            }
            assert_close(&unit.forward_t(&x, false)?, get("eval")?, 1e-12)?;
            unit.pack()?;
            assert_close(&unit.forward_t(&x, false)?, get("eval")?, 1e-12)?;
            let error = unit.forward_t(&x, true).unwrap_err().to_string();
            assert!(error.contains("packed for inference"), "{error}");
        }
        Ok(())
    }

    /// A unit whose last scale is 0 passes its input on, rectified.
    #[test]
    fn without_a_branch_it_is_relu() -> Result<()> {
        for (last, (_, config)) in [("bn2", configs()[0]), ("bn3", configs()[2])] {
            let (unit, weights) = built(&config)?;
            for (name, var) in vars(&weights) {
                if name == format!("{last}.weight") {
                    var.set(&var.zeros_like()?)?;
                }
            }
            let x = fill((2, config.in_channels, 4, 3), 0.1, DType::F64)?;
            assert_close(&unit.forward_t(&x, true)?, &x.relu()?, 0.)?;
        }
        Ok(())
    }

    #[test]
    fn convolutions_are_drawn_by_their_outputs() {
        for config in ResidualUnitConfig::bottleneck(8, 4, 16).convolutions() {
            let (out, (kernel, _)) = (config.out_channels, config.kernel);
            let expected = (2. / (out * kernel * kernel) as f64).sqrt();
            let Some(Init::Randn { mean: 0., stdev }) = config.weight_init else { unreachable!() };
            assert!((stdev - expected).abs() < 1e-15);
        }
    }

    #[test]
    fn rejects_a_bottleneck_of_no_channels() {
        let vb = VarBuilder::zeros(DType::F32, &Device::Cpu).pp("layer1.0");
        let config = ResidualUnitConfig::bottleneck(4, 0, 4);
        let error = ResidualUnit::new(&config, vb).unwrap_err().to_string();
        assert!(error.contains("`layer1.0.conv1`") && error.contains("4 to 0 channels"), "{error}");
    }
}
