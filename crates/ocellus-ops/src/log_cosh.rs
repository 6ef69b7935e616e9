use std::f64::consts::LN_2;

use candle_core::{Result, Shape, Tensor};

use crate::cpu::{Float, UnaryKernel};
use crate::parallel::{map, wide, zip};
use crate::run::run;

/// The logarithm of the hyperbolic cosine, of each element.
///
/// ```text
/// y = log cosh(e) = |e| + log(1 + exp(−2|e|)) − log 2,   ∂y/∂e = tanh(e)
/// ```
///
/// Near zero it is `e²/2`, far out `|e| − log 2`: no error overflows.
///
/// # Shapes
///
/// - input and output: any
///
/// # Examples
///
/// ```
/// use candle_core::{Device, Tensor};
/// use ocellus_ops::log_cosh;
///
/// let error = Tensor::new(&[0f64, 0.1, -1e4], &Device::Cpu)?;
/// let y = log_cosh(&error)?.to_vec1::<f64>()?;
/// assert_eq!(y[0], 0.);
/// assert!((y[1] - 0.0049917).abs() < 1e-7);
/// assert!((y[2] - (1e4 - 2f64.ln())).abs() < 1e-9);
/// # Ok::<(), candle_core::Error>(())
/// ```
///
/// # Errors
///
/// If `error` is of an integer type.
pub fn log_cosh(error: &Tensor) -> Result<Tensor> {
    run(error, LogCosh, composed)
}

pub(crate) struct LogCosh;

impl UnaryKernel for LogCosh {
    const NAME: &'static str = "log_cosh";

    fn forward<T: Float>(&self, x: &[T], dims: &[usize]) -> Result<(Vec<T>, Shape)> {
        Ok((map(x, |x| T::from_f64(value(wide(x)))), dims.into()))
    }

    fn backward<T: Float>(&self, x: &[T], _: &[T], gradient: &[T], _: &[usize]) -> Result<Vec<T>> {
        Ok(zip(x, gradient, |x, g| g * T::from_f64(slope(wide(x)))))
    }
}

fn value(x: f64) -> f64 {
    let x = x.abs();
    if x < 1e-2 {
        // The first terms of the series: the general form would cancel here.
        let square = x * x;
        return square * (0.5 - square * (1. / 12. - square / 45.));
    }
    x + ((-2. * x).exp() + 1.).ln() - LN_2
}

/// The hyperbolic tangent; the standard library's is several times slower.
fn slope(x: f64) -> f64 {
    let e = (-2. * x.abs()).exp_m1();
    (-e / (2. + e)).copysign(x)
}

fn composed(x: &Tensor) -> Result<Tensor> {
    let x = x.abs()?;
    let tail = ((&x * -2.)?.exp()? + 1.)?.log()?;
    (x + tail)? - LN_2
}

#[cfg(test)]
mod tests {
    use candle_core::{DType, Device};
    use ocellus_testing::{assert_close, fill};

    use super::*;
    use crate::testing::check_both;
    use crate::{Implementation, with_implementation};

    #[test]
    fn passes_the_suite() -> Result<()> {
        let x = (fill((3, 5, 7), 0.3, DType::F64)? * 3.)?;
        check_both(|x| log_cosh(&x[0]), &[x])
    }

    #[test]
    fn stays_finite_far_out_and_keeps_its_digits_near_zero() -> Result<()> {
        let x = Tensor::new(&[-1e4f32, 1e-3, 1e4], &Device::Cpu)?;
        let y = log_cosh(&x)?.to_vec1::<f32>()?;
        assert_eq!(y[0], y[2]);
        assert!((y[0] - 9_999.307).abs() < 1e-2, "{y:?}");
        assert!((y[1] / 5e-7 - 1.).abs() < 1e-5, "{y:?}");
        let composed = with_implementation(Implementation::Composed, || log_cosh(&x))?;
        assert_close(&composed, &Tensor::new(y, &Device::Cpu)?, 1e-6)
    }
}
