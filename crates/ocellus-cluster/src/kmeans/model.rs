use ndarray::{Array2, ArrayView2};
use rayon::prelude::*;

use crate::table::{Table, nearest, squared_distance};
use crate::{Float, Predict, Result, Transform, check};

/// Clusters that [`KMeans`](crate::KMeans) or [`MiniBatchKMeans`](crate::MiniBatchKMeans) found.
///
/// It predicts the nearest center, and transforms to the distances to all of them. Both are measured
/// row by row in double precision: what is found for a sample does not depend on the others.
///
/// # Examples
///
/// ```
/// use ndarray::array;
/// use ocellus_cluster::{Fit, KMeans, Transform};
///
/// let model = KMeans::new(1).fit(array![[0.], [2.], [4.]].view())?;
/// assert_eq!(model.centers(), array![[2.]]);
/// assert_eq!(model.transform(array![[5.]].view())?, array![[3.]]);
/// # Ok::<(), ocellus_cluster::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct KMeansModel<T> {
    centers: Array2<T>,
    labels: Vec<usize>,
    inertia: f64,
    iterations: usize,
    converged: bool,
}

impl<T: Float> KMeansModel<T> {
    pub(super) fn new(
        centers: Table<T>,
        labels: Vec<usize>,
        inertia: f64,
        iterations: usize,
        converged: bool,
    ) -> Self {
        Self { centers: centers.view().to_owned(), labels, inertia, iterations, converged }
    }

    /// (clusters, features).
    #[must_use]
    pub fn centers(&self) -> ArrayView2<'_, T> {
        self.centers.view()
    }

    /// The cluster of each sample that the model was fitted on.
    #[must_use]
    pub fn labels(&self) -> &[usize] {
        &self.labels
    }

    /// The sum of the squared distances of these samples to their centers.
    #[must_use]
    pub fn inertia(&self) -> f64 {
        self.inertia
    }

    /// Iterations (of mini-batches: steps) of the run that was kept.
    #[must_use]
    pub fn iterations(&self) -> usize {
        self.iterations
    }

    /// Whether that run ended before its last allowed iteration.
    #[must_use]
    pub fn converged(&self) -> bool {
        self.converged
    }
}

impl<T: Float> Predict<T> for KMeansModel<T> {
    fn predict(&self, x: ArrayView2<'_, T>) -> Result<Vec<usize>> {
        check::features(x, self.centers.ncols())?;
        let (x, centers) = (Table::new(x), Table::new(self.centers()));
        let label = |i| nearest(x.row(i), &centers).0;
        Ok((0..x.len()).into_par_iter().with_min_len(64).map(label).collect())
    }
}

impl<T: Float> Transform<T> for KMeansModel<T> {
    fn transform(&self, x: ArrayView2<'_, T>) -> Result<Array2<T>> {
        check::features(x, self.centers.ncols())?;
        let (x, centers) = (Table::new(x), Table::new(self.centers()));
        let mut distances = Array2::zeros((x.len(), centers.len()));
        let rows = distances.outer_iter_mut().into_par_iter().with_min_len(64).enumerate();
        rows.for_each(|(i, mut distances)| {
            for (to, center) in distances.iter_mut().zip(centers.iter()) {
                *to = T::narrow(squared_distance(x.row(i), center).sqrt());
            }
        });
        Ok(distances)
    }
}
