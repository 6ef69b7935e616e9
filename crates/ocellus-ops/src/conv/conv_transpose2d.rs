use candle_core::{Result, Tensor};

use super::geometry::Geometry;
use super::op::ConvOp;
use super::{ConvTranspose2dConfig, composed};
use crate::cuda;
use crate::implementation::{Code, code};

/// Transposed convolution of images, with exact gradients: every input pixel adds the kernel, times
/// its value, to the output.
///
/// ```text
/// y[b, o, i·s + u·d − p, j·s + v·d − p] += weight[c, o, u, v] · x[b, c, i, j]    for all c, u, v, i, j
/// ```
///
/// with stride s, dilation d and padding p, from y = bias. It is the gradient by the input of
/// [`conv2d`](crate::conv2d) with the same weight, which is where its name comes from.
///
/// # Shapes
///
/// - `x`: `(batch, in, height, width)`
/// - `weight`: `(in, out / groups, kernel_height, kernel_width)`
/// - `bias`: `(out)`
/// - output: `(batch, out, (height − 1)·s + d·(kernel_height − 1) + 1 + output_padding − top − bottom, …)`
///
/// f16 and bf16 are computed in f32. The same bits come out at any number of threads. No gradient
/// is computed for what nothing asks for: an image, or a frozen weight.
///
/// # Examples
///
/// Doubling the size:
///
/// ```
/// use candle_core::{DType, Device, Tensor};
/// use ocellus_ops::{ConvTranspose2dConfig, conv_transpose2d};
///
/// let x = Tensor::ones((1, 3, 8, 8), DType::F32, &Device::Cpu)?;
/// let weight = Tensor::ones((3, 2, 4, 4), DType::F32, &Device::Cpu)?;
/// let config = ConvTranspose2dConfig::default().with_stride((2, 2)).with_padding(1);
///
/// let y = conv_transpose2d(&x, &weight, None, &config)?;
/// assert_eq!(y.dims(), [1, 2, 16, 16]);
/// assert_eq!(y.max_all()?.to_scalar::<f32>()?, 12.); // Inside, 3 · 2 · 2 pixels add up.
/// # Ok::<(), candle_core::Error>(())
/// ```
///
/// # Errors
///
/// If shapes, element types or devices do not fit together, the channels cannot be cut into the
/// groups, the output padding is not less than stride or dilation, or the padding leaves nothing.
pub fn conv_transpose2d(
    x: &Tensor,
    weight: &Tensor,
    bias: Option<&Tensor>,
    config: &ConvTranspose2dConfig,
) -> Result<Tensor> {
    transpose("conv_transpose2d", x, weight, bias, config, false)
}

/// [`conv_transpose2d`] and [`relu`](crate::relu) in one: what is negative becomes zero before it is
/// written.
///
/// ```text
/// y = max(0, conv_transpose2d(x, weight, bias))
/// ```
///
/// # Shapes
///
/// As of [`conv_transpose2d`].
///
/// # Examples
///
/// ```
/// use candle_core::{DType, Device, Tensor};
/// use ocellus_ops::{ConvTranspose2dConfig, conv_transpose2d_relu};
///
/// let x = Tensor::ones((1, 3, 8, 8), DType::F32, &Device::Cpu)?;
/// let weight = (Tensor::ones((3, 2, 4, 4), DType::F32, &Device::Cpu)? * -1.)?;
/// let config = ConvTranspose2dConfig::default().with_stride((2, 2)).with_padding(1);
/// let y = conv_transpose2d_relu(&x, &weight, None, &config)?;
/// assert_eq!(y.max_all()?.to_scalar::<f32>()?, 0.);
/// # Ok::<(), candle_core::Error>(())
/// ```
///
/// # Errors
///
/// As of [`conv_transpose2d`].
pub fn conv_transpose2d_relu(
    x: &Tensor,
    weight: &Tensor,
    bias: Option<&Tensor>,
    config: &ConvTranspose2dConfig,
) -> Result<Tensor> {
    transpose("conv_transpose2d_relu", x, weight, bias, config, true)
}

fn transpose(
    name: &'static str,
    x: &Tensor,
    weight: &Tensor,
    bias: Option<&Tensor>,
    config: &ConvTranspose2dConfig,
    relu: bool,
) -> Result<Tensor> {
    let geometry = Geometry::of_transpose(x, weight, config)?;
    let op = ConvOp { name, geometry, transposed: true, relu };
    op.check(x, weight, bias)?;
    match code(name, x)? {
        Code::Processor => return op.apply(x, weight, bias),
        Code::Gpu(machine) if cuda::convolves(&geometry) => {
            return cuda::convolution(machine, op, x, weight, bias);
        }
        Code::Gpu(_) | Code::Composed => {}
    }
    let y = composed::transposed(&geometry, x, weight, bias)?;
    if relu { crate::relu(&y) } else { Ok(y) }
}
