use candle_core::{ModuleT, Result, Tensor};
use candle_nn::VarBuilder;
use ocellus_backbones::Preprocessing;
use ocellus_layers::Noise;
use ocellus_ops::softmax;

use crate::{Architecture, AttentionVgg, Config, Vgg};

/// What a network says of a batch of images.
#[derive(Clone, Debug)]
pub struct Explanation {
    /// Class probabilities, `(batch, classes)`.
    pub probabilities: Tensor,
    /// Where the gate looked, `(batch, 1, height / 8, width / 8)`; absent without a gate.
    pub map: Option<Tensor>,
}

/// Either network of the paper, from images of values 0 to 1 to logits.
///
/// # Shapes
///
/// - input: `(batch, 3, height, width)`, 0 to 1
/// - output: `(batch, classes)`, logits
///
/// # Examples
///
/// ```
/// use candle_core::{DType, Device, ModuleT, Tensor};
/// use ocellus_breast::{Architecture, Classifier, Config};
/// use ocellus_params::ParamStore;
///
/// let config = Config::tiny(Architecture::Vgg);
/// let params = ParamStore::seeded(0);
/// let model = Classifier::new(&config, params.var_builder(DType::F32, &Device::Cpu))?;
/// let images = Tensor::zeros((2, 3, 64, 64), DType::F32, &Device::Cpu)?;
/// assert_eq!(model.predict(&images)?.sum(1)?.to_vec1::<f32>()?, [1., 1.]);
/// # Ok::<(), candle_core::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Classifier {
    network: Network,
    preprocessing: Preprocessing,
    image_size: usize,
    evidence_layers: usize,
    noise: Noise,
}

#[derive(Clone, Debug)]
enum Network {
    Vgg(Box<Vgg>),
    Attention(Box<AttentionVgg>),
}

impl Network {
    fn new(config: &Config, noise: &Noise, vb: VarBuilder) -> Result<Self> {
        Ok(match config.architecture {
            Architecture::Vgg => Self::Vgg(Box::new(Vgg::new(config, noise, vb)?)),
            Architecture::AttentionVgg => {
                Self::Attention(Box::new(AttentionVgg::new(config, noise, vb)?))
            }
        })
    }
}

impl ModuleT for Network {
    fn forward_t(&self, x: &Tensor, train: bool) -> Result<Tensor> {
        match self {
            Self::Vgg(network) => network.forward_t(x, train),
            Self::Attention(network) => network.forward_t(x, train),
        }
    }
}

impl Classifier {
    /// Builds the network that `config` names from the parameters under `vb`.
    ///
    /// # Errors
    ///
    /// If the image size is below 32 or no multiple of 32, or a parameter has another shape.
    pub fn new(config: &Config, vb: VarBuilder) -> Result<Self> {
        let size = config.image_size;
        if size < 32 || !size.is_multiple_of(32) {
            candle_core::bail!(
                "image size {size} is no multiple of 32: choose {}",
                size.next_multiple_of(32).max(32)
            )
        }
        let noise = Noise::seeded(config.seed);
        let network = Network::new(config, &noise, vb)?;
        let preprocessing = config.preprocessing;
        let evidence_layers = config.backbone.stage_layers()[3] + 1;
        Ok(Self { network, preprocessing, image_size: size, evidence_layers, noise })
    }

    /// The source of dropout: set its step before each training step, so that a resumed run drops
    /// what an uninterrupted one does.
    #[must_use]
    pub fn noise(&self) -> &Noise {
        &self.noise
    }

    /// The output of the backbone's first `layers` layers for images of values 0 to 1: computed once
    /// where those layers are frozen.
    pub fn prefix(&self, images: &Tensor, layers: usize) -> Result<Tensor> {
        let x = self.normalized(images)?;
        match &self.network {
            Network::Vgg(network) => network.prefix(&x, layers),
            Network::Attention(network) => network.prefix(&x, layers),
        }
    }

    /// The logits from what [`Classifier::prefix`] gave.
    pub fn forward_from(&self, prefix: &Tensor, layers: usize, train: bool) -> Result<Tensor> {
        match &self.network {
            Network::Vgg(network) => network.forward_from(prefix, layers, train),
            Network::Attention(network) => Ok(network.forward_from(prefix, layers, train)?.0),
        }
    }

    /// Class probabilities, `(batch, classes)`.
    pub fn predict(&self, images: &Tensor) -> Result<Tensor> {
        softmax(&self.forward_t(images, false)?, 1)
    }

    /// Class probabilities and, with an attention gate, where it looked.
    pub fn explain(&self, images: &Tensor) -> Result<Explanation> {
        let x = self.normalized(images)?;
        let (logits, map) = match &self.network {
            Network::Vgg(network) => (network.forward_t(&x, false)?, None),
            Network::Attention(network) => {
                let (logits, map) = network.forward_from(&x, 0, false)?;
                (logits, Some(map))
            }
        };
        Ok(Explanation { probabilities: softmax(&logits, 1)?, map })
    }

    /// The layers of the backbone after which [`Classifier::evidence`] asks: those whose output a
    /// gate weighs, in either network. Later positions see too much of the image to say where
    /// something is.
    pub(crate) fn evidence_layers(&self) -> usize {
        self.evidence_layers
    }

    fn normalized(&self, images: &Tensor) -> Result<Tensor> {
        let (_, channels, height, width) = images.dims4()?;
        if channels != 3 || height != self.image_size || width != self.image_size {
            candle_core::bail!(
                "the network takes images of 3 × {0} × {0}, got {channels} × {height} × {width}: \
                 resize them, or build it with another image size",
                self.image_size
            )
        }
        self.preprocessing.apply(images)
    }
}

impl ModuleT for Classifier {
    fn forward_t(&self, images: &Tensor, train: bool) -> Result<Tensor> {
        self.network.forward_t(&self.normalized(images)?, train)
    }
}

#[cfg(test)]
mod tests {
    use candle_core::{DType, Device};
    use ocellus_params::ParamStore;
    use ocellus_testing::{assert_close, check_half, check_model, fill};

    use super::*;
    use crate::{Fusion, Pooling};

    fn small(architecture: Architecture) -> Config {
        Config::tiny(architecture).with_image_size(32)
    }

    fn images(size: usize) -> Result<Tensor> {
        (fill((2, 3, size, size), 0.1, DType::F32)? + 1.)? * 0.5
    }

    #[test]
    fn either_network_passes_the_suite() -> Result<()> {
        for architecture in [Architecture::Vgg, Architecture::AttentionVgg] {
            for fusion in [Fusion::Convolution, Fusion::Pooled] {
                let config = small(architecture).with_fusion(fusion).with_dropout(0.);
                let build = |vb| Network::new(&config, &Noise::seeded(0), vb);
                let forward = |m: &Network, x: &[Tensor], train: bool| m.forward_t(&x[0], train);
                check_model(build, forward, &[vec![images(32)?], vec![images(64)?]])?;
            }
        }
        Ok(())
    }

    #[test]
    fn either_network_computes_in_the_type_of_its_input() -> Result<()> {
        let gated = small(Architecture::AttentionVgg);
        for config in [
            small(Architecture::Vgg),
            gated.clone(),
            gated.clone().with_fusion(Fusion::Pooled),
            gated.with_pooling(Pooling::Attention),
        ] {
            let config = config.with_dropout(0.);
            // Found: 1.3e-2 and 0.35 in bf16, 1.2e-3 and 0.072 in f16.
            check_half(
                |vb| Network::new(&config, &Noise::seeded(0), vb),
                |network, x| network.forward_t(&x[0], true),
                &[images(32)?],
                (0.03, 0.6),
            )?;
        }
        Ok(())
    }

    #[test]
    fn a_pass_resumed_at_a_layer_gives_the_same_logits() -> Result<()> {
        for architecture in [Architecture::Vgg, Architecture::AttentionVgg] {
            let params = ParamStore::seeded(2);
            let vb = params.var_builder(DType::F32, &Device::Cpu);
            let model = Classifier::new(&small(architecture), vb)?;
            let whole = model.forward_t(&images(32)?, false)?;
            for layers in [0, 4, 8] {
                let prefix = model.prefix(&images(32)?, layers)?;
                assert_close(&model.forward_from(&prefix, layers, false)?, &whole, 0.)?;
            }
        }
        Ok(())
    }

    #[test]
    fn the_gate_cannot_be_skipped() -> Result<()> {
        let params = ParamStore::seeded(2);
        let vb = params.var_builder(DType::F32, &Device::Cpu);
        let model = Classifier::new(&small(Architecture::AttentionVgg), vb)?;
        let error = model.prefix(&images(32)?, 29).unwrap_err().to_string();
        assert!(error.contains("freeze at most"), "{error}");
        Ok(())
    }

    #[test]
    fn says_which_image_size_it_takes() -> Result<()> {
        let new = |size| {
            let vb = ParamStore::seeded(0).var_builder(DType::F32, &Device::Cpu);
            Classifier::new(&Config::tiny(Architecture::Vgg).with_image_size(size), vb)
        };
        let error = new(100).unwrap_err().to_string();
        assert!(error.contains("100") && error.contains("choose 128"), "{error}");
        let error = new(64)?.predict(&images(32)?).unwrap_err().to_string();
        assert!(error.contains("3 × 64 × 64"), "{error}");
        Ok(())
    }

    #[test]
    fn dropout_depends_on_seed_and_step_alone() -> Result<()> {
        let logits = |step| -> Result<Vec<f32>> {
            let config = small(Architecture::Vgg).with_dropout(0.5).with_seed(9);
            let params = ParamStore::seeded(2);
            let model = Classifier::new(&config, params.var_builder(DType::F32, &Device::Cpu))?;
            model.noise().at(step);
            model.forward_t(&images(32)?, true)?.flatten_all()?.to_vec1()
        };
        assert_eq!(logits(3)?, logits(3)?);
        assert_ne!(logits(3)?, logits(4)?);
        Ok(())
    }
}
