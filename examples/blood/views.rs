//! Images as a network sees them.

use anyhow::Result;
use ocellus::{
    candle::{Device, Tensor},
    data::{Augment, Image, Resize},
};
use rayon::prelude::*;

/// Images of a network's size, and how they change in training.
pub(crate) struct Views {
    images: Vec<Image>,
    augment: Option<Augment>,
    seed: u64,
    device: Device,
}

impl Views {
    /// `images` of that size, gray where the network has one channel.
    pub(crate) fn new(
        images: &[Image],
        (side, gray): (usize, bool),
        device: &Device,
    ) -> Result<Self> {
        let resize = Resize::new(side, side);
        let view = |image: &Image| {
            let image = resize.apply(image)?;
            if gray { image.to_gray() } else { Ok(image) }
        };
        let images = images.par_iter().map(view).collect::<ocellus::data::Result<_>>()?;
        Ok(Self { images, augment: None, seed: 0, device: device.clone() })
    }

    /// Turned and mirrored, and in other light, in training: a cell has no side up.
    pub(crate) fn augmented(mut self, seed: u64) -> Self {
        let augment = Augment::default()
            .with_flip_horizontal(0.5)
            .with_flip_vertical(0.5)
            .with_rotation(180.)
            .with_scale((0.9, 1.1))
            .with_brightness(0.08)
            .with_contrast(0.15);
        (self.augment, self.seed) = (Some(augment), seed);
        self
    }

    /// A batch as it is.
    pub(crate) fn plain(&self, samples: &[usize]) -> Result<Tensor> {
        let images: Vec<Image> = samples.iter().map(|&i| self.images[i].clone()).collect();
        Ok(Image::stack(&images, &self.device)?)
    }

    /// A batch as training sees it in an epoch: by seed, epoch and image alone.
    pub(crate) fn training(&self, samples: &[usize], epoch: usize) -> Result<Tensor> {
        let Some(augment) = &self.augment else { return self.plain(samples) };
        let view = |&index: &usize| {
            let image = &self.images[index];
            Ok(augment.apply(image, None, [self.seed, epoch as u64, index as u64])?.0)
        };
        let images = samples.par_iter().map(view);
        let images = images.collect::<ocellus::data::Result<Vec<Image>>>()?;
        Ok(Image::stack(&images, &self.device)?)
    }
}
