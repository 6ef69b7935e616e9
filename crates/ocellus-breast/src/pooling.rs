use candle_core::{Result, Tensor};
use ocellus_ops::global_avg_pool2d;

/// How a feature map becomes the vector that the head reads. The paper does not say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Pooling {
    /// Every entry, as Keras's `Flatten`. The image size is then part of the architecture.
    Flatten,
    /// The mean over positions: any image size.
    Average,
    /// The mean over positions, each weighted by what the gate gave it: any image size, a network
    /// with a gate only.
    ///
    /// ```text
    /// v = Σ α z / Σ α
    /// ```
    ///
    /// The head then reads only where the gate looks, and its map shows lesions. A network that
    /// averages instead can pass its gate by: training may leave it shut, or open everywhere. On
    /// BUSI the weighted mean classifies less well.
    Attention,
}

/// The sum of a gate's weights over an image is hundreds of times that when it opens anywhere.
const LEAST: f64 = 1e-6;

impl Pooling {
    /// The length of the vector that a map of `channels` at `side`² becomes.
    pub(crate) fn features(self, channels: usize, side: usize) -> usize {
        match self {
            Self::Flatten => channels * side * side,
            Self::Average | Self::Attention => channels,
        }
    }

    /// `(batch, channels, height, width)` → `(batch, features)`; `map` is the gate's, `(batch, 1,
    /// height, width)`.
    pub(crate) fn apply(self, x: &Tensor, map: Option<&Tensor>) -> Result<Tensor> {
        match (self, map) {
            (Self::Flatten, _) => x.flatten_from(1),
            (Self::Average, _) => global_avg_pool2d(x),
            (Self::Attention, Some(map)) => {
                let sum = |x: Tensor| x.flatten_from(2)?.sum(2);
                // Of half precision, the map is wider than the features, and sums are as it.
                let weighed = x.to_dtype(map.dtype())?.broadcast_mul(map)?;
                // A gate that is shut everywhere gives a vector of zeros, not 0 / 0.
                let mean = sum(weighed)?.broadcast_div(&(sum(map.clone())? + LEAST)?)?;
                mean.to_dtype(x.dtype())
            }
            (Self::Attention, None) => {
                candle_core::bail!("there is no attention map to weigh positions by")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use candle_core::{DType, Device};
    use ocellus_testing::{assert_close, check_gradients, fill};

    use super::*;

    #[test]
    fn weighs_positions_by_the_map() -> Result<()> {
        let x = Tensor::new(&[[[[1f64, 2.], [3., 10.]], [[0., 4.], [0., 0.]]]], &Device::Cpu)?;
        let map = Tensor::new(&[[[[0.5f64, 0.], [0.25, 0.25]]]], &Device::Cpu)?;
        let pooled = Pooling::Attention.apply(&x, Some(&map))?;
        assert_close(&pooled, &Tensor::new(&[[3.75f64, 0.]], &Device::Cpu)?, 1e-5)?;
        let even = Pooling::Attention.apply(&x, Some(&map.ones_like()?))?;
        assert_close(&even, &Pooling::Average.apply(&x, None)?, 1e-5)
    }

    #[test]
    fn gradients_equal_finite_differences() -> Result<()> {
        let x = fill((2, 3, 2, 3), 0.3, DType::F64)?;
        let map = (fill((2, 1, 2, 3), 0.7, DType::F64)?.abs()? + 0.1)?;
        check_gradients(|v| Pooling::Attention.apply(&v[0], Some(&v[1])), &[x, map], 1e-6)
    }

    #[test]
    fn a_gate_that_is_shut_gives_zeros() -> Result<()> {
        let x = fill((1, 3, 2, 2), 0.3, DType::F32)?;
        let shut = Tensor::zeros((1, 1, 2, 2), DType::F32, &Device::Cpu)?;
        let pooled = Pooling::Attention.apply(&x, Some(&shut))?;
        assert_close(&pooled, &pooled.zeros_like()?, 0.)?;
        assert!(Pooling::Attention.apply(&x, None).is_err());
        Ok(())
    }
}
