use candle_core::{Result, Tensor, bail};
use candle_nn::VarBuilder;
use ocellus_ops::{Alignment, normal_log_density, upsample_bilinear2d};

use super::layer_norm::LayerNorm;
use super::{FastFlowConfig, FastFlowScale};
use crate::{Flow, Mapped};

/// ln √(2π)
const LN_SQRT_2PI: f64 = 0.918_938_533_204_672_7;

/// FastFlow's density estimator: for each scale of a backbone, a flow of convolutions on the whole
/// feature map.
///
/// ```text
/// loss = Σ_scales mean_images(½ ‖z‖² − log |det ∂z/∂x|)                            [1], Eq. 4
/// map  = mean_scales upsample(−exp(−½ mean_C z²))              −1 … 0, larger where more abnormal
/// ```
///
/// # Shapes
///
/// - features of scale k: `(batch, channels, height, width)` of `scales[k]`
/// - map: `(batch, height, width)` of any size
///
/// # Parameters
///
/// - `norms.k`: `weight` and `bias`, `(channels, height, width)`
/// - `fast_flow_blocks.k`: those of a [`Flow`]
///
/// # Examples
///
/// ```
/// use candle_core::{DType, Device, Tensor};
/// use ocellus_flows::{FastFlow, FastFlowConfig, FastFlowScale};
/// use ocellus_params::ParamStore;
///
/// let params = ParamStore::seeded(1);
/// let config = FastFlowConfig::new(vec![FastFlowScale::new(4, 6, 5)]).with_blocks(2);
/// let flow = FastFlow::new(&config, params.var_builder(DType::F32, &Device::Cpu))?;
/// let features = [Tensor::ones((2, 4, 6, 5), DType::F32, &Device::Cpu)?];
/// assert_eq!(flow.loss(&features)?.rank(), 0);
/// assert_eq!(flow.map(&features, (12, 10))?.dims(), [2, 12, 10]);
/// # Ok::<(), candle_core::Error>(())
/// ```
///
/// # Deviations
///
/// There is no official code; this is what the two public ones agree on. The norm before the flow is
/// theirs, not the paper's.
///
/// # References
///
/// 1. J. Yu et al. *FastFlow: unsupervised anomaly detection and localization via 2D normalizing
///    flows.* 2021. <https://arxiv.org/abs/2111.07677>
#[derive(Clone, Debug)]
pub struct FastFlow {
    scales: Vec<Scale>,
}

#[derive(Clone, Debug)]
struct Scale {
    size: FastFlowScale,
    norm: Option<LayerNorm>,
    flow: Flow,
}

impl FastFlow {
    /// Builds norms and flows from the parameters under `vb`.
    ///
    /// # Errors
    ///
    /// If there is no scale or an empty one, or as of [`Flow::new`].
    pub fn new(config: &FastFlowConfig, vb: VarBuilder) -> Result<Self> {
        if config.scales.is_empty() || config.scales.iter().any(|s| s.height * s.width == 0) {
            bail!("a FastFlow of the scales {:?}: none may be empty", config.scales)
        }
        let scale = |(k, &size): (usize, &FastFlowScale)| {
            let norm = || LayerNorm::new(size, &vb.pp("norms").pp(k));
            Ok(Scale {
                size,
                norm: config.layer_norm.then(norm).transpose()?,
                flow: Flow::new(&config.flow(size.channels), vb.pp("fast_flow_blocks").pp(k))?,
            })
        };
        Ok(Self { scales: config.scales.iter().enumerate().map(scale).collect::<Result<_>>()? })
    }

    /// The number of scales.
    #[must_use]
    pub fn scales(&self) -> usize {
        self.scales.len()
    }

    /// z of a scale's features, and the log-determinant of each image, `(batch)`. The norm counts as
    /// part of the features: its determinant is not in it.
    ///
    /// # Errors
    ///
    /// If there is no such scale, or the features have another size.
    pub fn latent(&self, scale: usize, features: &Tensor) -> Result<Mapped> {
        let scale = self.scale(scale)?;
        let Mapped { value, log_det } = scale.flow.latent(&scale.normalized(features)?, None)?;
        Ok(Mapped { value, log_det: log_det.sum((1, 2))? })
    }

    /// The negative log-likelihood without its constant, a scalar: see the formula.
    ///
    /// # Errors
    ///
    /// If the features are not those of all scales.
    pub fn loss(&self, features: &[Tensor]) -> Result<Tensor> {
        self.check(features)?;
        let mut total: Option<Tensor> = None;
        for (scale, features) in self.scales.iter().zip(features) {
            let state = scale.flow.state(&scale.normalized(features)?, None)?;
            let density = normal_log_density(&state)?.flatten_from(1)?.sum(1)?.mean_all()?;
            let FastFlowScale { channels, height, width } = scale.size;
            let constant = LN_SQRT_2PI * (channels * height * width) as f64;
            let loss = density.affine(-1., -constant)?;
            total = Some(match total {
                None => loss,
                Some(total) => (total + loss)?,
            });
        }
        total.map_or_else(|| bail!("a FastFlow of no scale"), Ok)
    }

    /// `−exp(−½ mean_C z²)` of each pixel of a scale, `(batch, height, width)`.
    ///
    /// # Errors
    ///
    /// If there is no such scale, or the features have another size.
    pub fn scale_map(&self, scale: usize, features: &Tensor) -> Result<Tensor> {
        let z = self.latent(scale, features)?.value;
        (z.sqr()?.mean(1)? * -0.5)?.exp()?.neg()
    }

    /// The mean of all scales' maps at that size, `(batch, height, width)`.
    ///
    /// # Errors
    ///
    /// If the features are not those of all scales.
    pub fn map(&self, features: &[Tensor], size: (usize, usize)) -> Result<Tensor> {
        self.check(features)?;
        let mut maps = Vec::with_capacity(features.len());
        for (scale, features) in features.iter().enumerate() {
            let map = self.scale_map(scale, features)?.unsqueeze(1)?;
            maps.push(upsample_bilinear2d(&map, size, Alignment::HalfPixel)?);
        }
        Tensor::cat(&maps, 1)?.mean(1)
    }

    fn scale(&self, scale: usize) -> Result<&Scale> {
        match self.scales.get(scale) {
            Some(scale) => Ok(scale),
            None => bail!("scale {scale} of a FastFlow of {}", self.scales.len()),
        }
    }

    fn check(&self, features: &[Tensor]) -> Result<()> {
        if features.len() != self.scales.len() {
            bail!("features of {} scales for a FastFlow of {}", features.len(), self.scales.len())
        }
        Ok(())
    }
}

impl Scale {
    fn normalized(&self, features: &Tensor) -> Result<Tensor> {
        let FastFlowScale { channels, height, width } = self.size;
        if features.rank() != 4 || features.dims()[1..] != [channels, height, width] {
            bail!(
                "features {:?} for a FastFlow built for (batch, {channels}, {height}, {width}): \
                 its norm knows one size alone",
                features.dims()
            )
        }
        self.norm.as_ref().map_or_else(|| Ok(features.clone()), |norm| norm.forward(features))
    }
}
