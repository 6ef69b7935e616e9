use candle_core::{ModuleT, Result, Tensor, bail};
use candle_nn::{Init, VarBuilder};
use ocellus_layers::{Dropout, Linear, LinearConfig, Noise};
use ocellus_ops::relu;

use crate::Config;

/// The fully connected layers: hidden layers of a few neurons with ReLU and dropout, then the logits.
///
/// # Shapes
///
/// - input: `(batch, features)`
/// - output: `(batch, classes)`, logits
///
/// # Parameters
///
/// - `0.weight`, `0.bias`, `1.weight`, …: one pair a layer
///
/// # Examples
///
/// ```
/// use candle_core::{DType, Device, ModuleT, Tensor};
/// use ocellus_breast::{Architecture, Config, Head};
/// use ocellus_layers::Noise;
/// use ocellus_params::ParamStore;
///
/// let params = ParamStore::seeded(0);
/// let config = Config::paper(Architecture::Vgg);
/// let head = Head::new(8192, &config, &Noise::seeded(0), params.var_builder(DType::F32, &Device::Cpu))?;
/// assert_eq!(params.parameter_count(), 8192 * 10 + 10 + 110 + 22);
///
/// let logits = head.forward_t(&Tensor::zeros((3, 8192), DType::F32, &Device::Cpu)?, false)?;
/// assert_eq!(logits.dims(), [3, 2]);
/// # Ok::<(), candle_core::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Head {
    layers: Vec<Linear>,
    dropouts: Vec<Dropout>,
}

impl Head {
    /// Builds the head for `features` inputs from the parameters under `vb`.
    ///
    /// # Errors
    ///
    /// If there are fewer than two classes, a layer has no neuron, or a parameter has another shape.
    pub fn new(features: usize, config: &Config, noise: &Noise, vb: VarBuilder) -> Result<Self> {
        let classes = config.classes.len();
        if classes < 2 {
            bail!("a classifier needs at least 2 classes, got {classes}")
        }
        if config.hidden_layers > 0 && config.neurons == 0 {
            bail!("hidden layers of the head need at least 1 neuron, got 0")
        }
        let mut sizes = vec![features];
        sizes.extend(vec![config.neurons; config.hidden_layers]);
        sizes.push(classes);
        let layers = sizes
            .windows(2)
            .enumerate()
            .map(|(i, pair)| linear(pair[0], pair[1], config.head_stdev, vb.pp(i)))
            .collect::<Result<_>>()?;
        let dropouts = (0..config.hidden_layers)
            .map(|i| Dropout::new(config.dropout, noise, format!("head.{i}")))
            .collect::<Result<_>>()?;
        Ok(Self { layers, dropouts })
    }
}

fn linear(inputs: usize, outputs: usize, stdev: Option<f64>, vb: VarBuilder) -> Result<Linear> {
    let config = LinearConfig::new(inputs, outputs);
    let config = match stdev {
        Some(stdev) => {
            config.with_weight_init(Init::Randn { mean: 0., stdev }).with_bias_init(Init::Const(0.))
        }
        None => config,
    };
    Linear::new(&config, vb)
}

impl ModuleT for Head {
    fn forward_t(&self, x: &Tensor, train: bool) -> Result<Tensor> {
        let mut x = x.clone();
        for (i, layer) in self.layers.iter().enumerate() {
            x = x.apply(layer)?;
            if let Some(dropout) = self.dropouts.get(i) {
                x = dropout.forward_t(&relu(&x)?, train)?;
            }
        }
        Ok(x)
    }
}
