use candle_core::{Result, Shape, Tensor};

use crate::cpu::{Float, UnaryKernel};
use crate::parallel::{map, zip};
use crate::run::run;

/// The rectified linear unit.
///
/// ```text
/// y = max(x, 0),   ∂y/∂x = 1 where x > 0, else 0
/// ```
///
/// # Shapes
///
/// - input and output: any
///
/// # Examples
///
/// ```
/// use candle_core::{Device, Tensor};
/// use ocellus_ops::relu;
///
/// let x = Tensor::new(&[-2f32, 0., 3.], &Device::Cpu)?;
/// assert_eq!(relu(&x)?.to_vec1::<f32>()?, [0., 0., 3.]);
/// # Ok::<(), candle_core::Error>(())
/// ```
///
/// # Errors
///
/// If `x` is of an integer type.
pub fn relu(x: &Tensor) -> Result<Tensor> {
    run(x, Relu, composed)
}

pub(crate) struct Relu;

impl UnaryKernel for Relu {
    const NAME: &'static str = "relu";

    fn forward<T: Float>(&self, x: &[T], dims: &[usize]) -> Result<(Vec<T>, Shape)> {
        // Not `x > 0`: a NaN shall stay one.
        Ok((map(x, |x| if x <= T::zero() { T::zero() } else { x }), dims.into()))
    }

    fn backward<T: Float>(&self, _: &[T], y: &[T], gradient: &[T], _: &[usize]) -> Result<Vec<T>> {
        Ok(zip(y, gradient, |y, g| if y <= T::zero() { T::zero() } else { g }))
    }
}

fn composed(x: &Tensor) -> Result<Tensor> {
    let zeros = x.zeros_like()?;
    x.le(&zeros)?.where_cond(&zeros, x)
}

#[cfg(test)]
mod tests {
    use candle_core::{DType, Device, Var};
    use ocellus_testing::fill;

    use super::*;
    use crate::testing::{all, check_both};
    use crate::with_implementation;

    #[test]
    fn passes_the_suite() -> Result<()> {
        let x = fill((2, 3, 5, 7), 0.3, DType::F64)?;
        check_both(|x| relu(&x[0]), &[x])
    }

    #[test]
    fn the_gradient_at_zero_is_zero_and_a_nan_passes() -> Result<()> {
        for implementation in all() {
            with_implementation(implementation, || {
                let x = Var::new(&[0f32, -0., f32::NAN, f32::INFINITY, -1.], &Device::Cpu)?;
                let y = relu(&x)?;
                let values = y.to_vec1::<f32>()?;
                assert!(values[2].is_nan() && values[3] == f32::INFINITY, "{values:?}");
                let gradient = y.sum_all()?.backward()?;
                let gradient = gradient.get(&x).unwrap().to_vec1::<f32>()?;
                assert_eq!(gradient, [0., 0., 1., 1., 0.], "{implementation:?}");
                Ok::<_, candle_core::Error>(())
            })?;
        }
        Ok(())
    }

    #[test]
    fn keeps_half_precision() -> Result<()> {
        let x = fill((3, 5), 0.3, DType::BF16)?;
        assert_eq!(relu(&x)?.dtype(), DType::BF16);
        Ok(())
    }

    #[test]
    fn rejects_integers() -> Result<()> {
        let message = relu(&Tensor::new(&[1u32], &Device::Cpu)?).unwrap_err().to_string();
        assert!(message.contains("relu takes f32") && message.contains("to_dtype"), "{message}");
        Ok(())
    }
}
