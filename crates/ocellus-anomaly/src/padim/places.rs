use candle_core::{DType, Device, Tensor};
use rayon::prelude::*;

use crate::{Error, Result};

/// Which of the features' channels are read, and how features of several scales become vectors, one
/// a place of the finest scale: coarser ones are repeated to its size.
#[derive(Clone, Debug)]
pub(super) struct Places {
    /// Channels, height, width of each scale.
    scales: Vec<(usize, usize, usize)>,
    /// Scale and channel of each entry of a vector.
    entries: Vec<(usize, usize)>,
    /// For each scale, the place that each place of the finest reads.
    sources: Vec<Vec<u32>>,
}

/// Places that are gathered together: a cache line of each channel.
const TILE: usize = 16;

impl Places {
    /// Vectors of those channels, counted through all scales.
    pub(super) fn new(scales: &[(usize, usize, usize)], channels: &[usize]) -> Result<Self> {
        let entry = |&channel: &usize| {
            let mut rest = channel;
            for (scale, &(count, ..)) in scales.iter().enumerate() {
                if rest < count {
                    return Ok((scale, rest));
                }
                rest -= count;
            }
            let all: usize = scales.iter().map(|scale| scale.0).sum();
            Err(Error::Setting(format!("channel {channel}: the features have {all}, from 0")))
        };
        let entries = channels.iter().map(entry).collect::<Result<Vec<_>>>()?;
        let Some(&(_, height, width)) = scales.first() else {
            return Err(Error::Shape("features of no scale: tap a stage at least".to_owned()));
        };
        let nearest = |&(_, h, w): &(usize, usize, usize)| {
            let source = |p: usize| ((p / width) * h / height) * w + (p % width) * w / width;
            (0..height * width).map(|p| source(p) as u32).collect()
        };
        let sources = scales.iter().map(nearest).collect();
        Ok(Self { scales: scales.to_vec(), entries, sources })
    }

    pub(super) fn scales(&self) -> &[(usize, usize, usize)] {
        &self.scales
    }

    /// Entries of a vector.
    pub(super) fn dim(&self) -> usize {
        self.entries.len()
    }

    /// Height and width of the finest scale.
    pub(super) fn size(&self) -> (usize, usize) {
        (self.scales[0].1, self.scales[0].2)
    }

    pub(super) fn count(&self) -> usize {
        self.scales[0].1 * self.scales[0].2
    }

    /// The values of the features of a batch, for [`gather`](Self::gather).
    pub(super) fn values(features: &[Tensor]) -> Result<Vec<Vec<f32>>> {
        let values = |x: &Tensor| -> Result<Vec<f32>> {
            let x = x.to_device(&Device::Cpu)?.to_dtype(DType::F32)?;
            Ok(x.flatten_all()?.to_vec1()?)
        };
        features.iter().map(values).collect()
    }

    /// Calls `put(part of the place, entry, value)` for all places and entries of an image, where
    /// `out` holds a part of `stride` values for each place.
    pub(super) fn gather(
        &self,
        values: &[Vec<f32>],
        image: usize,
        out: &mut [f32],
        stride: usize,
        put: impl Fn(&mut [f32], usize, f32) + Sync,
    ) {
        let planes: Vec<(&[f32], &[u32])> = self
            .entries
            .iter()
            .map(|&(scale, channel)| {
                let (channels, height, width) = self.scales[scale];
                let first = (image * channels + channel) * height * width;
                (&values[scale][first..][..height * width], &self.sources[scale][..])
            })
            .collect();
        out.par_chunks_mut(stride * TILE).enumerate().for_each(|(tile, out)| {
            for (place, out) in (tile * TILE..).zip(out.chunks_mut(stride)) {
                for (entry, (plane, sources)) in planes.iter().enumerate() {
                    put(out, entry, plane[sources[place] as usize]);
                }
            }
        });
    }
}
