use std::collections::VecDeque;

use candle_core::{Device, Result, Tensor, bail};
use ocellus_layers::positional_encoding_2d;
use ocellus_train::BoxError;
use rand::seq::SliceRandom;
use rand::{RngCore, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::{CflowTraining, Tail};

/// A result with an error of whoever loads the images.
type Boxed<T> = std::result::Result<T, BoxError>;

/// Fibers of one scale, and where they are from.
///
/// # Examples
///
/// ```
/// use candle_core::{DType, Device, Tensor};
/// use ocellus_flows::FiberBatch;
///
/// let features = Tensor::ones((2, 8, 4, 6), DType::F32, &Device::Cpu)?;
/// let batch = FiberBatch::whole(0, &features, 4)?;
/// assert_eq!((batch.fibers.dims(), batch.places.dims()), (&[2, 8, 4, 6][..], &[1, 4, 4, 6][..]));
/// # Ok::<(), candle_core::Error>(())
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct FiberBatch {
    /// The scale.
    pub scale: usize,
    /// `(batch, channels, height, width)`; fibers drawn at random are an image of a single row.
    pub fibers: Tensor,
    /// The encoding of their places: `(batch, condition, height, width)`, or `(1, …)` for all of the
    /// batch.
    pub places: Tensor,
}

impl FiberBatch {
    /// All fibers of a batch of images, in place, with encodings of that many channels.
    ///
    /// # Errors
    ///
    /// If the features are no images, or `condition` is no multiple of 4.
    pub fn whole(scale: usize, features: &Tensor, condition: usize) -> Result<Self> {
        let (_, _, height, width) = features.dims4()?;
        let places = positional_encoding_2d(condition, height, width, features.device())?;
        let places = places.unsqueeze(0)?.to_dtype(features.dtype())?;
        Ok(Self { scale, fibers: features.clone(), places })
    }
}

/// What an epoch of training goes over: for each batch of images and each scale, all fibers in random
/// order, some at a time.
///
/// The order depends on seed, epoch and batch alone. Of the images' features, one batch lies in
/// memory.
///
/// # Examples
///
/// ```
/// use candle_core::{DType, Device, Tensor};
/// use ocellus_flows::{CflowTraining, FiberBatches};
///
/// let features = vec![Tensor::ones((2, 8, 4, 6), DType::F32, &Device::Cpu)?];
/// let training = CflowTraining::anomalib(1).with_fibers(20);
/// let batches = FiberBatches::new(&training, 4, 0, [Ok(features)]);
/// let sizes: Vec<usize> = batches.map(|b| b.map(|b| b.fibers.dims()[3])).collect::<Result<_, _>>()?;
/// assert_eq!(sizes, [20, 28]); // 48 fibers; the last ones go with those before.
/// # Ok::<(), Box<dyn std::error::Error + Send + Sync>>(())
/// ```
#[derive(Debug)]
pub struct FiberBatches<I> {
    fibers: usize,
    tail: Tail,
    seed: u64,
    condition: usize,
    epoch: usize,
    images: I,
    image: u64,
    ready: VecDeque<Shuffled>,
}

/// The fibers of a scale that are still to be handed out.
#[derive(Debug)]
struct Shuffled {
    scale: usize,
    /// `(channels, fibers)`
    fibers: Tensor,
    /// `(condition, places)`
    places: Tensor,
    /// Index of a fiber, in random order.
    order: Vec<u32>,
    next: usize,
}

impl<I: Iterator<Item = Boxed<Vec<Tensor>>>> FiberBatches<I> {
    /// The fibers of an epoch's batches of images. Each item of `images` holds the features of a
    /// batch, `(images, channels, height, width)` for each scale.
    pub fn new(
        training: &CflowTraining,
        condition: usize,
        epoch: usize,
        images: impl IntoIterator<IntoIter = I>,
    ) -> Self {
        let &CflowTraining { fibers, tail, seed, .. } = training;
        let (images, ready) = (images.into_iter(), VecDeque::new());
        Self { fibers, tail, seed, condition, epoch, images, image: 0, ready }
    }

    /// Puts the fibers of a batch of images in random order.
    fn shuffle(&mut self, features: &[Tensor]) -> Boxed<()> {
        if features.is_empty() {
            return Err("a batch of images without features".into());
        }
        for (scale, features) in features.iter().enumerate() {
            let (images, channels, height, width) = features.dims4()?;
            let count = images * height * width;
            if count < self.fibers && self.tail == Tail::Dropped {
                let message = format!(
                    "scale {scale} has {count} fibers in a batch of images, fewer than the {} of a \
                     step: take more images or fewer fibers",
                    self.fibers
                );
                return Err(message.into());
            }
            let mut order: Vec<u32> = (0..u32::try_from(count)?).collect();
            order.shuffle(&mut self.random(scale));
            let fibers = features.transpose(0, 1)?.contiguous()?.reshape((channels, count))?;
            let places = positional_encoding_2d(self.condition, height, width, &Device::Cpu)?;
            let places = places.reshape((self.condition, height * width))?;
            let places = places.to_dtype(features.dtype())?.to_device(features.device())?;
            self.ready.push_back(Shuffled { scale, fibers, places, order, next: 0 });
        }
        self.image += 1;
        Ok(())
    }

    /// The generator of a scale's order: its key holds all that the order depends on.
    fn random(&self, scale: usize) -> impl RngCore + use<I> {
        let mut key = [0; 32];
        let parts = [self.seed, self.epoch as u64, self.image, scale as u64];
        for (key, part) in key.chunks_exact_mut(8).zip(parts) {
            key.copy_from_slice(&part.to_le_bytes());
        }
        ChaCha8Rng::from_seed(key)
    }
}

impl Shuffled {
    /// The next fibers; `None` after the last ones.
    fn batch(&mut self, size: usize, tail: Tail) -> Result<Option<FiberBatch>> {
        if size == 0 {
            bail!("a step on no fibers: choose one at least")
        }
        let left = self.order.len() - self.next;
        let count = match tail {
            _ if left >= 2 * size => size,
            Tail::Dropped if left < size => return Ok(None),
            Tail::Dropped => size,
            Tail::Joined => left,
            Tail::Kept => left.min(size),
        };
        if count == 0 {
            return Ok(None);
        }
        let order = &self.order[self.next..self.next + count];
        self.next += count;
        let pixels = self.places.dim(1)? as u32;
        let pick = |x: &Tensor, order: Vec<u32>| {
            let order = Tensor::from_vec(order, count, x.device())?;
            x.index_select(&order, 1)?.reshape((1, x.dim(0)?, 1, count))
        };
        Ok(Some(FiberBatch {
            scale: self.scale,
            fibers: pick(&self.fibers, order.to_vec())?,
            places: pick(&self.places, order.iter().map(|fiber| fiber % pixels).collect())?,
        }))
    }
}

impl<I: Iterator<Item = Boxed<Vec<Tensor>>>> Iterator for FiberBatches<I> {
    type Item = Boxed<FiberBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(scale) = self.ready.front_mut() {
                match scale.batch(self.fibers, self.tail) {
                    Ok(Some(batch)) => return Some(Ok(batch)),
                    Ok(None) => {
                        self.ready.pop_front();
                    }
                    Err(error) => return Some(Err(error.into())),
                }
                continue;
            }
            let shuffled = self.images.next()?.and_then(|features| self.shuffle(&features));
            if let Err(error) = shuffled {
                return Some(Err(error));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use candle_core::DType;

    use super::*;

    /// Features whose values tell which fiber they are, of two scales.
    fn features() -> Result<Vec<Tensor>> {
        let scale = |height: usize, width: usize| {
            let count = 2 * height * width;
            let x = Tensor::arange(0f32, count as f32, &Device::Cpu)?;
            x.reshape((2, 1, height, width))?.repeat((1, 3, 1, 1))
        };
        Ok(vec![scale(3, 5)?, scale(2, 2)?])
    }

    fn run(training: &CflowTraining, epoch: usize) -> Boxed<Vec<FiberBatch>> {
        let images = [Ok(features()?), Ok(features()?)];
        FiberBatches::new(training, 4, epoch, images).collect()
    }

    fn numbers(batch: &FiberBatch) -> Result<Vec<f32>> {
        batch.fibers.narrow(1, 2, 1)?.flatten_all()?.to_vec1()
    }

    #[test]
    fn each_fiber_comes_once_with_its_place() -> Boxed<()> {
        let batches = run(&CflowTraining::anomalib(1).with_fibers(7), 3)?;
        let of_first = |batches: &[FiberBatch], scale| {
            let mut all = vec![];
            for batch in batches.iter().filter(|batch| batch.scale == scale) {
                all.extend(numbers(batch)?);
            }
            Ok::<_, candle_core::Error>(all)
        };
        let half = batches.len() / 2;
        let mut first = of_first(&batches[..half], 0)?;
        assert_ne!(first, of_first(&batches[half..], 0)?, "two batches have the same order");
        first.sort_by(f32::total_cmp);
        assert_eq!(first, (0..30).map(|i| i as f32).collect::<Vec<_>>());
        let places = positional_encoding_2d(4, 3, 5, &Device::Cpu)?.reshape((4, 15))?;
        for batch in batches.iter().filter(|batch| batch.scale == 0) {
            for (i, fiber) in numbers(batch)?.into_iter().enumerate() {
                let place = batch.places.narrow(3, i, 1)?.flatten_all()?.to_vec1::<f32>()?;
                let expected = places.narrow(1, fiber as usize % 15, 1)?.flatten_all()?;
                assert_eq!(place, expected.to_vec1::<f32>()?);
            }
        }
        Ok(())
    }

    #[test]
    fn the_order_depends_on_seed_and_epoch_alone() -> Boxed<()> {
        let training = CflowTraining::anomalib(1).with_fibers(7);
        let order = |training: &CflowTraining, epoch| -> Boxed<Vec<Vec<f32>>> {
            run(training, epoch)?.iter().map(|batch| Ok(numbers(batch)?)).collect()
        };
        assert_eq!(order(&training, 2)?, order(&training, 2)?);
        assert_ne!(order(&training, 2)?, order(&training, 3)?);
        let other = training.clone().with_seed(9);
        assert_ne!(order(&training, 2)?, order(&other, 2)?);
        Ok(())
    }

    #[test]
    fn tails_are_handled_as_told() -> Boxed<()> {
        let sizes = |tail| -> Boxed<Vec<usize>> {
            let training = CflowTraining::anomalib(1).with_fibers(8).with_tail(tail);
            Ok(run(&training, 0)?[..].iter().map(|batch| batch.fibers.elem_count() / 3).collect())
        };
        // 30 fibers of the first scale and 8 of the second, twice.
        assert_eq!(sizes(Tail::Dropped)?, [8, 8, 8, 8, 8, 8, 8, 8]);
        assert_eq!(sizes(Tail::Joined)?, [8, 8, 14, 8, 8, 8, 14, 8]);
        assert_eq!(sizes(Tail::Kept)?, [8, 8, 8, 6, 8, 8, 8, 8, 6, 8]);
        Ok(())
    }

    #[test]
    fn too_few_fibers_are_an_error_that_says_so() -> Boxed<()> {
        let training = CflowTraining::official(1);
        let images = [Ok(vec![Tensor::zeros((1, 3, 4, 4), DType::F32, &Device::Cpu)?])];
        let error = FiberBatches::new(&training, 4, 0, images).next().unwrap().unwrap_err();
        assert!(error.to_string().contains("16 fibers in a batch of images, fewer than the 256"));
        Ok(())
    }
}
