use candle_core::DType;
use ocellus_flows::{FastFlowConfig, FastFlowScale};
use ocellus_params::ParamStore;
use ocellus_train::{Adam, AdamConfig, Constant, FitConfig, Learner, Observer, fit};

use super::FastFlowModel;
use super::training::{checked, sizes_and_device, unwrapped};
use crate::{FeatureSource, FitFeatures, Result};

/// FastFlow: a convolutional normalizing flow for each scale, on whole feature maps.
///
/// ```text
/// map = mean_k upsample(−exp(−½ mean_C z_k²))                  bilinear, by the centers of pixels
/// ```
///
/// −1 where all is normal, 0 where nothing is. The score of an image is the maximum of its map. The flows
/// are fitted on the features' device.
///
/// # Examples
///
/// ```
/// use candle_core::{Device, Tensor};
/// use ocellus_anomaly::{FastFlow, FeatureModel, FitFeatures};
///
/// let features = vec![vec![Tensor::randn(0f32, 1., (4, 6, 4, 4), &Device::Cpu)?]];
/// let model = FastFlow::new(2).with_blocks(2).fit(&features)?;
/// assert_eq!(model.score(&features[0], (16, 16))?.maps.dims(), [4, 1, 16, 16]);
/// # Ok::<(), ocellus_anomaly::Error>(())
/// ```
///
/// # Deviations
///
/// There is no official code; this is what the two public ones agree on. Training is unstable: last
/// and best epoch differ by a point of AUROC or more.
///
/// # References
///
/// J. Yu et al. *FastFlow: unsupervised anomaly detection and localization via 2D normalizing flows.*
/// 2021. <https://arxiv.org/abs/2111.07677>
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct FastFlow {
    /// The flows; their scales are those of the features that come.
    pub flows: FastFlowConfig,
    /// Passes over the normal images; the paper takes 500.
    pub epochs: usize,
    /// The optimizer.
    pub optimizer: AdamConfig,
    /// What the flows' weights are drawn from.
    pub seed: u64,
}

impl FastFlow {
    /// The paper's setting for Wide-ResNet-50-2: 8 blocks, 3 × 3 and 1 × 1 convolutions by turns. For
    /// ResNet-18, [`with_only_3x3`](Self::with_only_3x3).
    #[must_use]
    pub fn new(epochs: usize) -> Self {
        Self::of(FastFlowConfig::new(vec![]), epochs)
    }

    /// The paper's setting for the tokens of a vision transformer: 20 blocks with narrow hidden
    /// layers, no norm before them.
    #[must_use]
    pub fn transformer(epochs: usize) -> Self {
        Self::of(FastFlowConfig::transformer(1, 1, 1), epochs)
    }

    fn of(flows: FastFlowConfig, epochs: usize) -> Self {
        Self { flows, epochs, optimizer: FastFlowConfig::optimizer(), seed: 0 }
    }

    /// Sets the number of coupling blocks.
    #[must_use]
    pub fn with_blocks(mut self, blocks: usize) -> Self {
        self.flows = self.flows.with_blocks(blocks);
        self
    }

    /// Sets whether all convolutions are 3 × 3.
    #[must_use]
    pub fn with_only_3x3(mut self, only_3x3: bool) -> Self {
        self.flows = self.flows.with_only_3x3(only_3x3);
        self
    }

    /// Sets the optimizer.
    #[must_use]
    pub fn with_optimizer(self, optimizer: AdamConfig) -> Self {
        Self { optimizer, ..self }
    }

    /// Sets what the flows' weights are drawn from.
    #[must_use]
    pub fn with_seed(self, seed: u64) -> Self {
        Self { seed, ..self }
    }

    /// [`fit`](FitFeatures::fit), while someone looks on.
    ///
    /// # Errors
    ///
    /// As [`fit`](FitFeatures::fit).
    pub fn fit_observed(
        &self,
        features: &dyn FeatureSource,
        observer: &mut dyn Observer,
    ) -> Result<FastFlowModel> {
        let (scales, device) = sizes_and_device(features)?;
        let mut config = self.flows.clone();
        config.scales = scales.iter().map(|&(c, h, w)| FastFlowScale::new(c, h, w)).collect();
        let params = ParamStore::seeded(self.seed);
        let vb = params.var_builder(DType::F32, &device);
        let flow = ocellus_flows::FastFlow::new(&config, vb)?;
        let learner = Learner {
            params: &params,
            optimizer: &mut Adam::new(self.optimizer, params.trainable())?,
            schedule: &mut Constant,
        };
        let settings = FitConfig::new(self.epochs).with_seed(self.seed);
        fit(
            &settings,
            learner,
            |epoch| checked(features, &scales, epoch),
            |batch, _| Ok(flow.loss(batch)?),
            |_| Ok(None),
            observer,
        )
        .map_err(unwrapped)?;
        FastFlowModel::new(&config, &params)
    }
}

impl FitFeatures for FastFlow {
    type Model = FastFlowModel;

    fn fit(&self, features: &dyn FeatureSource) -> Result<FastFlowModel> {
        self.fit_observed(features, &mut ())
    }
}
