use ocellus_layers::ResidualUnitConfig;

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
        Self { name, unit, units, channels: 64, stage_count: 4, in_channels: 3, classes: 1000 }
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

    /// Stem, convolutions of the units and classifier are the layers that a name counts.
    #[test]
    fn a_network_is_as_deep_as_its_name() {
        for (name, unit, units) in NETWORKS {
            let convolutions = if unit == ResNetUnit::Basic { 2 } else { 3 };
            let depth = 2 + convolutions * units.iter().sum::<usize>();
            assert_eq!(name.split('-').find_map(|part| part.parse().ok()), Some(depth));
        }
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
