use candle_core::{Result, Tensor, bail};

use super::average::avg_pool;
use super::max::max_pool;
use super::window::Windows;
use crate::run::image_size;

/// The means of bins that divide the plane into a given number of rows and columns.
///
/// ```text
/// bin i of n on L elements: ⌊i·L/n⌋ … ⌈(i+1)·L/n⌉ − 1
/// ```
///
/// Bins overlap where `n` does not divide `L`, and repeat elements where `n > L`.
///
/// # Shapes
///
/// - input: `(batch, channels, height, width)`
/// - output: `(batch, channels, size.0, size.1)`
///
/// # Examples
///
/// ```
/// use candle_core::{Device, Tensor};
/// use ocellus_ops::adaptive_avg_pool2d;
///
/// let x = Tensor::arange(0f32, 5., &Device::Cpu)?.reshape((1, 1, 1, 5))?;
/// let y = adaptive_avg_pool2d(&x, (1, 2))?; // Columns 0 to 2, columns 2 to 4.
/// assert_eq!(y.flatten_all()?.to_vec1::<f32>()?, [1., 3.]);
/// # Ok::<(), candle_core::Error>(())
/// ```
///
/// # Errors
///
/// If the input has not four dimensions, or one of the sizes is 0.
pub fn adaptive_avg_pool2d(x: &Tensor, size: (usize, usize)) -> Result<Tensor> {
    let (rows, columns) = bins("adaptive_avg_pool2d", x, size)?;
    avg_pool(x, rows, columns)
}

/// The maxima of bins that divide the plane into a given number of rows and columns.
///
/// The bins are those of [`adaptive_avg_pool2d`]; ties, NaN and gradients are as of
/// [`max_pool2d`](crate::max_pool2d).
///
/// # Shapes
///
/// - input: `(batch, channels, height, width)`
/// - output: `(batch, channels, size.0, size.1)`
///
/// # Examples
///
/// ```
/// use candle_core::{Device, Tensor};
/// use ocellus_ops::adaptive_max_pool2d;
///
/// let x = Tensor::arange(0f32, 5., &Device::Cpu)?.reshape((1, 1, 1, 5))?;
/// let y = adaptive_max_pool2d(&x, (1, 2))?;
/// assert_eq!(y.flatten_all()?.to_vec1::<f32>()?, [2., 4.]);
/// # Ok::<(), candle_core::Error>(())
/// ```
///
/// # Errors
///
/// If the input has not four dimensions, or one of the sizes is 0.
pub fn adaptive_max_pool2d(x: &Tensor, size: (usize, usize)) -> Result<Tensor> {
    let (rows, columns) = bins("adaptive_max_pool2d", x, size)?;
    max_pool(x, rows, columns)
}

/// The mean of each plane.
///
/// # Shapes
///
/// - input: `(batch, channels, height, width)`
/// - output: `(batch, channels)`
///
/// # Examples
///
/// ```
/// use candle_core::{Device, Tensor};
/// use ocellus_ops::global_avg_pool2d;
///
/// let x = Tensor::arange(0f32, 8., &Device::Cpu)?.reshape((1, 2, 2, 2))?;
/// assert_eq!(global_avg_pool2d(&x)?.to_vec2::<f32>()?, [[1.5, 5.5]]);
/// # Ok::<(), candle_core::Error>(())
/// ```
///
/// # Errors
///
/// If the input has not four dimensions, or height or width is 0.
pub fn global_avg_pool2d(x: &Tensor) -> Result<Tensor> {
    let (rows, columns) = bins("global_avg_pool2d", x, (1, 1))?;
    avg_pool(x, rows, columns)?.flatten_from(1)
}

fn bins(op: &str, x: &Tensor, size: (usize, usize)) -> Result<(Windows, Windows)> {
    let (height, width) = image_size(op, x)?;
    if size.0 == 0 || size.1 == 0 {
        bail!("{op}: an output of {} × {} is empty: ask for at least 1 × 1", size.0, size.1)
    }
    Ok((Windows::adaptive(height, size.0), Windows::adaptive(width, size.1)))
}

#[cfg(test)]
mod tests {
    use candle_core::{DType, Device};
    use ocellus_testing::{Golden, assert_close, fill};
    use proptest::prelude::*;

    use super::*;
    use crate::testing::{check_both, check_golden, with_both};

    type Case = ((usize, usize, usize, usize), (usize, usize));

    const CASES: [Case; 4] = [
        ((2, 2, 7, 5), (3, 2)),
        ((1, 2, 4, 4), (1, 1)),
        ((1, 1, 3, 2), (5, 4)),
        ((1, 2, 6, 9), (7, 3)),
    ];

    #[test]
    fn adaptive_means_pass_the_suite() -> Result<()> {
        for (shape, size) in CASES {
            check_both(|x| adaptive_avg_pool2d(&x[0], size), &[fill(shape, 0.1, DType::F64)?])?;
        }
        Ok(())
    }

    #[test]
    fn adaptive_maxima_pass_the_suite() -> Result<()> {
        for (shape, size) in CASES {
            check_both(|x| adaptive_max_pool2d(&x[0], size), &[fill(shape, 0.1, DType::F64)?])?;
        }
        Ok(())
    }

    #[test]
    fn global_means_pass_the_suite() -> Result<()> {
        check_both(|x| global_avg_pool2d(&x[0]), &[fill((2, 3, 5, 17), 0.1, DType::F64)?])
    }

    #[test]
    fn matches_pytorch() -> Result<()> {
        let golden = Golden::read(env!("CARGO_MANIFEST_DIR"), "pool")?;
        for (case, size) in [("3x2", (3, 2)), ("7x7", (7, 7)), ("5x9", (5, 9))] {
            check_golden(&golden, &format!("adaptive_avg_{case}"), &["x"], 1e-6, |x| {
                adaptive_avg_pool2d(&x[0], size)
            })?;
            check_golden(&golden, &format!("adaptive_max_{case}"), &["x"], 1e-6, |x| {
                adaptive_max_pool2d(&x[0], size)
            })?;
        }
        Ok(())
    }

    #[test]
    fn a_large_plane_keeps_its_mean() -> Result<()> {
        let x = Tensor::full(0.1f32, (1, 1, 1000, 1000), &Device::Cpu)?;
        assert_close(&global_avg_pool2d(&x)?, &Tensor::new(&[[0.1f32]], &Device::Cpu)?, 1e-7)
    }

    #[test]
    fn rejects_an_empty_output() -> Result<()> {
        let x = Tensor::zeros((1, 1, 4, 4), DType::F32, &Device::Cpu)?;
        let message = adaptive_avg_pool2d(&x, (0, 3)).unwrap_err().to_string();
        assert!(message.contains("adaptive_avg_pool2d: an output of 0 × 3 is empty"), "{message}");
        let message = global_avg_pool2d(&x.narrow(2, 0, 0)?).unwrap_err().to_string();
        assert!(message.contains("none 0, got [1, 1, 0, 4]"), "{message}");
        Ok(())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn equal_sizes_are_the_identity(h in 1usize..9, w in 1usize..9, phase in 0f64..3.) {
            with_both(|| {
                let x = fill((1, 2, h, w), phase, DType::F32)?;
                assert_close(&adaptive_avg_pool2d(&x, (h, w))?, &x, 0.)?;
                assert_close(&adaptive_max_pool2d(&x, (h, w))?, &x, 0.)
            }).unwrap();
        }

        #[test]
        fn a_mean_lies_between_the_extremes(h in 1usize..9, w in 1usize..9, n in 1usize..9) {
            let x = fill((1, 1, h, w), 0.3, DType::F64).unwrap();
            let mean = adaptive_avg_pool2d(&x, (n, n)).unwrap();
            let above = adaptive_max_pool2d(&x, (n, n)).unwrap();
            let gap = (above - mean).unwrap().flatten_all().unwrap().min(0).unwrap();
            prop_assert!(gap.to_scalar::<f64>().unwrap() >= -1e-12);
        }
    }
}
