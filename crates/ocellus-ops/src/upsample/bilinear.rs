use candle_core::{Result, Shape, Tensor};

use super::Alignment;
use super::nearest::check_size;
use super::taps::interpolation;
use crate::cpu::{Float, UnaryKernel};
use crate::run::{image_size, run};
use crate::separable::{Separable, separable};

/// Resizes planes by interpolating between the four nearest elements.
///
/// ```text
/// y[i, j] = (1 − u) ((1 − v) x[r, c] + v x[r, c + 1]) + u ((1 − v) x[r + 1, c] + v x[r + 1, c + 1])
/// ```
///
/// where `(r + u, c + v)` is the place of `(i, j)` in the input, which `alignment` defines, and
/// indices stop at the edge. Smaller sizes read four elements too: nothing is averaged.
///
/// # Shapes
///
/// - input: `(batch, channels, height, width)`
/// - output: `(batch, channels, size.0, size.1)`, larger or smaller
///
/// # Examples
///
/// ```
/// use candle_core::{Device, Tensor};
/// use ocellus_ops::{Alignment, upsample_bilinear2d};
///
/// let x = Tensor::new(&[0f32, 4.], &Device::Cpu)?.reshape((1, 1, 1, 2))?;
/// let y = |alignment| upsample_bilinear2d(&x, (1, 4), alignment)?.flatten_all()?.to_vec1::<f32>();
/// assert_eq!(y(Alignment::HalfPixel)?, [0., 1., 3., 4.]);
/// assert_eq!(y(Alignment::TensorFlow1)?, [0., 2., 4., 4.]);
///
/// let y = upsample_bilinear2d(&x, (1, 5), Alignment::Corners)?;
/// assert_eq!(y.flatten_all()?.to_vec1::<f32>()?, [0., 1., 2., 3., 4.]);
/// # Ok::<(), candle_core::Error>(())
/// ```
///
/// # Errors
///
/// If the input has not four dimensions, or one of the sizes is 0.
///
/// # Deviations
///
/// PyTorch computes the place in single precision, here it is double: values differ in the last
/// digits.
pub fn upsample_bilinear2d(
    x: &Tensor,
    size: (usize, usize),
    alignment: Alignment,
) -> Result<Tensor> {
    let (height, width) = image_size("upsample_bilinear2d", x)?;
    check_size("upsample_bilinear2d", size)?;
    let rows = interpolation(height, size.0, alignment);
    let columns = interpolation(width, size.1, alignment);
    let kernel = Bilinear(Separable { rows: rows.clone(), columns: columns.clone() });
    run(x, kernel, |x| separable(x, &rows, &columns))
}

pub(crate) struct Bilinear(pub(crate) Separable);

impl UnaryKernel for Bilinear {
    const NAME: &'static str = "upsample_bilinear2d";

    fn forward<T: Float>(&self, x: &[T], dims: &[usize]) -> Result<(Vec<T>, Shape)> {
        self.0.forward(x, dims)
    }

    fn backward<T: Float>(&self, _: &[T], _: &[T], grad: &[T], _: &[usize]) -> Result<Vec<T>> {
        Ok(self.0.backward(grad))
    }
}

#[cfg(test)]
mod tests {
    use candle_core::{DType, Device};
    use ocellus_testing::{Golden, assert_close, fill};
    use proptest::prelude::*;

    use super::*;
    use crate::testing::{check_both, check_golden, with_both};

    const ALIGNMENTS: [(&str, Alignment); 3] = [
        ("half", Alignment::HalfPixel),
        ("corners", Alignment::Corners),
        ("tensorflow", Alignment::TensorFlow1),
    ];

    #[test]
    fn passes_the_suite() -> Result<()> {
        for (shape, size) in [
            ((2, 3, 4, 3), (8, 6)),
            ((1, 2, 5, 7), (3, 4)),
            ((1, 2, 3, 4), (7, 9)),
            ((2, 1, 1, 5), (4, 1)),
        ] {
            for (_, alignment) in ALIGNMENTS {
                check_both(
                    |x| upsample_bilinear2d(&x[0], size, alignment),
                    &[fill(shape, 0.1, DType::F64)?],
                )?;
            }
        }
        Ok(())
    }

    #[test]
    fn matches_pytorch_and_tensorflow_1() -> Result<()> {
        let golden = Golden::read(env!("CARGO_MANIFEST_DIR"), "upsample")?;
        for (case, size) in super::super::CASES {
            for (name, alignment) in ALIGNMENTS {
                check_golden(&golden, &format!("{name}_{case}"), &["x"], 2e-6, |x| {
                    upsample_bilinear2d(&x[0], size, alignment)
                })?;
            }
        }
        Ok(())
    }

    #[test]
    fn rejects_an_empty_output() -> Result<()> {
        let x = Tensor::zeros((1, 1, 4, 4), DType::F32, &Device::Cpu)?;
        let up = upsample_bilinear2d(&x, (0, 3), Alignment::HalfPixel);
        let message = up.unwrap_err().to_string();
        assert!(message.contains("upsample_bilinear2d: an output of 0 × 3 is empty"), "{message}");
        Ok(())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn the_same_size_is_the_identity(h in 1usize..7, w in 1usize..7) {
            with_both(|| {
                let x = fill((1, 2, h, w), 0.2, DType::F32)?;
                // A view whose elements are not in order: candle's own returned others for it.
                let view = x.transpose(2, 3)?;
                for (_, alignment) in ALIGNMENTS {
                    assert_close(&upsample_bilinear2d(&view, (w, h), alignment)?, &view, 0.)?;
                }
                Ok(())
            }).unwrap();
        }

        #[test]
        fn a_plane_stays_a_plane_and_within_its_range(h in 2usize..7, w in 2usize..7, n in 1usize..12) {
            let x = fill((1, 1, h, w), 0.2, DType::F64).unwrap();
            let ones = x.ones_like().unwrap();
            for (_, alignment) in ALIGNMENTS {
                let y = upsample_bilinear2d(&ones, (n, n + 1), alignment).unwrap();
                assert_close(&y, &y.ones_like().unwrap(), 1e-12).unwrap();
                let y = upsample_bilinear2d(&x, (n, n + 1), alignment).unwrap();
                let extreme = |t: &Tensor| {
                    t.abs().unwrap().flatten_all().unwrap().max(0).unwrap().to_scalar::<f64>().unwrap()
                };
                prop_assert!(extreme(&y) <= extreme(&x) + 1e-12);
            }
        }
    }
}
