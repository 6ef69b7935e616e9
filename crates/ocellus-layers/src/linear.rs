use candle_core::{Module, Result, Tensor, bail};
use candle_nn::{Init, VarBuilder};
use ocellus_ops::linear;

use crate::init::drawn;
use crate::rounded::rounded_pair;

/// Configuration of [`Linear`].
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct LinearConfig {
    /// Features of the input.
    pub in_features: usize,
    /// Features of the output.
    pub out_features: usize,
    /// Whether a bias is added.
    pub bias: bool,
    /// How the weight is drawn; by default as PyTorch does.
    pub weight_init: Option<Init>,
    /// How the bias is drawn; by default as PyTorch does.
    pub bias_init: Option<Init>,
}

impl LinearConfig {
    /// With a bias, drawn as PyTorch does.
    #[must_use]
    pub fn new(in_features: usize, out_features: usize) -> Self {
        Self { in_features, out_features, bias: true, weight_init: None, bias_init: None }
    }

    /// Sets whether a bias is added.
    #[must_use]
    pub fn with_bias(mut self, bias: bool) -> Self {
        self.bias = bias;
        self
    }

    /// Sets how the weight is drawn.
    #[must_use]
    pub fn with_weight_init(mut self, init: Init) -> Self {
        self.weight_init = Some(init);
        self
    }

    /// Sets how the bias is drawn.
    #[must_use]
    pub fn with_bias_init(mut self, init: Init) -> Self {
        self.bias_init = Some(init);
        self
    }
}

/// A linear layer.
///
/// ```text
/// y = x Wᵀ + b
/// ```
///
/// # Shapes
///
/// - input: `(…, in_features)`
/// - output: `(…, out_features)`
///
/// # Parameters
///
/// - `weight`: `(out_features, in_features)`, drawn from U(−1/√in, 1/√in) as PyTorch does
/// - `bias`: `(out_features)`, likewise
///
/// # Examples
///
/// ```
/// use candle_core::{DType, Device, Module, Tensor};
/// use candle_nn::VarBuilder;
/// use ocellus_layers::{Linear, LinearConfig};
///
/// let vb = VarBuilder::zeros(DType::F32, &Device::Cpu);
/// let layer = Linear::new(&LinearConfig::new(4, 2), vb)?;
/// let y = layer.forward(&Tensor::ones((3, 4), DType::F32, &Device::Cpu)?)?;
/// assert_eq!(y.dims(), [3, 2]);
/// # Ok::<(), candle_core::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Linear {
    weight: Tensor,
    bias: Option<Tensor>,
}

impl Linear {
    /// Builds the layer from the parameters under `vb`.
    ///
    /// # Errors
    ///
    /// If a size is zero, or a parameter is missing or of another shape.
    pub fn new(config: &LinearConfig, vb: VarBuilder) -> Result<Self> {
        let &LinearConfig { in_features, out_features, .. } = config;
        if in_features == 0 || out_features == 0 {
            bail!("`{}`: a linear layer of {in_features} to {out_features} features", vb.prefix())
        }
        let shape = (out_features, in_features);
        let weight = drawn(&vb, shape, "weight", config.weight_init, in_features)?;
        let draw_bias = || drawn(&vb, out_features, "bias", config.bias_init, in_features);
        Ok(Self { weight, bias: config.bias.then(draw_bias).transpose()? })
    }

    /// The weight, `(out_features, in_features)`.
    #[must_use]
    pub fn weight(&self) -> &Tensor {
        &self.weight
    }

    /// The bias, `(out_features)`.
    #[must_use]
    pub fn bias(&self) -> Option<&Tensor> {
        self.bias.as_ref()
    }
}

impl Module for Linear {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let (weight, bias) = rounded_pair(&self.weight, self.bias(), x)?;
        linear(x, &weight, bias.as_ref())
    }
}

#[cfg(test)]
mod tests {
    use candle_core::{DType, Device};
    use ocellus_testing::{Golden, assert_close, check_gradients, fill};

    use super::*;

    #[test]
    fn matches_pytorch() -> Result<()> {
        let case = Golden::read(env!("CARGO_MANIFEST_DIR"), "linear")?;
        let layer = Linear::new(&LinearConfig::new(4, 3), case.params())?;
        assert_close(&layer.forward(case.get("input.x")?)?, case.get("output.y")?, 1e-6)
    }

    #[test]
    fn gradients_equal_finite_differences() -> Result<()> {
        let x = fill((2, 3, 4), 0.1, DType::F64)?;
        let weight = fill((5, 4), 0.2, DType::F64)?;
        let bias = fill(5, 0.3, DType::F64)?;
        check_gradients(
            |v| Linear { weight: v[1].clone(), bias: Some(v[2].clone()) }.forward(&v[0]),
            &[x, weight, bias],
            1e-8,
        )
    }

    #[test]
    fn rejects_another_number_of_features() -> Result<()> {
        let vb = VarBuilder::zeros(DType::F32, &Device::Cpu);
        let layer = Linear::new(&LinearConfig::new(4, 2), vb)?;
        let x = Tensor::zeros((1, 5), DType::F32, &Device::Cpu)?;
        let error = layer.forward(&x).unwrap_err().to_string();
        assert!(error.contains("4 to 2 features got an input [1, 5]"), "{error}");
        Ok(())
    }
}
