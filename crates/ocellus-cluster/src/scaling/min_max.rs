use ndarray::{Array1, Array2, ArrayView2, Zip};

use crate::{Error, Fit, Float, Result, Transform, check};

/// Maps the smallest and the largest value of each feature to the ends of a range.
///
/// ```text
/// y = low + (x − min) · (high − low) / (max − min)
/// ```
///
/// A constant feature becomes `low`. What was not seen in fitting may leave the range, unless it
/// is clipped.
///
/// # Examples
///
/// ```
/// use ndarray::array;
/// use ocellus_cluster::{Fit, MinMaxScaler, Transform};
///
/// let model = MinMaxScaler::default().fit(array![[2., 7.], [4., 7.]].view())?;
/// assert_eq!(model.transform(array![[3., 7.], [5., 8.]].view())?, array![[0.5, 0.], [1.5, 1.]]);
/// # Ok::<(), ocellus_cluster::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct MinMaxScaler {
    /// The ends of the range.
    pub range: (f64, f64),
    /// Whether what lies outside is set to the nearer end.
    pub clip: bool,
}

impl Default for MinMaxScaler {
    fn default() -> Self {
        Self { range: (0., 1.), clip: false }
    }
}

impl MinMaxScaler {
    /// The ends of the range: 0 and 1 by default.
    #[must_use]
    pub const fn with_range(mut self, low: f64, high: f64) -> Self {
        self.range = (low, high);
        self
    }

    /// Whether what lies outside is set to the nearer end: no by default.
    #[must_use]
    pub const fn with_clip(mut self, clip: bool) -> Self {
        self.clip = clip;
        self
    }
}

/// The model of a [`MinMaxScaler`].
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct MinMaxModel<T> {
    /// The smallest value of each feature.
    pub min: Array1<T>,
    /// The largest value of each feature.
    pub max: Array1<T>,
    range: (f64, f64),
    clip: bool,
}

impl<T: Float> Fit<T> for MinMaxScaler {
    type Model = MinMaxModel<T>;

    fn fit(&self, x: ArrayView2<'_, T>) -> Result<MinMaxModel<T>> {
        let (low, high) = self.range;
        if !(low < high && (high - low).is_finite()) {
            let value = format!("{low} to {high}");
            let remedy = "give two finite numbers, the smaller one first";
            return Err(Error::InvalidSetting { name: "range", value, remedy });
        }
        check::samples(x)?;
        let (mut min, mut max) = (x.row(0).to_owned(), x.row(0).to_owned());
        for row in x.outer_iter() {
            Zip::from(&mut min).and(&mut max).and(row).for_each(|min, max, &value| {
                *min = min.min(value);
                *max = max.max(value);
            });
        }
        Ok(MinMaxModel { min, max, range: self.range, clip: self.clip })
    }
}

impl<T: Float> Transform<T> for MinMaxModel<T> {
    fn transform(&self, x: ArrayView2<'_, T>) -> Result<Array2<T>> {
        check::features(x, self.min.len())?;
        let (low, high) = self.ends();
        let clip = |value: T| if self.clip { value.max(low).min(high) } else { value };
        Ok(self.map(x, |x, min, width| clip(low + (x - min) * ((high - low) / width))))
    }
}

impl<T: Float> MinMaxModel<T> {
    /// Takes scaled samples back.
    ///
    /// # Errors
    ///
    /// If `y` has another number of features than the model, or holds what is not finite.
    pub fn inverse_transform(&self, y: ArrayView2<'_, T>) -> Result<Array2<T>> {
        check::features(y, self.min.len())?;
        let (low, high) = self.ends();
        Ok(self.map(y, |y, min, width| min + (y - low) * (width / (high - low))))
    }

    fn ends(&self) -> (T, T) {
        (T::narrow(self.range.0), T::narrow(self.range.1))
    }

    /// Applies `f(value, min, max − min)`; the width of a constant feature is 1.
    fn map(&self, x: ArrayView2<'_, T>, f: impl Fn(T, T, T) -> T) -> Array2<T> {
        let mut y = x.to_owned();
        for mut row in y.outer_iter_mut() {
            Zip::from(&mut row).and(&self.min).and(&self.max).for_each(|y, &min, &max| {
                let width = if max > min { max - min } else { T::one() };
                *y = f(*y, min, width);
            });
        }
        y
    }
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    #[test]
    fn clipping_keeps_the_range() -> Result<()> {
        let model = MinMaxScaler::default()
            .with_range(-1., 1.)
            .with_clip(true)
            .fit(array![[0f32], [2.]].view())?;
        let y = model.transform(array![[-5.], [1.], [9.]].view())?;
        assert_eq!(y, array![[-1.], [0.], [1.]]);
        assert_eq!(model.inverse_transform(y.view())?, array![[0.], [1.], [2.]]);
        Ok(())
    }

    #[test]
    fn an_empty_range_is_refused() {
        let fit = MinMaxScaler::default().with_range(1., 1.).fit(array![[0f32], [2.]].view());
        assert!(fit.unwrap_err().to_string().starts_with("range is 1 to 1: "));
    }
}
