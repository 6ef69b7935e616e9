use candle_core::{Result, bail};
use ocellus_backbones::{ResNetConfig, ResNetUnit, StemPool};
use ocellus_layers::{Conv2dConfig, ConvBlockConfig, ConvTranspose2dConfig};
use serde::{Deserialize, Serialize};

use crate::reach::Reach;

/// The total stride of a ResNet.
pub(crate) const STRIDE: usize = 32;

/// Configuration of [`ResidualSegNet`](crate::ResidualSegNet).
///
/// Parameters, of them in the decoder, and multiply-accumulates at 256² for four bands and two
/// classes, with [`paper`](Self::paper) and [`authors`](Self::authors):
///
/// | Depth | paper | decoder | G | authors | decoder | G |
/// | --- | --- | --- | --- | --- | --- | --- |
/// | 18 | 14,854,146 | 3,674,498 | 5.943 | 16,550,722 | 5,371,074 | 12.730 |
/// | 34 | 24,962,306 | 3,674,498 | 8.359 | 26,658,882 | 5,371,074 | 15.146 |
/// | 50 | 78,700,994 | 55,189,826 | 20.590 | 103,629,954 | 80,118,786 | 40.966 |
/// | 101 | 97,693,122 | 55,189,826 | 25.438 | 122,622,082 | 80,118,786 | 45.814 |
/// | 152 | 113,336,770 | 55,189,826 | 30.287 | 138,265,730 | 80,118,786 | 50.663 |
/// | 200 | 117,817,794 | 55,189,826 | 34.850 | 142,746,754 | 80,118,786 | 55.226 |
///
/// # Examples
///
/// ```
/// use ocellus_backbones::ResNetConfig;
/// use ocellus_satellite::ResidualSegNetConfig;
///
/// let config = ResidualSegNetConfig::paper(ResNetConfig::resnet152());
/// assert_eq!(config.name(), "Prop-152");
/// assert_eq!(config.decoder_channels(), [1024, 512, 256, 64, 64]); // Table I
/// assert_eq!(config.macs(256, 256), 30_287_069_184);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ResidualSegNetConfig {
    /// The encoder: depth, width, bands, and the pooling of its stem.
    #[serde(with = "super::encoder_record")]
    pub encoder: ResNetConfig,
    /// How many classes a pixel may have.
    pub classes: usize,
    /// 3×3 convolutions with batch normalization and ReLU behind each transposed convolution: none in
    /// the paper, two in the authors' later code.
    pub refining: usize,
    /// Whether the last features are concatenated with as many maps made of the image by a 3×3
    /// convolution with batch normalization and ReLU. "Better performance is achieved" with it.
    pub full_resolution_skip: bool,
    /// Upsampled maps per map of the encoder in a concatenation. 1 is the paper's balance; below it
    /// the encoder's dominate, above it the decoder's.
    pub balance: f64,
    /// Whether the decoder's convolutions before a batch normalization have a bias, as PyTorch's
    /// have unless told otherwise. It has no effect on a result, as the normalization takes it away.
    pub bias: bool,
}

impl ResidualSegNetConfig {
    /// The paper's network on that encoder: 2×2 pooling in its stem, one transposed convolution a
    /// block, balanced concatenation, the full-resolution skip; four bands and two classes.
    #[must_use]
    pub const fn paper(encoder: ResNetConfig) -> Self {
        Self {
            encoder: encoder.with_stem_pool(StemPool::Blocks).with_in_channels(4),
            classes: 2,
            refining: 0,
            full_resolution_skip: true,
            balance: 1.,
            bias: true,
        }
    }

    /// The network of the authors' later code: 3×3 pooling in the stem, two further 3×3 convolutions a
    /// block, no full-resolution skip.
    ///
    /// That code has one more ReLU, before the last convolution; it stands behind another ReLU, and
    /// changes nothing.
    #[must_use]
    pub const fn authors(encoder: ResNetConfig) -> Self {
        Self {
            encoder: encoder.with_stem_pool(StemPool::Overlapping).with_in_channels(4),
            refining: 2,
            full_resolution_skip: false,
            ..Self::paper(encoder)
        }
    }

    /// Sets the bands of the images.
    #[must_use]
    pub const fn with_bands(mut self, bands: usize) -> Self {
        self.encoder.in_channels = bands;
        self
    }

    /// Sets how many classes a pixel may have.
    #[must_use]
    pub const fn with_classes(mut self, classes: usize) -> Self {
        self.classes = classes;
        self
    }

    /// Sets the maps of the stem, 64 in the paper: all others grow with them.
    #[must_use]
    pub const fn with_channels(mut self, channels: usize) -> Self {
        self.encoder.channels = channels;
        self
    }

    /// Sets the 3×3 convolutions behind each transposed convolution.
    #[must_use]
    pub const fn with_refining(mut self, convolutions: usize) -> Self {
        self.refining = convolutions;
        self
    }

    /// Sets whether maps made of the image itself join the last features.
    #[must_use]
    pub const fn with_full_resolution_skip(mut self, skip: bool) -> Self {
        self.full_resolution_skip = skip;
        self
    }

    /// Sets the upsampled maps per map of the encoder: block k gives `balance` times as many maps as
    /// the encoder's of its size has (the last, as many as the stem's), rounded, at least one.
    ///
    /// ```
    /// use ocellus_backbones::ResNetConfig;
    /// use ocellus_satellite::ResidualSegNetConfig;
    ///
    /// let config = ResidualSegNetConfig::paper(ResNetConfig::resnet34());
    /// assert_eq!(config.decoder_channels(), [256, 128, 64, 64, 64]);
    /// assert_eq!(config.with_balance(0.25).decoder_channels(), [64, 32, 16, 16, 16]);
    /// ```
    #[must_use]
    pub const fn with_balance(mut self, balance: f64) -> Self {
        self.balance = balance;
        self
    }

    /// Sets whether the decoder's convolutions before a batch normalization have a bias.
    #[must_use]
    pub const fn with_bias(mut self, bias: bool) -> Self {
        self.bias = bias;
        self
    }

    /// Bands of the images.
    #[must_use]
    pub const fn bands(&self) -> usize {
        self.encoder.in_channels
    }

    /// The name as the paper's tables have it.
    #[must_use]
    pub fn name(&self) -> String {
        format!("Prop-{}", self.encoder.depth())
    }

    /// The maps that each block of the decoder gives: Table I.
    #[must_use]
    pub fn decoder_channels(&self) -> Vec<usize> {
        let share = |channels: usize| ((channels as f64 * self.balance).round() as usize).max(1);
        self.skip_channels().into_iter().map(share).collect()
    }

    /// The side of the square around a pixel that holds all that its logits depend on: see
    /// [`SegmentationNetwork::receptive_field`](crate::SegmentationNetwork::receptive_field).
    ///
    /// ```
    /// use ocellus_backbones::ResNetConfig;
    /// use ocellus_satellite::ResidualSegNetConfig;
    ///
    /// let config = ResidualSegNetConfig::paper(ResNetConfig::resnet18());
    /// assert_eq!(config.receptive_field(), 555); // More than a tile of 512, by a little.
    /// ```
    #[must_use]
    pub fn receptive_field(&self) -> usize {
        self.reach().field()
    }

    /// Multiply-accumulates of one image of that size in all convolutions, padding included.
    #[must_use]
    pub fn macs(&self, height: usize, width: usize) -> u64 {
        let (height, width) = (height.next_multiple_of(STRIDE), width.next_multiple_of(STRIDE));
        let mut macs = self.encoder.macs(height, width);
        for (i, (up, refining)) in self.blocks().iter().enumerate() {
            let scale = STRIDE >> i;
            macs += up.macs(height / scale, width / scale);
            let (height, width) = (2 * height / scale, 2 * width / scale);
            macs += refining.iter().map(|block| block.conv.macs(height, width)).sum::<u64>();
        }
        let skip = self.full().map_or(0, |block| block.conv.macs(height, width));
        macs + skip + self.head().macs(height, width)
    }

    /// What a network cannot be built of.
    pub(crate) fn check(&self) -> Result<()> {
        if self.encoder.stage_count != 4 {
            bail!(
                "{}: the decoder needs the encoder's four stages, got {}",
                self.name(),
                self.encoder.stage_count
            )
        }
        if !(self.balance > 0. && self.balance.is_finite()) {
            bail!("{}: the balance must be positive, got {}", self.name(), self.balance)
        }
        if self.classes == 0 {
            bail!("{} needs a class at least", self.name())
        }
        Ok(())
    }

    /// The maps that join each block's, from the coarsest to the image's size.
    fn skip_channels(&self) -> Vec<usize> {
        let stages = self.encoder.stages();
        let skips = stages.iter().rev().skip(1).map(|stage| stage.channels);
        skips.chain([self.encoder.channels]).collect()
    }

    /// The transposed convolution of each block and what refines its maps.
    pub(crate) fn blocks(&self) -> Vec<(ConvTranspose2dConfig, Vec<ConvBlockConfig>)> {
        let mut inputs = self.encoder.stages().last().map_or(0, |stage| stage.channels);
        let sizes = self.decoder_channels().into_iter().zip(self.skip_channels());
        let block = |(outputs, skip)| {
            let inputs = std::mem::replace(&mut inputs, outputs + skip);
            let up = ConvTranspose2dConfig::new(inputs, outputs, 4).with_bias(self.bias);
            (
                up.with_stride((2, 2)).with_padding(1),
                vec![self.conv(outputs, outputs); self.refining],
            )
        };
        sizes.map(block).collect()
    }

    /// The full-resolution skip.
    pub(crate) fn full(&self) -> Option<ConvBlockConfig> {
        self.full_resolution_skip.then(|| self.conv(self.bands(), self.encoder.channels))
    }

    /// The 1×1 convolution to the classes.
    pub(crate) fn head(&self) -> Conv2dConfig {
        let up = self.decoder_channels().last().copied().unwrap_or(0);
        let skip = if self.full_resolution_skip { self.encoder.channels } else { 0 };
        Conv2dConfig::new(up + skip, self.classes, 1)
    }

    fn conv(&self, inputs: usize, outputs: usize) -> ConvBlockConfig {
        ConvBlockConfig::new(inputs, outputs, 3).with_batch_norm(true).with_bias(self.bias)
    }

    /// What a pixel of the output sees.
    pub(crate) fn reach(&self) -> Reach {
        let image = Reach::image(STRIDE);
        let mut stages = vec![image.conv(7, 2, 3)];
        let mut x = match self.encoder.stem_pool {
            StemPool::Blocks => stages[0].conv(2, 2, 0),
            _ => stages[0].conv(3, 2, 1),
        };
        for (stage, &units) in self.encoder.units.iter().enumerate() {
            for unit in 0..units {
                x = x.conv(3, if stage > 0 && unit == 0 { 2 } else { 1 }, 1);
                if self.encoder.unit == ResNetUnit::Basic {
                    x = x.conv(3, 1, 1);
                }
            }
            stages.push(x.clone());
        }
        stages.insert(0, if self.full_resolution_skip { image.conv(3, 1, 1) } else { image });
        for skip in stages.iter().rev().skip(1) {
            x = x.deconv(4, 2, 1);
            for _ in 0..self.refining {
                x = x.conv(3, 1, 1);
            }
            x = x.join(skip);
        }
        x
    }
}
