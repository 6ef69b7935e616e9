//! Images that a detector passes over, a batch at a time.

use std::sync::Arc;

use anyhow::Result;
use ocellus::{
    anomaly::{Error, ImageBatches, ImageSource},
    candle::{Device, Tensor},
    data::{Dataset, Example, Image, synthetic::OctaGrade},
};
use rand::seq::SliceRandom;
use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};

/// Some images of a data set, and their grades.
#[derive(Clone)]
pub(crate) struct Images {
    dataset: Arc<dyn Dataset>,
    indices: Vec<usize>,
    batch: usize,
    /// What the order of a pass is drawn from; as they are where there is none.
    shuffled: Option<u64>,
}

impl Images {
    /// These images, eight at a time.
    pub(crate) fn new(dataset: Arc<dyn Dataset>, indices: Vec<usize>) -> Self {
        Self { dataset, indices, batch: 8, shuffled: None }
    }

    /// In another order in each pass.
    pub(crate) fn shuffled(mut self, seed: u64) -> Self {
        self.shuffled = Some(seed);
        self
    }

    pub(crate) fn len(&self) -> usize {
        self.indices.len()
    }

    /// How many batches a pass has.
    pub(crate) fn batches(&self) -> usize {
        self.len().div_ceil(self.batch)
    }

    pub(crate) fn name(&self, image: usize) -> String {
        self.dataset.name(self.indices[image])
    }

    pub(crate) fn load(&self, image: usize) -> Result<Image> {
        Ok(self.example(image)?.image)
    }

    /// The image, its label and its mask, if there is one.
    pub(crate) fn example(&self, image: usize) -> Result<Example> {
        Ok(self.dataset.load(self.indices[image])?)
    }

    /// The grade of each image.
    pub(crate) fn grades(&self) -> Vec<OctaGrade> {
        let label = |&index: &usize| self.dataset.label(index);
        let grade = |label| OctaGrade::of_label(label).unwrap_or(OctaGrade::Ungradable);
        self.indices.iter().map(label).map(grade).collect()
    }

    fn stack(&self, indices: &[usize]) -> Result<Tensor, ocellus::data::Error> {
        let images = indices.iter().map(|&index| Ok(self.dataset.load(index)?.image));
        Image::stack(&images.collect::<Result<Vec<_>, ocellus::data::Error>>()?, &Device::Cpu)
    }
}

impl ImageSource for Images {
    fn pass(&self, pass: u64) -> Result<ImageBatches<'_>, Error> {
        let mut indices = self.indices.clone();
        if let Some(seed) = self.shuffled {
            indices.shuffle(&mut ChaCha8Rng::seed_from_u64(seed ^ pass.rotate_left(32)));
        }
        let batches: Vec<Vec<usize>> = indices.chunks(self.batch).map(<[usize]>::to_vec).collect();
        let stack = move |batch: Vec<usize>| self.stack(&batch).map_err(Error::source);
        Ok(Box::new(batches.into_iter().map(stack)))
    }
}
