use std::ops::Range;

use candle_core::{DType, Storage, Tensor};
use ocellus_ops::upsample_nearest2d;

use crate::{Error, Result, on_cpu::on_cpu};

/// Places that are gathered together: a cache line of each channel.
pub(super) const TILE: usize = 16;

/// Which of the features' channels are read, and how features of several scales become vectors, one
/// a place of the finest scale: coarser ones are repeated to its size.
#[derive(Clone, Debug)]
pub(super) struct Places {
    /// Channels, height, width of each scale.
    scales: Vec<(usize, usize, usize)>,
    /// The scale of each entry of a vector, and where its channel begins in an image.
    entries: Vec<(usize, usize)>,
    /// For each scale, the place that each place of the finest reads.
    sources: Vec<Vec<u32>>,
}

impl Places {
    /// Vectors of those channels, counted through all scales.
    pub(super) fn new(scales: &[(usize, usize, usize)], channels: &[usize]) -> Result<Self> {
        let entry = |&channel: &usize| {
            let mut rest = channel;
            for (scale, &(count, height, width)) in scales.iter().enumerate() {
                if rest < count {
                    return Ok((scale, rest * height * width));
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

    /// The vectors of all images of a batch, `(batch, places, dim)`, on their device.
    pub(super) fn vectors_there(&self, features: &[Tensor]) -> Result<Tensor> {
        let (mut parts, mut order, mut count) = (Vec::new(), vec![0u32; self.dim()], 0);
        for (scale, (x, &(_, height, width))) in features.iter().zip(&self.scales).enumerate() {
            let read = self.entries.iter().zip(&mut order).filter(|(entry, _)| entry.0 == scale);
            let mut channels = Vec::new();
            for (&(_, first), place) in read {
                channels.push((first / (height * width)) as u32);
                *place = count;
                count += 1;
            }
            if channels.is_empty() {
                continue;
            }
            let channels = Tensor::new(channels, x.device())?;
            let x = x.to_dtype(DType::F32)?.contiguous()?.index_select(&channels, 1)?;
            parts.push(upsample_nearest2d(&x, self.size())?.flatten_from(2)?);
        }
        let order = Tensor::new(order, features[0].device())?;
        Ok(Tensor::cat(&parts, 1)?.index_select(&order, 1)?.transpose(1, 2)?.contiguous()?)
    }

    /// Writes the vectors of an image at those places: the entries of a place `step` apart, those of
    /// the next place `stride` behind.
    pub(super) fn gather(
        &self,
        image: &[&[f32]],
        places: Range<usize>,
        out: &mut [f32],
        (stride, step): (usize, usize),
    ) {
        for (place, out) in places.zip(out.chunks_mut(stride)) {
            for (&(scale, first), out) in self.entries.iter().zip(out.iter_mut().step_by(step)) {
                *out = image[scale][first + self.sources[scale][place] as usize];
            }
        }
    }
}

/// Features as they are read: contiguous, in `f32`, on the CPU.
pub(super) fn readable(features: &[Tensor]) -> Result<Vec<Tensor>> {
    features.iter().map(|x| on_cpu(x, DType::F32)).collect()
}

/// Calls `f` with the values of images of [`readable`] features: for each image, each scale's.
pub(super) fn with_images<R>(
    parts: &[(Vec<Tensor>, Range<usize>)],
    f: impl FnOnce(&[Vec<&[f32]>]) -> Result<R>,
) -> Result<R> {
    let mut storages = Vec::new();
    for (features, images) in parts {
        for features in features {
            let size = features.elem_count() / features.dim(0)?;
            storages.push((features.storage_and_layout(), images.clone(), size));
        }
    }
    let mut scales = Vec::with_capacity(storages.len());
    for ((storage, layout), images, size) in &storages {
        let Storage::Cpu(values) = &**storage else {
            return Err(Error::Shape("features that are not on the CPU".to_owned()));
        };
        let values = &values.as_slice::<f32>()?[layout.start_offset()..];
        scales.push((&values[images.start * size..images.end * size], *size));
    }
    let mut found = Vec::new();
    for (part, scales) in
        parts.iter().zip(scales.chunks(parts.first().map_or(1, |part| part.0.len())))
    {
        for image in 0..part.1.len() {
            found.push(
                scales.iter().map(|(values, size)| &values[image * size..][..*size]).collect(),
            );
        }
    }
    f(&found)
}

#[cfg(test)]
mod tests {
    use candle_core::Device;
    use ocellus_testing::fill;

    use super::*;

    #[test]
    fn coarse_places_are_repeated() -> Result<()> {
        let places = Places::new(&[(2, 2, 4), (1, 1, 2)], &[2, 0])?;
        let fine = Tensor::arange(0f32, 32., &Device::Cpu)?.reshape((2, 2, 2, 4))?;
        let coarse = Tensor::new(&[[[[10f32, 20.]]], [[[30., 40.]]]], &Device::Cpu)?;
        let there = places.vectors_there(&[fine.clone(), coarse.clone()])?;
        let parts = [(readable(&[fine, coarse])?, 1..2)];
        let vectors = with_images(&parts, |images| {
            let mut vectors = [0.; 16];
            places.gather(&images[0], 0..8, &mut vectors, (2, 1));
            Ok(vectors)
        })?;
        let expected =
            [30., 16., 30., 17., 40., 18., 40., 19., 30., 20., 30., 21., 40., 22., 40., 23.];
        assert_eq!(vectors, expected);
        assert_eq!(there.get(1)?.flatten_all()?.to_vec1::<f32>()?, expected);
        Ok(())
    }

    #[test]
    fn a_device_gathers_the_same() -> Result<()> {
        let features = [fill((3, 4, 6, 5), 0.1, DType::F32)?, fill((3, 7, 4, 3), 0.7, DType::F64)?];
        for channels in [vec![10, 2, 3, 4, 7], vec![1], vec![8, 6]] {
            let places = Places::new(&[(4, 6, 5), (7, 4, 3)], &channels)?;
            let (dim, size) = (channels.len(), 30 * channels.len());
            let expected = with_images(&[(readable(&features)?, 0..3)], |images| {
                let mut vectors = vec![0.; 3 * size];
                for (image, out) in images.iter().zip(vectors.chunks_mut(size)) {
                    places.gather(image, 0..30, out, (dim, 1));
                }
                Ok(vectors)
            })?;
            let there = places.vectors_there(&features)?;
            assert_eq!(there.dims(), [3, 30, dim]);
            assert_eq!(there.flatten_all()?.to_vec1::<f32>()?, expected);
        }
        Ok(())
    }

    #[test]
    fn names_a_channel_that_is_not_there() {
        let error = Places::new(&[(2, 2, 4), (1, 1, 2)], &[0, 3]).unwrap_err().to_string();
        assert!(error.contains("channel 3: the features have 3, from 0"), "{error}");
    }
}
