use std::cell::Cell;

use crate::scoped::scoped;

/// How a convolution is computed on the CPU.
///
/// Results differ in rounding only. The most on any 3 × 3 layer of VGG16 and on 4 × 4 transposed
/// convolutions at stride 2 of up to 512 channels, in f32, with random images and filters, relative
/// to f64 (tested to stay below twice that):
///
/// | | ‖Δy‖ / ‖y‖ | gradient by the input | by the weight |
/// | --- | --- | --- | --- |
/// | 3 × 3, direct | 1.2e-6 | 1.2e-6 | 4e-7 |
/// | Winograd | 2.3e-6 | 2.2e-6 | 2.7e-6 |
/// | 4 × 4 transposed, direct | 3e-7 | 1.1e-6 | 3.1e-7 |
/// | Winograd | 2e-6 | 3e-6 | 2.6e-6 |
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
    /// The fastest for the sizes. 1 × 1 convolutions at stride 1 of many channels multiply f32 in three
    /// parts of bf16 on a processor's matrix unit (AMX), if it has one: no less exact than f32, but an
    /// infinity may become a NaN.
    #[default]
    Auto,
    /// Products of filters and patches, each sum in the order of its terms.
    Direct,
    /// F(4×4, 3×3) of \[1\]: a quarter of the multiplications, a little more rounding. For kernels of
    /// 3 × 3 with stride 1, dilation 1 and one group. And for those of 4 × 4 with stride 2, by F(5×5,
    /// 2×2) for each of the four phases of the larger image.
    Winograd,
}

thread_local! {
    static CURRENT: Cell<ConvAlgorithm> = const { Cell::new(ConvAlgorithm::Auto) };
}

/// Runs `f`, in which convolutions on this thread that leave the choice open
/// ([`ConvAlgorithm::Auto`]) take that algorithm, where it can compute them.
///
/// With [`ConvAlgorithm::Direct`], a whole network computes with the least rounding. It seldom
/// matters: in a deep network any difference in rounding, also that between two versions of a
/// library, changes which of two nearly equal values a ReLU or a pooling lets through.
///
/// The choice is made when an operation is called; the gradient follows the choice of its forward pass.
///
/// # Examples
///
/// ```
/// use candle_core::{DType, Device, Tensor};
/// use ocellus_ops::{Conv2dConfig, ConvAlgorithm, conv2d, with_conv_algorithm};
///
/// let x = Tensor::ones((1, 16, 8, 8), DType::F32, &Device::Cpu)?;
/// let weight = Tensor::ones((16, 16, 3, 3), DType::F32, &Device::Cpu)?;
/// let y = with_conv_algorithm(ConvAlgorithm::Direct, || {
///     conv2d(&x, &weight, None, &Conv2dConfig::default())
/// })?;
/// assert_eq!(y.max_all()?.to_scalar::<f32>()?, 144.);
/// # Ok::<(), candle_core::Error>(())
/// ```
pub fn with_conv_algorithm<T>(algorithm: ConvAlgorithm, f: impl FnOnce() -> T) -> T {
    scoped(&CURRENT, algorithm, f)
}

impl ConvAlgorithm {
    /// What is chosen, if something is: by the configuration, else by [`with_conv_algorithm`].
    pub(super) fn chosen(self) -> Self {
        if self == Self::Auto { CURRENT.get() } else { self }
    }
}
