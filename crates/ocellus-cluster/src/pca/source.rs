use std::ops::Range;

use ndarray::{Array2, ArrayView2, s};

use crate::Float;

/// A matrix, (samples, features), of which parts can be read: a file, or a computation, larger than
/// memory.
pub trait Source<T: Float> {
    /// Samples and features.
    fn dim(&self) -> (usize, usize);

    /// The part of these samples and features. The same part gives the same values each time.
    ///
    /// # Errors
    ///
    /// Any: [`Pca::fit_source`](crate::Pca::fit_source) hands it on.
    fn read(
        &self,
        samples: Range<usize>,
        features: Range<usize>,
    ) -> Result<Array2<T>, Box<dyn std::error::Error + Send + Sync>>;
}

impl<T: Float> Source<T> for ArrayView2<'_, T> {
    fn dim(&self) -> (usize, usize) {
        ArrayView2::dim(self)
    }

    fn read(
        &self,
        samples: Range<usize>,
        features: Range<usize>,
    ) -> Result<Array2<T>, Box<dyn std::error::Error + Send + Sync>> {
        Ok(self.slice(s![samples, features]).to_owned())
    }
}
