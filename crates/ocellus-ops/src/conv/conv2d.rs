use candle_core::{Result, Tensor};

use super::geometry::Geometry;
use super::op::ConvOp;
use super::{Conv2dConfig, composed};
use crate::cuda;
use crate::implementation::{Code, code};

/// Convolution of images (in the networks' sense: cross-correlation), with exact gradients.
///
/// ```text
/// y[b, o, i, j] = bias[o] + Σ_c Σ_u Σ_v weight[o, c, u, v] · x[b, c, i·s + u·d − p, j·s + v·d − p]
/// ```
///
/// with stride s, dilation d and padding p of each side; c runs over the channels of o's group.
///
/// # Shapes
///
/// - `x`: `(batch, in, height, width)`
/// - `weight`: `(out, in / groups, kernel_height, kernel_width)`, or `(out, in / groups)` of a linear
///   layer for a 1 × 1 kernel
/// - `bias`: `(out)`
/// - output: `(batch, out, ⌊(height + top + bottom − d·(kernel_height − 1) − 1) / s⌋ + 1, …)`
///
/// f16 and bf16 are computed in f32. The same bits come out at any number of threads. No gradient
/// is computed for what nothing asks for: an image, or a frozen weight.
///
/// # Examples
///
/// ```
/// use candle_core::{DType, Device, Tensor};
/// use ocellus_ops::{Conv2dConfig, conv2d};
///
/// let x = Tensor::ones((1, 3, 8, 8), DType::F32, &Device::Cpu)?;
/// let weight = Tensor::ones((16, 3, 3, 3), DType::F32, &Device::Cpu)?;
/// let config = Conv2dConfig::default().with_stride((2, 2)).with_padding(1);
///
/// let y = conv2d(&x, &weight, None, &config)?;
/// assert_eq!(y.dims(), [1, 16, 4, 4]);
/// assert_eq!(y.max_all()?.to_scalar::<f32>()?, 27.); // Inside, 3 · 3 · 3 ones meet the kernel.
/// # Ok::<(), candle_core::Error>(())
/// ```
///
/// # Errors
///
/// If shapes, element types or devices do not fit together, the channels cannot be cut into the
/// groups, or the kernel exceeds the padded input.
pub fn conv2d(
    x: &Tensor,
    weight: &Tensor,
    bias: Option<&Tensor>,
    config: &Conv2dConfig,
) -> Result<Tensor> {
    convolve("conv2d", x, weight, bias, config, false)
}

/// [`conv2d`] and [`relu`](crate::relu) in one: what is negative becomes zero before it is written.
///
/// ```text
/// y = max(0, conv2d(x, weight, bias))
/// ```
///
/// Of the two tensors that the two operations keep for the backward pass, this keeps one.
///
/// # Shapes
///
/// As of [`conv2d`].
///
/// # Examples
///
/// ```
/// use candle_core::{DType, Device, Tensor};
/// use ocellus_ops::{Conv2dConfig, conv2d_relu};
///
/// let x = Tensor::ones((1, 3, 8, 8), DType::F32, &Device::Cpu)?;
/// let weight = (Tensor::ones((16, 3, 3, 3), DType::F32, &Device::Cpu)? * -1.)?;
/// let y = conv2d_relu(&x, &weight, None, &Conv2dConfig::default())?;
/// assert_eq!(y.max_all()?.to_scalar::<f32>()?, 0.);
/// # Ok::<(), candle_core::Error>(())
/// ```
///
/// # Errors
///
/// As of [`conv2d`].
pub fn conv2d_relu(
    x: &Tensor,
    weight: &Tensor,
    bias: Option<&Tensor>,
    config: &Conv2dConfig,
) -> Result<Tensor> {
    convolve("conv2d_relu", x, weight, bias, config, true)
}

fn convolve(
    name: &'static str,
    x: &Tensor,
    weight: &Tensor,
    bias: Option<&Tensor>,
    config: &Conv2dConfig,
    relu: bool,
) -> Result<Tensor> {
    let geometry = checked(name, (x, x.dims()), weight, bias, config)?;
    let op = ConvOp { name, geometry, transposed: false, relu };
    match code(name, x)? {
        Code::Processor => return op.apply(x, weight, bias),
        Code::Gpu(machine) if cuda::convolves(&geometry) => {
            return cuda::convolution(machine, op, x, weight, bias);
        }
        Code::Gpu(_) | Code::Composed => {}
    }
    let y = composed::forward(&geometry, x, weight, bias)?;
    if relu { crate::relu(&y) } else { Ok(y) }
}

/// The sizes of a convolution of images of these dimensions, which have the type and device of `x`.
pub(crate) fn checked(
    name: &'static str,
    (x, dims): (&Tensor, &[usize]),
    weight: &Tensor,
    bias: Option<&Tensor>,
    config: &Conv2dConfig,
) -> Result<Geometry> {
    let geometry = match *weight.dims() {
        [out, inputs] => Geometry::of_conv(dims, &[out, inputs, 1, 1], config)?,
        ref weight => Geometry::of_conv(dims, weight, config)?,
    };
    ConvOp { name, geometry, transposed: false, relu: false }.check(x, weight, bias)?;
    Ok(geometry)
}
