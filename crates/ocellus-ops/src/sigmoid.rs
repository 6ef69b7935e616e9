use candle_core::{Result, Shape, Tensor};

use crate::cpu::{Float, UnaryKernel};
use crate::parallel::{map, zip};
use crate::run::run;

/// The logistic function.
///
/// ```text
/// y = 1 / (1 + exp(−x)),   ∂y/∂x = y (1 − y)
/// ```
///
/// No input overflows: `±1e4` give 0 and 1, with gradient 0.
///
/// # Shapes
///
/// - input and output: any
///
/// # Examples
///
/// ```
/// use candle_core::{Device, Tensor};
/// use ocellus_ops::sigmoid;
///
/// let x = Tensor::new(&[-1e4f32, 0., 1e4], &Device::Cpu)?;
/// assert_eq!(sigmoid(&x)?.to_vec1::<f32>()?, [0., 0.5, 1.]);
/// # Ok::<(), candle_core::Error>(())
/// ```
///
/// # Errors
///
/// If `x` is of an integer type.
pub fn sigmoid(x: &Tensor) -> Result<Tensor> {
    run(x, Sigmoid, composed)
}

pub(crate) struct Sigmoid;

impl UnaryKernel for Sigmoid {
    const NAME: &'static str = "sigmoid";

    fn forward<T: Float>(&self, x: &[T], dims: &[usize]) -> Result<(Vec<T>, Shape)> {
        Ok((map(x, logistic), dims.into()))
    }

    fn backward<T: Float>(&self, _: &[T], y: &[T], gradient: &[T], _: &[usize]) -> Result<Vec<T>> {
        Ok(zip(y, gradient, |y, g| g * y * (T::one() - y)))
    }
}

/// `1 / (1 + exp(−x))`: where the exponential overflows, the quotient is the right 0.
#[inline(always)]
pub(crate) fn logistic<T: Float>(x: T) -> T {
    T::one() / (T::one() + (-x).exponential())
}

/// `exp(min(x, 0)) / (1 + exp(−|x|))`: no term overflows, forward or backward.
pub(crate) fn composed(x: &Tensor) -> Result<Tensor> {
    let small = x.abs()?.neg()?.exp()?;
    let numerator = x.ge(&x.zeros_like()?)?.where_cond(&x.ones_like()?, &small)?;
    numerator / (small + 1.)?
}

#[cfg(test)]
mod tests {
    use candle_core::{DType, Device, Var};
    use ocellus_testing::{assert_close, fill};

    use super::*;
    use crate::testing::{all, check_both};
    use crate::with_implementation;

    #[test]
    fn passes_the_suite() -> Result<()> {
        let x = (fill((3, 5, 7), 0.3, DType::F64)? * 6.)?;
        check_both(|x| sigmoid(&x[0]), &[x])
    }

    #[test]
    fn stays_finite_far_out() -> Result<()> {
        for implementation in all() {
            with_implementation(implementation, || {
                let x = Var::new(&[-1e4f32, -40., 0., 40., 1e4], &Device::Cpu)?;
                let y = sigmoid(&x)?;
                let expected = Tensor::new(&[0f32, 4.248_354e-18, 0.5, 1., 1.], &Device::Cpu)?;
                assert_close(&y, &expected, 1e-7)?;
                assert!(y.to_vec1::<f32>()?[1] > 0., "{implementation:?}");
                let gradient = y.sum_all()?.backward()?;
                let expected = Tensor::new(&[0f32, 4.248_354e-18, 0.25, 0., 0.], &Device::Cpu)?;
                assert_close(gradient.get(&x).unwrap(), &expected, 1e-7)
            })?;
        }
        Ok(())
    }
}
