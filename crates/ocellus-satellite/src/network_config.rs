use candle_core::Result;
use candle_nn::VarBuilder;
use ocellus_backbones::ResNetConfig;
use serde::{Deserialize, Serialize};

use crate::{ResidualSegNet, ResidualSegNetConfig, SegmentationNetwork, UNet, UNetConfig};

/// Which network, with its settings: what a program reads, prints and builds.
///
/// # Examples
///
/// ```
/// use ocellus_satellite::NetworkConfig;
///
/// let config = NetworkConfig::named("Prop-34").expect("a network of Table II");
/// assert_eq!((config.bands(), config.classes(), config.stride()), (4, 2, 32));
/// assert_eq!(config.with_channels(16).name(), "Prop-34");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum NetworkConfig {
    /// The proposed network.
    Residual(ResidualSegNetConfig),
    /// The reference.
    UNet(UNetConfig),
}

impl From<ResidualSegNetConfig> for NetworkConfig {
    fn from(config: ResidualSegNetConfig) -> Self {
        Self::Residual(config)
    }
}

impl From<UNetConfig> for NetworkConfig {
    fn from(config: UNetConfig) -> Self {
        Self::UNet(config)
    }
}

impl NetworkConfig {
    /// The network of a row of Table II: `U-Net(19)`, `U-Net(35)`, or `Prop-` and a depth; capitals
    /// and brackets do not count, so that `unet19`, `u-net-35` and `prop-152` are names, too.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        let name: String = name.to_lowercase().replace(|c: char| !c.is_alphanumeric(), "");
        Some(match name.as_str() {
            "unet" | "unet19" => UNetConfig::unet19().into(),
            "unet35" => UNetConfig::unet35().into(),
            _ => {
                let encoder = ResNetConfig::of_depth(name.strip_prefix("prop")?.parse().ok()?)?;
                ResidualSegNetConfig::paper(encoder).into()
            }
        })
    }

    /// Builds the network from the parameters under `vb`.
    ///
    /// # Errors
    ///
    /// As [`ResidualSegNet::new`] and [`UNet::new`].
    pub fn build(&self, vb: VarBuilder) -> Result<Box<dyn SegmentationNetwork>> {
        Ok(match self {
            Self::Residual(config) => Box::new(ResidualSegNet::new(config, vb)?),
            Self::UNet(config) => Box::new(UNet::new(config, vb)?),
        })
    }

    /// Sets the bands of the images.
    #[must_use]
    pub const fn with_bands(self, bands: usize) -> Self {
        match self {
            Self::Residual(config) => Self::Residual(config.with_bands(bands)),
            Self::UNet(config) => Self::UNet(config.with_bands(bands)),
        }
    }

    /// Sets how many classes a pixel may have.
    #[must_use]
    pub const fn with_classes(self, classes: usize) -> Self {
        match self {
            Self::Residual(config) => Self::Residual(config.with_classes(classes)),
            Self::UNet(config) => Self::UNet(config.with_classes(classes)),
        }
    }

    /// Sets the maps at the finest scale, 64 in the paper: all others grow with them.
    #[must_use]
    pub const fn with_channels(self, channels: usize) -> Self {
        match self {
            Self::Residual(config) => Self::Residual(config.with_channels(channels)),
            Self::UNet(config) => Self::UNet(config.with_channels(channels)),
        }
    }

    /// The name as the paper's tables have it.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Self::Residual(config) => config.name(),
            Self::UNet(config) => config.name(),
        }
    }

    /// A name for files: `prop-34`, `unet-19`.
    #[must_use]
    pub fn slug(&self) -> String {
        match self {
            Self::Residual(config) => format!("prop-{}", config.encoder.depth()),
            Self::UNet(config) => format!("unet-{}", config.depth()),
        }
    }

    /// Bands of the images.
    #[must_use]
    pub const fn bands(&self) -> usize {
        match self {
            Self::Residual(config) => config.bands(),
            Self::UNet(config) => config.bands,
        }
    }

    /// The maps at the finest scale.
    #[must_use]
    pub const fn channels(&self) -> usize {
        match self {
            Self::Residual(config) => config.encoder.channels,
            Self::UNet(config) => config.channels,
        }
    }

    /// How many classes a pixel may have.
    #[must_use]
    pub const fn classes(&self) -> usize {
        match self {
            Self::Residual(config) => config.classes,
            Self::UNet(config) => config.classes,
        }
    }

    /// The total stride: see [`SegmentationNetwork::stride`].
    #[must_use]
    pub const fn stride(&self) -> usize {
        match self {
            Self::Residual(_) => crate::residual::STRIDE,
            Self::UNet(_) => crate::unet::STRIDE,
        }
    }

    /// The receptive field: see [`SegmentationNetwork::receptive_field`].
    #[must_use]
    pub fn receptive_field(&self) -> usize {
        match self {
            Self::Residual(config) => config.receptive_field(),
            Self::UNet(config) => config.receptive_field(),
        }
    }

    /// Multiply-accumulates of one image of that size: see [`SegmentationNetwork::macs`].
    #[must_use]
    pub fn macs(&self, height: usize, width: usize) -> u64 {
        match self {
            Self::Residual(config) => config.macs(height, width),
            Self::UNet(config) => config.macs(height, width),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_and_a_slug_lead_back_to_the_network() {
        for name in
            ["U-Net(19)", "U-Net(35)", "Prop-18", "Prop-34", "Prop-50", "Prop-101", "Prop-152"]
        {
            let config = NetworkConfig::named(name).unwrap();
            assert_eq!(config.name(), name);
            assert_eq!(NetworkConfig::named(&config.slug()), Some(config));
        }
        for name in ["", "prop", "Prop-35", "prop-", "unet-20", "resnet34"] {
            assert_eq!(NetworkConfig::named(name), None, "{name}");
        }
    }
}
