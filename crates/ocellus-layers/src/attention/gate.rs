use candle_core::{D, Module, ModuleT, Result, Tensor, bail};
use candle_nn::{
    Init, VarBuilder,
    init::{FanInOut, NonLinearity, NormalOrUniform},
};
use ocellus_ops::{Alignment, upsample_bilinear2d};

use crate::rounded::widened;
use crate::{
    AttentionGateConfig, AttentionNormalization, BatchNorm2d, BatchNorm2dConfig, Conv2d,
    Conv2dConfig, GateInit,
};

/// What an attention gate lets through, and where; see [`AttentionGate`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Gated {
    /// The gated features, in the features' shape.
    pub value: Tensor,
    /// The weight of each position, `(batch, 1, height, width)` in the features' size; in f32 where the
    /// features are of half precision.
    pub map: Tensor,
}

impl Gated {
    /// The sum of the gated features over the positions, `(batch, channels)`: their weighted mean
    /// where the map sums to one.
    ///
    /// # Errors
    ///
    /// If the value is no batch of images.
    pub fn pooled(&self) -> Result<Tensor> {
        widened(&self.value)?.flatten_from(2)?.sum(D::Minus1)?.to_dtype(self.value.dtype())
    }
}

/// The additive attention gate: weighs the positions of features x by a coarser gating signal g.
///
/// ```text
/// q = ψᵀ relu(θᵀ x + φᵀ g + b_g) + b_ψ                                          [1], Eq. 1
/// α = σ(q)                                                                      [1], Eq. 2
/// y = α ⊙ x
/// ```
///
/// The signal is resampled (bilinearly) to the size of θᵀx, and α to that of x. The configuration
/// names the variants: sub-sampling θ, other biases, batch normalization, softmax or sum
/// normalization of q, an output transform W, and three conventions of resampling.
///
/// # Shapes
///
/// - x: `(batch, in_channels, height, width)`
/// - g: `(batch, gate_channels, height', width')`, any size
/// - value: as x; map: `(batch, 1, height, width)`
///
/// # Parameters
///
/// Under the names of the AG-Networks' published code:
///
/// - `theta.weight`: `(inter, in, s, s)`, the paper's `W_x`; `theta.bias` by choice
/// - `phi.weight`: `(inter, gate, 1, 1)`, `phi.bias`: `(inter)`: the paper's `W_g` and `b_g`
/// - `psi.weight`: `(1, inter, 1, 1)`, `psi.bias`: `(1)`
/// - `theta_norm.*`, `phi_norm.*`, `psi_norm.*`: with batch normalization
/// - `W.0.weight`, `W.0.bias`, `W.1.*`: with the output transform
///
/// # Examples
///
/// ```
/// use candle_core::{DType, Device, Tensor};
/// use candle_nn::VarBuilder;
/// use ocellus_layers::{AttentionGate, AttentionGateConfig};
///
/// let vb = VarBuilder::zeros(DType::F32, &Device::Cpu);
/// let gate = AttentionGate::new(&AttentionGateConfig::paper(8, 16), vb)?;
///
/// let x = Tensor::ones((1, 8, 4, 4), DType::F32, &Device::Cpu)?;
/// let g = Tensor::ones((1, 16, 1, 1), DType::F32, &Device::Cpu)?;
/// let gated = gate.forward(&x, &g)?;
/// assert_eq!(gated.map.dims(), [1, 1, 4, 4]);
/// assert_eq!(gated.value.max_all()?.to_scalar::<f32>()?, 0.5); // Zero weights: σ(0) everywhere.
/// # Ok::<(), candle_core::Error>(())
/// ```
///
/// # Deviations
///
/// Where all scores of an image are equal, the sum- and range-normalized maps of the published code
/// divide by zero; ours are constant there.
///
/// # References
///
/// 1. E. Yousef Kalafi et al. *Classification of breast cancer lesions in ultrasound images by
///    using attention layer and loss ensembles in deep convolutional neural networks.* 2021.
/// 2. J. Schlemper et al. *Attention gated networks: Learning to leverage salient regions in medical
///    images.* Medical Image Analysis 53, 2019. <https://arxiv.org/abs/1808.08114>
/// 3. O. Oktay et al. *Attention U-Net: Learning where to look for the pancreas.* 2018.
///    <https://arxiv.org/abs/1804.03999>
#[derive(Clone, Debug)]
pub struct AttentionGate {
    theta: Projection,
    phi: Projection,
    psi: Projection,
    output: Option<Projection>,
    normalization: AttentionNormalization,
    alignment: Alignment,
}

impl AttentionGate {
    /// Builds the gate from the parameters under `vb`.
    ///
    /// # Errors
    ///
    /// If a number of channels or a factor is zero, or a parameter is missing or of another shape.
    pub fn new(config: &AttentionGateConfig, vb: VarBuilder) -> Result<Self> {
        let &AttentionGateConfig { in_channels, gate_channels, inter_channels, init, .. } = config;
        let build = |conv: Conv2dConfig, norm, names: (&str, &str)| {
            Projection::new(conv, norm, init, (vb.pp(names.0), vb.pp(names.1)))
        };
        let theta = Conv2dConfig::new(in_channels, inter_channels, 1)
            .with_kernel(config.sub_sample)
            .with_stride(config.sub_sample)
            .with_bias(config.theta_bias);
        let phi = Conv2dConfig::new(gate_channels, inter_channels, 1).with_bias(config.phi_bias);
        let mut psi = Conv2dConfig::new(inter_channels, 1, 1).with_bias(config.psi_bias);
        psi.bias_init = config.psi_bias_start.map(Init::Const);
        let output = Conv2dConfig::new(in_channels, in_channels, 1);
        Ok(Self {
            theta: build(theta, config.batch_norm, ("theta", "theta_norm"))?,
            phi: build(phi, config.batch_norm, ("phi", "phi_norm"))?,
            psi: build(psi, config.batch_norm, ("psi", "psi_norm"))?,
            output: config.output.then(|| build(output, true, ("W.0", "W.1"))).transpose()?,
            normalization: config.normalization,
            alignment: config.alignment,
        })
    }

    /// Gates `x` by `g` in evaluation mode.
    ///
    /// # Errors
    ///
    /// If channels or batch do not fit.
    pub fn forward(&self, x: &Tensor, g: &Tensor) -> Result<Gated> {
        self.forward_t(x, g, false)
    }

    /// Gates `x` by `g`; training differs from evaluation where there is batch normalization.
    ///
    /// # Errors
    ///
    /// If channels or batch do not fit.
    pub fn forward_t(&self, x: &Tensor, g: &Tensor, train: bool) -> Result<Gated> {
        let (batch, _, height, width) = x.dims4()?;
        if batch != g.dim(0)? {
            bail!("an attention gate got {batch} features and {} gating signals", g.dim(0)?)
        }
        let theta = self.theta.forward_t(x, train)?;
        let (_, _, rows, columns) = theta.dims4()?;
        let phi = self.resample(self.phi.forward_t(g, train)?, (rows, columns))?;
        let scores = self.psi.forward_t(&ocellus_ops::relu(&(theta + phi)?)?, train)?;
        // From here on sums are taken: over positions, and by the gradient of the map over channels.
        let map = self.normalization.apply(&widened(&scores)?)?;
        let map = self.resample(map, (height, width))?;
        let mut value = widened(x)?.broadcast_mul(&map)?.to_dtype(x.dtype())?;
        if let Some(output) = &self.output {
            value = output.forward_t(&value, train)?;
        }
        Ok(Gated { value, map })
    }

    fn resample(&self, x: Tensor, size: (usize, usize)) -> Result<Tensor> {
        if x.dims()[2..] == [size.0, size.1] {
            return Ok(x);
        }
        upsample_bilinear2d(&x, size, self.alignment)
    }
}

/// A convolution, and batch normalization if wanted.
#[derive(Clone, Debug)]
struct Projection {
    conv: Conv2d,
    norm: Option<BatchNorm2d>,
}

impl Projection {
    fn new(
        mut conv: Conv2dConfig,
        norm: bool,
        init: GateInit,
        (conv_vb, norm_vb): (VarBuilder, VarBuilder),
    ) -> Result<Self> {
        let mut norm_config = BatchNorm2dConfig::new(conv.out_channels);
        if init == GateInit::Kaiming {
            conv = conv.with_weight_init(Init::Kaiming {
                dist: NormalOrUniform::Normal,
                fan: FanInOut::FanIn,
                non_linearity: NonLinearity::ReLU,
            });
            norm_config = norm_config.with_weight_init(Init::Randn { mean: 1., stdev: 0.02 });
        }
        Ok(Self {
            conv: Conv2d::new(&conv, conv_vb)?,
            norm: norm.then(|| BatchNorm2d::new(&norm_config, norm_vb)).transpose()?,
        })
    }
}

impl ModuleT for Projection {
    fn forward_t(&self, x: &Tensor, train: bool) -> Result<Tensor> {
        let y = self.conv.forward(x)?;
        match &self.norm {
            Some(norm) => norm.forward_t(&y, train),
            None => Ok(y),
        }
    }
}
