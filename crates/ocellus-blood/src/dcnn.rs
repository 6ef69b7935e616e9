use candle_core::{Module, ModuleT, Result, Tensor, bail};
use candle_nn::{VarBuilder, init::DEFAULT_KAIMING_NORMAL};
use ocellus_layers::{Conv2d, Conv2dConfig, Dropout, Linear, LinearConfig, Noise};
use ocellus_ops::{MaxPool2dConfig, max_pool2d, relu, softmax};

use crate::{DcnnConfig, HiddenActivation, OutputActivation};

/// The network of paper 3: two convolutions, a max pooling, fully connected hidden layers, one output a
/// class.
///
/// ```text
/// x = pool₂(act(conv₂(act(conv₁(image)))))
/// z = W_out · act(W₄ · … act(W₁ · flatten(x)))
/// ```
///
/// # Shapes
///
/// - input: `(batch, in_channels, image_size, image_size)`, 0 to 1
/// - output: `(batch, classes)`, logits
///
/// # Parameters
///
/// - `conv.0`, `conv.1`: as [`Conv2d`]'s
/// - `hidden.0` …, `output`: as [`Linear`]'s
///
/// # Examples
///
/// ```
/// use candle_core::{DType, Device, ModuleT, Tensor};
/// use ocellus_blood::{Dcnn, DcnnConfig};
/// use ocellus_params::ParamStore;
///
/// let params = ParamStore::seeded(1);
/// let network = Dcnn::new(&DcnnConfig::tiny(), params.var_builder(DType::F32, &Device::Cpu))?;
/// let images = Tensor::full(0.5f32, (2, 3, 32, 32), &Device::Cpu)?;
/// assert_eq!(network.forward_t(&images, true)?.dims(), [2, 2]);
/// let total = network.predict(&images)?.sum(1)?.to_vec1::<f32>()?;
/// assert!(total.iter().all(|total| (total - 1.).abs() < 1e-6));
/// # Ok::<(), candle_core::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Dcnn {
    config: DcnnConfig,
    convolutions: [Conv2d; 2],
    hidden: Vec<Linear>,
    output: Linear,
    dropout: Dropout,
    noise: Noise,
}

impl Dcnn {
    /// Builds the network from the parameters under `vb`.
    ///
    /// # Errors
    ///
    /// If the image has less than two pixels a side, a size is 0, the kernel is even, there are less
    /// than two classes, or a parameter has another shape.
    pub fn new(config: &DcnnConfig, vb: VarBuilder) -> Result<Self> {
        if config.image_size < 2 {
            bail!("images of {} pixels a side cannot be pooled: give 2 at least", config.image_size)
        }
        if config.kernel.is_multiple_of(2) {
            bail!("filters of {} pixels a side have no middle: give an odd number", config.kernel)
        }
        if config.classes < 2 {
            bail!("a classifier needs at least 2 classes, got {}", config.classes)
        }
        if config.hidden.contains(&0) {
            bail!("hidden layers of {:?} units: each needs 1 at least", config.hidden)
        }
        let learns = config.hidden_activation == HiddenActivation::Relu;
        let conv = |inputs: usize, outputs: usize, name: &str| {
            let conv = Conv2dConfig::new(inputs, outputs, config.kernel);
            let conv = conv.with_padding(config.kernel / 2);
            let init = DEFAULT_KAIMING_NORMAL;
            Conv2d::new(&if learns { conv.with_weight_init(init) } else { conv }, vb.pp(name))
        };
        let linear = |inputs: usize, outputs: usize, vb: VarBuilder| {
            let linear = LinearConfig::new(inputs, outputs);
            let init = DEFAULT_KAIMING_NORMAL;
            Linear::new(&if learns { linear.with_weight_init(init) } else { linear }, vb)
        };
        let [first, second] = config.filters;
        let convolutions =
            [conv(config.in_channels, first, "conv.0")?, conv(first, second, "conv.1")?];
        let mut width = config.flattened();
        let mut hidden = Vec::with_capacity(config.hidden.len());
        for (n, &units) in config.hidden.iter().enumerate() {
            hidden.push(linear(width, units, vb.pp("hidden").pp(n))?);
            width = units;
        }
        let noise = Noise::seeded(config.seed);
        Ok(Self {
            convolutions,
            hidden,
            output: Linear::new(&LinearConfig::new(width, config.classes), vb.pp("output"))?,
            dropout: Dropout::new(config.dropout, &noise, "flattened")?,
            noise,
            config: config.clone(),
        })
    }

    /// What it was built from.
    #[must_use]
    pub fn config(&self) -> &DcnnConfig {
        &self.config
    }

    /// What draws the dropout masks: to be set to each step of a training.
    #[must_use]
    pub fn noise(&self) -> &Noise {
        &self.noise
    }

    /// Class probabilities, `(batch, classes)`: see [`probabilities`](Self::probabilities).
    ///
    /// # Errors
    ///
    /// If the images have another shape than the network's.
    pub fn predict(&self, images: &Tensor) -> Result<Tensor> {
        self.probabilities(&self.forward_t(images, false)?)
    }

    /// The class probabilities that go with logits, `(batch, classes)`. Sigmoids, which need not add up to
    /// 1, are divided by their sum.
    ///
    /// # Errors
    ///
    /// If the logits are no `(batch, classes)`.
    pub fn probabilities(&self, logits: &Tensor) -> Result<Tensor> {
        match self.config.output_activation {
            OutputActivation::Softmax => softmax(logits, 1),
            OutputActivation::Sigmoid => {
                // σ(z) = exp(log σ(z)), and where all sigmoids are 0 their logarithms are not.
                let below = logits.minimum(0f64)?;
                softmax(&(below - (logits.abs()?.neg()?.exp()? + 1.)?.log()?)?, 1)
            }
        }
    }

    fn activate(&self, x: &Tensor) -> Result<Tensor> {
        match self.config.hidden_activation {
            HiddenActivation::Softmax => softmax(x, 1),
            HiddenActivation::Relu => relu(x),
        }
    }
}

impl ModuleT for Dcnn {
    fn forward_t(&self, images: &Tensor, train: bool) -> Result<Tensor> {
        let (size, channels) = (self.config.image_size, self.config.in_channels);
        if images.rank() != 4 || images.dims()[1..] != [channels, size, size] {
            bail!("images are {:?}: give (batch, {channels}, {size}, {size})", images.dims())
        }
        let mut x = images.clone();
        for convolution in &self.convolutions {
            x = self.activate(&convolution.forward(&x)?)?;
        }
        let x = max_pool2d(&x, &MaxPool2dConfig::new(2))?;
        let mut x = self.dropout.forward_t(&x.flatten_from(1)?, train)?;
        for layer in &self.hidden {
            x = self.activate(&layer.forward(&x)?)?;
        }
        self.output.forward(&x)
    }
}

#[cfg(test)]
mod tests {
    use candle_core::{DType, Device};
    use ocellus_params::ParamStore;
    use ocellus_testing::{check_half, check_model, fill};

    use super::*;

    fn network(config: &DcnnConfig) -> Result<Dcnn> {
        Dcnn::new(config, ParamStore::seeded(3).var_builder(DType::F64, &Device::Cpu))
    }

    #[test]
    fn sigmoids_are_divided_by_their_sum_wherever_they_are() -> Result<()> {
        let config = DcnnConfig::tiny().with_output_activation(OutputActivation::Sigmoid);
        let network = network(&config)?;
        let images = (fill((3, 3, 32, 32), 0.2, DType::F64)?.abs())?;
        let logits = network.forward_t(&images, false)?.to_vec2::<f64>()?;
        for (p, z) in network.predict(&images)?.to_vec2::<f64>()?.iter().zip(logits) {
            let sigmoids: Vec<f64> = z.iter().map(|z| 1. / (1. + (-z).exp())).collect();
            let total: f64 = sigmoids.iter().sum();
            assert!(p.iter().zip(sigmoids).all(|(p, s)| (p - s / total).abs() < 1e-12), "{p:?}");
        }
        Ok(())
    }

    #[test]
    fn both_forms_pass_the_suite_of_models() -> Result<()> {
        let small = |config: DcnnConfig| {
            config.with_image_size(6).with_filters([2, 3]).with_hidden([5, 4]).with_dropout(0.)
        };
        for config in [small(DcnnConfig::paper_literal()), small(DcnnConfig::practical())] {
            let images = |batch: usize| fill((batch, config.in_channels, 6, 6), 0.3, DType::F32);
            check_model(
                |vb| Dcnn::new(&config, vb),
                |network, x, train| network.forward_t(&x[0], train),
                &[vec![images(2)?], vec![images(3)?]],
            )?;
        }
        Ok(())
    }

    #[test]
    fn it_computes_in_the_type_of_its_input() -> Result<()> {
        let config = DcnnConfig::tiny().with_image_size(16).with_dropout(0.);
        // Found: 4e-3 and 7e-3 in bf16, 7e-4 and 1.4e-3 in f16.
        check_half(
            |vb| Dcnn::new(&config, vb),
            |network, x| network.forward_t(&x[0], true),
            &[fill((3, config.in_channels, 16, 16), 0.3, DType::F32)?],
            (0.01, 0.02),
        )
    }

    #[test]
    fn what_makes_no_network_is_an_error() {
        for (config, what) in [
            (DcnnConfig::tiny().with_image_size(1), "1 pixels"),
            (DcnnConfig::tiny().with_kernel(2), "2 pixels"),
            (DcnnConfig::tiny().with_classes(1), "got 1"),
            (DcnnConfig::tiny().with_hidden([4, 0]), "[4, 0]"),
            (DcnnConfig::tiny().with_dropout(1.), "1"),
            (DcnnConfig::tiny().with_filters([0, 4]), "0"),
        ] {
            let error = network(&config).unwrap_err().to_string();
            assert!(error.contains(what), "{error}");
        }
    }

    #[test]
    fn images_of_another_size_are_an_error() -> Result<()> {
        let images = fill((1, 3, 16, 16), 0.2, DType::F64)?;
        let error = network(&DcnnConfig::tiny())?.forward_t(&images, false).unwrap_err();
        assert!(error.to_string().contains("(batch, 3, 32, 32)"), "{error}");
        Ok(())
    }
}
