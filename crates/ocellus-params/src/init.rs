//! How weights are drawn: PyTorch's default, Xavier's and Kaiming's rules, as [`Init`] values.
//!
//! Pass one as the hint of [`VarBuilder::get_with_hints`](candle_nn::VarBuilder::get_with_hints);
//! the draw itself is made by the [`ParamStore`](crate::ParamStore) from its seed and the name.
//!
//! ```
//! use candle_core::{DType, Device};
//! use ocellus_params::{ParamStore, init};
//!
//! let vb = ParamStore::seeded(0).var_builder(DType::F32, &Device::Cpu);
//! let shape = (64, 3, 3, 3);
//! let weight = vb.get_with_hints(shape, "weight", init::pytorch_uniform(init::fan_in(shape)))?;
//! let bound = 1. / 27f32.sqrt(); // fan-in 3 · 3 · 3
//! assert!(weight.abs()?.max_all()?.to_scalar::<f32>()? <= bound);
//! # Ok::<(), candle_core::Error>(())
//! ```

use candle_core::Shape;
use candle_nn::{
    Init,
    init::{FanInOut, NonLinearity, NormalOrUniform},
};

/// The number of inputs to each output of a weight `(out, in / groups, …kernel)`:
/// `in / groups · ∏ kernel`; 1 for a vector.
///
/// As in PyTorch, a transposed convolution's `(in, out / groups, …kernel)` is read the same way, so
/// that its "fan-in" is `out / groups · ∏ kernel`.
///
/// ```
/// assert_eq!(ocellus_params::init::fan_in((64, 3, 5, 5)), 75);
/// ```
#[must_use]
pub fn fan_in(shape: impl Into<Shape>) -> usize {
    FanInOut::FanIn.for_shape(&shape.into())
}

/// The number of outputs that each input of a weight `(out, in / groups, …kernel)` reaches:
/// `out · ∏ kernel`.
///
/// ```
/// assert_eq!(ocellus_params::init::fan_out((64, 3, 5, 5)), 1600);
/// ```
#[must_use]
pub fn fan_out(shape: impl Into<Shape>) -> usize {
    FanInOut::FanOut.for_shape(&shape.into())
}

/// PyTorch's default for the weights *and* biases of linear and convolution layers.
///
/// ```text
/// U(−1/√fan_in, 1/√fan_in)          = kaiming_uniform_(weight, a = √5)
/// ```
///
/// `fan_in` is that of the weight, for the bias too: see [`fan_in`].
///
/// ```
/// use candle_nn::Init;
/// use ocellus_params::init::pytorch_uniform;
///
/// assert!(matches!(pytorch_uniform(16), Init::Uniform { lo: -0.25, up: 0.25 }));
/// ```
#[must_use]
pub fn pytorch_uniform(fan_in: usize) -> Init {
    let bound = 1. / (fan_in.max(1) as f64).sqrt();
    Init::Uniform { lo: -bound, up: bound }
}

/// Xavier's (Glorot's) uniform rule: `U(−b, b)`, `b = gain · √(6 / (fan_in + fan_out))`.
///
/// With gain 1 it is Keras's default, `glorot_uniform`.
///
/// ```
/// use candle_nn::Init;
/// use ocellus_params::init::xavier_uniform;
///
/// let init = xavier_uniform((8, 16), 1.);
/// assert!(matches!(init, Init::Uniform { up, .. } if (up - 0.5).abs() < 1e-12));
/// ```
#[must_use]
pub fn xavier_uniform(shape: impl Into<Shape>, gain: f64) -> Init {
    let bound = 3f64.sqrt() * xavier_std(&shape.into(), gain);
    Init::Uniform { lo: -bound, up: bound }
}

/// Xavier's (Glorot's) normal rule: `N(0, σ²)`, `σ = gain · √(2 / (fan_in + fan_out))`.
///
/// ```
/// use candle_nn::Init;
/// use ocellus_params::init::xavier_normal;
///
/// assert!(matches!(xavier_normal((4, 4), 1.), Init::Randn { mean: 0., stdev: 0.5 }));
/// ```
#[must_use]
pub fn xavier_normal(shape: impl Into<Shape>, gain: f64) -> Init {
    Init::Randn { mean: 0., stdev: xavier_std(&shape.into(), gain) }
}

fn xavier_std(shape: &Shape, gain: f64) -> f64 {
    let fans = FanInOut::FanIn.for_shape(shape) + FanInOut::FanOut.for_shape(shape);
    gain * (2. / (fans as f64).max(1.)).sqrt()
}

/// Kaiming's (He's) uniform rule: `U(−b, b)`, `b = gain · √(3 / fan)`.
///
/// The fan is taken from the shape at the draw; [`NonLinearity`] names the gain, and
/// [`leaky_relu_gain`] gives another.
///
/// ```
/// use candle_nn::init::{FanInOut, NonLinearity};
/// use ocellus_params::init::{kaiming_uniform, leaky_relu_gain};
///
/// let he = kaiming_uniform(FanInOut::FanIn, NonLinearity::ReLU);
/// let gain = NonLinearity::ExplicitGain(leaky_relu_gain(0.2));
/// let leaky = kaiming_uniform(FanInOut::FanOut, gain);
/// # let _ = (he, leaky);
/// ```
#[must_use]
pub fn kaiming_uniform(fan: FanInOut, non_linearity: NonLinearity) -> Init {
    Init::Kaiming { dist: NormalOrUniform::Uniform, fan, non_linearity }
}

/// Kaiming's (He's) normal rule: `N(0, σ²)`, `σ = gain / √fan`. Torchvision's for the convolutions
/// of VGG and ResNet, with [`FanInOut::FanOut`] and [`NonLinearity::ReLU`].
///
/// ```
/// use candle_nn::init::{FanInOut, NonLinearity};
///
/// let init = ocellus_params::init::kaiming_normal(FanInOut::FanOut, NonLinearity::ReLU);
/// # let _ = init;
/// ```
#[must_use]
pub fn kaiming_normal(fan: FanInOut, non_linearity: NonLinearity) -> Init {
    Init::Kaiming { dist: NormalOrUniform::Normal, fan, non_linearity }
}

/// The gain for a leaky rectifier: `√(2 / (1 + slope²))`; slope 0 gives [`NonLinearity::ReLU`]'s √2.
///
/// ```
/// assert_eq!(ocellus_params::init::leaky_relu_gain(1.), 1.);
/// ```
#[must_use]
pub fn leaky_relu_gain(slope: f64) -> f64 {
    (2. / (1. + slope * slope)).sqrt()
}

/// `N(mean, std²)`.
///
/// ```
/// use candle_nn::Init;
///
/// let init = ocellus_params::init::normal(0., 0.01);
/// assert!(matches!(init, Init::Randn { mean: 0., stdev: 0.01 }));
/// ```
#[must_use]
pub fn normal(mean: f64, std: f64) -> Init {
    Init::Randn { mean, stdev: std }
}

/// `U(low, high)`.
///
/// ```
/// use candle_nn::Init;
///
/// assert!(matches!(ocellus_params::init::uniform(0., 1.), Init::Uniform { lo: 0., up: 1. }));
/// ```
#[must_use]
pub fn uniform(low: f64, high: f64) -> Init {
    Init::Uniform { lo: low, up: high }
}

/// The same value everywhere: 0 for most biases, 1 for the scales of a normalization.
///
/// ```
/// use candle_nn::Init;
///
/// assert!(matches!(ocellus_params::init::constant(1.), Init::Const(1.)));
/// ```
#[must_use]
pub fn constant(value: f64) -> Init {
    Init::Const(value)
}

#[cfg(test)]
mod tests {
    use candle_core::{DType, Device, Result};
    use ocellus_testing::Golden;

    use super::*;
    use crate::ParamStore;

    const SHAPE: (usize, usize, usize, usize) = (40, 20, 3, 5);

    /// Draws 12,000 values.
    fn draw(init: Init) -> Result<Vec<f64>> {
        let vb = ParamStore::seeded(3).var_builder(DType::F64, &Device::Cpu);
        vb.get_with_hints(SHAPE, "weight", init)?.flatten_all()?.to_vec1()
    }

    /// The largest distance between the values' distribution and `cdf`, times √n. Above 1.95 has a
    /// probability below 0.1 %; the seed is fixed, so the test does not flicker.
    fn kolmogorov_smirnov(mut values: Vec<f64>, cdf: impl Fn(f64) -> f64) -> f64 {
        values.sort_by(f64::total_cmp);
        let n = values.len() as f64;
        let gap = |(i, v): (usize, &f64)| {
            let (below, above, at) = (i as f64 / n, (i + 1) as f64 / n, cdf(*v));
            (at - below).abs().max((above - at).abs())
        };
        values.iter().enumerate().map(gap).fold(0., f64::max) * n.sqrt()
    }

    /// Φ, to 1e-7: Abramowitz and Stegun, 7.1.26.
    fn normal_cdf(z: f64) -> f64 {
        let t = 1. / (1. + 0.3275911 * z.abs() / 2f64.sqrt());
        let poly = t
            * (0.254829592
                + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))));
        let erf = 1. - poly * (-z * z / 2.).exp();
        0.5 * (1. + erf.copysign(z))
    }

    fn moments(values: &[f64]) -> (f64, f64) {
        let n = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n;
        (mean, (values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n).sqrt())
    }

    /// The bound of a uniform rule, and its draws inside it, evenly spread.
    fn check_uniform(init: Init, bound: f64) -> Result<()> {
        let values = draw(init)?;
        let largest = values.iter().fold(0f64, |m, v| m.max(v.abs()));
        assert!(largest <= bound * (1. + 1e-12) && largest > 0.999 * bound, "{largest} {bound}");
        assert!(moments(&values).0.abs() < 4. * bound / 3f64.sqrt() / 12_000f64.sqrt());
        assert!(kolmogorov_smirnov(values, |v| 0.5 + 0.5 * v / bound) < 1.95);
        Ok(())
    }

    fn check_normal(init: Init, expected_mean: f64, expected_std: f64) -> Result<()> {
        let values = draw(init)?;
        let (mean, std) = moments(&values);
        assert!((mean - expected_mean).abs() < 4. * expected_std / 12_000f64.sqrt(), "{mean}");
        assert!((std / expected_std - 1.).abs() < 4. / 24_000f64.sqrt(), "{std} {expected_std}");
        let cdf = |v: f64| normal_cdf((v - expected_mean) / expected_std);
        assert!(kolmogorov_smirnov(values, cdf) < 1.95);
        Ok(())
    }

    #[test]
    fn bounds_and_deviations_are_pytorchs() -> Result<()> {
        let golden = Golden::read(env!("CARGO_MANIFEST_DIR"), "init")?;
        let value = |name: &str| golden.get(name)?.to_scalar::<f64>();
        let relu = NonLinearity::ReLU;
        check_uniform(pytorch_uniform(fan_in(SHAPE)), value("output.conv2d.bound")?)?;
        check_uniform(pytorch_uniform(fan_in((12, 7, 4, 4))), value("output.deconv.bound")?)?;
        check_uniform(xavier_uniform(SHAPE, 1.5), value("output.xavier_uniform.bound")?)?;
        check_normal(xavier_normal(SHAPE, 1.5), 0., value("output.xavier_normal.std")?)?;
        let leaky = NonLinearity::ExplicitGain(leaky_relu_gain(0.2));
        check_uniform(
            kaiming_uniform(FanInOut::FanOut, leaky),
            value("output.kaiming_uniform.bound")?,
        )?;
        check_normal(
            kaiming_normal(FanInOut::FanIn, relu),
            0.,
            value("output.kaiming_normal.std")?,
        )?;
        for (gain, name) in
            [(relu, "relu"), (NonLinearity::Tanh, "tanh"), (NonLinearity::SELU, "selu")]
        {
            assert_eq!(gain.gain(), value(&format!("output.gain.{name}"))?);
        }
        Ok(())
    }

    #[test]
    fn plain_rules_do_what_they_say() -> Result<()> {
        check_normal(normal(2., 0.1), 2., 0.1)?;
        check_uniform(uniform(-0.3, 0.3), 0.3)?;
        assert!(draw(constant(1.5))?.iter().all(|&v| v == 1.5));
        Ok(())
    }

    #[test]
    fn a_fan_of_zero_is_no_division_by_zero() {
        assert!(matches!(pytorch_uniform(0), Init::Uniform { up: 1., .. }));
        assert!(
            matches!(xavier_normal((0, 0), 1.), Init::Randn { stdev, .. } if stdev.is_finite())
        );
    }
}
