use ndarray::{Array2, ArrayView2};
use rayon::prelude::*;

use crate::table::{Table, nearest};
use crate::{FitLabeled, Float, Predict, Result, check};

/// Predicts the class whose mean is nearest: assigns new samples to the clusters of a method that
/// knows only its own, such as [`Agglomerative`](crate::Agglomerative).
///
/// # Examples
///
/// ```
/// use ndarray::array;
/// use ocellus_cluster::{FitLabeled, NearestCentroid, Predict};
///
/// let x = array![[0.], [2.], [10.]];
/// let model = NearestCentroid.fit(x.view(), &[3, 3, 5])?;
/// assert_eq!(model.centroids(), array![[1.], [10.]]);
/// assert_eq!(model.predict(array![[5.], [6.]].view())?, [3, 5]);
/// # Ok::<(), ocellus_cluster::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct NearestCentroid;

/// The mean of each class. What is predicted for a sample does not depend on the others.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct NearestCentroidModel<T> {
    classes: Vec<usize>,
    centroids: Array2<T>,
}

impl<T: Float> NearestCentroidModel<T> {
    /// The classes, ascending.
    #[must_use]
    pub fn classes(&self) -> &[usize] {
        &self.classes
    }

    /// The mean of each class, (classes, features).
    #[must_use]
    pub fn centroids(&self) -> ArrayView2<'_, T> {
        self.centroids.view()
    }
}

impl<T: Float> FitLabeled<T> for NearestCentroid {
    type Model = NearestCentroidModel<T>;

    fn fit(&self, x: ArrayView2<'_, T>, y: &[usize]) -> Result<NearestCentroidModel<T>> {
        check::samples(x)?;
        check::one_label_each(x, y)?;
        let mut classes = y.to_vec();
        classes.sort_unstable();
        classes.dedup();
        let mut sums = Array2::<f64>::zeros((classes.len(), x.ncols()));
        let mut counts = vec![0.; classes.len()];
        for (row, label) in x.outer_iter().zip(y) {
            let class = classes.partition_point(|class| class < label);
            counts[class] += 1.;
            sums.row_mut(class).zip_mut_with(&row, |sum, value| *sum += value.widen());
        }
        for (mut sum, count) in sums.outer_iter_mut().zip(counts) {
            sum /= count;
        }
        Ok(NearestCentroidModel { classes, centroids: sums.mapv(T::narrow) })
    }
}

impl<T: Float> Predict<T> for NearestCentroidModel<T> {
    fn predict(&self, x: ArrayView2<'_, T>) -> Result<Vec<usize>> {
        check::features(x, self.centroids.ncols())?;
        let (x, centroids) = (Table::new(x), Table::new(self.centroids()));
        let class = |i| self.classes.get(nearest(x.row(i), &centroids).0).copied().unwrap_or(0);
        Ok((0..x.len()).into_par_iter().with_min_len(64).map(class).collect())
    }
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    #[test]
    fn a_label_for_each_sample_is_needed() {
        let x = array![[0.], [1.]];
        assert!(NearestCentroid.fit(x.view(), &[0]).is_err());
        assert!(NearestCentroid.fit(array![[f64::NAN]].view(), &[0]).is_err());
        let model = NearestCentroid.fit(x.view(), &[1, 0]).unwrap();
        assert!(model.predict(array![[1., 2.]].view()).is_err());
    }

    #[test]
    fn of_two_that_are_equally_near_the_first_class_is_taken() {
        let model = NearestCentroid.fit(array![[1f32], [3.]].view(), &[8, 4]).unwrap();
        assert_eq!(model.classes(), [4, 8]);
        assert_eq!(model.predict(array![[2f32]].view()).unwrap(), [4]);
    }
}
