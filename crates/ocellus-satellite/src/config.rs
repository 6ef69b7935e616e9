use candle_core::{Device, Result, Tensor, bail};
use ocellus_backbones::ResNetConfig;
use ocellus_losses::Loss;
use serde::{Deserialize, Serialize};

use crate::{NetworkConfig, Protocol, ResidualSegNetConfig};

/// What is trained and how: the network, its classes, what of it starts from known weights, and the
/// [`Protocol`]. All that has to be kept beside the weights to build the network again.
///
/// # Examples
///
/// ```
/// use ocellus_satellite::Config;
///
/// let config = Config::paper();
/// assert_eq!(config.network.name(), "Prop-152");
/// assert_eq!(config.classes[config.positive], "building");
/// assert_eq!(config.protocol.crop, 256);
/// let kept = serde_json::to_string(&config)?;
/// assert_eq!(serde_json::from_str::<Config>(&kept)?, config);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Config {
    /// The network.
    pub network: NetworkConfig,
    /// The names of the classes, in the order of the logits.
    pub classes: Vec<String>,
    /// The class that F1 is about.
    pub positive: usize,
    /// Whether the encoder starts from published weights: then the other layers learn at a higher
    /// rate.
    pub pretrained: bool,
    /// How many stages of the encoder keep their weights: 0 none, 1 the stem, 2 the stem and `layer1`,
    /// 5 all.
    pub frozen_stages: usize,
    /// The weight of each class in the loss; none: all alike.
    pub class_weights: Vec<f64>,
    /// What random weights and draws depend on.
    pub seed: u64,
    /// How it is trained.
    pub protocol: Protocol,
}

impl Config {
    /// The paper's best: depth 152, four bands, buildings against the ground, all of it trained from
    /// random weights.
    #[must_use]
    pub fn paper() -> Self {
        Self {
            network: ResidualSegNetConfig::paper(ResNetConfig::resnet152()).into(),
            classes: vec!["ground".to_owned(), "building".to_owned()],
            positive: 1,
            pretrained: false,
            frozen_stages: 0,
            class_weights: Vec::new(),
            seed: 0,
            protocol: Protocol::paper(),
        }
    }

    /// For a few hundred tiles and no accelerator: depth 34.
    #[must_use]
    pub fn practical() -> Self {
        Self::paper()
            .with_network(ResidualSegNetConfig::paper(ResNetConfig::resnet34()).into())
            .with_protocol(Protocol::practical())
    }

    /// For tests and demonstrations: depth 18, a quarter of the maps.
    #[must_use]
    pub fn tiny() -> Self {
        let network = ResidualSegNetConfig::paper(ResNetConfig::resnet18()).with_channels(16);
        Self::paper().with_network(network.into()).with_protocol(Protocol::tiny())
    }

    /// Sets the network; its classes become as many as there are names.
    #[must_use]
    pub fn with_network(mut self, network: NetworkConfig) -> Self {
        self.network = network.with_classes(self.classes.len());
        self
    }

    /// Sets the bands of the images.
    #[must_use]
    pub fn with_bands(mut self, bands: usize) -> Self {
        self.network = self.network.with_bands(bands);
        self
    }

    /// Sets the names of the classes and which of them is positive.
    #[must_use]
    pub fn with_classes<S: Into<String>>(
        mut self,
        classes: impl IntoIterator<Item = S>,
        positive: usize,
    ) -> Self {
        self.classes = classes.into_iter().map(Into::into).collect();
        self.positive = positive;
        self.network = self.network.with_classes(self.classes.len());
        self
    }

    /// Sets whether the encoder starts from published weights.
    #[must_use]
    pub fn with_pretrained(mut self, pretrained: bool) -> Self {
        self.pretrained = pretrained;
        self
    }

    /// Sets how many stages of the encoder keep their weights.
    #[must_use]
    pub fn with_frozen_stages(mut self, stages: usize) -> Self {
        self.frozen_stages = stages;
        self
    }

    /// Sets the weight of each class in the loss.
    #[must_use]
    pub fn with_class_weights(mut self, weights: impl Into<Vec<f64>>) -> Self {
        self.class_weights = weights.into();
        self
    }

    /// Sets the seed.
    #[must_use]
    pub fn with_seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Sets how it is trained.
    #[must_use]
    pub fn with_protocol(mut self, protocol: Protocol) -> Self {
        self.protocol = protocol;
        self
    }

    /// What is minimized: the protocol's objective with the weights of the classes.
    ///
    /// # Errors
    ///
    /// If there are weights, but not one a class, or one is negative or not finite, or all are 0.
    pub fn loss(&self, device: &Device) -> Result<Box<dyn Loss>> {
        let weights = &self.class_weights;
        if weights.is_empty() {
            return Ok(self.protocol.objective.loss(None));
        }
        let fine = weights.len() == self.classes.len()
            && weights.iter().all(|weight| weight.is_finite() && *weight >= 0.)
            && weights.iter().any(|weight| *weight > 0.);
        if !fine {
            bail!(
                "the class weights are {weights:?}: give a finite number of at least 0 for each of {}, \
                 one of them above 0",
                self.classes.join(", ")
            )
        }
        let weights: Vec<f32> = weights.iter().map(|&weight| weight as f32).collect();
        Ok(self.protocol.objective.loss(Some(&Tensor::new(weights, device)?)))
    }

    /// Name patterns of the layers that start from random weights beside a pretrained encoder, for
    /// groups of a higher rate; none where all do.
    ///
    /// ```
    /// use ocellus_satellite::Config;
    ///
    /// let config = Config::practical();
    /// assert!(config.fresh_patterns().is_empty());
    /// assert_eq!(config.with_pretrained(true).fresh_patterns(), ["decoder.*", "full.*", "head.*"]);
    /// ```
    #[must_use]
    pub fn fresh_patterns(&self) -> Vec<String> {
        let NetworkConfig::Residual(network) = &self.network else { return Vec::new() };
        let mut layers = vec!["decoder.*", "head.*"];
        if network.full_resolution_skip {
            layers.insert(1, "full.*");
        }
        layers.into_iter().filter(|_| self.pretrained).map(str::to_owned).collect()
    }

    /// Name patterns of the frozen weights, for `ParamStore::freeze` before the network is built. A
    /// U-Net has no encoder of its own, and freezes nothing.
    ///
    /// ```
    /// use ocellus_satellite::Config;
    ///
    /// let config = Config::practical().with_frozen_stages(2);
    /// assert_eq!(config.frozen_patterns(), ["encoder.conv1.*", "encoder.bn1.*", "encoder.layer1.*"]);
    /// ```
    #[must_use]
    pub fn frozen_patterns(&self) -> Vec<String> {
        if self.frozen_stages == 0 || matches!(self.network, NetworkConfig::UNet(_)) {
            return Vec::new();
        }
        let stem = ["encoder.conv1.*", "encoder.bn1.*"].map(str::to_owned);
        let layers = (1..self.frozen_stages.min(5)).map(|i| format!("encoder.layer{i}.*"));
        stem.into_iter().chain(layers).collect()
    }
}

#[cfg(test)]
mod tests {
    use candle_core::DType;
    use ocellus_params::ParamStore;

    use super::*;
    use crate::UNetConfig;

    #[test]
    fn classes_and_logits_agree_in_any_order_of_setting() {
        let unet = NetworkConfig::from(UNetConfig::unet19());
        let classes = ["ground", "building", "road"];
        let first = Config::tiny().with_classes(classes, 1).with_network(unet);
        let last = Config::tiny().with_network(unet).with_classes(classes, 1);
        assert_eq!(first, last);
        assert_eq!(first.network.classes(), 3);
    }

    #[test]
    fn every_network_comes_back_from_what_is_kept_of_it() {
        let of = |depth| ResNetConfig::of_depth(depth).unwrap();
        let networks: [NetworkConfig; 4] = [
            ResidualSegNetConfig::paper(of(200)).with_channels(8).with_bands(3).into(),
            ResidualSegNetConfig::authors(of(50)).with_balance(0.5).into(),
            ResidualSegNetConfig::paper(of(18).with_stage_count(3)).with_bias(false).into(),
            UNetConfig::unet35().with_batch_norm(true).into(),
        ];
        for network in networks {
            let config = Config::practical()
                .with_network(network)
                .with_class_weights([1., 3.])
                .with_protocol(Protocol::tiny().with_jitter(0.1, 0.2, 0.3));
            let kept = serde_json::to_string(&config).unwrap();
            assert_eq!(serde_json::from_str::<Config>(&kept).unwrap(), config);
        }
        let other = ResidualSegNetConfig::paper(ResNetConfig::wide_resnet50_2());
        let message = serde_json::to_string(&other).unwrap_err().to_string();
        assert!(message.contains("Wide-ResNet-50-2"), "{message}");
        let kept = serde_json::to_string(&Config::tiny()).unwrap().replace(":18,", ":19,");
        let message = serde_json::from_str::<Config>(&kept).unwrap_err().to_string();
        assert!(message.contains("no ResNet of depth 19"), "{message}");
    }

    #[test]
    fn class_weights_are_one_a_class() {
        let loss = |weights: &[f64]| Config::tiny().with_class_weights(weights).loss(&Device::Cpu);
        assert!(loss(&[]).is_ok() && loss(&[0., 2.]).is_ok());
        for wrong in [&[1.][..], &[1., 2., 3.], &[1., -1.], &[1., f64::NAN], &[0., 0.]] {
            let message = loss(wrong).err().unwrap().to_string();
            assert!(message.contains("for each of ground, building"), "{message}");
        }
    }

    #[test]
    fn every_pattern_names_weights_and_all_fresh_ones_are_named() -> Result<()> {
        let config = Config::tiny().with_pretrained(true).with_frozen_stages(5);
        let params = ParamStore::seeded(0);
        let patterns = [config.fresh_patterns(), config.frozen_patterns()].concat();
        patterns.iter().for_each(|pattern| params.freeze(pattern));
        config.network.build(params.var_builder(DType::F32, &Device::Cpu))?;
        assert!(params.unmatched_patterns().is_empty());
        assert!(params.trainable().is_empty());
        let unet = config.with_network(UNetConfig::unet19().into());
        assert!(unet.fresh_patterns().is_empty() && unet.frozen_patterns().is_empty());
        Ok(())
    }
}
