mod kernel;
mod offset;
mod row;
#[cfg(test)]
mod tests;

use candle_core::{D, Result, Tensor};

pub(crate) use self::kernel::MaxPool;
use super::MaxPool2dConfig;
use super::window::{Span, Windows};
use crate::run::{image_size, run};

/// The largest element of each window.
///
/// ```text
/// y[b, c, i, j] = max over u, v of x[b, c, i·s + u·d − p, j·s + v·d − p]
/// ```
///
/// The gradient of a window goes to its maximum, whole: an element that is the maximum of several
/// windows gets the sum. Of equal maxima the first in row-major order gets it, and a NaN wins over
/// every number, both as in PyTorch.
///
/// # Shapes
///
/// - input: `(batch, channels, height, width)`
/// - output: `(batch, channels, height', width')`, where, `⌈·⌉` instead of `⌊·⌋` with `ceil_mode`,
///
/// ```text
/// height' = ⌊(height + 2 p − d (k − 1) − 1) / s⌋ + 1
/// ```
///
/// # Examples
///
/// ```
/// use candle_core::{Device, Tensor, Var};
/// use ocellus_ops::{MaxPool2dConfig, max_pool2d};
///
/// let x = Var::from_tensor(&Tensor::arange(0f32, 16., &Device::Cpu)?.reshape((1, 1, 4, 4))?)?;
/// let y = max_pool2d(&x, &MaxPool2dConfig::new(2))?;
/// assert_eq!(y.flatten_all()?.to_vec1::<f32>()?, [5., 7., 13., 15.]);
///
/// let gradient = y.backward()?.get(&x).expect("x is a variable").flatten_all()?;
/// let mut expected = [0f32; 16];
/// for maximum in [5, 7, 13, 15] {
///     expected[maximum] = 1.;
/// }
/// assert_eq!(gradient.to_vec1::<f32>()?, expected);
/// # Ok::<(), candle_core::Error>(())
/// ```
///
/// # Errors
///
/// If the input has not four dimensions, the padding exceeds half the kernel, or a window would
/// hold no element of the input.
///
/// # Complexity
///
/// Time is windows × kernel size. An input that tracks gradients costs a byte a window until the
/// backward pass, four if the windows have more than 256 elements.
pub fn max_pool2d(x: &Tensor, config: &MaxPool2dConfig) -> Result<Tensor> {
    let size = image_size("max_pool2d", x)?;
    let (rows, columns) = config.windows("max_pool2d", size, config.kind.dilation, true)?;
    max_pool(x, rows, columns)
}

/// The largest element of each of those windows.
pub(super) fn max_pool(x: &Tensor, rows: Windows, columns: Windows) -> Result<Tensor> {
    let (_, width) = image_size("max_pool2d", x)?;
    let composed = |x: &Tensor| largest(&largest(x, D::Minus1, &columns)?, D::Minus2, &rows);
    run(x, MaxPool::new(rows.clone(), columns.clone(), width, x.track_op()), composed)
}

/// The largest elements along one axis. Of equal ones the first wins, so that windows of columns,
/// then of rows, give the first in row-major order.
fn largest(x: &Tensor, dim: D, windows: &Windows) -> Result<Tensor> {
    let x = x.contiguous()?;
    let tap = |k: usize| {
        // Where a window is shorter its last element is looked at again, to no effect.
        let index = |s: &Span| (s.start + k.min(s.len - 1) * windows.dilation) as u32;
        let indices: Vec<u32> = windows.spans.iter().map(index).collect();
        x.index_select(&Tensor::new(indices, x.device())?, dim)
    };
    let mut best = tap(0)?;
    for k in 1..windows.largest() {
        let next = tap(k)?;
        let wins = (next.gt(&best)? + next.ne(&next)?)?; // Greater, or a NaN.
        best = wins.where_cond(&next, &best)?;
    }
    Ok(best)
}
