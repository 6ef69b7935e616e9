use candle_core::{Device, Tensor};
use ocellus_flows::{FastFlow, FastFlowConfig, FastFlowScale};
use ocellus_params::ParamStore;

use super::weights::{
    Weights, each_image, restore_coupling, restore_scales, save_coupling, save_scales,
};
use crate::{
    Error, Evidence, FeatureModel, Result, ScaleEvidence, State, Upsampling, model::check_features,
};

/// What [`FastFlow`](crate::FastFlow) has learned.
///
/// Its evidence, for each scale: the distance √m and the probability exp(−m / 2), with m the mean of
/// z² over the channels.
/// Its latents are the flows' z.
#[derive(Clone, Debug)]
pub struct FastFlowModel {
    config: FastFlowConfig,
    scales: Vec<(usize, usize, usize)>,
    weights: Weights,
    flow: FastFlow,
}

impl FastFlowModel {
    pub(crate) const KIND: &'static str = "fastflow";

    /// The model of fitted flows, such as those of an
    /// [anomalib checkpoint](ocellus_flows::load_anomalib).
    ///
    /// # Errors
    ///
    /// If the weights are not those of the settings.
    pub fn new(config: &FastFlowConfig, params: &ParamStore) -> Result<Self> {
        Self::of(config.clone(), Weights::of(params)?)
    }

    fn of(config: FastFlowConfig, weights: Weights) -> Result<Self> {
        let size = |s: &FastFlowScale| (s.channels, s.height, s.width);
        let scales = config.scales.iter().map(size).collect();
        let flow = weights.build(|vb| FastFlow::new(&config, vb))?;
        Ok(Self { config, scales, weights, flow })
    }

    pub(crate) fn restore(state: &State, device: &Device) -> Result<Self> {
        let scales = restore_scales(state)?;
        let scales = scales.iter().map(|&(c, h, w)| FastFlowScale::new(c, h, w)).collect();
        let mut config = FastFlowConfig::new(scales)
            .with_blocks(state.get("blocks")?)
            .with_only_3x3(state.get("only_3x3")?)
            .with_hidden_ratio(state.get("hidden_ratio")?)
            .with_layer_norm(state.get("layer_norm")?);
        (config.alpha, config.clamp, config.mixing) = restore_coupling(state)?;
        Self::of(config, Weights::restore(state, device))
    }

    /// z of each scale.
    fn z(&self, features: &[Tensor]) -> Result<Vec<Tensor>> {
        let of_scale = |(scale, features): (usize, &Tensor)| {
            let features = self.weights.bring(features)?;
            each_image(&features, |x| Ok(self.flow.latent(scale, x)?.value))
        };
        features.iter().enumerate().map(of_scale).collect()
    }
}

impl FeatureModel for FastFlowModel {
    fn kind(&self) -> &'static str {
        Self::KIND
    }

    fn scales(&self) -> &[(usize, usize, usize)] {
        &self.scales
    }

    fn evidence(&self, features: &[Tensor]) -> Result<Evidence> {
        let of_scale = |z: Tensor| {
            let squares = each_image(&z, |z| z.sqr()?.mean_keepdim(1))?;
            let evidence = ScaleEvidence::default().with_distance(squares.sqrt()?);
            Ok(evidence.with_probability((squares * -0.5)?.exp()?))
        };
        let scales = self.z(features)?.into_iter().map(of_scale).collect::<Result<_>>()?;
        Ok(Evidence::new(scales))
    }

    fn latents(&self, features: &[Tensor]) -> Result<Vec<Tensor>> {
        check_features(features, &self.scales)?;
        self.z(features)
    }

    fn anomaly_map(&self, evidence: &Evidence, size: (usize, usize)) -> Result<Tensor> {
        let mut maps = Vec::with_capacity(evidence.scales.len());
        for scale in &evidence.scales {
            let Some(probability) = &scale.probability else {
                return Err(Error::Setting(
                    "the evidence has no probability: it is of another kind".to_owned(),
                ));
            };
            maps.push(Upsampling::Bilinear.apply(&probability.neg()?, size)?);
        }
        Ok(Tensor::cat(&maps, 1)?.mean_keepdim(1)?)
    }

    fn save(&self, state: &mut State) -> Result<()> {
        save_scales(&self.scales, state);
        save_coupling(self.config.alpha, self.config.clamp, self.config.mixing, state);
        state.set("blocks", self.config.blocks);
        state.set("only_3x3", self.config.only_3x3);
        state.set("hidden_ratio", self.config.hidden_ratio);
        state.set("layer_norm", self.config.layer_norm);
        self.weights.save(state);
        Ok(())
    }
}
