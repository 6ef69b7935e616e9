mod columns;
mod form;
mod logarithm;
mod rows;

use std::marker::PhantomData;

use candle_core::shape::Dim;
use candle_core::{Result, Shape, Tensor};

pub(crate) use self::columns::{largest, powers};
pub(crate) use self::form::Form;
use self::form::{Log, Plain};
pub(crate) use self::logarithm::ln;
use crate::axis::Axis;
use crate::cpu::{Float, UnaryKernel};
use crate::run::run;

/// The softmax along a dimension.
///
/// ```text
/// yᵢ = exp(xᵢ) / Σⱼ exp(xⱼ)
/// ```
///
/// # Shapes
///
/// - input and output: any, with at least the dimension `dim`
///
/// # Examples
///
/// ```
/// use candle_core::{D, Device, Tensor};
/// use ocellus_ops::softmax;
///
/// let x = Tensor::new(&[[0f32, 1e4], [3., 3.]], &Device::Cpu)?;
/// assert_eq!(softmax(&x, D::Minus1)?.to_vec2::<f32>()?, [[0., 1.], [0.5, 0.5]]);
/// # Ok::<(), candle_core::Error>(())
/// ```
///
/// # Errors
///
/// If `x` has no dimension `dim`, or is of an integer type.
pub fn softmax(x: &Tensor, dim: impl Dim) -> Result<Tensor> {
    let dim = dim.to_index(x.shape(), "softmax")?;
    run(x, Along::<Plain>::new(dim), |x| log_composed(x, dim)?.exp())
}

/// The logarithm of the softmax along a dimension.
///
/// ```text
/// yᵢ = xᵢ − log Σⱼ exp(xⱼ)
/// ```
///
/// Finite for every finite input, unlike the logarithm of [`softmax`].
///
/// # Shapes
///
/// - input and output: any, with at least the dimension `dim`
///
/// # Examples
///
/// ```
/// use candle_core::{Device, Tensor};
/// use ocellus_ops::log_softmax;
///
/// let x = Tensor::new(&[[0f32, 1e4]], &Device::Cpu)?;
/// assert_eq!(log_softmax(&x, 1)?.to_vec2::<f32>()?, [[-1e4, 0.]]);
/// # Ok::<(), candle_core::Error>(())
/// ```
///
/// # Errors
///
/// If `x` has no dimension `dim`, or is of an integer type.
pub fn log_softmax(x: &Tensor, dim: impl Dim) -> Result<Tensor> {
    let dim = dim.to_index(x.shape(), "log_softmax")?;
    run(x, Along::<Log>::new(dim), |x| log_composed(x, dim))
}

/// Softmax or its logarithm along a dimension.
pub(crate) struct Along<F> {
    pub(crate) dim: usize,
    form: PhantomData<F>,
}

impl<F> Along<F> {
    fn new(dim: usize) -> Self {
        Self { dim, form: PhantomData }
    }
}

impl<F: Form> UnaryKernel for Along<F> {
    const NAME: &'static str = F::NAME;

    fn forward<T: Float>(&self, x: &[T], dims: &[usize]) -> Result<(Vec<T>, Shape)> {
        let axis = Axis::new(dims, self.dim);
        let y = if rows::suit(axis) {
            rows::forward::<F, T>(axis.size, x)
        } else {
            columns::forward::<F, T>(axis, x)
        };
        Ok((y, dims.into()))
    }

    fn backward<T: Float>(
        &self,
        _: &[T],
        y: &[T],
        gradient: &[T],
        dims: &[usize],
    ) -> Result<Vec<T>> {
        let axis = Axis::new(dims, self.dim);
        Ok(if rows::suit(axis) {
            rows::backward::<F, T>(axis.size, y, gradient)
        } else {
            columns::backward::<F, T>(axis, y, gradient)
        })
    }
}

/// The largest element only shifts, so that it need not be differentiated.
pub(crate) fn log_composed(x: &Tensor, dim: usize) -> Result<Tensor> {
    let shifted = x.broadcast_sub(&x.max_keepdim(dim)?.detach())?;
    let log = shifted.exp()?.sum_keepdim(dim)?.log()?;
    shifted.broadcast_sub(&log)
}

#[cfg(test)]
mod tests {
    use candle_core::{DType, Device};
    use ocellus_testing::{Golden, assert_close, fill};
    use proptest::prelude::*;

    use super::*;
    use crate::testing::{check_both, check_golden, with_both};

    #[test]
    fn softmax_passes_the_suite_along_any_axis() -> Result<()> {
        let x = (fill((3, 4, 5), 0.3, DType::F64)? * 3.)?;
        (0..3).try_for_each(|dim| check_both(|x| softmax(&x[0], dim), std::slice::from_ref(&x)))
    }

    #[test]
    fn log_softmax_passes_the_suite_along_any_axis() -> Result<()> {
        let x = (fill((3, 4, 5), 0.3, DType::F64)? * 3.)?;
        (0..3).try_for_each(|dim| check_both(|x| log_softmax(&x[0], dim), std::slice::from_ref(&x)))
    }

    #[test]
    fn matches_pytorch() -> Result<()> {
        let golden = Golden::read(env!("CARGO_MANIFEST_DIR"), "cross_entropy")?;
        for dim in 0..3 {
            check_golden(&golden, &format!("softmax_{dim}"), &["x"], 1e-6, |x| {
                softmax(&x[0], dim)
            })?;
            check_golden(&golden, &format!("log_softmax_{dim}"), &["x"], 1e-6, |x| {
                log_softmax(&x[0], dim)
            })?;
        }
        Ok(())
    }

    #[test]
    fn many_positions_give_what_few_give() -> Result<()> {
        for classes in [3, 40] {
            let x = fill((2, classes, 3000), 0.2, DType::F32)?;
            let tail = x.narrow(2, 2900, 100)?;
            let expected = softmax(&tail, 1)?;
            assert_close(&softmax(&x, 1)?.narrow(2, 2900, 100)?, &expected, 0.)?;
            let rows = x.transpose(1, 2)?.contiguous()?;
            assert_close(&softmax(&rows, 2)?.transpose(1, 2)?, &softmax(&x, 1)?, 1e-6)?;
            assert_close(&log_softmax(&rows, 2)?.exp()?.transpose(1, 2)?, &softmax(&x, 1)?, 1e-6)?;
        }
        Ok(())
    }

    #[test]
    fn rejects_a_dimension_that_is_not_there() -> Result<()> {
        let x = Tensor::zeros((2, 3), DType::F32, &Device::Cpu)?;
        let message = log_softmax(&x, 2).unwrap_err().to_string();
        assert!(message.contains("log_softmax"), "{message}");
        Ok(())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn a_shift_changes_nothing(x in prop::collection::vec(-30f64..30., 2..9), by in -1e3f64..1e3) {
            with_both(|| {
                let x = Tensor::new(x.as_slice(), &Device::Cpu)?;
                assert_close(&log_softmax(&(&x + by)?, 0)?, &log_softmax(&x, 0)?, 1e-10)?;
                assert_close(&softmax(&(&x + by)?, 0)?, &softmax(&x, 0)?, 1e-10)
            }).unwrap();
        }

        #[test]
        fn sums_to_one_far_out(x in prop::collection::vec(-1e4f32..1e4, 2..9)) {
            with_both(|| {
                let x = Tensor::new(x.as_slice(), &Device::Cpu)?;
                let one = Tensor::new(1f32, &Device::Cpu)?;
                assert_close(&softmax(&x, 0)?.sum_all()?, &one, 1e-5)?;
                let logs = log_softmax(&x, 0)?.to_vec1::<f32>()?;
                assert!(logs.iter().all(|v| v.is_finite() && *v <= 0.), "{logs:?}");
                Ok(())
            }).unwrap();
        }
    }
}
