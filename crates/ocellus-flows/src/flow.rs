use candle_core::{Result, Tensor, bail};
use candle_nn::VarBuilder;
use ocellus_ops::{concat, network_couplings, normal_log_density};

use crate::block::CouplingBlock;
use crate::{FlowConfig, Invertible, Mapped};

/// A normalizing flow: coupling blocks, one behind the other.
///
/// ```text
/// block:  u₁ = x₁,   u₂ = x₂ · exp(α · tanh(s / 10)) + t / 10,   (s, t) = subnet(x₁, condition)
///         y = P(g · u + b)                       P: a permutation or a rotation of the channels
/// log p(x) = log N(z; 0, 1) + log |det ∂z/∂x|
/// ```
///
/// The blocks are FrEIA's `AllInOneBlock`. All acts on images: what CFLOW-AD calls a fiber is a
/// pixel of an image.
///
/// # Shapes
///
/// - `x` and `z`: `(batch, channels, height, width)`
/// - condition: `(batch, condition, height, width)`, or `(1, …)` for all of the batch
///
/// # Parameters
///
/// Those of block i under `module_list.i`, as in FrEIA:
///
/// - `global_scale`, `global_offset`: `(1, channels)`, or `(1, channels, 1, 1)` beside convolutions;
///   drawn so that the affine map is the identity
/// - `subnet.0`, `subnet.2`: `weight` and `bias` of the two layers, drawn as PyTorch does
/// - `permutation`: `(channels)`, sort keys of a random permutation, or `rotation`: `(channels,
///   channels)`, a matrix uniform on SO(channels); buffers, not trained
///
/// # Examples
///
/// ```
/// use candle_core::{DType, Device, Tensor};
/// use ocellus_flows::{Flow, FlowConfig};
/// use ocellus_params::ParamStore;
///
/// let params = ParamStore::seeded(1);
/// let vb = params.var_builder(DType::F32, &Device::Cpu);
/// let flow = Flow::new(&FlowConfig::cflow(8, 4).with_blocks(2), vb)?;
/// let x = Tensor::ones((2, 8, 3, 5), DType::F32, &Device::Cpu)?;
/// let condition = Tensor::ones((1, 4, 3, 5), DType::F32, &Device::Cpu)?;
/// assert_eq!(flow.log_density(&x, Some(&condition))?.dims(), [2, 3, 5]);
/// # Ok::<(), candle_core::Error>(())
/// ```
///
/// # References
///
/// L. Dinh, J. Sohl-Dickstein, S. Bengio. *Density estimation using Real NVP.* ICLR 2017.
/// <https://arxiv.org/abs/1605.08803>
#[derive(Clone, Debug)]
pub struct Flow {
    channels: usize,
    condition: usize,
    blocks: Vec<CouplingBlock>,
}

impl Flow {
    /// Builds the flow from the parameters under `vb`.
    ///
    /// # Errors
    ///
    /// If there are fewer than 2 channels, no blocks or no subnets, or a parameter is missing or of
    /// another shape.
    pub fn new(config: &FlowConfig, vb: VarBuilder) -> Result<Self> {
        let &FlowConfig { channels, condition, blocks, alpha, .. } = config;
        if channels < 2 || blocks == 0 || config.subnets.is_empty() {
            let subnets = config.subnets.len();
            bail!(
                "a flow of {channels} channels, {blocks} blocks and {subnets} kinds of subnets: \
                   it takes 2 channels, a block and a subnet at least"
            )
        }
        if !(alpha.is_finite() && alpha > 0.) {
            bail!("a flow whose bound α is {alpha}: choose a finite one above 0")
        }
        let subnets = config.subnets.iter().cycle().take(blocks).enumerate();
        let vb = vb.pp("module_list");
        let blocks = subnets
            .map(|(i, &subnet)| CouplingBlock::new(config, subnet, &vb.pp(i)))
            .collect::<Result<_>>()?;
        Ok(Self { channels, condition, blocks })
    }

    /// Channels of the data.
    #[must_use]
    pub fn channels(&self) -> usize {
        self.channels
    }

    /// The latent image z, and the log-determinant at each pixel, `(batch, height, width)`.
    ///
    /// Where the subnets look at single pixels, each pixel is a sample of its own and has its own
    /// determinant; else only the sum over an image means something.
    ///
    /// # Errors
    ///
    /// If input or condition do not fit.
    pub fn latent(&self, x: &Tensor, condition: Option<&Tensor>) -> Result<Mapped> {
        let state = self.state(x, condition)?;
        let value = state.narrow(1, 0, self.channels)?;
        let log_det = state.narrow(1, self.channels, 1)?.squeeze(1)?;
        Ok(Mapped { value, log_det })
    }

    /// The logarithm of the density at each pixel, `(batch, height, width)`: see
    /// [`latent`](Self::latent).
    ///
    /// # Errors
    ///
    /// If input or condition do not fit.
    pub fn log_density(&self, x: &Tensor, condition: Option<&Tensor>) -> Result<Tensor> {
        normal_log_density(&self.state(x, condition)?)
    }

    /// From z back to x, with the log-determinant of the way back at each pixel.
    ///
    /// # Errors
    ///
    /// If input or condition do not fit.
    pub fn data(&self, z: &Tensor, condition: Option<&Tensor>) -> Result<Mapped> {
        self.check(z, condition)?;
        let (mut value, mut log_det) = (z.clone(), z.narrow(1, 0, 1)?.zeros_like()?);
        for block in self.blocks.iter().rev() {
            let (x, change) = block.retreat(&value, condition)?;
            (value, log_det) = (x, (log_det + change)?);
        }
        Ok(Mapped { value, log_det: log_det.squeeze(1)? })
    }

    /// This flow under a condition, as an [`Invertible`] map.
    ///
    /// # Examples
    ///
    /// ```
    /// use candle_core::{DType, Device, Tensor};
    /// use ocellus_flows::{Flow, FlowConfig, Invertible};
    /// use ocellus_params::ParamStore;
    ///
    /// let vb = ParamStore::seeded(1).var_builder(DType::F32, &Device::Cpu);
    /// let flow = Flow::new(&FlowConfig::cflow(4, 2).with_blocks(1), vb)?;
    /// let condition = Tensor::ones((1, 2, 1, 1), DType::F32, &Device::Cpu)?;
    /// let x = Tensor::ones((3, 4, 1, 1), DType::F32, &Device::Cpu)?;
    /// assert_eq!(flow.given(&condition).forward(&x)?.log_det.dims(), [3]);
    /// # Ok::<(), candle_core::Error>(())
    /// ```
    #[must_use]
    pub fn given<'a>(&'a self, condition: &'a Tensor) -> Given<'a> {
        Given { flow: self, condition: Some(condition) }
    }

    /// C channels and the log-determinant, after all blocks.
    pub(crate) fn state(&self, x: &Tensor, condition: Option<&Tensor>) -> Result<Tensor> {
        self.check(x, condition)?;
        let zeros = x.narrow(1, 0, 1)?.zeros_like()?;
        let mut state = concat(x, &zeros, 1)?;
        // As many blocks at once as have nothing between them.
        for blocks in self.blocks.chunk_by(|block, _| block.is_permuted()) {
            let couplings =
                blocks.iter().map(CouplingBlock::coupling).collect::<Result<Vec<_>>>()?;
            state = network_couplings(&state, condition, &couplings)?;
            if let Some(last) = blocks.last() {
                state = last.mix_state(&state)?;
            }
        }
        Ok(state)
    }

    fn check(&self, x: &Tensor, condition: Option<&Tensor>) -> Result<()> {
        if x.rank() != 4 || x.dim(1)? != self.channels || x.elem_count() == 0 {
            let (dims, channels) = (x.dims(), self.channels);
            bail!(
                "a flow of {channels} channels got {dims:?}, not (batch, {channels}, height, width)"
            )
        }
        let got = condition.map_or(Ok(0), |condition| condition.dim(1))?;
        if got != self.condition {
            bail!("a flow on a condition of {} channels got one of {got}", self.condition)
        }
        Ok(())
    }
}

/// A flow without a condition. Its determinants are those of whole images.
impl Invertible for Flow {
    fn forward(&self, x: &Tensor) -> Result<Mapped> {
        Given { flow: self, condition: None }.forward(x)
    }

    fn inverse(&self, z: &Tensor) -> Result<Mapped> {
        Given { flow: self, condition: None }.inverse(z)
    }
}

/// A [`Flow`] under a condition: see [`Flow::given`].
#[derive(Clone, Copy, Debug)]
pub struct Given<'a> {
    flow: &'a Flow,
    condition: Option<&'a Tensor>,
}

impl Invertible for Given<'_> {
    fn forward(&self, x: &Tensor) -> Result<Mapped> {
        summed(self.flow.latent(x, self.condition)?)
    }

    fn inverse(&self, z: &Tensor) -> Result<Mapped> {
        summed(self.flow.data(z, self.condition)?)
    }
}

/// The determinants of whole images.
fn summed(Mapped { value, log_det }: Mapped) -> Result<Mapped> {
    Ok(Mapped { value, log_det: log_det.sum((1, 2))? })
}
