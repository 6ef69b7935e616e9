use candle_core::{Result, Tensor};
use candle_nn::{Init, VarBuilder};

use super::Subnet;

/// The inverse of [`softplus`] at 1: a fresh block neither stretches nor shrinks.
const SCALE_OF_ONE: f64 = 9.986_478_501_101_022;

/// A scale and an offset for each channel.
///
/// ```text
/// y = g · x + b,   g = softplus(G) / 10 with β = ½
/// ```
#[derive(Clone, Debug)]
pub(crate) struct GlobalAffine {
    scale: Tensor,
    offset: Tensor,
}

impl GlobalAffine {
    /// In FrEIA's shapes: `(1, channels)` for vectors, `(1, channels, 1, 1)` for images.
    pub(crate) fn new(channels: usize, subnet: Subnet, vb: &VarBuilder) -> Result<Self> {
        let shape = match subnet {
            Subnet::Pointwise => vec![1, channels],
            Subnet::Conv { .. } => vec![1, channels, 1, 1],
        };
        let scale = vb.get_with_hints(&*shape, "global_scale", Init::Const(SCALE_OF_ONE))?;
        let offset = vb.get_with_hints(&*shape, "global_offset", Init::Const(0.))?;
        Ok(Self { scale, offset })
    }

    /// g and b, `(2, channels)`.
    pub(crate) fn factors(&self) -> Result<Tensor> {
        let row = |x: &Tensor| x.reshape((1, x.elem_count()));
        Tensor::cat(&[(softplus(&row(&self.scale)?)? * 0.1)?, row(&self.offset)?], 0)
    }
}

/// The parameters G and b of the map that gives values of these means and deviations mean 0 and
/// deviation 1.
///
/// The global affine map of a block has them as `global_scale` and `global_offset`; put into the first
/// block of a fresh flow, its density is about that of the Gaussian of independent channels with these
/// moments: a flow that starts from it rather than from N(0, 1).
///
/// ```
/// let (scales, offsets) = ocellus_flows::standardizing_affine(&[3., 0.], &[2., 1.]);
/// assert!((offsets[0] + 1.5).abs() < 1e-12);
/// assert!((scales[1] - 9.986_478_501_101_022).abs() < 1e-12); // A factor of 1.
/// ```
#[must_use]
pub fn standardizing_affine(means: &[f64], deviations: &[f64]) -> (Vec<f64>, Vec<f64>) {
    let scale = |deviation: f64| {
        // softplus⁻¹(y) = 2 ln(exp(y / 2) − 1), which must not overflow.
        let half = 5. / deviation;
        2. * (half + (-(-half).exp()).ln_1p())
    };
    let offsets = means.iter().zip(deviations).map(|(mean, deviation)| -mean / deviation);
    (deviations.iter().copied().map(scale).collect(), offsets.collect())
}

/// `2 · ln(1 + exp(x / 2))`, whose gradient is right at 0 too.
fn softplus(x: &Tensor) -> Result<Tensor> {
    let size = x.abs()?;
    let tail = ((&size * -0.5)?.exp()? + 1.)?.log()?;
    ((x + size)? * 0.5)? + (tail * 2.)?
}

#[cfg(test)]
mod tests {
    use candle_core::Device;
    use ocellus_testing::check_gradients;

    use super::*;

    #[test]
    fn the_scale_is_one_where_it_starts_and_positive_everywhere() -> Result<()> {
        let x = Tensor::new(&[SCALE_OF_ONE, -30., 0., 1000.], &Device::Cpu)?;
        let y = (softplus(&x)? * 0.1)?.to_vec1::<f64>()?;
        assert!((y[0] - 1.).abs() < 1e-14 && y[1] > 0. && y[3] == 100., "{y:?}");
        assert!((y[2] - 0.2 * 2f64.ln()).abs() < 1e-15, "{y:?}");
        Ok(())
    }

    #[test]
    fn a_standardizing_map_is_the_inverse_of_softplus() -> Result<()> {
        let deviations = [1e-3, 0.1, 1., 40.];
        let (scales, offsets) = standardizing_affine(&[1., -2., 0., 5.], &deviations);
        let x = Tensor::new(scales, &Device::Cpu)?;
        let factors = (softplus(&x)? * 0.1)?.to_vec1::<f64>()?;
        for ((factor, deviation), offset) in factors.iter().zip(deviations).zip(&offsets) {
            assert!((factor * deviation - 1.).abs() < 1e-12, "{factor} {deviation}");
            assert!(offset.is_finite());
        }
        Ok(())
    }

    #[test]
    fn its_gradient_equals_finite_differences() -> Result<()> {
        let x = Tensor::new(&[-30., -1., 0., 0.3, 9.9, 50f64], &Device::Cpu)?;
        check_gradients(|x| softplus(&x[0]), &[x], 1e-8)
    }
}
