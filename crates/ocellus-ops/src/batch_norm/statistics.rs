use candle_core::{Device, Result, Tensor};

use super::blocks::Blocks;
use crate::cpu::{Float, read};
use crate::parallel::{sums, wide};

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

/// Of a block: the sum of the elements, and of their squared deviations from their mean.
#[derive(Clone, Copy, Default)]
struct Part {
    count: f64,
    sum: f64,
    squares: f64,
}

/// The moments of each channel of a CPU tensor `(batch, channels, …)`.
pub(super) fn moments<T: Float>(x: &Tensor) -> Result<Vec<Moments>> {
    let (values, blocks) = (read::<T>(x)?, Blocks::new(x.dims()));
    let parts = blocks.map(|block| part(block.of(&values)));
    let channel = |c: usize| {
        let parts = || blocks.of_channel(&parts, c);
        let count: f64 = parts().map(|part| part.count).sum();
        let mean = parts().map(|part| part.sum).sum::<f64>() / count;
        let squares = |part: Part| {
            let delta = part.sum / part.count - mean;
            part.squares + part.count * delta * delta
        };
        Moments { mean, var: parts().map(squares).sum::<f64>() / count }
    };
    Ok((0..x.dims()[1]).map(channel).collect())
}

/// One pass, with deviations from the first element instead of the mean. However far that lies from
/// the others, it is one of them: of 2¹² elements, rounding errors grow by that factor at most, and
/// f64 has digits to spare.
fn part<T: Float>(x: &[T]) -> Part {
    let (first, count) = (wide(x[0]), x.len() as f64);
    let [sum, squares] = sums(x, x, |x, _| {
        let deviation = wide(x) - first;
        [deviation, deviation * deviation]
    });
    let squares = squares - sum * sum / count;
    // Not `max`: a NaN shall stay one.
    let squares = if squares < 0. { 0. } else { squares };
    Part { count, sum: sum + first * count, squares }
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
