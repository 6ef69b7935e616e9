use candle_core::{D, Module, Result, Tensor};
use candle_nn::{Init, LayerNorm, Linear, VarBuilder};
use ocellus_ops::softmax;

use super::DinoV2Config;

/// Of all normalizations.
const EPSILON: f64 = 1e-6;

/// ```text
/// x ← x + γ₁ attention(norm₁ x);   x ← x + γ₂ mlp(norm₂ x)
/// ```
#[derive(Clone, Debug)]
pub(super) struct Block {
    norms: [LayerNorm; 2],
    scales: [Tensor; 2],
    attention: Attention,
    hidden: Linear,
    output: Linear,
}

#[derive(Clone, Debug)]
struct Attention {
    heads: usize,
    qkv: Linear,
    output: Linear,
}

/// Drawn as timm draws them: normal with deviation 0.02, and 0.
fn linear(inputs: usize, outputs: usize, vb: VarBuilder) -> Result<Linear> {
    let weight =
        vb.get_with_hints((outputs, inputs), "weight", Init::Randn { mean: 0., stdev: 0.02 })?;
    Ok(Linear::new(weight, Some(vb.get_with_hints(outputs, "bias", Init::Const(0.))?)))
}

pub(super) fn norm(width: usize, vb: VarBuilder) -> Result<LayerNorm> {
    let weight = vb.get_with_hints(width, "weight", Init::Const(1.))?;
    let bias = vb.get_with_hints(width, "bias", Init::Const(0.))?;
    Ok(LayerNorm::new(weight, bias, EPSILON))
}

impl Block {
    pub(super) fn new(config: &DinoV2Config, vb: VarBuilder) -> Result<Self> {
        let width = config.width;
        let scale = |vb: VarBuilder| vb.get_with_hints(width, "gamma", Init::Const(1.));
        Ok(Self {
            norms: [norm(width, vb.pp("norm1"))?, norm(width, vb.pp("norm2"))?],
            scales: [scale(vb.pp("ls1"))?, scale(vb.pp("ls2"))?],
            attention: Attention::new(config, vb.pp("attn"))?,
            hidden: linear(width, 4 * width, vb.pp("mlp").pp("fc1"))?,
            output: linear(4 * width, width, vb.pp("mlp").pp("fc2"))?,
        })
    }

    /// `(batch, tokens, width)` to the same.
    pub(super) fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let attended = self.attention.forward(&self.norms[0].forward(x)?)?;
        let x = (x + attended.broadcast_mul(&self.scales[0])?)?;
        let hidden = self.hidden.forward(&self.norms[1].forward(&x)?)?.gelu_erf()?;
        x + self.output.forward(&hidden)?.broadcast_mul(&self.scales[1])?
    }
}

impl Attention {
    fn new(config: &DinoV2Config, vb: VarBuilder) -> Result<Self> {
        let width = config.width;
        let qkv = linear(width, 3 * width, vb.pp("qkv"))?;
        Ok(Self { heads: config.heads, qkv, output: linear(width, width, vb.pp("proj"))? })
    }

    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let (batch, tokens, width) = x.dims3()?;
        let size = width / self.heads;
        let qkv = self.qkv.forward(x)?.reshape((batch, tokens, 3, self.heads, size))?;
        let part = |i: usize| qkv.narrow(2, i, 1)?.squeeze(2)?.transpose(1, 2)?.contiguous();
        let query = (part(0)? * (size as f64).powf(-0.5))?;
        let weights = softmax(&query.matmul(&part(1)?.t()?)?, D::Minus1)?;
        let mixed = weights.matmul(&part(2)?)?.transpose(1, 2)?.reshape((batch, tokens, width))?;
        self.output.forward(&mixed)
    }
}
