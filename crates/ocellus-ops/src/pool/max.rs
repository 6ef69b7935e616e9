use std::sync::OnceLock;

use candle_core::{D, Result, Shape, Tensor, bail};
use rayon::prelude::*;

use super::MaxPool2dConfig;
use super::window::Windows;
use crate::cpu::{Float, UnaryKernel};
use crate::parallel::{GRAIN, pieces};
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
/// Time is windows × kernel size. An input that tracks gradients costs four bytes a window until
/// the backward pass.
pub fn max_pool2d(x: &Tensor, config: &MaxPool2dConfig) -> Result<Tensor> {
    let size = image_size("max_pool2d", x)?;
    let (rows, columns) = config.windows("max_pool2d", size, config.kind.dilation, true)?;
    max_pool(x, rows, columns)
}

/// The largest element of each of those windows.
pub(super) fn max_pool(x: &Tensor, rows: Windows, columns: Windows) -> Result<Tensor> {
    let (height, width) = image_size("max_pool2d", x)?;
    if height * width > u32::MAX as usize {
        bail!("max_pool2d: a plane of {height} × {width} has more than 2³² elements: tile it")
    }
    let tracks = x.track_op();
    let composed = |x: &Tensor| largest(&largest(x, D::Minus1, &columns)?, D::Minus2, &rows);
    let kernel =
        MaxPool { rows: rows.clone(), columns: columns.clone(), tracks, argmax: OnceLock::new() };
    run(x, kernel, composed)
}

struct MaxPool {
    rows: Windows,
    columns: Windows,
    tracks: bool,
    /// Where in its plane each output was found; empty unless the input tracks gradients.
    argmax: OnceLock<Vec<u32>>,
}

impl UnaryKernel for MaxPool {
    const NAME: &'static str = "max_pool2d";

    fn forward<T: Float>(&self, x: &[T], dims: &[usize]) -> Result<(Vec<T>, Shape)> {
        let (rows, columns) = (self.rows.len(), self.columns.len());
        let (size, plane, width) = (rows * columns, dims[2] * dims[3], dims[3]);
        let mut y = vec![T::zero(); dims[0] * dims[1] * size];
        if self.tracks {
            let mut argmax = vec![0; y.len()];
            let together = (GRAIN / plane).max(1);
            y.par_chunks_mut(size)
                .zip(argmax.par_chunks_mut(size))
                .zip(x.par_chunks(plane))
                .with_min_len(together)
                .for_each(|((y, argmax), x)| {
                    let mut outputs = y.iter_mut().zip(argmax);
                    self.plane(x, width, |value, at| {
                        if let Some((y, argmax)) = outputs.next() {
                            (*y, *argmax) = (value, at as u32);
                        }
                    });
                });
            let _ = self.argmax.set(argmax);
        } else {
            pieces(&mut y, size, |i, y| {
                let mut outputs = y.iter_mut();
                self.plane(&x[i * plane..][..plane], width, |value, _| {
                    if let Some(y) = outputs.next() {
                        *y = value;
                    }
                });
            });
        }
        Ok((y, (dims[0], dims[1], rows, columns).into()))
    }

    fn backward<T: Float>(
        &self,
        x: &[T],
        _: &[T],
        gradient: &[T],
        dims: &[usize],
    ) -> Result<Vec<T>> {
        let Some(argmax) = self.argmax.get() else { bail!("max_pool2d: backward before forward") };
        let (size, plane) = (self.rows.len() * self.columns.len(), dims[2] * dims[3]);
        let mut dx = vec![T::zero(); x.len()];
        pieces(&mut dx, plane, |i, dx| {
            let outputs = i * size..(i + 1) * size;
            for (&g, &at) in gradient[outputs.clone()].iter().zip(&argmax[outputs]) {
                dx[at as usize] += g;
            }
        });
        Ok(dx)
    }
}

impl MaxPool {
    /// Calls `put(maximum, its index)` for each window of a plane, row by row.
    fn plane<T: Float>(&self, x: &[T], width: usize, mut put: impl FnMut(T, usize)) {
        let steps = (self.rows.dilation * width, self.columns.dilation);
        let dense = steps == (width, 1);
        for row in &self.rows.spans {
            let first = row.start * width;
            for column in &self.columns.spans {
                let first = first + column.start;
                // The common sizes as constants, so that the compiler unrolls them.
                let (value, at) = match (row.len, column.len) {
                    (2, 2) if dense => window(x, first, (2, 2), (width, 1)),
                    (3, 3) if dense => window(x, first, (3, 3), (width, 1)),
                    len => window(x, first, len, steps),
                };
                put(value, at);
            }
        }
    }
}

/// The maximum of a window of `rows × columns` elements and its index.
#[inline(always)]
fn window<T: Float>(
    x: &[T],
    first: usize,
    (rows, columns): (usize, usize),
    (down, right): (usize, usize),
) -> (T, usize) {
    let (mut best, mut at) = (x[first], first);
    for row in 0..rows {
        let start = first + row * down;
        let x = &x[start..start + (columns - 1) * right + 1];
        for column in 0..columns {
            let value = x[column * right];
            if value > best || value.is_nan() {
                (best, at) = (value, start + column * right);
            }
        }
    }
    (best, at)
}

/// The largest elements along one axis. Of equal ones the first wins, so that windows of columns,
/// then of rows, give the first in row-major order.
fn largest(x: &Tensor, dim: D, windows: &Windows) -> Result<Tensor> {
    let x = x.contiguous()?;
    let tap = |k: usize| {
        // Where a window is shorter its last element is looked at again, to no effect.
        let index =
            |s: &super::window::Span| (s.start + k.min(s.len - 1) * windows.dilation) as u32;
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

#[cfg(test)]
mod tests {
    use candle_core::{DType, Device};
    use ocellus_testing::{Golden, assert_close, fill, ramp};

    use super::*;
    use crate::testing::{check_both, check_golden, gradients, with_both};

    fn ones(x: &Tensor, config: &MaxPool2dConfig) -> Result<(Vec<f32>, Vec<f32>)> {
        let shape = max_pool2d(x, config)?.shape().clone();
        let weights = Tensor::ones(shape, DType::F32, &Device::Cpu)?;
        let (y, dx) = gradients(|x| max_pool2d(&x[0], config), &[x], &weights)?;
        Ok((y.flatten_all()?.to_vec1()?, dx[0].flatten_all()?.to_vec1()?))
    }

    #[test]
    fn passes_the_suite() -> Result<()> {
        let new = MaxPool2dConfig::new;
        let cases = [
            (new(2), (2, 3, 6, 4)),
            (new(2), (1, 2, 5, 7)),
            (new(2).with_ceil_mode(true), (1, 2, 5, 7)),
            (new(3).with_stride((2, 2)).with_padding((1, 1)), (2, 2, 7, 8)),
            (new(3).with_stride((2, 1)).with_padding((1, 0)).with_ceil_mode(true), (1, 2, 8, 5)),
            (new(3).with_stride((1, 1)).with_dilation((2, 3)).with_padding((1, 1)), (1, 1, 7, 9)),
            (new(2).with_kernel((1, 4)).with_stride((3, 2)), (1, 2, 4, 9)),
        ];
        for (config, shape) in cases {
            check_both(|x| max_pool2d(&x[0], &config), &[fill(shape, 0.1, DType::F64)?])?;
        }
        Ok(())
    }

    #[test]
    fn matches_pytorch() -> Result<()> {
        let golden = Golden::read(env!("CARGO_MANIFEST_DIR"), "pool")?;
        let new = MaxPool2dConfig::new;
        let cases = [
            ("max_2", new(2)),
            ("max_2_ceil", new(2).with_ceil_mode(true)),
            ("max_resnet", new(3).with_stride((2, 2)).with_padding((1, 1))),
            ("max_ceil_pad", new(2).with_stride((3, 2)).with_padding((1, 1)).with_ceil_mode(true)),
            ("max_dilated", new(3).with_stride((2, 1)).with_dilation((2, 3)).with_padding((1, 1))),
            ("max_ties", new(3).with_stride((1, 1)).with_padding((1, 1))),
        ];
        for (case, config) in cases {
            check_golden(&golden, case, &["x"], 1e-6, |x| max_pool2d(&x[0], &config))?;
        }
        Ok(())
    }

    #[test]
    fn a_unique_maximum_gets_gradient_one() -> Result<()> {
        with_both(|| {
            let x = ramp((1, 1, 4, 6), 0., 1., DType::F32)?;
            let (_, dx) = ones(&x, &MaxPool2dConfig::new(2))?;
            let hits: Vec<usize> = (0..24).filter(|&i| dx[i] != 0.).collect();
            assert_eq!(hits, [7, 9, 11, 19, 21, 23]);
            assert!(hits.iter().all(|&i| dx[i] == 1.), "{dx:?}");
            Ok(())
        })
    }

    #[test]
    fn the_maximum_of_overlapping_windows_gets_their_sum() -> Result<()> {
        with_both(|| {
            let mut values = [0f32; 25];
            values[12] = 1.;
            let x = Tensor::new(&values, &Device::Cpu)?.reshape((1, 1, 5, 5))?;
            let (y, dx) = ones(&x, &MaxPool2dConfig::new(3).with_stride((1, 1)))?;
            assert_eq!(y, [1f32; 9]);
            assert_eq!(dx, values.map(|v| 9. * v));
            Ok(())
        })
    }

    #[test]
    fn the_first_of_equal_maxima_gets_the_gradient() -> Result<()> {
        with_both(|| {
            let x = Tensor::ones((1, 1, 2, 4), DType::F32, &Device::Cpu)?;
            let (_, dx) = ones(&x, &MaxPool2dConfig::new(2))?;
            assert_eq!(dx, [1., 0., 1., 0., 0., 0., 0., 0.]);
            // The maximum 5 stands right of the first row and left of the second.
            let x = Tensor::new(&[0f32, 5., 5., 0.], &Device::Cpu)?.reshape((1, 1, 2, 2))?;
            assert_eq!(ones(&x, &MaxPool2dConfig::new(2))?.1, [0., 1., 0., 0.]);
            let x = Tensor::full(f32::NEG_INFINITY, (1, 1, 2, 2), &Device::Cpu)?;
            let config = MaxPool2dConfig::new(2).with_padding((1, 1));
            assert_eq!(ones(&x, &config)?.1, [1.; 4]);
            Ok(())
        })
    }

    #[test]
    fn a_nan_wins() -> Result<()> {
        with_both(|| {
            let x = Tensor::new(&[3f32, f32::NAN, 7., 1., 2., 9., 4., 5.], &Device::Cpu)?;
            let (y, dx) = ones(&x.reshape((1, 1, 2, 4))?, &MaxPool2dConfig::new(2))?;
            assert!(y[0].is_nan() && y[1] == 7., "{y:?}");
            assert_eq!(dx, [0., 1., 1., 0., 0., 0., 0., 0.]);
            Ok(())
        })
    }

    #[test]
    fn untracked_and_tracked_inputs_give_the_same() -> Result<()> {
        let x = fill((2, 3, 9, 11), 0.7, DType::F32)?;
        let config = MaxPool2dConfig::new(3).with_stride((2, 2)).with_padding((1, 1));
        let tracked = max_pool2d(candle_core::Var::from_tensor(&x)?.as_tensor(), &config)?;
        assert_close(&max_pool2d(&x, &config)?, &tracked, 0.)
    }

    #[test]
    fn rejects_what_makes_no_output() -> Result<()> {
        let x = Tensor::zeros((1, 1, 4, 4), DType::F32, &Device::Cpu)?;
        let new = MaxPool2dConfig::new;
        let cases = [
            (&x.squeeze(0)?, new(2), "takes (batch, channels, height, width)"),
            (&x, new(5), "height 4 with padding 0 is too small for a window of 5"),
            (&x, new(2).with_padding((0, 2)), "padding 2 of the width is more than half"),
            (&x, new(0), "none may be 0"),
            (&x.to_dtype(DType::U8)?, new(2), "max_pool2d takes f32"),
        ];
        for (x, config, expected) in cases {
            let message = max_pool2d(x, &config).unwrap_err().to_string();
            assert!(message.contains(expected), "{message}");
        }
        let empty = Tensor::zeros((0, 3, 4, 4), DType::F32, &Device::Cpu)?;
        assert_eq!(max_pool2d(&empty, &new(2))?.dims(), [0, 3, 2, 2]);
        Ok(())
    }
}
