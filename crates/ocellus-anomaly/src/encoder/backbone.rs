use std::{fmt, sync::Arc};

use candle_core::{DType, Device};
use ocellus_backbones::{Backbone, DinoV2, DinoV2Config, ResNet, ResNetConfig, Vgg, VggConfig};
use ocellus_params::ParamStore;

use crate::Result;

/// A backbone whose weights do not change any more, with what tells it from others: a name and the
/// fingerprint of its weights.
///
/// Both are written into the file of a detector, and must be the same when it is loaded.
///
/// # Examples
///
/// ```
/// use std::sync::Arc;
/// use candle_core::{DType, Device};
/// use ocellus_anomaly::FrozenBackbone;
/// use ocellus_backbones::{ResNet, ResNetConfig};
/// use ocellus_params::ParamStore;
///
/// // Weights drawn from a seed; those of a file are loaded into the store before.
/// let params = ParamStore::seeded(1);
/// let config = ResNetConfig::resnet18().with_channels(8).with_stage_count(3);
/// let resnet = ResNet::new(&config, params.var_builder(DType::F32, &Device::Cpu))?;
/// let backbone = FrozenBackbone::new("resnet18/8", params.fingerprint()?, Arc::new(resnet));
/// assert_eq!(backbone.name(), "resnet18/8");
/// assert!(backbone.device().is_cpu());
/// # Ok::<(), ocellus_anomaly::Error>(())
/// ```
#[derive(Clone)]
pub struct FrozenBackbone {
    name: String,
    fingerprint: u64,
    network: Arc<dyn Backbone + Send + Sync>,
    device: Device,
}

impl FrozenBackbone {
    /// A backbone of that name, whose weights have that fingerprint, as
    /// [`ParamStore::fingerprint`] gives it. They are on the CPU, if
    /// [`with_device`](Self::with_device) does not say otherwise.
    pub fn new(
        name: impl Into<String>,
        fingerprint: u64,
        network: Arc<dyn Backbone + Send + Sync>,
    ) -> Self {
        Self { name: name.into(), fingerprint, network, device: Device::Cpu }
    }

    /// Says where the weights of a network that was built elsewhere are. Nothing is moved.
    #[must_use]
    pub fn with_device(self, device: Device) -> Self {
        Self { device, ..self }
    }

    /// A ResNet with the weights of the store, packed for inference, on that device.
    ///
    /// Weights that the store does not have yet are drawn from its seed: the features of a random
    /// network are weak, but cost no download.
    ///
    /// # Errors
    ///
    /// If a weight of the store has another shape, or is on another device.
    pub fn resnet(config: &ResNetConfig, params: &ParamStore, device: &Device) -> Result<Self> {
        let mut network = ResNet::new(config, params.var_builder(DType::F32, device))?;
        network.pack()?;
        let frozen = Self::new(config.name, params.fingerprint()?, Arc::new(network));
        Ok(frozen.with_device(device.clone()))
    }

    /// A VGG with the weights of the store, on that device.
    ///
    /// # Errors
    ///
    /// As [`resnet`](Self::resnet).
    pub fn vgg(config: &VggConfig, params: &ParamStore, device: &Device) -> Result<Self> {
        let network = Vgg::new(config, params.var_builder(DType::F32, device))?;
        let frozen = Self::new(config.name, params.fingerprint()?, Arc::new(network));
        Ok(frozen.with_device(device.clone()))
    }

    /// DINOv2's vision transformer with the weights of the store, on that device. Its stages are the blocks, all at the
    /// stride of a patch, of which images must be multiples.
    ///
    /// # Errors
    ///
    /// As [`resnet`](Self::resnet), and if the sizes do not fit each other.
    pub fn dinov2(config: &DinoV2Config, params: &ParamStore, device: &Device) -> Result<Self> {
        let network = DinoV2::new(config, params.var_builder(DType::F32, device))?;
        let frozen = Self::new(config.name, params.fingerprint()?, Arc::new(network));
        Ok(frozen.with_device(device.clone()))
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The fingerprint of its weights.
    #[must_use]
    pub fn fingerprint(&self) -> u64 {
        self.fingerprint
    }

    /// Where its weights are, and so where features are computed and flows fitted.
    #[must_use]
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// The network.
    #[must_use]
    pub fn network(&self) -> &dyn Backbone {
        &*self.network
    }

    /// The network, to be shared.
    #[must_use]
    pub fn shared_network(&self) -> Arc<dyn Backbone + Send + Sync> {
        Arc::clone(&self.network)
    }
}

impl fmt::Debug for FrozenBackbone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FrozenBackbone")
            .field("name", &self.name)
            .field("fingerprint", &format_args!("{:016x}", self.fingerprint))
            .finish_non_exhaustive()
    }
}
