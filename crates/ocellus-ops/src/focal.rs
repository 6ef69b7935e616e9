use candle_core::{Result, Shape, Tensor, bail};

use crate::cpu::{Float, UnaryKernel};
use crate::parallel::{map, wide, zip};
use crate::run::run;

/// The focal loss of each element, from its cross-entropy: what is already right counts less.
///
/// ```text
/// y = (1 − p)^γ · c,   p = exp(−c)                                              [1], Eq. 4
/// ∂y/∂c = (1 − p)^γ · (1 + γ p c / (1 − p))
/// ```
///
/// for a cross-entropy c ≥ 0, that of a softmax or of a sigmoid; p is the probability of the truth.
/// Exact where p is close to 1, and where c is 0: y and, for γ > 0, its gradient are 0 there.
///
/// # Shapes
///
/// - input and output: any
///
/// # Examples
///
/// ```
/// use candle_core::{Device, Tensor};
/// use ocellus_ops::focal;
///
/// let c = Tensor::new(&[0f64, -0.9f64.ln(), 1e4], &Device::Cpu)?; // p = 1, 0.9 and 0
/// let y = focal(&c, 2.)?.to_vec1::<f64>()?;
/// assert_eq!((y[0], y[2]), (0., 1e4));
/// assert!((y[1] - 0.01 * -0.9f64.ln()).abs() < 1e-15);
/// # Ok::<(), candle_core::Error>(())
/// ```
///
/// # Errors
///
/// If γ is negative or not finite, or the cross-entropy is of an integer type.
///
/// # References
///
/// 1. T.-Y. Lin et al. *Focal loss for dense object detection.* ICCV 2017.
///    <https://arxiv.org/abs/1708.02002>
pub fn focal(cross_entropy: &Tensor, gamma: f64) -> Result<Tensor> {
    if !(gamma >= 0. && gamma.is_finite()) {
        bail!("focal: gamma is {gamma}: give a number of 0 or more; 0 is plain cross-entropy")
    }
    run(cross_entropy, Focal { gamma }, |c| composed(c, gamma))
}

pub(crate) struct Focal {
    pub(crate) gamma: f64,
}

impl UnaryKernel for Focal {
    const NAME: &'static str = "focal";

    fn forward<T: Float>(&self, c: &[T], dims: &[usize]) -> Result<(Vec<T>, Shape)> {
        let gamma = self.gamma;
        Ok((map(c, |c| T::from_f64(value(wide(c), gamma))), dims.into()))
    }

    fn backward<T: Float>(&self, c: &[T], _: &[T], gradient: &[T], _: &[usize]) -> Result<Vec<T>> {
        let gamma = self.gamma;
        Ok(zip(c, gradient, |c, g| g * T::from_f64(slope(wide(c), gamma))))
    }
}

/// `1 − exp(−c)`, exact for a small c; rounding may have made it less than 0.
#[inline(always)]
fn miss(c: f64) -> f64 {
    let miss = -(-c).exp_m1();
    // Not `max`: a NaN shall stay one.
    if miss < 0. { 0. } else { miss }
}

/// `xᵞ`; the usual exponents are products.
#[inline(always)]
fn power(x: f64, gamma: f64) -> f64 {
    match gamma {
        0. => 1.,
        1. => x,
        2. => x * x,
        _ => x.powf(gamma),
    }
}

#[inline(always)]
fn value(c: f64, gamma: f64) -> f64 {
    power(miss(c), gamma) * c
}

#[inline(always)]
fn slope(c: f64, gamma: f64) -> f64 {
    let miss = miss(c);
    // c / (1 − exp(−c)) is 1 at zero.
    let ratio = if miss == 0. { 1. } else { c / miss };
    power(miss, gamma) * (1. + gamma * (-c).exp() * ratio)
}

/// `(1 − exp(−c))ᵞ` as `exp(γ log(1 − exp(−c)))`, and 0 where nothing is missed.
fn composed(c: &Tensor, gamma: f64) -> Result<Tensor> {
    if gamma == 0. {
        return c.affine(1., 0.);
    }
    let miss = c.neg()?.exp()?.affine(-1., 1.)?;
    let (zeros, ones) = (c.zeros_like()?, c.ones_like()?);
    let some = miss.ne(&zeros)?;
    let factor = some.where_cond(&miss, &ones)?.log()?.affine(gamma, 0.)?.exp()?;
    some.where_cond(&(factor * c)?, &zeros)
}

#[cfg(test)]
mod tests {
    use candle_core::{DType, Device, Var};
    use ocellus_testing::{assert_close, fill};

    use super::*;
    use crate::testing::{check_both, with_both};

    #[test]
    fn passes_the_suite() -> Result<()> {
        let c = fill((3, 5, 7), 0.3, DType::F64)?.affine(2., 2.1)?;
        for gamma in [0., 0.5, 1., 2., 3.7] {
            check_both(|c| focal(&c[0], gamma), std::slice::from_ref(&c))?;
        }
        Ok(())
    }

    #[test]
    fn no_error_costs_nothing_and_a_large_one_is_finite() -> Result<()> {
        for gamma in [0., 0.5, 2.] {
            with_both(|| {
                let c = Var::new(&[0f64, 1e-300, 1e4], &Device::Cpu)?;
                let y = focal(&c, gamma)?;
                assert_close(&y, &Tensor::new(&[0., 0., 1e4], &Device::Cpu)?, 1e-12)?;
                let gradient = y.sum_all()?.backward()?;
                let slope = if gamma == 0. { 1. } else { 0. };
                let expected = Tensor::new(&[slope, slope, 1.], &Device::Cpu)?;
                assert_close(gradient.get(&c).unwrap(), &expected, 1e-12)
            })?;
        }
        Ok(())
    }

    #[test]
    fn small_losses_keep_their_digits() -> Result<()> {
        let c = Var::new(&[1e-9f64], &Device::Cpu)?;
        let y = focal(&c, 1.)?;
        let value = y.to_vec1::<f64>()?[0];
        assert!((value / 1e-18 - 1.).abs() < 1e-8, "{value}");
        let slope = y.sum_all()?.backward()?.get(&c).unwrap().to_vec1::<f64>()?[0];
        assert!((slope / 2e-9 - 1.).abs() < 1e-8, "{slope}");
        Ok(())
    }

    #[test]
    fn a_nan_stays_one_and_a_bad_gamma_is_refused() -> Result<()> {
        let c = Tensor::new(&[f32::NAN], &Device::Cpu)?;
        assert!(focal(&c, 2.)?.to_vec1::<f32>()?[0].is_nan());
        for gamma in [-1., f64::NAN, f64::INFINITY] {
            let message = focal(&c, gamma).unwrap_err().to_string();
            assert!(message.contains("0 or more"), "{message}");
        }
        Ok(())
    }
}
