use ndarray::{Array1, Array2, ArrayView2, Zip};

use crate::{Fit, Float, Result, Transform, check, moments};

/// Subtracts each feature's mean and divides by its standard deviation.
///
/// ```text
/// y = (x − μ) / σ,   σ² = Σ (x − μ)² / n
/// ```
///
/// A constant feature is divided by 1, so it becomes 0.
///
/// # Examples
///
/// ```
/// use ndarray::array;
/// use ocellus_cluster::{Fit, StandardScaler, Transform};
///
/// let x = array![[0., 7.], [2., 7.]];
/// let model = StandardScaler::default().fit(x.view())?;
/// assert_eq!(model.transform(x.view())?, array![[-1., 0.], [1., 0.]]);
/// # Ok::<(), ocellus_cluster::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct StandardScaler {
    /// Whether the mean is subtracted.
    pub center: bool,
    /// Whether the standard deviation divides.
    pub scale: bool,
}

impl Default for StandardScaler {
    fn default() -> Self {
        Self { center: true, scale: true }
    }
}

impl StandardScaler {
    /// Whether the mean is subtracted: yes by default.
    #[must_use]
    pub const fn with_center(mut self, center: bool) -> Self {
        self.center = center;
        self
    }

    /// Whether the standard deviation divides: yes by default.
    #[must_use]
    pub const fn with_scale(mut self, scale: bool) -> Self {
        self.scale = scale;
        self
    }
}

/// The model of a [`StandardScaler`].
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct StandardModel<T> {
    /// What is subtracted of each feature.
    pub mean: Array1<T>,
    /// What divides each feature.
    pub scale: Array1<T>,
}

impl<T: Float> Fit<T> for StandardScaler {
    type Model = StandardModel<T>;

    fn fit(&self, x: ArrayView2<'_, T>) -> Result<StandardModel<T>> {
        check::samples(x)?;
        let means = moments::means(x);
        let count = x.nrows() as f64;
        let deviation = |(sum, mean): (f64, &f64)| {
            let variance = sum / count;
            // What rounding alone leaves of a constant feature.
            let rounding = (count * mean * f64::EPSILON).powi(2) + count * f64::EPSILON * variance;
            if variance <= rounding { 1. } else { variance.sqrt() }
        };
        let scale = if self.scale {
            moments::squares(x, &means).into_iter().zip(&means).map(deviation).collect()
        } else {
            vec![1.; means.len()]
        };
        let mean = if self.center { means } else { vec![0.; means.len()] };
        let narrow = |values: Vec<f64>| values.into_iter().map(T::narrow).collect();
        Ok(StandardModel { mean: narrow(mean), scale: narrow(scale) })
    }
}

impl<T: Float> Transform<T> for StandardModel<T> {
    fn transform(&self, x: ArrayView2<'_, T>) -> Result<Array2<T>> {
        check::features(x, self.mean.len())?;
        let mut y = x.to_owned();
        for mut row in y.outer_iter_mut() {
            Zip::from(&mut row)
                .and(&self.mean)
                .and(&self.scale)
                .for_each(|y, &mean, &scale| *y = (*y - mean) / scale);
        }
        Ok(y)
    }
}

impl<T: Float> StandardModel<T> {
    /// Takes scaled samples back: x = y·σ + μ.
    ///
    /// # Errors
    ///
    /// If `y` has another number of features than the model, or holds what is not finite.
    pub fn inverse_transform(&self, y: ArrayView2<'_, T>) -> Result<Array2<T>> {
        check::features(y, self.mean.len())?;
        let mut x = y.to_owned();
        for mut row in x.outer_iter_mut() {
            Zip::from(&mut row)
                .and(&self.mean)
                .and(&self.scale)
                .for_each(|x, &mean, &scale| *x = *x * scale + mean);
        }
        Ok(x)
    }
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    #[test]
    fn constant_features_become_zero_whatever_their_size() -> Result<()> {
        let x = array![[1e8f32, 0.1, 0.], [1e8, 0.1, 0.], [1e8, 0.1, 0.]];
        let y = StandardScaler::default().fit(x.view())?.transform(x.view())?;
        assert_eq!(y, Array2::<f32>::zeros((3, 3)));
        Ok(())
    }

    #[test]
    fn what_is_switched_off_leaves_values_alone() -> Result<()> {
        let x = array![[1., 10.], [3., 30.]];
        let centered = StandardScaler::default().with_scale(false).fit(x.view())?;
        assert_eq!(centered.transform(x.view())?, array![[-1., -10.], [1., 10.]]);
        let scaled = StandardScaler::default().with_center(false).fit(x.view())?;
        assert_eq!(scaled.transform(x.view())?, array![[1., 1.], [3., 3.]]);
        Ok(())
    }

    #[test]
    fn inverse_transform_undoes() -> Result<()> {
        let x = array![[1., 10., 5.], [3., 30., 5.], [4., -2., 5.]];
        let model = StandardScaler::default().fit(x.view())?;
        let back = model.inverse_transform(model.transform(x.view())?.view())?;
        assert!((back - x).iter().all(|d: &f64| d.abs() < 1e-12));
        Ok(())
    }
}
