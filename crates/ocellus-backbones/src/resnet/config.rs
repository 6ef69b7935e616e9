use candle_nn::Init;
use ocellus_layers::{Conv2dConfig, ResidualUnitConfig};
use ocellus_ops::MaxPool2dConfig;

use crate::Stage;

/// What the stages of a [`ResNet`](crate::ResNet) are made of.
///
/// # Examples
///
/// ```
/// use ocellus_backbones::{ResNetConfig, ResNetUnit};
///
/// assert_eq!(ResNetConfig::resnet34().unit, ResNetUnit::Basic);
/// assert_eq!(ResNetConfig::wide_resnet50_2().unit, ResNetUnit::Bottleneck { widening: 2 });
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ResNetUnit {
    /// Two 3×3 convolutions of the stage's channels.
    Basic,
    /// 1×1, 3×3 and 1×1; four times the stage's channels leave it.
    Bottleneck {
        /// How many times the stage's channels the 3×3 convolution has: 1, or 2 in a wide network.
        widening: usize,
    },
}

impl ResNetUnit {
    /// How many times the stage's channels leave a unit.
    const fn expansion(self) -> usize {
        match self {
            Self::Basic => 1,
            Self::Bottleneck { .. } => 4,
        }
    }
}

/// The max pooling between the stem and the first stage; it halves the size, rounded up.
///
/// # Examples
///
/// ```
/// use ocellus_backbones::{ResNetConfig, StemPool};
///
/// assert_eq!(ResNetConfig::resnet18().stem_pool, StemPool::Overlapping);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum StemPool {
    /// Windows of 3×3 at stride 2, padded by 1: He et al.'s and torchvision's.
    #[default]
    Overlapping,
    /// Windows of 2×2 at stride 2; the last of an odd size reaches over the edge.
    Blocks,
}

impl StemPool {
    pub(crate) const fn config(self) -> MaxPool2dConfig {
        match self {
            Self::Overlapping => MaxPool2dConfig::new(3).with_stride((2, 2)).with_padding((1, 1)),
            Self::Blocks => MaxPool2dConfig::new(2).with_ceil_mode(true),
        }
    }
}

/// Configuration of [`ResNet`](crate::ResNet) and [`ResNetClassifier`](crate::ResNetClassifier).
///
/// | Network | unit | units per stage | parameters without and with classifier |
/// | --- | --- | --- | --- |
/// | ResNet-18 | basic | 2 2 2 2 | 11,176,512 · 11,689,512 |
/// | ResNet-34 | basic | 3 4 6 3 | 21,284,672 · 21,797,672 |
/// | ResNet-50 | bottleneck | 3 4 6 3 | 23,508,032 · 25,557,032 |
/// | ResNet-101 | bottleneck | 3 4 23 3 | 42,500,160 · 44,549,160 |
/// | ResNet-152 | bottleneck | 3 8 36 3 | 58,143,808 · 60,192,808 |
/// | ResNet-200 | bottleneck | 3 24 36 3 | 62,624,832 · 64,673,832 |
/// | Wide-ResNet-50-2 | bottleneck, wide | 3 4 6 3 | 66,834,240 · 68,883,240 |
/// | Wide-ResNet-101-2 | bottleneck, wide | 3 4 23 3 | 124,837,696 · 126,886,696 |
///
/// # Examples
///
/// ```
/// use ocellus_backbones::ResNetConfig;
///
/// let config = ResNetConfig::resnet50().with_in_channels(4);
/// let channels: Vec<usize> = config.stages().iter().map(|stage| stage.channels).collect();
/// assert_eq!(channels, [64, 256, 512, 1024, 2048]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ResNetConfig {
    /// The network's name, for messages.
    pub name: &'static str,
    /// What the stages are made of.
    pub unit: ResNetUnit,
    /// Units in each of the four stages after the stem.
    pub units: [usize; 4],
    /// Channels of the stem and of the first stage; each further stage has twice as many.
    pub channels: usize,
    /// How many stages after the stem the network has, 1 to 4.
    pub stage_count: usize,
    /// The pooling between the stem and the first stage.
    pub stem_pool: StemPool,
    /// Channels of the image.
    pub in_channels: usize,
    /// Outputs of the classifier.
    pub classes: usize,
}

/// One row a network: name, unit, units per stage.
const NETWORKS: [(&str, ResNetUnit, [usize; 4]); 8] = [
    ("ResNet-18", ResNetUnit::Basic, [2, 2, 2, 2]),
    ("ResNet-34", ResNetUnit::Basic, [3, 4, 6, 3]),
    ("ResNet-50", ResNetUnit::Bottleneck { widening: 1 }, [3, 4, 6, 3]),
    ("ResNet-101", ResNetUnit::Bottleneck { widening: 1 }, [3, 4, 23, 3]),
    ("ResNet-152", ResNetUnit::Bottleneck { widening: 1 }, [3, 8, 36, 3]),
    ("ResNet-200", ResNetUnit::Bottleneck { widening: 1 }, [3, 24, 36, 3]),
    ("Wide-ResNet-50-2", ResNetUnit::Bottleneck { widening: 2 }, [3, 4, 6, 3]),
    ("Wide-ResNet-101-2", ResNetUnit::Bottleneck { widening: 2 }, [3, 4, 23, 3]),
];

impl ResNetConfig {
    /// Eight basic units.
    #[must_use]
    pub const fn resnet18() -> Self {
        Self::row(0)
    }

    /// Sixteen basic units.
    #[must_use]
    pub const fn resnet34() -> Self {
        Self::row(1)
    }

    /// Sixteen bottlenecks.
    #[must_use]
    pub const fn resnet50() -> Self {
        Self::row(2)
    }

    /// Thirty-three bottlenecks.
    #[must_use]
    pub const fn resnet101() -> Self {
        Self::row(3)
    }

    /// Fifty bottlenecks.
    #[must_use]
    pub const fn resnet152() -> Self {
        Self::row(4)
    }

    /// Sixty-six bottlenecks, normalized after each convolution as in the others: timm's `resnet200`.
    ///
    /// The network of that name in *Identity mappings in deep residual networks* (He et al., ECCV 2016)
    /// normalizes before each convolution.
    #[must_use]
    pub const fn resnet200() -> Self {
        Self::row(5)
    }

    /// ResNet-50 with twice the channels in each 3×3 convolution.
    #[must_use]
    pub const fn wide_resnet50_2() -> Self {
        Self::row(6)
    }

    /// ResNet-101 with twice the channels in each 3×3 convolution.
    #[must_use]
    pub const fn wide_resnet101_2() -> Self {
        Self::row(7)
    }

    const fn row(index: usize) -> Self {
        let (name, unit, units) = NETWORKS[index];
        let stem_pool = StemPool::Overlapping;
        let (channels, stage_count, in_channels, classes) = (64, 4, 3, 1000);
        Self { name, unit, units, channels, stage_count, stem_pool, in_channels, classes }
    }

    /// The network of that depth, 18, 34, 50, 101, 152 or 200, none of them wide.
    ///
    /// ```
    /// use ocellus_backbones::ResNetConfig;
    ///
    /// assert_eq!(ResNetConfig::of_depth(34), Some(ResNetConfig::resnet34()));
    /// assert!(ResNetConfig::of_depth(35).is_none());
    /// ```
    #[must_use]
    pub const fn of_depth(depth: usize) -> Option<Self> {
        Some(match depth {
            18 => Self::resnet18(),
            34 => Self::resnet34(),
            50 => Self::resnet50(),
            101 => Self::resnet101(),
            152 => Self::resnet152(),
            200 => Self::resnet200(),
            _ => return None,
        })
    }

    /// Sets the units of each stage.
    #[must_use]
    pub const fn with_units(mut self, units: [usize; 4]) -> Self {
        self.units = units;
        self
    }

    /// Sets the channels of the stem and the first stage: fewer for tests and small data.
    #[must_use]
    pub const fn with_channels(mut self, channels: usize) -> Self {
        self.channels = channels;
        self
    }

    /// Sets how many stages after the stem the network has: fewer where the last are not looked at.
    #[must_use]
    pub const fn with_stage_count(mut self, count: usize) -> Self {
        self.stage_count = count;
        self
    }

    /// Sets the pooling between the stem and the first stage.
    #[must_use]
    pub const fn with_stem_pool(mut self, pool: StemPool) -> Self {
        self.stem_pool = pool;
        self
    }

    /// Sets the channels of the image.
    ///
    /// Weights for three channels are fitted to another number by
    /// `ocellus_params::LoadConfig::with_inflate_stem("conv1.weight")`.
    #[must_use]
    pub const fn with_in_channels(mut self, channels: usize) -> Self {
        self.in_channels = channels;
        self
    }

    /// Sets the outputs of the classifier.
    #[must_use]
    pub const fn with_classes(mut self, classes: usize) -> Self {
        self.classes = classes;
        self
    }

    /// The stages: the stem at stride 2, then strides 4, 8, 16 and 32.
    #[must_use]
    pub fn stages(&self) -> Vec<Stage> {
        let stem = Stage::new(self.channels, 2);
        let stage = |i: usize| Stage::new((self.channels * self.unit.expansion()) << i, 4 << i);
        std::iter::once(stem).chain((0..self.stage_count.min(4)).map(stage)).collect()
    }

    /// The layers that its name counts: the stem, the convolutions of the units, the classifier.
    ///
    /// ```
    /// use ocellus_backbones::ResNetConfig;
    ///
    /// assert_eq!(ResNetConfig::wide_resnet101_2().depth(), 101);
    /// ```
    #[must_use]
    pub fn depth(&self) -> usize {
        let convolutions = match self.unit {
            ResNetUnit::Basic => 2,
            ResNetUnit::Bottleneck { .. } => 3,
        };
        2 + convolutions * self.units[..self.stage_count.min(4)].iter().sum::<usize>()
    }

    /// Multiply-accumulates of one image of that size in the convolutions of the stages, without the
    /// classifier.
    ///
    /// ```
    /// use ocellus_backbones::ResNetConfig;
    ///
    /// let config = ResNetConfig::resnet50();
    /// assert_eq!(config.macs(224, 224) + 2048 * 1000, 4_089_184_256); // With the classifier.
    /// ```
    #[must_use]
    pub fn macs(&self, height: usize, width: usize) -> u64 {
        let stem = self.stem();
        let (mut height, mut width) = (height, width);
        let mut macs = stem.macs(height, width);
        (height, width) = stem.output_size(height, width);
        (height, width) = (height.div_ceil(2), width.div_ceil(2));
        for unit in (0..self.stage_count.min(4)).flat_map(|stage| self.unit_configs(stage)) {
            macs += unit.macs(height, width);
            (height, width) = unit.output_size(height, width);
        }
        macs
    }

    /// The first convolution, drawn as torchvision does.
    pub(crate) fn stem(&self) -> Conv2dConfig {
        let stdev = (2. / (49 * self.channels).max(1) as f64).sqrt();
        Conv2dConfig::new(self.in_channels, self.channels, 7)
            .with_stride((2, 2))
            .with_padding(3)
            .with_bias(false)
            .with_weight_init(Init::Randn { mean: 0., stdev })
    }

    /// The units of a stage, 0 the first after the stem.
    pub(crate) fn unit_configs(&self, stage: usize) -> Vec<ResidualUnitConfig> {
        let channels = self.channels << stage;
        let out_channels = channels * self.unit.expansion();
        let before = if stage == 0 { self.channels } else { out_channels / 2 };
        let unit = |i| {
            let in_channels = if i == 0 { before } else { out_channels };
            let stride = if i == 0 && stage > 0 { 2 } else { 1 };
            let config = match self.unit {
                ResNetUnit::Basic => ResidualUnitConfig::basic(in_channels, out_channels),
                ResNetUnit::Bottleneck { widening } => {
                    ResidualUnitConfig::bottleneck(in_channels, channels * widening, out_channels)
                }
            };
            config.with_stride((stride, stride))
        };
        (0..self.units[stage]).map(unit).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_is_as_deep_as_its_name() {
        for (index, (name, ..)) in NETWORKS.iter().enumerate() {
            let depth = ResNetConfig::row(index).depth();
            assert_eq!(name.split('-').find_map(|part| part.parse().ok()), Some(depth));
        }
    }

    /// Counted by PyTorch, classifier included.
    #[test]
    fn multiply_accumulates_are_the_published_ones() {
        for (config, expected) in [
            (ResNetConfig::resnet18(), 1_814_073),
            (ResNetConfig::resnet34(), 3_663_761),
            (ResNetConfig::resnet50(), 4_089_184),
            (ResNetConfig::resnet101(), 7_801_405),
            (ResNetConfig::resnet152(), 11_513_627),
            (ResNetConfig::resnet200(), 15_007_482),
            (ResNetConfig::wide_resnet50_2(), 11_398_021),
            (ResNetConfig::wide_resnet101_2(), 22_753_051),
        ] {
            let features = config.stages()[4].channels;
            let macs = config.macs(224, 224) + (features * config.classes) as u64;
            assert_eq!((macs + 500) / 1000, expected, "{}", config.name);
        }
        let wide = ResNetConfig::wide_resnet50_2();
        for (side, expected) in [(256, 14_886_584), (320, 23_259_136)] {
            assert_eq!((wide.macs(side, side) + 2048 * 1000 + 500) / 1000, expected);
        }
        let to_layer3 = wide.with_stage_count(3);
        assert!(to_layer3.macs(224, 224) < wide.macs(224, 224));
    }

    #[test]
    fn stages_take_what_the_one_before_gives() {
        for (index, _) in NETWORKS.iter().enumerate() {
            let config = ResNetConfig::row(index);
            let units: Vec<_> = (0..4).flat_map(|stage| config.unit_configs(stage)).collect();
            assert_eq!(units[0].in_channels, config.channels);
            for pair in units.windows(2) {
                assert_eq!(pair[1].in_channels, pair[0].out_channels);
            }
            let strides: usize = units.iter().map(|unit| unit.stride.0).product();
            assert_eq!(strides, 8);
        }
    }
}
