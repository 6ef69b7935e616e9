use std::sync::Arc;

use rayon::prelude::*;

use crate::{ChannelStatistics, Image, Result};

/// One sample in memory.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Example {
    /// The image, from 0 to 1.
    pub image: Image,
    /// Its mask of 0 and 1, or of class numbers, one plane of the same size, if there is one.
    pub mask: Option<Image>,
    /// Its class.
    pub label: usize,
}

impl Example {
    /// An image of this class, without a mask.
    #[must_use]
    pub fn new(image: Image, label: usize) -> Self {
        Self { image, mask: None, label }
    }

    /// Sets the mask.
    #[must_use]
    pub fn with_mask(mut self, mask: Image) -> Self {
        self.mask = Some(mask);
        self
    }
}

/// Samples that a [`Loader`](crate::Loader) can load, by index, from several threads at once.
///
/// # Examples
///
/// ```
/// use ocellus_data::{Dataset, Example, Image, Result};
///
/// /// Gray images, light ones of class 1.
/// struct Grays(usize);
///
/// impl Dataset for Grays {
///     fn len(&self) -> usize {
///         self.0
///     }
///     fn label(&self, index: usize) -> usize {
///         usize::from(2 * index >= self.0)
///     }
///     fn name(&self, index: usize) -> String {
///         format!("gray {index}")
///     }
///     fn load(&self, index: usize) -> Result<Example> {
///         let image = Image::filled(1, 4, 4, index as f32 / self.0 as f32)?;
///         Ok(Example::new(image, self.label(index)))
///     }
/// }
///
/// assert_eq!(Grays(10).load(9)?.label, 1);
/// # Ok::<(), ocellus_data::Error>(())
/// ```
pub trait Dataset: Send + Sync {
    /// The number of samples.
    fn len(&self) -> usize;

    /// Whether there are none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The class of a sample, known without loading it.
    fn label(&self, index: usize) -> usize;

    /// What a person calls the sample: its path, say.
    fn name(&self, index: usize) -> String;

    /// Loads a sample; the same every time.
    ///
    /// # Errors
    ///
    /// If it cannot be read.
    fn load(&self, index: usize) -> Result<Example>;
}

impl<D: Dataset + ?Sized> Dataset for Arc<D> {
    fn len(&self) -> usize {
        (**self).len()
    }

    fn label(&self, index: usize) -> usize {
        (**self).label(index)
    }

    fn name(&self, index: usize) -> String {
        (**self).name(index)
    }

    fn load(&self, index: usize) -> Result<Example> {
        (**self).load(index)
    }
}

impl ChannelStatistics {
    /// The statistics of these samples, loaded in parallel; the same at any thread count.
    ///
    /// Give the indices of *training* samples.
    ///
    /// # Errors
    ///
    /// If a sample cannot be loaded, or two differ in their number of channels.
    pub fn of(dataset: &dyn Dataset, indices: &[usize]) -> Result<Self> {
        let count = |chunk: &[usize]| -> Result<Self> {
            let mut statistics = Self::default();
            for &index in chunk {
                statistics.add(&dataset.load(index)?.image)?;
            }
            Ok(statistics)
        };
        let parts: Vec<Self> = indices.par_chunks(16).map(count).collect::<Result<_>>()?;
        let mut all = Self::default();
        for part in &parts {
            all.merge(part)?;
        }
        Ok(all)
    }
}
