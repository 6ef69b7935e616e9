//! The images as the network sees them: augmented, and with the features of frozen layers kept.

use anyhow::Result;
use ocellus::breast::Classifier;
use ocellus::candle::{DType, Device, Tensor};
use ocellus::data::{Augment, Image};
use rayon::prelude::*;

use crate::common::progress;

/// One way of looking at an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum View {
    Plain,
    Mirrored,
    Augmented(u64),
}

/// All images of a data set, their augmented views, and, where layers of the backbone are frozen, the
/// features that those layers give: each is computed once for all epochs, folds and models.
pub(crate) struct Views {
    images: Vec<Image>,
    augment: Option<Augment>,
    seed: u64,
    frozen_layers: usize,
    /// One tensor a view, `(images, …)` in f16: the plain, the mirrored, then the augmented ones.
    features: Option<Vec<Tensor>>,
    device: Device,
}

impl Views {
    /// Views of `images`, which are gray and of the network's size.
    pub(crate) fn new(
        images: Vec<Image>,
        augment: Option<Augment>,
        seed: u64,
        device: Device,
    ) -> Self {
        Self { images, augment, seed, frozen_layers: 0, features: None, device }
    }

    /// Computes the features of the first `layers` layers of `model` for every image in `views`
    /// augmented views, if they fit into `limit` bytes.
    pub(crate) fn keep_features(
        &mut self,
        model: &Classifier,
        layers: usize,
        views: usize,
        limit: usize,
    ) -> Result<()> {
        let views = 2 + if self.augment.is_some() { views } else { 0 };
        let one = model.prefix(&self.images(&[0], |_| View::Plain)?, layers)?;
        let bytes = 2 * one.elem_count() * self.images.len() * views;
        if layers == 0 || bytes > limit {
            return Ok(());
        }
        let bar = progress::bar(
            (views * self.images.len()) as u64,
            &format!("features of {layers} frozen layers ({} MiB)", bytes >> 20),
        );
        let all: Vec<usize> = (0..self.images.len()).collect();
        let mut features = Vec::with_capacity(views);
        for view in 0..views {
            let view = Self::numbered(view);
            let mut parts = Vec::new();
            for chunk in all.chunks(16) {
                let x = self.images(chunk, |_| view)?;
                parts.push(model.prefix(&x, layers)?.to_dtype(DType::F16)?.detach());
                bar.inc(chunk.len() as u64);
            }
            features.push(Tensor::cat(&parts, 0)?);
        }
        bar.finish_and_clear();
        self.frozen_layers = layers;
        self.features = Some(features);
        Ok(())
    }

    /// How many layers of the backbone the batches have already passed.
    pub(crate) fn layers_done(&self) -> usize {
        self.frozen_layers
    }

    /// The batch that training sees of `samples` in `epoch`.
    pub(crate) fn training(
        &self,
        model: &Classifier,
        samples: &[usize],
        epoch: usize,
    ) -> Result<Tensor> {
        let Some(features) = &self.features else {
            let view = match self.augment {
                Some(_) => View::Augmented(epoch as u64),
                None => View::Plain,
            };
            return Ok(model.prefix(&self.images(samples, |_| view)?, 0)?);
        };
        let parts = samples
            .iter()
            .map(|&i| features[self.drawn(i, epoch, features.len())].get(i))
            .collect::<ocellus::candle::Result<Vec<_>>>()?;
        Ok(Tensor::stack(&parts, 0)?.to_dtype(DType::F32)?)
    }

    /// The batches that evaluation sees: the images, and their mirror images if wanted.
    pub(crate) fn evaluation(
        &self,
        model: &Classifier,
        samples: &[usize],
        mirror: bool,
    ) -> Result<Vec<Tensor>> {
        let views = if mirror { 2 } else { 1 };
        (0..views)
            .map(|view| match &self.features {
                Some(features) => {
                    let index: Vec<u32> = samples.iter().map(|&i| i as u32).collect();
                    let index = Tensor::new(index, &self.device)?;
                    Ok(features[view].index_select(&index, 0)?.to_dtype(DType::F32)?)
                }
                None => Ok(model.prefix(&self.images(samples, |_| Self::numbered(view))?, 0)?),
            })
            .collect()
    }

    /// One image as it is.
    pub(crate) fn image(&self, sample: usize) -> &Image {
        &self.images[sample]
    }

    /// Images as they are, as a batch for the whole network.
    pub(crate) fn plain(&self, samples: &[usize]) -> Result<Tensor> {
        self.images(samples, |_| View::Plain)
    }

    fn numbered(view: usize) -> View {
        match view {
            0 => View::Plain,
            1 => View::Mirrored,
            n => View::Augmented(n as u64),
        }
    }

    /// Which kept view of sample `i` an epoch sees: a pure function, so that a resumed run sees the same.
    fn drawn(&self, i: usize, epoch: usize, views: usize) -> usize {
        let key = self.seed ^ ((epoch as u64) << 32) ^ i as u64;
        (mix(key) % views as u64) as usize
    }

    fn images(&self, samples: &[usize], view: impl Fn(usize) -> View + Sync) -> Result<Tensor> {
        let mirror = Augment::default().with_flip_horizontal(1.);
        let images = samples
            .par_iter()
            .map(|&i| {
                let image = &self.images[i];
                match (view(i), &self.augment) {
                    (View::Augmented(n), Some(augment)) => {
                        Ok(augment.apply(image, None, [self.seed, n, i as u64])?.0.to_rgb()?)
                    }
                    (View::Mirrored, _) => Ok(mirror.apply(image, None, [0; 3])?.0.to_rgb()?),
                    _ => Ok(image.to_rgb()?),
                }
            })
            .collect::<Result<Vec<_>>>()?;
        Ok(Image::stack(&images, &self.device)?)
    }
}

/// `SplitMix64`'s finalizer: neighboring keys give unrelated values.
pub(crate) fn mix(key: u64) -> u64 {
    let mut z = key.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
