use candle_core::{DType, Device, Tensor};
use ocellus_flows::{Cflow, CflowConfig};
use ocellus_params::ParamStore;

use super::training::{Sizes, sizes_and_device};
use super::weights::{
    Weights, each_image, restore_coupling, restore_scales, save_coupling, save_scales,
};
use crate::{
    Error, Evidence, FeatureModel, FeatureSource, Result, ScaleEvidence, State, Upsampling,
    model::check_features,
};

/// What [`CflowAd`](crate::CflowAd) has learned.
///
/// Its evidence, for each scale: the log-likelihood per channel ℓ, and the probability
/// exp(ℓ − max ℓ). Its latents are the flows' z.
#[derive(Clone, Debug)]
pub struct CflowAdModel {
    config: CflowConfig,
    scales: Sizes,
    weights: Weights,
    flow: Cflow,
    /// The greatest log-likelihood per channel of each scale.
    maxima: Vec<f32>,
}

impl CflowAdModel {
    pub(crate) const KIND: &'static str = "cflow";

    /// The model of fitted flows, such as those of an
    /// [anomalib checkpoint](ocellus_flows::load_anomalib), with the maxima of these normal features.
    ///
    /// # Errors
    ///
    /// If the weights are not those of the settings, or the features do not fit.
    pub fn new(
        config: &CflowConfig,
        params: &ParamStore,
        normal: &dyn FeatureSource,
    ) -> Result<Self> {
        let (scales, _) = sizes_and_device(normal)?;
        let weights = Weights::of(params)?;
        let mut model = Self::of(config.clone(), scales, weights, vec![])?;
        model.calibrate(normal)?;
        Ok(model)
    }

    /// The greatest log-likelihood per channel, of the normal images that it was calibrated on, at
    /// each scale.
    #[must_use]
    pub fn maxima(&self) -> &[f32] {
        &self.maxima
    }

    pub(crate) fn restore(state: &State, device: &Device) -> Result<Self> {
        let scales = restore_scales(state)?;
        let (alpha, clamp, mixing) = restore_coupling(state)?;
        let channels = scales.iter().map(|scale| scale.0).collect();
        let config = CflowConfig::anomalib(channels)
            .with_condition(state.get("condition")?)
            .with_blocks(state.get("blocks")?)
            .with_alpha(alpha)
            .with_clamp(clamp)
            .with_mixing(mixing);
        let maxima: Vec<f32> = state.get_all("maxima")?;
        if maxima.len() != scales.len() || maxima.iter().any(|maximum| !maximum.is_finite()) {
            return Err(Error::Value(format!("has maxima {maxima:?} of {} scales", scales.len())));
        }
        Self::of(config, scales, Weights::restore(state, device), maxima)
    }

    fn of(config: CflowConfig, scales: Sizes, weights: Weights, maxima: Vec<f32>) -> Result<Self> {
        let channels: Vec<usize> = scales.iter().map(|scale| scale.0).collect();
        if channels != config.channels {
            return Err(Error::Shape(format!(
                "features of {channels:?} channels for flows of {:?}",
                config.channels
            )));
        }
        let flow = weights.build(|vb| Cflow::new(&config, vb))?;
        Ok(Self { config, scales, weights, flow, maxima })
    }

    /// ℓ at each scale, `(batch, 1, height, width)`.
    fn log_likelihoods(&self, features: &[Tensor]) -> Result<Vec<Tensor>> {
        let of_scale = |(scale, features): (usize, &Tensor)| {
            let likelihood = |x: &Tensor| self.flow.log_likelihood(scale, x);
            Ok(each_image(&self.weights.bring(features)?, likelihood)?.unsqueeze(1)?)
        };
        features.iter().enumerate().map(of_scale).collect()
    }
}

impl FeatureModel for CflowAdModel {
    fn kind(&self) -> &'static str {
        Self::KIND
    }

    fn scales(&self) -> &[(usize, usize, usize)] {
        &self.scales
    }

    fn evidence(&self, features: &[Tensor]) -> Result<Evidence> {
        let scales = self.log_likelihoods(features)?.into_iter().zip(&self.maxima);
        let scales = scales.map(|(likelihood, &maximum)| {
            // Below ℓ − max = 0, and so at most 1.
            let relative = likelihood.affine(1., -f64::from(maximum))?.minimum(0f64)?;
            let evidence = ScaleEvidence::default().with_probability(relative.exp()?);
            Ok(evidence.with_log_likelihood(likelihood))
        });
        Ok(Evidence::new(scales.collect::<Result<_>>()?))
    }

    fn latents(&self, features: &[Tensor]) -> Result<Vec<Tensor>> {
        check_features(features, &self.scales)?;
        let of_scale = |(scale, features): (usize, &Tensor)| {
            let features = self.weights.bring(features)?;
            each_image(&features, |x| Ok(self.flow.latent(scale, x)?.value))
        };
        features.iter().enumerate().map(of_scale).collect()
    }

    fn anomaly_map(&self, evidence: &Evidence, size: (usize, usize)) -> Result<Tensor> {
        let mut map: Option<Tensor> = None;
        for scale in &evidence.scales {
            let Some(probability) = &scale.probability else {
                return Err(Error::Setting(
                    "the evidence has no probability: it is of another kind".to_owned(),
                ));
            };
            let unlikely = Upsampling::BilinearCorners.apply(probability, size)?.affine(-1., 1.)?;
            map = Some(match map {
                None => unlikely,
                Some(map) => (map + unlikely)?,
            });
        }
        map.ok_or_else(|| Error::Setting("evidence of no scale".to_owned()))
    }

    fn calibrate(&mut self, features: &dyn FeatureSource) -> Result<()> {
        let mut maxima = vec![f32::NEG_INFINITY; self.scales.len()];
        for batch in features.pass(0)? {
            let batch = batch?;
            check_features(&batch, &self.scales)?;
            for (maximum, likelihood) in maxima.iter_mut().zip(self.log_likelihoods(&batch)?) {
                let greatest = likelihood.flatten_all()?.max(0)?.to_dtype(DType::F32)?;
                *maximum = maximum.max(greatest.to_scalar()?);
            }
        }
        if maxima.iter().any(|maximum| !maximum.is_finite()) {
            return Err(Error::Value(format!(
                "the greatest log-likelihoods are {maxima:?}: give normal images, and train at a \
                 lower learning rate if there were any"
            )));
        }
        self.maxima = maxima;
        Ok(())
    }

    fn save(&self, state: &mut State) -> Result<()> {
        save_scales(&self.scales, state);
        save_coupling(self.config.alpha, self.config.clamp, self.config.mixing, state);
        state.set("condition", self.config.condition);
        state.set("blocks", self.config.blocks);
        state.set_all("maxima", &self.maxima);
        self.weights.save(state);
        Ok(())
    }
}
