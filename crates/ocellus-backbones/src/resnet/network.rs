use candle_core::{ModuleT, Result, Tensor, bail};
use candle_nn::VarBuilder;
use ocellus_layers::{ConvNorm2d, ResidualUnit};

use crate::{Backbone, ResNetConfig, Stage};

/// A residual network without its classifier.
///
/// ```text
/// stem = relu(norm(7×7 convolution / 2));  layer1 = unitⁿ(max pooling / 2 (stem))
/// layerᵢ = unitⁿ(layerᵢ₋₁), the first unit of stride 2;  i = 2, 3, 4                            [1]
/// ```
///
/// The pooling has windows of 3×3, or of 2×2 if [`StemPool`](crate::StemPool) says so.
///
/// As a [`Backbone`] it gives five stages: the stem before its pooling, and torchvision's `layer1` to
/// `layer4` (timm's `features_only` gives the same).
///
/// # Shapes
///
/// - input: `(batch, in_channels, height, width)` of any size
/// - stage of stride s: `(batch, channels, ⌈height / s⌉, ⌈width / s⌉)`; the output is the last stage's
///
/// # Parameters
///
/// - `conv1.weight`: `(channels, in_channels, 7, 7)`, drawn as torchvision does, from
///   N(0, 2 / (channels · 49)); `bn1.*`: as [`BatchNorm2d`](ocellus_layers::BatchNorm2d)'s
/// - `layerI.J.*`: unit J of stage I, as [`ResidualUnit`]'s
///
/// These are torchvision's names and shapes, and timm's, whose `resnet18` to `resnet200` and
/// `wide_resnet50_2` need no renaming. For the counts see [`ResNetConfig`].
///
/// # Examples
///
/// ```
/// use candle_core::{DType, Device, ModuleT, Tensor};
/// use candle_nn::{VarBuilder, VarMap};
/// use ocellus_backbones::{Backbone, ResNet, ResNetConfig};
///
/// let weights = VarMap::new();
/// let vb = VarBuilder::from_varmap(&weights, DType::F32, &Device::Cpu);
/// let mut resnet = ResNet::new(&ResNetConfig::resnet18().with_channels(4), vb)?;
///
/// let x = Tensor::zeros((1, 3, 64, 33), DType::F32, &Device::Cpu)?;
/// for (stage, features) in resnet.stages().iter().zip(resnet.features_t(&x, true)?) {
///     let size = (64usize.div_ceil(stage.stride), 33usize.div_ceil(stage.stride));
///     assert_eq!(features.dims(), [1, stage.channels, size.0, size.1]);
/// }
///
/// resnet.pack()?; // For inference from here on.
/// assert_eq!(resnet.forward_t(&x, false)?.dims(), [1, 32, 2, 2]);
/// # Ok::<(), candle_core::Error>(())
/// ```
///
/// # References
///
/// 1. K. He, X. Zhang, S. Ren and J. Sun. *Deep residual learning for image recognition.* CVPR 2016.
///    <https://arxiv.org/abs/1512.03385>
/// 2. S. Zagoruyko and N. Komodakis. *Wide residual networks.* BMVC 2016.
///    <https://arxiv.org/abs/1605.07146>
#[derive(Clone, Debug)]
pub struct ResNet {
    config: ResNetConfig,
    stem: ConvNorm2d,
    layers: Vec<Vec<ResidualUnit>>,
    stages: Vec<Stage>,
}

impl ResNet {
    /// Builds the network from the parameters under `vb`, `conv1.weight` the first.
    ///
    /// # Errors
    ///
    /// If there are not 1 to 4 stages, one of them has no units, a number of channels is 0, or a
    /// parameter is missing or of another shape.
    pub fn new(config: &ResNetConfig, vb: VarBuilder) -> Result<Self> {
        let &ResNetConfig { name, units, stage_count, .. } = config;
        if !(1..=4).contains(&stage_count) {
            bail!("{name}: {stage_count} stages after the stem: it has 1 to 4")
        }
        if units[..stage_count].contains(&0) {
            bail!("{name}: a stage without units: {units:?}")
        }
        let layer = |stage: usize| {
            let vb = vb.pp(format!("layer{}", stage + 1));
            let units = config.unit_configs(stage).into_iter().enumerate();
            units.map(|(i, unit)| ResidualUnit::new(&unit, vb.pp(i))).collect()
        };
        Ok(Self {
            config: *config,
            stem: ConvNorm2d::new(&config.stem(), vb.pp("conv1"), vb.pp("bn1"))?,
            layers: (0..stage_count).map(layer).collect::<Result<_>>()?,
            stages: config.stages(),
        })
    }

    /// The network's configuration.
    #[must_use]
    pub fn config(&self) -> &ResNetConfig {
        &self.config
    }

    /// The outputs of those stages, in the order asked for: 0 is the stem, i is `layer`i.
    ///
    /// No stage after the last one asked for is run.
    ///
    /// # Examples
    ///
    /// ```
    /// use candle_core::{DType, Device, Tensor};
    /// use candle_nn::VarBuilder;
    /// use ocellus_backbones::{ResNet, ResNetConfig};
    ///
    /// let vb = VarBuilder::zeros(DType::F32, &Device::Cpu);
    /// let resnet = ResNet::new(&ResNetConfig::resnet18(), vb)?;
    /// let x = Tensor::zeros((1, 3, 64, 64), DType::F32, &Device::Cpu)?;
    /// let taps = resnet.features_at(&x, &[2, 3], false)?;
    /// assert_eq!(taps[0].dims(), [1, 128, 8, 8]);
    /// assert_eq!(taps[1].dims(), [1, 256, 4, 4]);
    /// # Ok::<(), candle_core::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// If there is no such stage, the images have another number of channels, or a packed network is
    /// to train.
    pub fn features_at(&self, x: &Tensor, stages: &[usize], train: bool) -> Result<Vec<Tensor>> {
        let Some(&last) = stages.iter().max() else { return Ok(Vec::new()) };
        if last > self.layers.len() {
            let name = self.config.name;
            bail!("stage {last} of {name}: its stages are 0 (the stem) to {}", self.layers.len())
        }
        self.check_input(x)?;
        let mut found = vec![None; stages.len()];
        let mut keep = |done: usize, x: &Tensor| {
            for (place, _) in found.iter_mut().zip(stages).filter(|(_, stage)| **stage == done) {
                *place = Some(x.clone());
            }
        };
        let mut x = self.stem.forward_relu_t(x, None, train)?;
        keep(0, &x);
        if last > 0 {
            x = ocellus_ops::max_pool2d(&x, &self.config.stem_pool.config())?;
        }
        for (i, units) in self.layers[..last].iter().enumerate() {
            for unit in units {
                x = unit.forward_t(&x, train)?;
            }
            keep(i + 1, &x);
        }
        Ok(found.into_iter().flatten().collect())
    }

    /// Folds each normalization into its convolution and packs that for inference: see
    /// [`ConvNorm2d::pack`]. Parameters that change later have no effect, and training is an error
    /// from here on.
    ///
    /// # Errors
    ///
    /// If a parameter is on a device that fails.
    pub fn pack(&mut self) -> Result<()> {
        self.stem.pack()?;
        self.layers.iter_mut().flatten().try_for_each(ResidualUnit::pack)
    }

    fn check_input(&self, x: &Tensor) -> Result<()> {
        let ResNetConfig { name, in_channels, .. } = self.config;
        let &[_, channels, height, width] = x.dims() else {
            bail!("{name} needs images (batch, channels, height, width), got {:?}", x.dims())
        };
        if channels != in_channels {
            bail!(
                "{name} expects {in_channels} channels, got {channels}: repeat a gray channel, or build \
                 the network with `with_in_channels({channels})`"
            )
        }
        if height == 0 || width == 0 {
            bail!("{name} needs images of a height and a width, got {:?}", x.dims())
        }
        Ok(())
    }
}

impl ModuleT for ResNet {
    fn forward_t(&self, x: &Tensor, train: bool) -> Result<Tensor> {
        Ok(self.features_at(x, &[self.layers.len()], train)?.remove(0))
    }
}

impl Backbone for ResNet {
    fn stages(&self) -> &[Stage] {
        &self.stages
    }

    fn stage_features(&self, x: &Tensor, stages: &[usize]) -> Result<Vec<Tensor>> {
        self.features_at(x, stages, false)
    }

    fn features_t(&self, x: &Tensor, train: bool) -> Result<Vec<Tensor>> {
        let all: Vec<usize> = (0..self.stages.len()).collect();
        self.features_at(x, &all, train)
    }
}

#[cfg(test)]
mod tests {
    use candle_core::{DType, Device};
    use ocellus_params::ParamStore;
    use ocellus_testing::{assert_close, check_half, check_model, fill};

    use super::*;
    use crate::StemPool;

    fn small(config: ResNetConfig) -> ResNetConfig {
        config.with_channels(4)
    }

    fn zeros(config: &ResNetConfig) -> Result<ResNet> {
        ResNet::new(config, VarBuilder::zeros(DType::F32, &Device::Cpu))
    }

    /// With weights drawn by their names, and scales, shifts and statistics that differ in every entry.
    fn varied(config: &ResNetConfig) -> Result<ResNet> {
        let params = ParamStore::seeded(0);
        let resnet = ResNet::new(config, params.var_builder(DType::F64, &Device::Cpu))?;
        let vectors = params.trainable().into_iter().chain(params.buffers());
        for (name, var) in vectors.filter(|(_, var)| var.rank() == 1) {
            let centered = name.ends_with("bias") || name.ends_with("running_mean");
            let values = fill(var.shape().clone(), name.len() as f64, DType::F64)?;
            var.set(&values.affine(0.3, if centered { 0. } else { 1. })?)?;
        }
        Ok(resnet)
    }

    #[test]
    fn computes_in_the_type_of_its_input() -> Result<()> {
        for config in [ResNetConfig::resnet18(), ResNetConfig::resnet50()] {
            // Of units one a stage: each more doubles what becomes of a rounding. Found: 2.8e-2 and 0.46 in
            // bf16, 3.4e-3 and 0.11 in f16.
            let config = ResNetConfig { units: [1; 4], ..small(config) };
            check_half(
                |vb| ResNet::new(&config, vb),
                |resnet, x| resnet.forward_t(&x[0], true),
                &[fill((4, 3, 64, 64), 0.1, DType::F32)?],
                (0.04, 0.6),
            )?;
        }
        Ok(())
    }

    #[test]
    fn every_network_conforms() -> Result<()> {
        for config in
            [ResNetConfig::resnet18(), ResNetConfig::resnet50(), ResNetConfig::wide_resnet50_2()]
        {
            check_model(
                |vb| ResNet::new(&small(config), vb),
                |resnet, x, train| resnet.forward_t(&x[0], train),
                &[
                    vec![fill((2, 3, 32, 33), 0.1, DType::F32)?],
                    vec![fill((1, 3, 65, 64), 0.2, DType::F32)?],
                ],
            )?;
        }
        Ok(())
    }

    #[test]
    fn taps_and_stages_agree() -> Result<()> {
        let resnet = varied(&small(ResNetConfig::resnet50()))?;
        let x = fill((1, 3, 40, 37), 0.3, DType::F64)?;
        let stages = resnet.features(&x)?;
        assert_eq!(stages.len(), 5);
        for (stage, features) in resnet.stages().iter().zip(&stages) {
            let size = (40_usize.div_ceil(stage.stride), 37_usize.div_ceil(stage.stride));
            assert_eq!(features.dims(), [1, stage.channels, size.0, size.1]);
        }
        let taps = resnet.features_at(&x, &[3, 0, 3], false)?;
        for (tap, stage) in taps.iter().zip([3, 0, 3]) {
            assert_close(tap, &stages[stage], 0.)?;
        }
        assert_close(&resnet.stage_features(&x, &[2])?[0], &stages[2], 0.)?;
        assert_close(&resnet.forward_t(&x, false)?, &stages[4], 0.)?;
        assert!(resnet.features_at(&x, &[], false)?.is_empty());
        Ok(())
    }

    #[test]
    fn the_stem_is_pooled_by_blocks_if_wanted() -> Result<()> {
        let config = small(ResNetConfig::resnet18()).with_stem_pool(StemPool::Blocks);
        let resnet = varied(&config)?;
        let x = fill((1, 3, 41, 37), 0.3, DType::F64)?; // A stem of 21×19: the last blocks are cut.
        let stages = resnet.features(&x)?;
        for (stage, features) in resnet.stages().iter().zip(&stages) {
            let size = (41_usize.div_ceil(stage.stride), 37_usize.div_ceil(stage.stride));
            assert_eq!(features.dims(), [1, stage.channels, size.0, size.1]);
        }
        let even = stages[0].narrow(2, 0, 20)?.narrow(3, 0, 18)?.contiguous()?;
        let mut blocks = even.reshape((1, 4, 10, 2, 9, 2))?.max(5)?.max(3)?;
        for unit in &resnet.layers[0] {
            blocks = unit.forward_t(&blocks, false)?;
        }
        // Four 3×3 convolutions see four rows beyond: so many differ at the cut edge.
        let inner = |x: &Tensor| x.narrow(2, 0, 6)?.narrow(3, 0, 5);
        assert_close(&inner(&stages[1])?, &inner(&blocks)?, 1e-12)
    }

    #[test]
    fn packing_changes_no_result() -> Result<()> {
        for config in [ResNetConfig::resnet18(), ResNetConfig::resnet50()] {
            let mut resnet = varied(&small(config))?;
            let x = fill((2, 3, 40, 37), 0.3, DType::F64)?;
            let stages = resnet.features(&x)?;
            resnet.pack()?;
            for (packed, plain) in resnet.features(&x)?.iter().zip(&stages) {
                let scale = plain.max_all()?.to_scalar::<f64>()?;
                assert_close(&(packed / scale)?, &(plain / scale)?, 1e-12)?;
            }
            let error = resnet.forward_t(&x, true).unwrap_err().to_string();
            assert!(error.contains("packed for inference"), "{error}");
        }
        Ok(())
    }

    #[test]
    fn fewer_stages_are_the_first_of_more() -> Result<()> {
        let config = small(ResNetConfig::resnet18());
        let (whole, part) = (varied(&config)?, varied(&config.with_stage_count(2))?);
        let x = fill((1, 3, 32, 32), 0.3, DType::F64)?;
        assert_eq!(part.stages(), &whole.stages()[..3]);
        for (a, b) in part.features(&x)?.iter().zip(&whole.features(&x)?) {
            assert_close(a, b, 0.)?;
        }
        assert_close(&part.forward_t(&x, false)?, &whole.features_at(&x, &[2], false)?[0], 0.)?;
        let error = part.features_at(&x, &[3], false).unwrap_err().to_string();
        assert!(
            error.contains("stage 3 of ResNet-18: its stages are 0 (the stem) to 2"),
            "{error}"
        );
        Ok(())
    }

    #[test]
    fn rejects_other_channels_and_no_image() -> Result<()> {
        let resnet = zeros(&small(ResNetConfig::resnet18()).with_in_channels(4))?;
        let x = fill((1, 3, 32, 32), 0., DType::F32)?;
        let error = resnet.forward_t(&x, false).unwrap_err().to_string();
        assert!(error.contains("ResNet-18 expects 4 channels, got 3"), "{error}");
        let error = resnet.forward_t(&x.get(0)?, false).unwrap_err().to_string();
        assert!(error.contains("got [3, 32, 32]"), "{error}");
        let x = Tensor::zeros((1, 4, 0, 8), DType::F32, &Device::Cpu)?;
        let error = resnet.forward_t(&x, false).unwrap_err().to_string();
        assert!(error.contains("got [1, 4, 0, 8]"), "{error}");
        Ok(())
    }

    #[test]
    fn rejects_a_network_without_stages_or_units() {
        let config = ResNetConfig::resnet18();
        for (config, expected) in [
            (config.with_stage_count(0), "0 stages after the stem"),
            (config.with_stage_count(5), "5 stages after the stem"),
            (config.with_units([2, 0, 2, 2]), "a stage without units: [2, 0, 2, 2]"),
            (config.with_channels(0), "3 to 0 channels"),
        ] {
            let error = zeros(&config).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }
}
