use candle_core::{D, Result, Shape, Tensor, bail};

use crate::cpu::{Float, UnaryKernel};
use crate::run::{image_size, run};
use crate::separable::{Banded, Separable};

/// Resizes planes by repeating, or skipping, elements.
///
/// ```text
/// y[b, c, i, j] = x[b, c, ⌊i · height / height'⌋, ⌊j · width / width'⌋]
/// ```
///
/// The gradient of an element is the sum of those of its copies.
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
/// use ocellus_ops::upsample_nearest2d;
///
/// let x = Tensor::new(&[1f32, 2.], &Device::Cpu)?.reshape((1, 1, 1, 2))?;
/// let y = upsample_nearest2d(&x, (1, 5))?;
/// assert_eq!(y.flatten_all()?.to_vec1::<f32>()?, [1., 1., 1., 2., 2.]);
/// # Ok::<(), candle_core::Error>(())
/// ```
///
/// # Errors
///
/// If the input has not four dimensions, or one of the sizes is 0.
///
/// # Deviations
///
/// PyTorch computes the index in single precision, which rounds to the neighbor at a few sizes of
/// no whole ratio; here it is exact.
pub fn upsample_nearest2d(x: &Tensor, size: (usize, usize)) -> Result<Tensor> {
    let (height, width) = image_size("upsample_nearest2d", x)?;
    check_size("upsample_nearest2d", size)?;
    let sources = |from, to| (0..to).map(move |o| o * from / to);
    let copies = |from, to| Banded::new(from, sources(from, to).map(|source| (source, vec![1.])));
    let kernel = Separable { rows: copies(height, size.0), columns: copies(width, size.1) };
    run(x, Nearest(kernel), |x| {
        let select = |x: &Tensor, from: usize, to: usize, dim: D| {
            let indices: Vec<u32> = sources(from, to).map(|i| i as u32).collect();
            x.contiguous()?.index_select(&Tensor::new(indices, x.device())?, dim)
        };
        select(&select(x, height, size.0, D::Minus2)?, width, size.1, D::Minus1)
    })
}

pub(super) fn check_size(op: &str, size: (usize, usize)) -> Result<()> {
    if size.0 == 0 || size.1 == 0 {
        bail!("{op}: an output of {} × {} is empty: ask for at least 1 × 1", size.0, size.1)
    }
    Ok(())
}

pub(crate) struct Nearest(pub(crate) Separable);

impl UnaryKernel for Nearest {
    const NAME: &'static str = "upsample_nearest2d";

    fn forward<T: Float>(&self, x: &[T], dims: &[usize]) -> Result<(Vec<T>, Shape)> {
        self.0.forward(x, dims)
    }

    fn backward<T: Float>(&self, _: &[T], _: &[T], grad: &[T], _: &[usize]) -> Result<Vec<T>> {
        Ok(self.0.backward(grad))
    }
}

#[cfg(test)]
mod tests {
    use candle_core::{DType, Device, Var};
    use ocellus_testing::{Golden, assert_close, fill};
    use proptest::prelude::*;

    use super::*;
    use crate::testing::{check_both, check_golden, with_both};

    #[test]
    fn passes_the_suite() -> Result<()> {
        for (shape, size) in [
            ((2, 3, 4, 3), (8, 6)),
            ((1, 2, 5, 7), (3, 4)),
            ((1, 2, 3, 4), (7, 9)),
            ((2, 1, 1, 5), (4, 1)),
        ] {
            check_both(|x| upsample_nearest2d(&x[0], size), &[fill(shape, 0.1, DType::F64)?])?;
        }
        Ok(())
    }

    #[test]
    fn matches_pytorch() -> Result<()> {
        let golden = Golden::read(env!("CARGO_MANIFEST_DIR"), "upsample")?;
        for (case, size) in super::super::CASES {
            check_golden(&golden, &format!("nearest_{case}"), &["x"], 1e-6, |x| {
                upsample_nearest2d(&x[0], size)
            })?;
        }
        Ok(())
    }

    #[test]
    fn gradients_of_several_uses_add_up() -> Result<()> {
        with_both(|| {
            let x = Var::ones((1, 1, 2, 2), DType::F32, &Device::Cpu)?;
            let up = upsample_nearest2d(&x, (4, 4))?.sum_all()?;
            for loss in [
                (&up + (x.as_tensor() * 10.)?.sum_all()?)?,
                ((x.as_tensor() * 10.)?.sum_all()? + &up)?,
            ] {
                let dx = loss.backward()?.get(&x).unwrap().flatten_all()?.to_vec1::<f32>()?;
                assert_eq!(dx, [14.; 4]);
            }
            Ok(())
        })
    }

    #[test]
    fn rejects_an_empty_output() -> Result<()> {
        let x = Tensor::zeros((1, 1, 4, 4), DType::F32, &Device::Cpu)?;
        let message = upsample_nearest2d(&x, (3, 0)).unwrap_err().to_string();
        assert!(message.contains("upsample_nearest2d: an output of 3 × 0 is empty"), "{message}");
        Ok(())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn up_and_down_again_is_the_identity(h in 1usize..6, w in 1usize..6, k in 1usize..5) {
            with_both(|| {
                let x = fill((1, 2, h, w), 0.2, DType::F32)?;
                let there = upsample_nearest2d(&x, (h * k, w * k))?;
                assert_close(&upsample_nearest2d(&there, (h, w))?, &x, 0.)
            }).unwrap();
        }
    }
}
