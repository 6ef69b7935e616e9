use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::{Dataset, Example, Result};

/// A data set that keeps what it has loaded, up to a bound of memory.
///
/// When the bound is reached, what is kept stays and the rest is loaded anew each time: in passes
/// over all samples that is better than to drop the oldest, which would never be found.
///
/// # Examples
///
/// ```
/// use ocellus_data::{Cached, Dataset, synthetic::BMode};
///
/// let cached = Cached::new(BMode::new(32, 32).dataset(4), 1 << 20);
/// assert_eq!(cached.load(2)?, cached.load(2)?); // Generated once.
/// assert_eq!(cached.bytes(), 2 * 32 * 32 * 4); // The image and its mask.
/// # Ok::<(), ocellus_data::Error>(())
/// ```
#[derive(Debug)]
pub struct Cached<D> {
    dataset: D,
    max_bytes: usize,
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    examples: HashMap<usize, Arc<Example>>,
    bytes: usize,
}

impl<D: Dataset> Cached<D> {
    /// Keeps at most this many bytes of pixels.
    #[must_use]
    pub fn new(dataset: D, max_bytes: usize) -> Self {
        Self { dataset, max_bytes, kept: Mutex::default() }
    }

    /// The data set below.
    #[must_use]
    pub fn inner(&self) -> &D {
        &self.dataset
    }

    /// The bytes of pixels that are kept now.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.lock().bytes
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<D: Dataset> Dataset for Cached<D> {
    fn len(&self) -> usize {
        self.dataset.len()
    }

    fn label(&self, index: usize) -> usize {
        self.dataset.label(index)
    }

    fn name(&self, index: usize) -> String {
        self.dataset.name(index)
    }

    fn load(&self, index: usize) -> Result<Example> {
        // The lock is not held while pixels are copied or loaded.
        let kept = self.lock().examples.get(&index).cloned();
        if let Some(example) = kept {
            return Ok(Example::clone(&example));
        }
        let example = self.dataset.load(index)?;
        let values =
            example.image.data().len() + example.mask.as_ref().map_or(0, |m| m.data().len());
        let bytes = values * size_of::<f32>();
        let fits = |kept: &Kept| kept.bytes + bytes <= self.max_bytes;
        if fits(&self.lock()) {
            let copy = Arc::new(example.clone());
            let mut kept = self.lock();
            if fits(&kept) && kept.examples.insert(index, copy).is_none() {
                kept.bytes += bytes;
            }
        }
        Ok(example)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::Image;

    struct Counting(AtomicUsize);

    impl Dataset for Counting {
        fn len(&self) -> usize {
            3
        }

        fn label(&self, _: usize) -> usize {
            0
        }

        fn name(&self, index: usize) -> String {
            index.to_string()
        }

        fn load(&self, index: usize) -> Result<Example> {
            self.0.fetch_add(1, Ordering::Relaxed);
            Ok(Example::new(Image::filled(1, 10, 10, index as f32)?, 0))
        }
    }

    #[test]
    fn keeps_within_its_bound() {
        let cached = Cached::new(Counting(AtomicUsize::new(0)), 850);
        for _ in 0..3 {
            for index in 0..3 {
                assert_eq!(cached.load(index).unwrap().image.get(0, 0, 0), index as f32);
            }
        }
        assert_eq!(cached.bytes(), 800);
        assert_eq!(cached.inner().0.load(Ordering::Relaxed), 2 + 3);
    }
}
