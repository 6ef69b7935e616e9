use candle_core::{Result, Tensor};
use candle_nn::{Init, VarBuilder};

use super::FastFlowScale;

/// PyTorch's.
const EPS: f64 = 1e-5;

/// Layer normalization over channels, height and width, with a scale and a shift for each value.
///
/// ```text
/// y = (x − E[x]) / √(Var[x] + ε) · weight + bias
/// ```
#[derive(Clone, Debug)]
pub(crate) struct LayerNorm {
    weight: Tensor,
    bias: Tensor,
}

impl LayerNorm {
    pub(crate) fn new(scale: FastFlowScale, vb: &VarBuilder) -> Result<Self> {
        let shape = (scale.channels, scale.height, scale.width);
        let weight = vb.get_with_hints(shape, "weight", Init::Const(1.))?;
        Ok(Self { weight, bias: vb.get_with_hints(shape, "bias", Init::Const(0.))? })
    }

    pub(crate) fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let flat = x.flatten_from(1)?;
        let centered = flat.broadcast_sub(&flat.mean_keepdim(1)?)?;
        let deviation = (centered.sqr()?.mean_keepdim(1)? + EPS)?.sqrt()?;
        let normal = centered.broadcast_div(&deviation)?.reshape(x.shape())?;
        normal.broadcast_mul(&self.weight)?.broadcast_add(&self.bias)
    }
}

#[cfg(test)]
mod tests {
    use candle_core::DType;
    use ocellus_testing::{check_gradients, fill};

    use super::*;

    #[test]
    fn gradients_equal_finite_differences() -> Result<()> {
        let shape = (2, 3, 2);
        let x = fill((2, 2, 3, 2), 0.1, DType::F64)?;
        let (weight, bias) = (fill(shape, 0.2, DType::F64)?, fill(shape, 0.3, DType::F64)?);
        let f =
            |v: &[Tensor]| LayerNorm { weight: v[1].clone(), bias: v[2].clone() }.forward(&v[0]);
        check_gradients(f, &[x, weight, bias], 1e-7)
    }
}
