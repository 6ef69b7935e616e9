use candle_core::{Device, Result, Tensor};

use crate::cpu::{Float, read};
use crate::parallel::{pieces_of, sum};

/// Mean and variance of each channel of a batch; no gradient flows through them.
///
/// PyTorch's running statistics are `running · (1 − momentum) + momentum · batch`, where the
/// variance is the unbiased one, `var · count / (count − 1)`.
#[derive(Clone, Debug)]
pub struct BatchStatistics {
    /// The means, `(channels,)`, in f32, or f64 if the input was.
    pub mean: Tensor,
    /// The biased variances, the mean squared deviations, `(channels,)`.
    pub var: Tensor,
    /// How many values each channel had: batch × height × width.
    pub count: usize,
}

/// Mean and biased variance of a channel.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moments {
    pub(super) mean: f64,
    pub(super) var: f64,
}

/// The moments of each channel of a CPU tensor `(batch, channels, …)`.
pub(super) fn moments<T: Float>(x: &Tensor) -> Result<Vec<Moments>> {
    let x = read::<T>(x).map(|values| (values, x.dims()))?;
    let (x, dims): (&[T], _) = (&x.0, x.1);
    let (batch, channels) = (dims[0], dims[1]);
    let plane: usize = dims[2..].iter().product();
    // Two passes over a plane, which the second finds in the cache: no squares cancel.
    let mut planes = vec![(0., 0.); batch * channels];
    pieces_of(&mut planes, 1, x.len(), |i, moments| {
        let x = &x[i * plane..][..plane];
        let mean = sum(x, x, |x, _| x) / plane as f64;
        moments[0] = (mean, sum(x, x, |x, _| (x - mean) * (x - mean)));
    });
    let channel = |c: usize| {
        let (mut count, mut mean, mut squares) = (0., 0., 0.);
        let size = plane as f64;
        for &(plane_mean, plane_squares) in planes[c..].iter().step_by(channels) {
            let delta: f64 = plane_mean - mean;
            let total = count + size;
            squares += plane_squares + delta * delta * count * size / total;
            mean += delta * size / total;
            count = total;
        }
        Moments { mean, var: squares / count }
    };
    Ok((0..channels).map(channel).collect())
}

impl BatchStatistics {
    pub(super) fn new<T: Float>(moments: &[Moments], count: usize) -> Result<Self> {
        let tensor = |f: fn(&Moments) -> f64| {
            let values: Vec<T> = moments.iter().map(|m| T::from_f64(f(m))).collect();
            Tensor::from_vec(values, moments.len(), &Device::Cpu)
        };
        Ok(Self { mean: tensor(|m| m.mean)?, var: tensor(|m| m.var)?, count })
    }
}
