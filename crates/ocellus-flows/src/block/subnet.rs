use candle_core::{Result, Tensor, bail};
use candle_nn::{Init, VarBuilder};
use ocellus_ops::{Conv2dConfig, conv2d, conv2d_relu};

use super::Subnet;

/// Two convolutions with a ReLU between, or two linear layers at each pixel.
#[derive(Clone, Debug)]
pub(crate) struct SubnetLayers {
    first: Layer,
    second: Layer,
    config: Conv2dConfig,
}

#[derive(Clone, Debug)]
struct Layer {
    weight: Tensor,
    bias: Tensor,
}

impl SubnetLayers {
    pub(crate) fn new(
        subnet: Subnet,
        inputs: usize,
        outputs: usize,
        vb: &VarBuilder,
    ) -> Result<Self> {
        let (hidden, kernel) = match subnet {
            Subnet::Pointwise => (2 * inputs, None),
            Subnet::Conv { kernel, hidden_ratio } => {
                if kernel.is_multiple_of(2) {
                    bail!("a subnet with a kernel of {kernel}: choose an odd number")
                }
                let hidden = inputs as f64 * hidden_ratio;
                if !(hidden >= 1. && hidden.is_finite()) {
                    bail!("a hidden layer of {hidden_ratio} × {inputs} channels: raise the ratio")
                }
                (hidden as usize, Some(kernel))
            }
        };
        let layer = |place: &str, inputs: usize, outputs: usize| {
            let vb = vb.pp(place);
            let fan = inputs * kernel.map_or(1, |kernel| kernel * kernel);
            let bound = 1. / (fan as f64).sqrt();
            let init = Init::Uniform { lo: -bound, up: bound };
            let weight = match kernel {
                None => vb.get_with_hints((outputs, inputs), "weight", init)?,
                Some(k) => vb.get_with_hints((outputs, inputs, k, k), "weight", init)?,
            };
            Ok::<_, candle_core::Error>(Layer {
                weight,
                bias: vb.get_with_hints(outputs, "bias", init)?,
            })
        };
        Ok(Self {
            first: layer("0", inputs, hidden)?,
            second: layer("2", hidden, outputs)?,
            config: Conv2dConfig::default().with_padding(kernel.map_or(0, |kernel| kernel / 2)),
        })
    }

    /// Weights and biases of both layers, and what they do with their input.
    pub(crate) fn parts(&self) -> ([(&Tensor, &Tensor); 2], Conv2dConfig) {
        ([&self.first, &self.second].map(|layer| (&layer.weight, &layer.bias)), self.config)
    }

    pub(crate) fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let hidden = conv2d_relu(x, &self.first.weight, Some(&self.first.bias), &self.config)?;
        conv2d(&hidden, &self.second.weight, Some(&self.second.bias), &self.config)
    }
}
