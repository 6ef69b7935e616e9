use candle_core::{Result, Shape, Tensor};

use super::AvgPool2dConfig;
use super::global::GlobalAvgPool;
use super::window::{Span, Windows};
use crate::cpu::{Float, UnaryKernel};
use crate::parallel::{pieces, sum};
use crate::run::{image_size, run};
use crate::separable::{Banded, Separable, separable};

/// The mean of each window.
///
/// ```text
/// y[b, c, i, j] = 1/n · Σ over u, v of x[b, c, i·s + u − p, j·s + v − p]
/// ```
///
/// The divisor `n` is the number of elements of the window; padding counts unless
/// [`count_include_pad`](crate::AvgPooling::count_include_pad) is false, and what `ceil_mode` adds
/// beyond the padding never does, as in PyTorch.
///
/// # Shapes
///
/// - input: `(batch, channels, height, width)`
/// - output: `(batch, channels, height', width')`, as of [`max_pool2d`](crate::max_pool2d)
///
/// # Examples
///
/// ```
/// use candle_core::{Device, Tensor};
/// use ocellus_ops::{AvgPool2dConfig, avg_pool2d};
///
/// let x = Tensor::arange(0f32, 16., &Device::Cpu)?.reshape((1, 1, 4, 4))?;
/// let y = avg_pool2d(&x, &AvgPool2dConfig::new(2))?;
/// assert_eq!(y.flatten_all()?.to_vec1::<f32>()?, [2.5, 4.5, 10.5, 12.5]);
/// # Ok::<(), candle_core::Error>(())
/// ```
///
/// # Errors
///
/// If the input has not four dimensions, the padding exceeds half the kernel, or the kernel
/// exceeds the padded input.
///
/// # Complexity
///
/// Time is windows × rows and columns of the kernel: rows are summed once for all windows of a row.
/// Kernels of more than 16 rows or columns take windows × kernel size.
pub fn avg_pool2d(x: &Tensor, config: &AvgPool2dConfig) -> Result<Tensor> {
    let size = image_size("avg_pool2d", x)?;
    let counted = config.kind.count_include_pad;
    let (rows, columns) = config.windows("avg_pool2d", size, (1, 1), counted)?;
    avg_pool(x, rows, columns)
}

/// The mean of each of those windows.
pub(super) fn avg_pool(x: &Tensor, rows: Windows, columns: Windows) -> Result<Tensor> {
    let (height, width) = image_size("avg_pool2d", x)?;
    let means = Separable { rows: means(&rows, height), columns: means(&columns, width) };
    let composed = |x: &Tensor| separable(x, &means.rows, &means.columns);
    if rows.is_whole(height) && columns.is_whole(width) {
        run(x, GlobalAvgPool, composed)
    } else if rows.largest().max(columns.largest()) <= SMALL {
        run(x, SmallAvgPool(means.clone()), composed)
    } else {
        run(x, AvgPool { rows, columns }, composed)
    }
}

/// The matrix that maps an axis to the means of its windows.
fn means(windows: &Windows, size: usize) -> Banded {
    let mean = |s: &Span| (s.start, vec![1. / s.divisor as f64; s.len]);
    Banded::new(size, windows.spans.iter().map(mean))
}

/// Rows and columns of a window up to which sums of sums are as exact as f32 can tell.
const SMALL: usize = 16;

pub(crate) struct SmallAvgPool(pub(crate) Separable);

impl UnaryKernel for SmallAvgPool {
    const NAME: &'static str = "avg_pool2d";

    fn forward<T: Float>(&self, x: &[T], dims: &[usize]) -> Result<(Vec<T>, Shape)> {
        self.0.forward(x, dims)
    }

    fn backward<T: Float>(&self, _: &[T], _: &[T], grad: &[T], _: &[usize]) -> Result<Vec<T>> {
        Ok(self.0.backward(grad))
    }
}

/// The means of large windows, summed in f64.
pub(crate) struct AvgPool {
    pub(crate) rows: Windows,
    pub(crate) columns: Windows,
}

#[cfg(any(feature = "cuda", all(test, target_os = "linux")))]
impl AvgPool {
    /// As a map of planes of that size.
    pub(crate) fn means(&self, height: usize, width: usize) -> Separable {
        Separable { rows: means(&self.rows, height), columns: means(&self.columns, width) }
    }
}

impl UnaryKernel for AvgPool {
    const NAME: &'static str = "avg_pool2d";

    fn forward<T: Float>(&self, x: &[T], dims: &[usize]) -> Result<(Vec<T>, Shape)> {
        let (rows, columns) = (self.rows.len(), self.columns.len());
        let (plane, width) = (dims[2] * dims[3], dims[3]);
        let mut y = vec![T::zero(); dims[0] * dims[1] * rows * columns];
        pieces(&mut y, rows * columns, |i, y| {
            let x = &x[i * plane..][..plane];
            for (row, y) in self.rows.spans.iter().zip(y.chunks_mut(columns)) {
                for (column, y) in self.columns.spans.iter().zip(y) {
                    let total = total(x, width, row, column);
                    *y = T::from_f64(total / (row.divisor * column.divisor) as f64);
                }
            }
        });
        Ok((y, (dims[0], dims[1], rows, columns).into()))
    }

    fn backward<T: Float>(
        &self,
        x: &[T],
        _: &[T],
        gradient: &[T],
        dims: &[usize],
    ) -> Result<Vec<T>> {
        let (rows, columns) = (self.rows.len(), self.columns.len());
        let (plane, width) = (dims[2] * dims[3], dims[3]);
        let mut dx = vec![T::zero(); x.len()];
        pieces(&mut dx, plane, |i, dx| {
            let gradient = &gradient[i * rows * columns..][..rows * columns];
            for (row, gradient) in self.rows.spans.iter().zip(gradient.chunks(columns)) {
                for (column, &g) in self.columns.spans.iter().zip(gradient) {
                    let share = g / T::from_f64((row.divisor * column.divisor) as f64);
                    add(dx, width, row, column, share);
                }
            }
        });
        Ok(dx)
    }
}

/// The sum of a window.
fn total<T: Float>(x: &[T], width: usize, row: &Span, column: &Span) -> f64 {
    let lines = x.chunks(width).skip(row.start).take(row.len);
    let parts = lines.map(|x| &x[column.start..][..column.len]);
    parts.map(|x| sum(x, x, |x, _| x)).sum()
}

/// Adds `share` to a window.
fn add<T: Float>(dx: &mut [T], width: usize, row: &Span, column: &Span, share: T) {
    for dx in dx.chunks_mut(width).skip(row.start).take(row.len) {
        dx[column.start..][..column.len].iter_mut().for_each(|x| *x += share);
    }
}

#[cfg(test)]
mod tests {
    use candle_core::{DType, Device};
    use ocellus_testing::{Golden, fill};

    use super::*;
    use crate::testing::{check_both, check_golden};

    #[test]
    fn passes_the_suite() -> Result<()> {
        let new = AvgPool2dConfig::new;
        let cases = [
            (new(2), (2, 3, 6, 4)),
            (new(2), (1, 2, 5, 7)),
            (new(3).with_stride((2, 2)).with_padding((1, 1)), (2, 2, 7, 8)),
            (new(3).with_stride((2, 1)).with_padding((1, 0)).with_ceil_mode(true), (1, 2, 8, 5)),
            (
                new(3).with_padding((1, 1)).with_ceil_mode(true).with_count_include_pad(false),
                (1, 1, 5, 8),
            ),
            (new(2).with_kernel((1, 4)).with_stride((3, 2)), (1, 2, 4, 9)),
        ];
        for (config, shape) in cases {
            check_both(|x| avg_pool2d(&x[0], &config), &[fill(shape, 0.1, DType::F64)?])?;
        }
        Ok(())
    }

    #[test]
    fn matches_pytorch() -> Result<()> {
        let golden = Golden::read(env!("CARGO_MANIFEST_DIR"), "pool")?;
        let new = AvgPool2dConfig::new;
        let cases = [
            ("avg_2", new(2)),
            ("avg_pad", new(3).with_stride((1, 1)).with_padding((1, 1))),
            ("avg_ceil_pad", new(3).with_stride((2, 2)).with_padding((1, 1)).with_ceil_mode(true)),
            (
                "avg_no_count",
                new(3)
                    .with_stride((2, 3))
                    .with_padding((1, 1))
                    .with_ceil_mode(true)
                    .with_count_include_pad(false),
            ),
        ];
        for (case, config) in cases {
            check_golden(&golden, case, &["x"], 1e-6, |x| avg_pool2d(&x[0], &config))?;
        }
        Ok(())
    }

    #[test]
    fn a_row_that_no_window_covers_gets_no_gradient() -> Result<()> {
        let x = candle_core::Var::ones((1, 1, 5, 5), DType::F32, &Device::Cpu)?;
        let y = avg_pool2d(&x, &AvgPool2dConfig::new(2))?;
        let dx = y.sum_all()?.backward()?.get(&x).unwrap().to_dtype(DType::F64)?;
        assert_eq!(dx.sum_all()?.to_scalar::<f64>()?, 4.);
        assert_eq!(dx.narrow(2, 4, 1)?.sum_all()?.to_scalar::<f64>()?, 0.);
        Ok(())
    }

    #[test]
    fn rejects_too_much_padding() -> Result<()> {
        let x = Tensor::zeros((1, 1, 4, 4), DType::F32, &Device::Cpu)?;
        let config = AvgPool2dConfig::new(2).with_padding((2, 0));
        let message = avg_pool2d(&x, &config).unwrap_err().to_string();
        assert!(message.contains("avg_pool2d: padding 2 of the height"), "{message}");
        Ok(())
    }
}
