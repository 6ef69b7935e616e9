use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use candle_core::Device;

use crate::{
    Batches, Dataset, Error, Example, LoaderConfig, OnError, Result, Sampling,
    loader::order::{Place, order},
};

/// A file that was left out.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Skipped {
    /// The sample's index in the data set.
    pub index: usize,
    /// Its name.
    pub name: String,
    /// Why it cannot be read.
    pub reason: String,
}

/// Loads samples in parallel and hands them out in batches.
///
/// Order and augmentation depend on the seed and the epoch alone: any number of threads gives the
/// same bits. At most `prefetch` samples are in memory beyond the batch.
///
/// # Examples
///
/// ```
/// use std::sync::Arc;
/// use candle_core::Device;
/// use ocellus_data::{Loader, LoaderConfig, Sampling, synthetic::BMode};
///
/// let dataset = Arc::new(BMode::new(32, 32).dataset(10));
/// let config = LoaderConfig::new(4).with_sampling(Sampling::Shuffled).with_seed(7);
/// let loader = Loader::new(dataset, &[0, 1, 2, 3, 4, 5, 6, 7, 8], &config)?;
/// let mut sizes = Vec::new();
/// for batch in loader.epoch(0, &Device::Cpu)? {
///     let batch = batch?;
///     assert_eq!(batch.images.dims()[1..], [1, 32, 32]);
///     sizes.push(batch.labels.dim(0)?);
/// }
/// assert_eq!(sizes, [4, 4, 1]);
/// # Ok::<(), ocellus_data::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Loader {
    inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) dataset: Arc<dyn Dataset>,
    pub(crate) config: LoaderConfig,
    indices: Vec<usize>,
    skipped: Mutex<BTreeMap<usize, Skipped>>,
}

impl Loader {
    /// A loader of these samples of the data set.
    ///
    /// # Errors
    ///
    /// If there are none, an index is beyond the data set, or a setting is out of its range; if a
    /// batch has fewer samples than it has shares.
    pub fn new(
        dataset: Arc<dyn Dataset>,
        indices: &[usize],
        config: &LoaderConfig,
    ) -> Result<Self> {
        config.check()?;
        if indices.is_empty() {
            return Err(Error::Setting("loader: no samples to load".to_owned()));
        }
        if let Some(beyond) = indices.iter().find(|&&i| i >= dataset.len()) {
            let count = dataset.len();
            return Err(Error::Setting(format!("loader: no sample {beyond} among {count}")));
        }
        let (config, indices) = (config.clone(), indices.to_vec());
        let inner = Inner { dataset, config, indices, skipped: Mutex::default() };
        let loader = Self { inner: Arc::new(inner) };
        let config = loader.config();
        config.share.check_epoch(loader.samples(), config)?;
        Ok(loader)
    }

    /// The batches of an epoch, on this device.
    ///
    /// # Errors
    ///
    /// If no thread can be started.
    pub fn epoch(&self, epoch: usize, device: &Device) -> Result<Batches> {
        Batches::start(Arc::clone(&self.inner), epoch as u64, device)
    }

    /// The number of samples of an epoch, those of other ranks too, if all can be read.
    #[must_use]
    pub fn samples(&self) -> usize {
        match self.inner.config.sampling {
            Sampling::Balanced => self.inner.order(0).len(),
            Sampling::Sequential | Sampling::Shuffled => self.inner.indices.len(),
        }
    }

    /// The number of batches of an epoch, if all samples can be read.
    #[must_use]
    pub fn batches(&self) -> usize {
        let (samples, size) = (self.samples(), self.inner.config.batch_size);
        if self.inner.config.drop_last { samples / size } else { samples.div_ceil(size) }
    }

    /// The files that were left out so far, each once, by index.
    #[must_use]
    pub fn skipped(&self) -> Vec<Skipped> {
        let skipped = self.inner.skipped.lock().unwrap_or_else(PoisonError::into_inner);
        skipped.values().cloned().collect()
    }

    /// The settings.
    #[must_use]
    pub fn config(&self) -> &LoaderConfig {
        &self.inner.config
    }

    /// The samples that it loads.
    #[must_use]
    pub fn indices(&self) -> &[usize] {
        &self.inner.indices
    }
}

impl Inner {
    pub(crate) fn order(&self, epoch: u64) -> Vec<Place> {
        let label = |index| self.dataset.label(index);
        order(self.config.sampling, &self.indices, label, self.config.seed, epoch)
    }

    /// Loads, augments and normalizes a sample; runs in a thread of the loader.
    pub(crate) fn load(&self, place: Place, epoch: u64) -> Result<Example> {
        let Example { mut image, mut mask, label } = self.dataset.load(place.index)?;
        if !self.config.masks {
            mask = None;
        } else if mask.is_none() {
            return Err(Error::Setting(format!(
                "{} has no mask: leave it out, or set `masks` to false",
                self.dataset.name(place.index)
            )));
        }
        let key = [self.config.seed, epoch, place.index as u64 | place.repeat << 40];
        if let Some(augment) = &self.config.augment {
            (image, mask) = augment.apply(&image, mask.as_ref(), key)?;
        }
        if let Some(patches) = &self.config.patches {
            (image, mask) = patches.apply(&image, mask.as_ref(), key)?;
        }
        Ok(Example { image: self.config.finish(image)?, mask, label })
    }

    /// Notes a file that cannot be read, or gives the error back.
    pub(crate) fn failed(&self, index: usize, error: Error) -> Result<()> {
        let unreadable =
            matches!(error, Error::Io { .. } | Error::Decode { .. } | Error::TooLarge { .. });
        if self.config.on_error == OnError::Fail || !unreadable {
            return Err(Error::Sample { index, source: Box::new(error) });
        }
        let (name, reason) = (self.dataset.name(index), error.to_string());
        let mut skipped = self.skipped.lock().unwrap_or_else(PoisonError::into_inner);
        skipped.insert(index, Skipped { index, name, reason });
        Ok(())
    }

    pub(crate) fn nothing_left(&self, tried: usize) -> Error {
        let skipped = self.skipped.lock().unwrap_or_else(PoisonError::into_inner);
        let first = skipped.values().next().map_or("", |skipped| &skipped.reason);
        Error::Setting(format!("none of {tried} samples can be read; the first: {first}"))
    }
}

impl fmt::Debug for Inner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Loader")
            .field("samples", &self.indices.len())
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}
