//! What a flow is before it is fitted.

use candle_core::{DType, Tensor};
use ocellus_flows::standardizing_affine;
use ocellus_params::ParamStore;

use super::training::checked;
use crate::{Error, FeatureSource, Result, on_cpu::on_cpu};

/// What the flow's density is before training.
///
/// # Examples
///
/// ```
/// use ocellus_anomaly::{CflowAd, FlowStart};
///
/// let settings = CflowAd::anomalib(8).with_start(FlowStart::Gaussian);
/// assert_eq!(settings.start, FlowStart::Gaussian);
/// assert_eq!(CflowAd::anomalib(8).start, FlowStart::Standard);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FlowStart {
    /// About N(0, 1) of each channel, whatever the features are: as in all published code.
    #[default]
    Standard,
    /// About the Gaussian of independent channels that is fitted to the normal features, in a pass of
    /// its own: what the UNO-QA paper says of its parameters θ.
    Gaussian,
}

/// Mean and variance of channels, batch by batch.
struct Moments {
    count: f64,
    means: Vec<f64>,
    squares: Vec<f64>,
}

impl Moments {
    fn of(channels: usize) -> Self {
        Self { count: 0., means: vec![0.; channels], squares: vec![0.; channels] }
    }

    /// Joins those of `(batch, channels, height, width)`.
    fn add(&mut self, x: &Tensor) -> Result<()> {
        let x = on_cpu(x, DType::F64)?.transpose(0, 1)?;
        let rows = x.flatten_from(1)?.to_vec2::<f64>()?;
        let more = rows.first().map_or(0, Vec::len) as f64;
        if more == 0. {
            return Ok(());
        }
        let total = self.count + more;
        for ((mean, square), row) in self.means.iter_mut().zip(&mut self.squares).zip(rows) {
            let other = row.iter().sum::<f64>() / more;
            let spread: f64 = row.iter().map(|v| (v - other).powi(2)).sum();
            let apart = other - *mean;
            *square += spread + apart * apart * self.count * more / total;
            *mean += apart * more / total;
        }
        self.count = total;
        Ok(())
    }

    /// Never 0: a channel that does not vary keeps a thousandth of the greatest deviation, or 1.
    fn deviations(&self) -> Vec<f64> {
        let deviation = |square: &f64| (square / self.count.max(1.)).sqrt();
        let greatest = self.squares.iter().map(deviation).fold(0., f64::max);
        let least = if greatest > 0. { 1e-3 * greatest } else { 1. };
        self.squares.iter().map(|square| deviation(square).max(least)).collect()
    }
}

/// Puts the Gaussians of the scales into the first blocks of fresh decoders.
pub(super) fn start_gaussian(
    params: &ParamStore,
    features: &dyn FeatureSource,
    scales: &[(usize, usize, usize)],
) -> Result<()> {
    let mut moments: Vec<Moments> = scales.iter().map(|scale| Moments::of(scale.0)).collect();
    for batch in checked(features, scales, 0).map_err(Error::Source)? {
        let batch = batch.map_err(Error::Source)?;
        batch.iter().zip(&mut moments).try_for_each(|(x, moments)| moments.add(x))?;
    }
    let vars: std::collections::HashMap<String, candle_core::Var> =
        params.trainable().into_iter().collect();
    for (k, moments) in moments.iter().enumerate() {
        let (scale, offset) = standardizing_affine(&moments.means, &moments.deviations());
        for (name, values) in [("global_scale", scale), ("global_offset", offset)] {
            let name = format!("decoders.{k}.module_list.0.{name}");
            let Some(var) = vars.get(&name) else {
                return Err(Error::Setting(format!("the flow has no parameter `{name}`")));
            };
            let values = Tensor::from_vec(values, var.shape(), var.device())?;
            var.set(&values.to_dtype(var.dtype())?)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use candle_core::Device;
    use ocellus_flows::{Cflow, CflowConfig};

    use super::*;

    /// 40 × 24 values of each of six channels, of mean 3 c and deviation about c + 1.
    fn features() -> Result<Vec<Vec<Tensor>>> {
        let wave = |n: usize, c: usize, p: usize| {
            let t = ((n * 24 + p) * 7 + c * 3) as f32;
            (c + 1) as f32 * std::f32::consts::SQRT_2 * (1.7 * t).sin() + 3. * c as f32
        };
        let batch = |first: usize| -> Result<Vec<Tensor>> {
            let mut values = Vec::new();
            for n in first..first + 20 {
                for c in 0..6 {
                    values.extend((0..24).map(|p| wave(n, c, p)));
                }
            }
            Ok(vec![Tensor::from_vec(values, (20, 6, 4, 6), &Device::Cpu)?])
        };
        [0, 20].map(batch).into_iter().collect()
    }

    #[test]
    fn a_fresh_flow_is_likelier_where_it_starts_from_the_gaussian() -> Result<()> {
        let batches = features()?;
        let config = CflowConfig::anomalib(vec![6]).with_condition(4).with_blocks(2);
        let likelihood = |gaussian: bool| -> Result<f64> {
            let params = ParamStore::seeded(1);
            let flow = Cflow::new(&config, params.var_builder(DType::F32, &Device::Cpu))?;
            if gaussian {
                start_gaussian(&params, &batches, &[(6, 4, 6)])?;
            }
            let all = flow.log_likelihood(0, &batches[1][0])?.mean_all()?;
            Ok(all.to_dtype(DType::F64)?.to_scalar::<f64>()?)
        };
        let (standard, gaussian) = (likelihood(false)?, likelihood(true)?);
        // Per channel, −½ ln 2π − ½ − ln σ, the mean of ln 1 … ln 6 being 1.097.
        assert!((gaussian + 0.919 + 0.5 + 1.097).abs() < 0.15, "{gaussian}");
        assert!(standard < gaussian - 5., "{standard} {gaussian}");
        Ok(())
    }

    #[test]
    fn moments_do_not_depend_on_how_batches_are_cut_and_constant_channels_are_kept() -> Result<()> {
        let batches = features()?;
        let (mut whole, mut parts) = (Moments::of(6), Moments::of(6));
        whole.add(&Tensor::cat(&[&batches[0][0], &batches[1][0]], 0)?)?;
        batches.iter().try_for_each(|batch| parts.add(&batch[0]))?;
        for (a, b) in whole.means.iter().zip(&parts.means) {
            assert!((a - b).abs() < 1e-9);
        }
        for (a, b) in whole.deviations().iter().zip(parts.deviations()) {
            assert!((a - b).abs() < 1e-9);
        }
        let mut flat = Moments::of(2);
        flat.add(&Tensor::full(5f32, (3, 2, 2, 2), &Device::Cpu)?)?;
        assert_eq!(flat.deviations(), [1., 1.]);
        Ok(())
    }
}
