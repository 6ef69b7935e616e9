use candle_core::{Result, bail};
use candle_nn::Init;
use ocellus_layers::{Conv2dConfig, ConvBlockConfig, ConvTranspose2dConfig};
use serde::{Deserialize, Serialize};

use crate::reach::Reach;

/// The scales beside the coarsest.
pub(crate) const LEVELS: usize = 4;
/// The total stride.
pub(crate) const STRIDE: usize = 1 << LEVELS;

/// Configuration of [`UNet`](crate::UNet).
///
/// For four bands and two classes:
///
/// | | 3×3 convolutions a scale, down and up | parameters | with batch norm | G at 256² |
/// | --- | --- | --- | --- | --- |
/// | U-Net(19) | 2 | 31,032,386 | 31,044,162 | 48.209 |
/// | U-Net(35) | 4 | 43,569,986 | 43,589,442 | 86.864 |
///
/// # Examples
///
/// ```
/// use ocellus_satellite::UNetConfig;
///
/// let config = UNetConfig::unet19().with_bands(3).with_batch_norm(true);
/// assert_eq!(config.name(), "U-Net(19)");
/// assert_eq!(config.receptive_field(), 215);
/// assert_eq!(config.with_bands(4).macs(256, 256), 48_209_330_176);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub struct UNetConfig {
    /// Bands of the images.
    pub bands: usize,
    /// How many classes a pixel may have.
    pub classes: usize,
    /// Maps at full size; each coarser scale has twice as many.
    pub channels: usize,
    /// 3×3 convolutions at each of the four scales on the way down, and again on the way up; the
    /// coarsest scale has two.
    pub convolutions: usize,
    /// Whether batch normalization follows each of them.
    pub batch_norm: bool,
}

impl UNetConfig {
    /// Ronneberger's network of 19 convolutions (those that enlarge do not count), padded, without
    /// batch normalization; four bands and two classes.
    #[must_use]
    pub const fn unet19() -> Self {
        Self { bands: 4, classes: 2, channels: 64, convolutions: 2, batch_norm: false }
    }

    /// The deeper one that the paper compares with: four convolutions in place of two.
    ///
    /// # Deviations
    ///
    /// The paper gives its depth alone; this is the one way to 35 that keeps four scales and their
    /// symmetry.
    #[must_use]
    pub const fn unet35() -> Self {
        Self { convolutions: 4, ..Self::unet19() }
    }

    /// Sets the bands of the images.
    #[must_use]
    pub const fn with_bands(mut self, bands: usize) -> Self {
        self.bands = bands;
        self
    }

    /// Sets how many classes a pixel may have.
    #[must_use]
    pub const fn with_classes(mut self, classes: usize) -> Self {
        self.classes = classes;
        self
    }

    /// Sets the maps at full size.
    #[must_use]
    pub const fn with_channels(mut self, channels: usize) -> Self {
        self.channels = channels;
        self
    }

    /// Sets the 3×3 convolutions a scale.
    #[must_use]
    pub const fn with_convolutions(mut self, convolutions: usize) -> Self {
        self.convolutions = convolutions;
        self
    }

    /// Sets whether batch normalization follows each 3×3 convolution.
    #[must_use]
    pub const fn with_batch_norm(mut self, batch_norm: bool) -> Self {
        self.batch_norm = batch_norm;
        self
    }

    /// The 3×3 convolutions and the last.
    #[must_use]
    pub const fn depth(&self) -> usize {
        2 * LEVELS * self.convolutions + 3
    }

    /// The name as the paper's tables have it.
    #[must_use]
    pub fn name(&self) -> String {
        format!("U-Net({})", self.depth())
    }

    /// The side of the square around a pixel that holds all that its logits depend on: see
    /// [`SegmentationNetwork::receptive_field`](crate::SegmentationNetwork::receptive_field).
    #[must_use]
    pub fn receptive_field(&self) -> usize {
        self.reach().field()
    }

    /// Multiply-accumulates of one image of that size in all convolutions, padding included.
    #[must_use]
    pub fn macs(&self, height: usize, width: usize) -> u64 {
        let (height, width) = (height.next_multiple_of(STRIDE), width.next_multiple_of(STRIDE));
        let of = |blocks: Vec<ConvBlockConfig>, level: usize| -> u64 {
            blocks.iter().map(|block| block.conv.macs(height >> level, width >> level)).sum()
        };
        let level = |i: usize| {
            let enlarging = self.enlarging(i).macs(height >> (i + 1), width >> (i + 1));
            of(self.down(i), i) + enlarging + of(self.up(i), i)
        };
        (0..LEVELS).map(level).sum::<u64>()
            + of(self.middle(), LEVELS)
            + self.head().macs(height, width)
    }

    /// What a network cannot be built of.
    pub(crate) fn check(&self) -> Result<()> {
        if self.convolutions == 0 || self.classes == 0 {
            bail!(
                "{}: {} convolutions a scale, {} classes: neither may be 0",
                self.name(),
                self.convolutions,
                self.classes
            )
        }
        Ok(())
    }

    /// The convolutions of a scale on the way down, 0 the full size.
    pub(crate) fn down(&self, level: usize) -> Vec<ConvBlockConfig> {
        let inputs = if level == 0 { self.bands } else { self.channels << (level - 1) };
        self.chain(inputs, self.channels << level, self.convolutions)
    }

    pub(crate) fn middle(&self) -> Vec<ConvBlockConfig> {
        self.chain(self.channels << (LEVELS - 1), self.channels << LEVELS, 2)
    }

    /// The transposed convolution to a scale.
    pub(crate) fn enlarging(&self, level: usize) -> ConvTranspose2dConfig {
        let outputs = self.channels << level;
        ConvTranspose2dConfig::new(2 * outputs, outputs, 2).with_stride((2, 2))
    }

    /// The convolutions of a scale on the way up.
    pub(crate) fn up(&self, level: usize) -> Vec<ConvBlockConfig> {
        let outputs = self.channels << level;
        self.chain(2 * outputs, outputs, self.convolutions)
    }

    pub(crate) fn head(&self) -> Conv2dConfig {
        Conv2dConfig::new(self.channels, self.classes, 1)
    }

    /// Drawn from N(0, 2 / inputs), as Ronneberger et al. do.
    fn chain(&self, inputs: usize, outputs: usize, count: usize) -> Vec<ConvBlockConfig> {
        let block = |i: usize| {
            let inputs = if i == 0 { inputs } else { outputs };
            let stdev = (2. / (9 * inputs).max(1) as f64).sqrt();
            ConvBlockConfig::new(inputs, outputs, 3)
                .with_batch_norm(self.batch_norm)
                .with_bias(true)
                .with_weight_init(Init::Randn { mean: 0., stdev })
        };
        (0..count).map(block).collect()
    }

    /// What a pixel of the output sees.
    pub(crate) fn reach(&self) -> Reach {
        let chain = |x: Reach, count: usize| (0..count).fold(x, |x, _| x.conv(3, 1, 1));
        let mut x = Reach::image(STRIDE);
        let mut skips = Vec::new();
        for _ in 0..LEVELS {
            x = chain(x, self.convolutions);
            skips.push(x.clone());
            x = x.conv(2, 2, 0);
        }
        x = chain(x, 2);
        for skip in skips.iter().rev() {
            x = chain(x.deconv(2, 2, 0).join(skip), self.convolutions);
        }
        x
    }
}
