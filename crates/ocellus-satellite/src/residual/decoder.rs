use candle_core::{ModuleT, Result, Tensor};
use candle_nn::VarBuilder;
use ocellus_layers::{ConvBlock, ConvBlockConfig, ConvTranspose2dConfig, DeconvBlock};

/// A block of the decoder: a transposed convolution that doubles the size, and what refines its maps.
///
/// Parameters: `deconv.*` and `bn.*` as [`DeconvBlock`]'s; `refine.J.*` as [`ConvBlock`]'s.
#[derive(Clone, Debug)]
pub(super) struct DecoderBlock {
    up: DeconvBlock,
    refining: Vec<ConvBlock>,
}

impl DecoderBlock {
    pub(super) fn new(
        up: &ConvTranspose2dConfig,
        refining: &[ConvBlockConfig],
        vb: &VarBuilder,
    ) -> Result<Self> {
        let convolutions = refining.iter().enumerate();
        let refining =
            convolutions.map(|(i, conv)| ConvBlock::new(conv, vb.pp(format!("refine.{i}"))));
        Ok(Self {
            refining: refining.collect::<Result<_>>()?,
            up: DeconvBlock::new(up, vb.clone())?,
        })
    }

    pub(super) fn pack(&mut self) -> Result<()> {
        self.up.pack()?;
        self.refining.iter_mut().try_for_each(ConvBlock::pack)
    }
}

impl ModuleT for DecoderBlock {
    fn forward_t(&self, x: &Tensor, train: bool) -> Result<Tensor> {
        let mut y = self.up.forward_t(x, train)?;
        for conv in &self.refining {
            y = conv.forward_t(&y, train)?;
        }
        Ok(y)
    }
}
