use ndarray::{Array2, ArrayView2};

use super::search::{Search, norms};
use crate::{FitLabeled, Float, Predict, Result, check};

/// Predicts the class of the nearest known sample: assigns new samples to clusters of any shape, such
/// as those of single linkage.
///
/// # Examples
///
/// ```
/// use ndarray::array;
/// use ocellus_cluster::{FitLabeled, NearestSample, Predict};
///
/// let x = array![[0.], [2.], [4.], [7.]];
/// let model = NearestSample.fit(x.view(), &[0, 0, 0, 1])?;
/// assert_eq!(model.predict(array![[5.], [6.]].view())?, [0, 1]);
/// # Ok::<(), ocellus_cluster::Error>(())
/// ```
///
/// # Complexity
///
/// The model holds all samples; a prediction is a search of [`NearestNeighbors`](crate::NearestNeighbors)
/// for one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct NearestSample;

/// Known samples with their classes. What is predicted for a sample does not depend on the others.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct NearestSampleModel<T> {
    labels: Vec<usize>,
    samples: Array2<T>,
}

impl<T: Float> FitLabeled<T> for NearestSample {
    type Model = NearestSampleModel<T>;

    fn fit(&self, x: ArrayView2<'_, T>, y: &[usize]) -> Result<NearestSampleModel<T>> {
        check::samples(x)?;
        check::one_label_each(x, y)?;
        Ok(NearestSampleModel { labels: y.to_vec(), samples: x.as_standard_layout().into_owned() })
    }
}

impl<T: Float> Predict<T> for NearestSampleModel<T> {
    fn predict(&self, x: ArrayView2<'_, T>) -> Result<Vec<usize>> {
        check::features(x, self.samples.ncols())?;
        let norms = norms(&self.samples)?;
        let nearest = Search::new(&self.samples, &norms).nearest(x, 1)?;
        let label = |found: &Vec<(f64, usize)>| found.first().map_or(0, |&(_, i)| self.labels[i]);
        Ok(nearest.iter().map(label).collect())
    }
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    #[test]
    fn known_samples_keep_their_labels() {
        let x = array![[0f32, 1.], [2., 3.], [0., 0.5]];
        let model = NearestSample.fit(x.view(), &[7, 5, 6]).unwrap();
        assert_eq!(model.predict(x.view()).unwrap(), [7, 5, 6]);
        assert!(NearestSample.fit(x.view(), &[7, 5]).is_err());
        assert!(model.predict(array![[f32::NAN, 0.]].view()).is_err());
    }

    #[test]
    fn of_samples_that_are_equally_near_the_first_counts() {
        let x = array![[1f64, 0.], [1., 0.], [-1., 0.]];
        let model = NearestSample.fit(x.t().to_owned().t(), &[4, 3, 2]).unwrap();
        assert_eq!(
            model.predict(array![[0., 0.], [1., 0.], [-0.5, 0.]].view()).unwrap(),
            [4, 4, 2]
        );
    }
}
