//! What of an encoder is kept beside a network's weights: serde's `with` of
//! [`ResidualSegNetConfig::encoder`](super::ResidualSegNetConfig::encoder).

use ocellus_backbones::{ResNetConfig, StemPool};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser};

/// The changes of a ResNet of that depth.
#[derive(Serialize, Deserialize)]
struct EncoderRecord {
    depth: usize,
    channels: usize,
    bands: usize,
    stages: usize,
    overlapping_pool: bool,
}

impl EncoderRecord {
    fn of(encoder: &ResNetConfig) -> Self {
        Self {
            depth: encoder.with_stage_count(4).depth(),
            channels: encoder.channels,
            bands: encoder.in_channels,
            stages: encoder.stage_count,
            overlapping_pool: encoder.stem_pool == StemPool::Overlapping,
        }
    }

    fn encoder(&self) -> Option<ResNetConfig> {
        let pool = if self.overlapping_pool { StemPool::Overlapping } else { StemPool::Blocks };
        let encoder = ResNetConfig::of_depth(self.depth)?
            .with_channels(self.channels)
            .with_in_channels(self.bands)
            .with_stage_count(self.stages)
            .with_stem_pool(pool);
        Some(encoder)
    }
}

pub(super) fn serialize<S: Serializer>(
    encoder: &ResNetConfig,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let record = EncoderRecord::of(encoder);
    match record.encoder() {
        Some(known) if known == *encoder => record.serialize(serializer),
        _ => Err(ser::Error::custom(format!(
            "the encoder {encoder:?} is none of Table I: only such are kept in files"
        ))),
    }
}

pub(super) fn deserialize<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<ResNetConfig, D::Error> {
    let record = EncoderRecord::deserialize(deserializer)?;
    let missing = || de::Error::custom(format!("there is no ResNet of depth {}", record.depth));
    record.encoder().ok_or_else(missing)
}
