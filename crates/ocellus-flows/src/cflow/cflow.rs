use candle_core::{Result, Tensor, bail};
use candle_nn::VarBuilder;
use ocellus_layers::positional_encoding_2d;
use ocellus_ops::{Reduction, binary_cross_entropy};

use super::{CflowConfig, FiberBatch};
use crate::{Flow, Mapped};

/// CFLOW-AD's density estimator: for each scale of a backbone, a flow on the features of a single
/// pixel, a fiber, given its place.
///
/// ```text
/// log p(x | place) / C = (−C · ln √(2π) − ½ ‖z‖² + log |det ∂z/∂x|) / C            [1], Eq. 6
/// loss = mean −ln sigmoid(log p / C)                                          the authors' code
/// ```
///
/// # Shapes
///
/// - features of scale k: `(batch, channels[k], height, width)`, of any size
/// - log-likelihoods: `(batch, height, width)`
///
/// # Parameters
///
/// - `decoders.k`: those of a [`Flow`]
///
/// Wide-ResNet-50-2's 512, 1024 and 2048 channels take 5,523,456 + 17,074,176 + 59,049,984 =
/// 81,647,616 parameters.
///
/// # Examples
///
/// ```
/// use candle_core::{DType, Device, Tensor};
/// use ocellus_flows::{Cflow, CflowConfig, FiberBatch};
/// use ocellus_ops::backward;
/// use ocellus_params::ParamStore;
///
/// let params = ParamStore::seeded(1);
/// let config = CflowConfig::official(vec![8]).with_condition(4).with_blocks(2);
/// let flow = Cflow::new(&config, params.var_builder(DType::F32, &Device::Cpu))?;
/// let features = Tensor::ones((1, 8, 4, 6), DType::F32, &Device::Cpu)?;
///
/// let whole = FiberBatch::whole(0, &features, 4)?; // All pixels at once.
/// let gradients = backward(&flow.loss(&whole)?)?;
/// assert!(params.trainable().iter().all(|(_, var)| gradients.get(var).is_some()));
/// # Ok::<(), candle_core::Error>(())
/// ```
///
/// # Complexity
///
/// For each pixel and block 2 · (C/2 + P) · (C/2 + P + C) products, P the channels of the place.
///
/// # Deviations
///
/// The gradient of the loss vanishes where `log p / C` is large: it is not the likelihood's own, but
/// what both codes train with.
///
/// # References
///
/// 1. D. Gudovskiy, S. Ishizaka, K. Kozuka. *CFLOW-AD: real-time unsupervised anomaly detection with
///    localization via conditional normalizing flows.* WACV 2022. <https://arxiv.org/abs/2107.12571>
#[derive(Clone, Debug)]
pub struct Cflow {
    condition: usize,
    decoders: Vec<Flow>,
}

impl Cflow {
    /// Builds the decoders from the parameters under `vb`.
    ///
    /// # Errors
    ///
    /// If there is no scale, the condition's channels are no multiple of 4, or as of [`Flow::new`].
    pub fn new(config: &CflowConfig, vb: VarBuilder) -> Result<Self> {
        let condition = config.condition;
        if config.channels.is_empty() {
            bail!("a CFLOW of no scale: name the channels of one at least")
        }
        if condition == 0 || !condition.is_multiple_of(4) {
            bail!("a positional encoding of {condition} channels: choose a multiple of 4")
        }
        let vb = vb.pp("decoders");
        let decoders = config.channels.iter().enumerate();
        let decoders = decoders
            .map(|(k, &channels)| Flow::new(&config.flow(channels), vb.pp(k)))
            .collect::<Result<_>>()?;
        Ok(Self { condition, decoders })
    }

    /// The number of scales.
    #[must_use]
    pub fn scales(&self) -> usize {
        self.decoders.len()
    }

    /// Channels of the positional encoding.
    #[must_use]
    pub fn condition(&self) -> usize {
        self.condition
    }

    /// The flow of a scale.
    ///
    /// # Errors
    ///
    /// If there is none.
    pub fn decoder(&self, scale: usize) -> Result<&Flow> {
        match self.decoders.get(scale) {
            Some(decoder) => Ok(decoder),
            None => bail!("scale {scale} of a CFLOW of {}", self.decoders.len()),
        }
    }

    /// log p / C of each pixel of a scale's features, `(batch, height, width)`.
    ///
    /// # Errors
    ///
    /// If there is no such scale, or the features have other channels.
    pub fn log_likelihood(&self, scale: usize, features: &Tensor) -> Result<Tensor> {
        let decoder = self.decoder(scale)?;
        let place = self.places(features)?;
        decoder.log_density(features, Some(&place))? / decoder.channels() as f64
    }

    /// z of each pixel of a scale's features, and the log-determinants.
    ///
    /// # Errors
    ///
    /// As [`log_likelihood`](Self::log_likelihood).
    pub fn latent(&self, scale: usize, features: &Tensor) -> Result<Mapped> {
        self.decoder(scale)?.latent(features, Some(&self.places(features)?))
    }

    /// The mean of −ln sigmoid(log p / C) over fibers, a scalar.
    ///
    /// # Errors
    ///
    /// If the batch is of another scale or another size than the decoder takes.
    pub fn loss(&self, batch: &FiberBatch) -> Result<Tensor> {
        let decoder = self.decoder(batch.scale)?;
        let density = decoder.log_density(&batch.fibers, Some(&batch.places))?;
        let logits = (density / decoder.channels() as f64)?;
        // −ln sigmoid is the cross-entropy of a logit that should be 1.
        binary_cross_entropy(&logits, &logits.ones_like()?, None, Reduction::Mean)
    }

    /// The encoding of all places, for a batch: `(1, condition, height, width)`.
    fn places(&self, features: &Tensor) -> Result<Tensor> {
        let (_, _, height, width) = features.dims4()?;
        let places = positional_encoding_2d(self.condition, height, width, features.device())?;
        places.unsqueeze(0)?.to_dtype(features.dtype())
    }
}
