/// How a convolution is computed on the CPU.
///
/// Results differ in rounding only. With f32 images and filters of VGG16, relative to f64:
///
/// | | ‖Δy‖ / ‖y‖ | ‖Δ gradient‖ / ‖gradient‖ |
/// | --- | --- | --- |
/// | direct | 2e-7 | 2e-7 |
/// | Winograd | 5e-6 | 6e-6 |
///
/// # Examples
///
/// ```
/// use candle_core::{DType, Device, Tensor};
/// use ocellus_ops::{Conv2dConfig, ConvAlgorithm, conv2d};
///
/// let x = Tensor::ones((1, 16, 8, 8), DType::F32, &Device::Cpu)?;
/// let weight = Tensor::ones((16, 16, 3, 3), DType::F32, &Device::Cpu)?;
/// let config = Conv2dConfig::default().with_algorithm(ConvAlgorithm::Winograd);
/// let y = conv2d(&x, &weight, None, &config)?;
/// assert!((y.mean_all()?.to_scalar::<f32>()? - 144.).abs() < 1e-3);
/// # Ok::<(), candle_core::Error>(())
/// ```
///
/// # References
///
/// 1. A. Lavin, S. Gray. *Fast algorithms for convolutional neural networks.* CVPR 2016.
///    <https://arxiv.org/abs/1509.09308>
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ConvAlgorithm {
    /// The fastest for the sizes.
    #[default]
    Auto,
    /// Products of filters and patches, each sum in the order of its terms.
    Direct,
    /// F(4×4, 3×3) of \[1\]: a quarter of the multiplications, a little more rounding. For kernels of
    /// 3 × 3 with stride 1, dilation 1 and one group.
    Winograd,
}
