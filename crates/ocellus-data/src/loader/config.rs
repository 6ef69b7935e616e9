use super::share::Share;
use crate::{Augment, Color, Error, Image, Normalize, PatchDraw, Result};

/// Which samples an epoch holds, and in what order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Sampling {
    /// Every sample once, in the order of the indices: for evaluation.
    #[default]
    Sequential,
    /// Every sample once, in an order drawn from the seed and the epoch.
    Shuffled,
    /// As many samples of each class, shuffled: those of rare classes come several times (augmented
    /// differently), those of frequent ones not in every epoch. About as many in all as there are.
    Balanced,
}

/// What becomes of a file that cannot be read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum OnError {
    /// The epoch ends with the error.
    #[default]
    Fail,
    /// The sample is left out and named by [`Loader::skipped`](crate::Loader::skipped).
    Skip,
}

/// How samples become batches.
///
/// # Examples
///
/// ```
/// use ocellus_data::{Augment, LoaderConfig, Normalize, Sampling};
///
/// let train = LoaderConfig::new(16)
///     .with_sampling(Sampling::Shuffled)
///     .with_augment(Augment::ultrasound())
///     .with_normalize(Normalize::Standardize)
///     .with_seed(7);
/// assert_eq!(train.batch_size, 16);
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct LoaderConfig {
    /// Samples of a batch; the last may be smaller. Of several ranks, those of all together.
    pub batch_size: usize,
    /// The part of every batch that is loaded: all of it, or that of a rank.
    pub share: Share,
    /// Whether a last, smaller batch is left out. Batch normalization may ask for it.
    pub drop_last: bool,
    /// Which samples, and in what order.
    pub sampling: Sampling,
    /// What order and augmentation are drawn from, with the epoch.
    pub seed: u64,
    /// Random changes of each image.
    pub augment: Option<Augment>,
    /// Samples drawn from tiles, instead of `augment`.
    pub patches: Option<PatchDraw>,
    /// The planes of a batch, made after augmentation.
    pub color: Color,
    /// The scale of a batch's values, applied last.
    pub normalize: Normalize,
    /// Whether batches hold masks; a sample without one is an error then.
    pub masks: bool,
    /// What becomes of a file that cannot be read.
    pub on_error: OnError,
    /// Threads that load. They change the speed, never the result.
    pub workers: usize,
    /// Samples that are loaded ahead at most: the bound of memory. At least one batch is best.
    pub prefetch: usize,
}

impl LoaderConfig {
    /// Batches of this size in the order of the indices, nothing changed, by two threads.
    #[must_use]
    pub fn new(batch_size: usize) -> Self {
        Self {
            batch_size,
            share: Share::default(),
            drop_last: false,
            sampling: Sampling::default(),
            seed: 0,
            augment: None,
            patches: None,
            color: Color::default(),
            normalize: Normalize::default(),
            masks: false,
            on_error: OnError::default(),
            workers: 2,
            prefetch: 2 * batch_size.clamp(1, 1 << 20),
        }
    }

    /// Sets which part of every batch is loaded: that of rank `rank` of `size`.
    ///
    /// Order and augmentation are those of all ranks' batches, whatever the share: behind each other
    /// the shares are the batch that a single loader gives, bit for bit. They differ by one sample at most.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::Arc;
    /// use candle_core::Device;
    /// use ocellus_data::{Loader, LoaderConfig, synthetic::BMode};
    ///
    /// let dataset = Arc::new(BMode::new(32, 32).dataset(10));
    /// let share = |rank| -> ocellus_data::Result<Vec<usize>> {
    ///     let config = LoaderConfig::new(5).with_share(rank, 2);
    ///     let loader = Loader::new(dataset.clone(), &[4, 5, 6, 7, 8], &config)?;
    ///     Ok(loader.epoch(0, &Device::Cpu)?.next().unwrap()?.indices)
    /// };
    /// assert_eq!((share(0)?, share(1)?), (vec![4, 5], vec![6, 7, 8]));
    /// # Ok::<(), ocellus_data::Error>(())
    /// ```
    #[must_use]
    pub fn with_share(mut self, rank: usize, size: usize) -> Self {
        self.share = Share { rank, size };
        self
    }

    /// Sets whether a last, smaller batch is left out.
    #[must_use]
    pub fn with_drop_last(mut self, drop_last: bool) -> Self {
        self.drop_last = drop_last;
        self
    }

    /// Sets which samples an epoch holds, and in what order.
    #[must_use]
    pub fn with_sampling(mut self, sampling: Sampling) -> Self {
        self.sampling = sampling;
        self
    }

    /// Sets the seed.
    #[must_use]
    pub fn with_seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Sets the random changes.
    #[must_use]
    pub fn with_augment(mut self, augment: Augment) -> Self {
        self.augment = Some(augment);
        self
    }

    /// Sets how samples are drawn from tiles. Classes other than 0 and 1 survive it.
    #[must_use]
    pub fn with_patches(mut self, patches: PatchDraw) -> Self {
        self.patches = Some(patches);
        self
    }

    /// Sets the planes of a batch.
    #[must_use]
    pub fn with_color(mut self, color: Color) -> Self {
        self.color = color;
        self
    }

    /// Sets the scale of values.
    #[must_use]
    pub fn with_normalize(mut self, normalize: Normalize) -> Self {
        self.normalize = normalize;
        self
    }

    /// Sets whether batches hold masks.
    #[must_use]
    pub fn with_masks(mut self, masks: bool) -> Self {
        self.masks = masks;
        self
    }

    /// Sets what becomes of a file that cannot be read.
    #[must_use]
    pub fn with_on_error(mut self, on_error: OnError) -> Self {
        self.on_error = on_error;
        self
    }

    /// Sets the number of threads.
    #[must_use]
    pub fn with_workers(mut self, workers: usize) -> Self {
        self.workers = workers;
        self
    }

    /// Sets how many samples are loaded ahead.
    #[must_use]
    pub fn with_prefetch(mut self, prefetch: usize) -> Self {
        self.prefetch = prefetch;
        self
    }

    /// What is done after augmentation: planes, then scale. A single image to predict needs it too.
    ///
    /// # Errors
    ///
    /// If the channels do not fit.
    pub fn finish(&self, image: Image) -> Result<Image> {
        self.normalize.apply(self.color.apply(image)?)
    }

    pub(crate) fn check(&self) -> Result<()> {
        for (field, value) in [
            ("batch_size", self.batch_size),
            ("workers", self.workers),
            ("prefetch", self.prefetch),
        ] {
            if value == 0 {
                return Err(Error::Setting(format!("loader: `{field}` is 0, give at least 1")));
            }
        }
        self.share.check(self)?;
        if self.augment.is_some() && self.patches.is_some() {
            return Err(Error::Setting(
                "loader: `augment` and `patches` are both set: patches are turned and mirrored \
                 already, and have `Jitter` for changes of light"
                    .to_owned(),
            ));
        }
        self.augment.as_ref().map_or(Ok(()), Augment::check)?;
        self.patches.as_ref().map_or(Ok(()), PatchDraw::check)
    }
}
