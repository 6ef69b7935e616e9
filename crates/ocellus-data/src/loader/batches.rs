use std::sync::Arc;

use candle_core::{DType, Device, Tensor};

use crate::{
    Error, Example, Image, LoaderConfig, Result,
    loader::{loader::Inner, order::Place, queue::Queue},
};

/// Samples as tensors.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Batch {
    /// `(batch, channels, height, width)`, `f32`.
    pub images: Tensor,
    /// `(batch,)`, `u32`: class indices.
    pub labels: Tensor,
    /// `(batch, 1, height, width)`, `f32` of 0 and 1, or of class numbers, if asked for.
    pub masks: Option<Tensor>,
    /// The samples' indices in the data set.
    pub indices: Vec<usize>,
}

impl Batch {
    /// The class of every pixel, `(batch, height, width)`, `u32`: what losses of segmentation take.
    ///
    /// # Errors
    ///
    /// If the batch has no masks ([`LoaderConfig::with_masks`](crate::LoaderConfig::with_masks)).
    pub fn classes(&self) -> Result<Tensor> {
        let Some(masks) = &self.masks else {
            return Err(Error::Setting("the batch has no masks: set `masks`".to_owned()));
        };
        Ok(masks.squeeze(1)?.to_dtype(DType::U32)?)
    }
}

/// The batches of an epoch, loaded ahead by threads. Dropping it ends them.
///
/// After an error there are no more batches.
#[derive(Debug)]
pub struct Batches {
    inner: Arc<Inner>,
    /// This rank's samples.
    order: Arc<Vec<Place>>,
    /// Samples of the epoch, of all ranks.
    total: usize,
    /// Batches delivered.
    number: usize,
    queue: Queue<Result<Example>>,
    device: Device,
    /// Samples taken from the queue, and those delivered.
    taken: usize,
    delivered: usize,
    done: bool,
}

impl Batches {
    pub(crate) fn start(inner: Arc<Inner>, epoch: u64, device: &Device) -> Result<Self> {
        let whole = inner.order(epoch);
        let total = whole.len();
        let order = Arc::new(own(whole, &inner.config));
        let (count, places) = (order.len(), Arc::clone(&order));
        let worker = Arc::clone(&inner);
        let (ahead, workers) = (inner.config.prefetch, inner.config.workers);
        let queue = Queue::start(count, ahead, workers, move |i| worker.load(places[i], epoch));
        let queue = queue.map_err(|error| {
            Error::Setting(format!("loader: no thread can be started: {error}"))
        })?;
        let device = device.clone();
        let (number, taken, delivered, done) = (0, 0, 0, false);
        Ok(Self { inner, order, total, number, queue, device, taken, delivered, done })
    }

    /// The samples of the next batch, those of other ranks too, if all can be read.
    fn whole(&self) -> usize {
        let size = self.inner.config.batch_size;
        size.min(self.total.saturating_sub(self.number * size))
    }

    /// The next samples that can be read: so many, or what is left.
    fn gather(&mut self, wanted: usize) -> Result<Vec<(usize, Example)>> {
        let mut batch = Vec::with_capacity(wanted.min(self.order.len()));
        while batch.len() < wanted {
            let Some(outcome) = self.queue.next() else { break };
            let index = self.order[self.taken].index;
            self.taken += 1;
            let name = || self.inner.dataset.name(index);
            match outcome {
                Ok(Ok(example)) => batch.push((index, example)),
                Ok(Err(error)) => self.inner.failed(index, error)?,
                Err(message) => return Err(Error::Panic { index, name: name(), message }),
            }
        }
        self.delivered += batch.len();
        if batch.is_empty() && self.delivered == 0 && self.taken > 0 {
            return Err(self.inner.nothing_left(self.taken));
        }
        Ok(batch)
    }

    fn stack(&self, samples: Vec<(usize, Example)>) -> Result<Batch> {
        let mut batch = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for (index, example) in samples {
            let label = u32::try_from(example.label)
                .map_err(|_| Error::Setting(format!("label {} is too large", example.label)))?;
            batch.0.push(index);
            batch.1.push(label);
            batch.2.push(example.image);
            batch.3.extend(example.mask);
        }
        let (indices, labels, images, masks) = batch;
        let first = images.first().map(Image::dims);
        if let Some(odd) = images.iter().position(|image| Some(image.dims()) != first) {
            return Err(Error::Shape(format!(
                "{} is {:?}, but {} is {:?}: give the data set a `Resize`, and one `Color`",
                self.inner.dataset.name(indices[odd]),
                images[odd],
                self.inner.dataset.name(indices[0]),
                images[0]
            )));
        }
        let masks = self.inner.config.masks.then(|| Image::stack(&masks, &self.device));
        Ok(Batch {
            images: Image::stack(&images, &self.device)?,
            labels: Tensor::from_vec(labels, indices.len(), &self.device)?,
            masks: masks.transpose()?,
            indices,
        })
    }
}

impl Iterator for Batches {
    type Item = Result<Batch>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.done {
            return None;
        }
        let LoaderConfig { batch_size, share, .. } = self.inner.config;
        // A single rank fills up what cannot be read; where there are several, nothing is left out.
        let (wanted, whole) = match share.size {
            1 => (batch_size, None),
            _ => (share.of(self.whole()).len(), Some(self.whole())),
        };
        let batch = match self.gather(wanted) {
            Ok(samples) => {
                let short = whole.unwrap_or(samples.len()) < batch_size;
                self.done = short;
                self.number += 1;
                if samples.is_empty() || (short && self.inner.config.drop_last) {
                    return None;
                }
                self.stack(samples)
            }
            Err(error) => Err(error),
        };
        self.done |= batch.is_err();
        Some(batch)
    }
}

/// Of an epoch's samples those of the rank that the settings name: its share of each batch.
fn own(whole: Vec<Place>, config: &LoaderConfig) -> Vec<Place> {
    if config.share.size == 1 {
        return whole;
    }
    let share = |batch: &[Place]| batch[config.share.of(batch.len())].to_vec();
    whole.chunks(config.batch_size).flat_map(share).collect()
}
