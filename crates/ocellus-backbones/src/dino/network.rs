use candle_core::{Module, Result, Tensor, bail};
use candle_nn::{Init, LayerNorm, VarBuilder};
use ocellus_layers::{Conv2d, Conv2dConfig};

use super::{
    DinoV2Config,
    block::{Block, norm},
    positions::resize,
};
use crate::{Backbone, Stage};

/// The vision transformer of DINOv2, for inference: frozen features that need no labels \[1\].
///
/// ```text
/// x₀ = [class token, patches] + positions;   xᵢ = blockᵢ(xᵢ₋₁)
/// ```
///
/// As a [`Backbone`] it gives a stage a block, numbered from 0: the tokens of the patches behind it,
/// all at the stride of a patch. Positions are resized to the image's patches, bicubically.
///
/// # Shapes
///
/// - input: `(batch, 3, height, width)`, multiples of the patch's side
/// - features: `(batch, width, height / patch, width / patch)` for each block
///
/// # Parameters
///
/// Those of the authors' files, by name: `cls_token`, `pos_embed`, `patch_embed.proj`,
/// `blocks.N.{norm1, attn.qkv, attn.proj, ls1.gamma, norm2, mlp.fc1, mlp.fc2, ls2.gamma}`, `norm`.
/// Their `mask_token` is of no use here. Weights that are drawn have layer scales of 1, so that
/// random blocks do something.
///
/// # Examples
///
/// ```
/// use candle_core::{DType, Device, Tensor};
/// use ocellus_backbones::{Backbone, DinoV2, DinoV2Config};
/// use ocellus_params::ParamStore;
///
/// // A small network of random weights; those of a file are loaded into the store before.
/// let config = DinoV2Config::small().with_size(24, 4, 3).with_patches(14, 5);
/// let params = ParamStore::seeded(1);
/// let dino = DinoV2::new(&config, params.var_builder(DType::F32, &Device::Cpu))?;
/// let x = Tensor::zeros((1, 3, 56, 84), DType::F32, &Device::Cpu)?;
/// let features = dino.stage_features(&x, &[1, 3])?;
/// assert_eq!(features[0].dims(), [1, 24, 4, 6]);
/// # Ok::<(), candle_core::Error>(())
/// ```
///
/// # References
///
/// 1. M. Oquab et al. *DINOv2: learning robust visual features without supervision.* TMLR 2024.
///    <https://arxiv.org/abs/2304.07193>
#[derive(Clone, Debug)]
pub struct DinoV2 {
    config: DinoV2Config,
    patches: Conv2d,
    class: Tensor,
    positions: Tensor,
    blocks: Vec<Block>,
    norm: LayerNorm,
    stages: Vec<Stage>,
}

impl DinoV2 {
    /// Builds the network from the parameters under `vb`.
    ///
    /// # Errors
    ///
    /// If a size is 0, the heads do not divide the width, or a parameter is missing or of another
    /// shape.
    pub fn new(config: &DinoV2Config, vb: VarBuilder) -> Result<Self> {
        let DinoV2Config { width, blocks, heads, patch, positions, .. } = *config;
        if [width, blocks, heads, patch, positions].contains(&0) || width % heads != 0 {
            bail!(
                "{}: width {width}, {blocks} blocks, {heads} heads, patches of {patch}, {positions} \
                 positions a side: give 1 at least of each, and heads that divide the width",
                config.name
            )
        }
        let near = Init::Randn { mean: 0., stdev: 0.02 };
        let tokens = positions * positions + 1;
        let embed = Conv2dConfig::new(3, width, patch).with_stride((patch, patch));
        Ok(Self {
            config: *config,
            patches: Conv2d::new(&embed, vb.pp("patch_embed").pp("proj"))?,
            class: vb.get_with_hints((1, 1, width), "cls_token", near)?,
            positions: vb.get_with_hints((1, tokens, width), "pos_embed", near)?,
            blocks: (0..blocks)
                .map(|i| Block::new(config, vb.pp("blocks").pp(i)))
                .collect::<Result<_>>()?,
            norm: norm(width, vb.pp("norm"))?,
            stages: config.stages(),
        })
    }

    /// The network's configuration.
    #[must_use]
    pub fn config(&self) -> &DinoV2Config {
        &self.config
    }

    /// Class token and patches with their positions, and the height and width in patches.
    fn tokens(&self, x: &Tensor) -> Result<(Tensor, (usize, usize))> {
        let patch = self.config.patch;
        let (batch, channels, height, width) = x.dims4()?;
        if channels != 3 || height == 0 || width == 0 || height % patch + width % patch != 0 {
            bail!(
                "{} takes (batch, 3, height, width), multiples of {patch}, not {:?}: resize or crop",
                self.config.name,
                x.dims()
            )
        }
        let size = (height / patch, width / patch);
        let patches = self.patches.forward(x)?.flatten_from(2)?.transpose(1, 2)?;
        let side = self.config.positions;
        let places = resize(&self.positions.narrow(1, 1, side * side)?, side, size)?;
        let patches = patches.broadcast_add(&places)?;
        let class = (&self.class + self.positions.narrow(1, 0, 1)?)?;
        let class = class.broadcast_as((batch, 1, self.config.width))?;
        Ok((Tensor::cat(&[&class, &patches], 1)?.contiguous()?, size))
    }

    /// Tokens to a map of the patches.
    fn map(&self, tokens: &Tensor, (height, width): (usize, usize)) -> Result<Tensor> {
        let tokens = if self.config.norm { self.norm.forward(tokens)? } else { tokens.clone() };
        let patches = tokens.narrow(1, 1, height * width)?.transpose(1, 2)?.contiguous()?;
        patches.reshape((tokens.dim(0)?, self.config.width, height, width))
    }
}

impl Backbone for DinoV2 {
    fn stages(&self) -> &[Stage] {
        &self.stages
    }

    fn stage_features(&self, x: &Tensor, stages: &[usize]) -> Result<Vec<Tensor>> {
        if let Some(stage) = stages.iter().find(|&&stage| stage >= self.blocks.len()) {
            bail!("stage {stage}: there are {}, from 0", self.blocks.len())
        }
        let count = stages.iter().max().map_or(0, |last| last + 1);
        let (mut tokens, size) = self.tokens(x)?;
        let mut maps = vec![None; stages.len()];
        for (block, number) in self.blocks[..count].iter().zip(0..) {
            tokens = block.forward(&tokens)?;
            for (map, _) in maps.iter_mut().zip(stages).filter(|(_, stage)| **stage == number) {
                *map = Some(self.map(&tokens, size)?);
            }
        }
        Ok(maps.into_iter().flatten().collect())
    }

    /// The same in training: nothing of it is random.
    fn features_t(&self, x: &Tensor, _: bool) -> Result<Vec<Tensor>> {
        self.stage_features(x, &(0..self.blocks.len()).collect::<Vec<_>>())
    }
}

#[cfg(test)]
mod tests {
    use candle_core::{DType, Device};
    use ocellus_params::ParamStore;
    use ocellus_testing::{Filled, Golden, assert_close, fill, parameter_counts, with_threads};

    use super::*;

    fn config() -> DinoV2Config {
        DinoV2Config::small().with_size(24, 3, 3).with_patches(4, 5)
    }

    #[test]
    fn matches_the_authors_in_pytorch() -> Result<()> {
        let golden = Golden::read(env!("CARGO_MANIFEST_DIR"), "dinov2")?;
        for (name, norm, size) in
            [("same", true, (20, 20)), ("wide", true, (12, 32)), ("plain", false, (24, 16))]
        {
            let config = config().with_norm(norm);
            let (dino, _) = Filled::build(DType::F32, 0, |vb| DinoV2::new(&config, vb))?;
            let x = fill((2, 3, size.0, size.1), 0.25, DType::F32)?;
            for (block, map) in dino.features(&x)?.iter().enumerate() {
                assert_close(map, golden.get(&format!("{name}.{block}"))?, 2e-5)?;
            }
        }
        Ok(())
    }

    #[test]
    fn published_sizes_have_their_parameters() -> Result<()> {
        let config = DinoV2Config::small();
        let counts = parameter_counts(|vb| DinoV2::new(&config, vb))?;
        assert_eq!(counts, (22_056_192, 0));
        Ok(())
    }

    #[test]
    fn stages_are_those_asked_for_at_any_number_of_threads() -> Result<()> {
        let params = ParamStore::seeded(4);
        let dino = DinoV2::new(&config(), params.var_builder(DType::F32, &Device::Cpu))?;
        let x = fill((1, 3, 28, 20), 0.1, DType::F32)?;
        let all = dino.features(&x)?;
        assert_eq!((all.len(), all[0].dims()), (3, &[1, 24, 7, 5][..]));
        for threads in [1, 2, 3] {
            let some = with_threads(threads, || dino.stage_features(&x, &[2, 0]))?;
            assert_close(&some[0], &all[2], 0.)?;
            assert_close(&some[1], &all[0], 0.)?;
        }
        assert!(dino.stage_features(&x, &[])?.is_empty());
        let same =
            DinoV2::new(&config(), ParamStore::seeded(4).var_builder(DType::F32, &Device::Cpu))?;
        assert_close(&same.features(&x)?[1], &all[1], 0.)?;
        Ok(())
    }

    #[test]
    fn says_what_does_not_fit() -> Result<()> {
        let vb = || VarBuilder::zeros(DType::F32, &Device::Cpu);
        let error = DinoV2::new(&config().with_size(25, 3, 3), vb()).unwrap_err().to_string();
        assert!(error.contains("heads that divide the width"), "{error}");
        assert!(DinoV2::new(&config().with_size(24, 0, 3), vb()).is_err());
        let dino = DinoV2::new(&config(), vb())?;
        let message = |shape: (usize, usize, usize, usize)| -> Result<String> {
            let x = Tensor::zeros(shape, DType::F32, &Device::Cpu)?;
            Ok(dino.features(&x).unwrap_err().to_string())
        };
        assert!(message((1, 3, 30, 20))?.contains("multiples of 4"));
        assert!(message((1, 1, 20, 20))?.contains("[1, 1, 20, 20]"));
        let x = Tensor::zeros((1, 3, 20, 20), DType::F32, &Device::Cpu)?;
        assert!(dino.stage_features(&x, &[3]).unwrap_err().to_string().contains("there are 3"));
        Ok(())
    }
}
