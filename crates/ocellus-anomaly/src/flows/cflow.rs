use candle_core::DType;
use ocellus_flows::{Cflow, CflowConfig, CflowSchedule, CflowTraining, FiberBatches};
use ocellus_params::ParamStore;
use ocellus_train::{Adam, Learner, Observer, fit};

use super::start::start_gaussian;
use super::training::{checked, sizes_and_device, unwrapped};
use super::{CflowAdModel, FlowStart};
use crate::{FeatureSource, FitFeatures, Result};

/// CFLOW-AD: a conditional normalizing flow for each scale, on the features of single places.
///
/// ```text
/// p_k = exp(ℓ_k − max ℓ_k),   ℓ_k = log-likelihood per channel of scale k at a place        [1]
/// map = K − Σ_k upsample(p_k)                          K scales, bilinear, corners aligned
/// ```
///
/// The maxima are those of the normal images that the detector was fitted or calibrated on. The
/// score of an image is the maximum of its map. The flows are fitted on the features' device.
///
/// # Parameters
///
/// [`CflowAdModel`] holds 4 bytes for each of the flow's parameters: 327 MB for the three last stages
/// of Wide-ResNet-50-2, of which training takes four times as much.
///
/// # Examples
///
/// ```
/// use candle_core::{Device, Tensor};
/// use ocellus_anomaly::{CflowAd, FeatureModel, FitFeatures};
///
/// let features = vec![vec![Tensor::randn(0f32, 1., (4, 6, 4, 4), &Device::Cpu)?]];
/// let settings = CflowAd::anomalib(2).with_condition(4).with_blocks(2);
/// let model = settings.fit(&features)?;
/// assert_eq!(model.score(&features[0], (16, 16))?.maps.dims(), [4, 1, 16, 16]);
/// # Ok::<(), ocellus_anomaly::Error>(())
/// ```
///
/// # Deviations
///
/// The official code measures by the maxima of all test images, anomalib by those of the batch, so
/// that there a score depends on the other images (0.965 in a batch of two and 0.415 alone has been
/// seen). Both subtract from the greatest sum instead of K, which shifts all scores alike. A place
/// that is likelier than all that was calibrated on counts as p = 1. anomalib stops early by the
/// labels of validation images; here the number of epochs is a setting.
///
/// # References
///
/// 1. D. Gudovskiy, S. Ishizaka, K. Kozuka. *CFLOW-AD: real-time unsupervised anomaly detection with
///    localization via conditional normalizing flows.* WACV 2022. <https://arxiv.org/abs/2107.12571>
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct CflowAd {
    /// The flows; their channels are those of the features that come.
    pub flows: CflowConfig,
    /// How they are fitted.
    pub training: CflowTraining,
    /// What the flows' densities are before they are fitted.
    pub start: FlowStart,
    /// What the flows' weights are drawn from.
    pub seed: u64,
}

impl CflowAd {
    /// As the authors' code, which takes 25 epochs of 8 passes.
    #[must_use]
    pub fn official(epochs: usize) -> Self {
        let (flows, training) = (CflowConfig::official(vec![]), CflowTraining::official(epochs));
        Self { flows, training, start: FlowStart::Standard, seed: 0 }
    }

    /// As anomalib, which takes 50 epochs at most.
    #[must_use]
    pub fn anomalib(epochs: usize) -> Self {
        let (flows, training) = (CflowConfig::anomalib(vec![]), CflowTraining::anomalib(epochs));
        Self { flows, training, start: FlowStart::Standard, seed: 0 }
    }

    /// Sets the channels of the positional encoding, a multiple of 4.
    #[must_use]
    pub fn with_condition(mut self, condition: usize) -> Self {
        self.flows = self.flows.with_condition(condition);
        self
    }

    /// Sets the number of coupling blocks.
    #[must_use]
    pub fn with_blocks(mut self, blocks: usize) -> Self {
        self.flows = self.flows.with_blocks(blocks);
        self
    }

    /// Sets how the flows are fitted.
    #[must_use]
    pub fn with_training(self, training: CflowTraining) -> Self {
        Self { training, ..self }
    }

    /// Sets what the flows' densities are before they are fitted.
    #[must_use]
    pub fn with_start(self, start: FlowStart) -> Self {
        Self { start, ..self }
    }

    /// Sets what the flows' weights, and the order of the fibers, are drawn from.
    #[must_use]
    pub fn with_seed(self, seed: u64) -> Self {
        Self { seed, training: self.training.with_seed(seed), ..self }
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
    ) -> Result<CflowAdModel> {
        let (scales, device) = sizes_and_device(features)?;
        let mut config = self.flows.clone();
        config.channels = scales.iter().map(|scale| scale.0).collect();
        let params = ParamStore::seeded(self.seed);
        let flow = Cflow::new(&config, params.var_builder(DType::F32, &device))?;
        if self.start == FlowStart::Gaussian {
            start_gaussian(&params, features, &scales)?;
        }
        let learner = Learner {
            params: &params,
            optimizer: &mut Adam::new(self.training.optimizer(), params.trainable())?,
            schedule: &mut self.schedule(features, &scales)?,
        };
        fit(
            &self.training.fit_config(),
            learner,
            |epoch| {
                let images = checked(features, &scales, epoch)?;
                Ok(FiberBatches::new(&self.training, config.condition, epoch, images))
            },
            |batch, _| Ok(flow.loss(batch)?),
            |_| Ok(None),
            observer,
        )
        .map_err(unwrapped)?;
        CflowAdModel::new(&config, &params, features)
    }

    /// A warm-up has to know how many steps are to come: that takes a pass.
    fn schedule(
        &self,
        features: &dyn FeatureSource,
        scales: &[(usize, usize, usize)],
    ) -> Result<CflowSchedule> {
        let (mut batches, mut steps) = (0, 0);
        if self.training.warm_up > 0 {
            for batch in features.pass(0)? {
                let images = batch?.first().map_or(Ok(0), |x| x.dim(0))?;
                let fibers: Vec<usize> = scales.iter().map(|&(_, h, w)| images * h * w).collect();
                steps += self.training.steps(&fibers);
                batches += 1;
            }
        }
        Ok(self.training.schedule(batches, steps.div_ceil(batches.max(1))))
    }
}

impl FitFeatures for CflowAd {
    type Model = CflowAdModel;

    fn fit(&self, features: &dyn FeatureSource) -> Result<CflowAdModel> {
        self.fit_observed(features, &mut ())
    }
}
