#![allow(unsafe_code, reason = "tasks write disjoint, interleaved parts of the gradient")]

use candle_core::{Result, Shape, Tensor, bail};

use crate::cpu::{Float, Output, UnaryKernel};
use crate::parallel::{tasks, wide};
use crate::run::{require_float, run};
use crate::simd::{Loop, vectorized_loop};

/// ln √(2π)
pub(crate) const LN_SQRT_2PI: f64 = 0.918_938_533_204_672_7;

/// Pixels that one task handles.
const CHUNK: usize = 512;

/// The logarithm of the density that a normalizing flow gives its input, pixel by pixel: that of
/// the standard normal distribution at z, plus the log-determinant.
///
/// ```text
/// log p = −C · ln √(2π) − ½ Σ z² + ℓ
/// ```
///
/// Sums are taken in f64.
///
/// # Shapes
///
/// - `state`: `(batch, C + 1, …)`: z in C channels, then ℓ, as [`coupling`](crate::coupling()) leaves
///   them
/// - output: `(batch, …)`
///
/// # Examples
///
/// ```
/// use candle_core::{Device, Tensor};
/// use ocellus_ops::normal_log_density;
///
/// let state = Tensor::new(&[[0f64, 0., 0., 0., 0.]], &Device::Cpu)?; // z = 0 in four dimensions.
/// let density = normal_log_density(&state)?.to_vec1::<f64>()?;
/// assert!((density[0] + 3.6757541).abs() < 1e-7);
/// # Ok::<(), candle_core::Error>(())
/// ```
///
/// # Errors
///
/// If the state has no channel for z.
pub fn normal_log_density(state: &Tensor) -> Result<Tensor> {
    require_float(LogDensity::NAME, state)?;
    match state.dims() {
        [_, planes, ..] if *planes > 1 && state.elem_count() > 0 => {}
        dims => bail!("normal_log_density takes (batch, channels + 1, …), got {dims:?}"),
    }
    run(state, LogDensity, composed)
}

pub(crate) struct LogDensity;

/// Planes of an image and pixels of a plane.
fn sizes(dims: &[usize]) -> (usize, usize) {
    (dims[1], dims[2..].iter().product())
}

/// Runs `f(image, first pixel, pixels)` on all chunks.
fn chunks(dims: &[usize], f: impl Fn(usize, usize, usize) + Sync) {
    let (planes, pixels) = sizes(dims);
    let count = pixels.div_ceil(CHUNK);
    tasks(dims[0] * count, planes * CHUNK.min(pixels), |task| {
        let first = task % count * CHUNK;
        f(task / count, first, CHUNK.min(pixels - first));
    });
}

impl UnaryKernel for LogDensity {
    const NAME: &'static str = "normal_log_density";

    fn forward<T: Float>(&self, x: &[T], dims: &[usize]) -> Result<(Vec<T>, Shape)> {
        let (planes, pixels) = sizes(dims);
        let constant = -LN_SQRT_2PI * (planes - 1) as f64;
        let fill = |out: &Output<T>| {
            chunks(dims, |image, first, count| {
                let plane = |n: usize| &x[(image * planes + n) * pixels + first..][..count];
                let mut squares = vec![0.; count];
                for n in 0..planes - 1 {
                    vectorized_loop(AddSquares { x: plane(n), to: &mut squares });
                }
                // SAFETY: these pixels are written by this task alone.
                let to = unsafe { out.slice(image * pixels + first, count) };
                for ((to, &log_det), square) in to.iter_mut().zip(plane(planes - 1)).zip(squares) {
                    to.write(T::from_f64(constant - 0.5 * square + wide(log_det)));
                }
            });
        };
        // SAFETY: the chunks cover all pixels of all images.
        let y = unsafe { Output::collect(dims[0] * pixels, fill) };
        let shape = [&dims[..1], &dims[2..]].concat();
        Ok((y, shape.into()))
    }

    fn backward<T: Float>(&self, x: &[T], _: &[T], grad: &[T], dims: &[usize]) -> Result<Vec<T>> {
        let (planes, pixels) = sizes(dims);
        let fill = |out: &Output<T>| {
            chunks(dims, |image, first, count| {
                let grad = &grad[image * pixels + first..][..count];
                for n in 0..planes {
                    let at = (image * planes + n) * pixels + first;
                    // SAFETY: this piece of the plane is written by this task alone.
                    let to = unsafe { out.slice(at, count) };
                    for ((to, &z), &g) in to.iter_mut().zip(&x[at..]).zip(grad) {
                        to.write(if n + 1 < planes { -z * g } else { g });
                    }
                }
            });
        };
        // SAFETY: the chunks cover all planes of all images.
        Ok(unsafe { Output::collect(x.len(), fill) })
    }
}

struct AddSquares<'a, T> {
    x: &'a [T],
    to: &'a mut [f64],
}

impl<T: Float> Loop for AddSquares<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        for (to, &x) in self.to.iter_mut().zip(self.x) {
            *to += wide(x) * wide(x);
        }
    }
}

fn composed(state: &Tensor) -> Result<Tensor> {
    let channels = state.dim(1)? - 1;
    let squares = state.narrow(1, 0, channels)?.sqr()?.sum(1)?;
    let log_det = state.narrow(1, channels, 1)?.squeeze(1)?;
    squares.affine(-0.5, -LN_SQRT_2PI * channels as f64)? + log_det
}

#[cfg(test)]
mod tests {
    use candle_core::{DType, Device};
    use ocellus_testing::{assert_close, fill};

    use super::*;
    use crate::testing::{BOTH, check_both};
    use crate::with_implementation;

    #[test]
    fn passes_the_suite() -> Result<()> {
        for shape in [vec![3, 4], vec![2, 4, 5], vec![2, 3, 2, 3]] {
            check_both(|x| normal_log_density(&x[0]), &[fill(shape, 0.1, DType::F64)?])?;
        }
        Ok(())
    }

    #[test]
    fn kernel_and_composition_agree_on_more_than_a_chunk() -> Result<()> {
        let x = fill((2, 7, 41, 29), 0.1, DType::F32)?;
        let [a, b] = BOTH.map(|i| with_implementation(i, || normal_log_density(&x)));
        assert_close(&a?, &b?, 1e-6)
    }

    #[test]
    fn refuses_a_state_without_channels() -> Result<()> {
        let x = Tensor::zeros((2, 1, 3), DType::F32, &Device::Cpu)?;
        assert!(normal_log_density(&x).unwrap_err().to_string().contains("[2, 1, 3]"));
        Ok(())
    }
}
