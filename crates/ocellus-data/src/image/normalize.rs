use crate::{Error, Image, Result, image::resize::range};

/// How the values of an image are put on a common scale.
///
/// # Examples
///
/// ```
/// use ocellus_data::{Image, Normalize};
///
/// let image = Image::new(1, 1, 3, vec![0.2, 0.3, 0.4])?;
/// let scaled = Normalize::MinMax.apply(image.clone())?;
/// assert!((scaled.get(0, 0, 1) - 0.5).abs() < 1e-6);
///
/// let imagenet = Normalize::constants(&[0.485, 0.456, 0.406], &[0.229, 0.224, 0.225])?;
/// assert!(imagenet.apply(image).is_err()); // One channel, three constants.
/// # Ok::<(), ocellus_data::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub enum Normalize {
    /// Values stay from 0 to 1.
    #[default]
    Keep,
    /// `(x − min) / (max − min)` over all values of the image; a constant image becomes 0.
    MinMax,
    /// `(x − mean) / max(σ, 1/√n)` over the n values of the image, as TensorFlow's
    /// `per_image_standardization`: a constant image becomes 0.
    Standardize,
    /// `(x − mean[c]) / std[c]` in channel c, with constants: of `ImageNet`, say, or of the training
    /// images ([`ChannelStatistics`]). One constant serves all channels.
    Constants {
        /// Subtracted, one a channel or one for all.
        mean: Vec<f32>,
        /// Divided by, one a channel or one for all.
        std: Vec<f32>,
    },
}

impl Normalize {
    /// [`Normalize::Constants`], checked.
    ///
    /// # Errors
    ///
    /// If the two differ in length, are empty, or a value is not finite or a deviation not above 0.
    pub fn constants(mean: &[f32], std: &[f32]) -> Result<Self> {
        let fine = mean.len() == std.len()
            && !mean.is_empty()
            && mean.iter().all(|m| m.is_finite())
            && std.iter().all(|s| s.is_finite() && *s > 0.);
        if !fine {
            return Err(Error::Setting(format!(
                "mean {mean:?} and standard deviation {std:?}: give as many of one as of the \
                 other, finite, the deviations above 0"
            )));
        }
        Ok(Self::Constants { mean: mean.to_vec(), std: std.to_vec() })
    }

    /// The image on the common scale.
    ///
    /// # Errors
    ///
    /// If there are constants for another number of channels.
    pub fn apply(&self, mut image: Image) -> Result<Image> {
        match self {
            Self::Keep => {}
            Self::MinMax => {
                let (low, high) = range(image.data());
                let scale = if high > low { 1. / (high - low) } else { 0. };
                image.data_mut().iter_mut().for_each(|v| *v = (*v - low) * scale);
            }
            Self::Standardize => {
                let mut moments = Moments::default();
                moments.extend(image.data());
                let floor = 1. / moments.count.sqrt();
                let (mean, std) = (moments.mean, moments.variance().sqrt().max(floor));
                for value in image.data_mut() {
                    *value = ((f64::from(*value) - mean) / std) as f32;
                }
            }
            Self::Constants { mean, std } => {
                let channels = image.channels();
                let one_for_all = mean.len() == 1 && std.len() == 1;
                if !one_for_all && (mean.len(), std.len()) != (channels, channels) {
                    return Err(Error::Shape(format!(
                        "{} means and {} deviations for {channels} channels: give one of each a \
                         channel, or convert the image (`Color`)",
                        mean.len(),
                        std.len()
                    )));
                }
                for (channel, plane) in image.planes_mut().enumerate() {
                    let c = if one_for_all { 0 } else { channel };
                    plane.iter_mut().for_each(|v| *v = (*v - mean[c]) / std[c]);
                }
            }
        }
        Ok(image)
    }
}

/// Mean and variance in one pass, in f64; two of them merge.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Moments {
    count: f64,
    mean: f64,
    squares: f64,
}

impl Moments {
    /// Adds a block of values by its own two passes, which lose no digits, and Chan's merge.
    fn extend(&mut self, values: &[f32]) {
        let count = values.len() as f64;
        if values.is_empty() {
            return;
        }
        let mean = values.iter().map(|&v| f64::from(v)).sum::<f64>() / count;
        let squares = values.iter().map(|&v| (f64::from(v) - mean).powi(2)).sum();
        self.merge(&Self { count, mean, squares });
    }

    fn merge(&mut self, other: &Self) {
        let count = self.count + other.count;
        if count > 0. {
            let delta = other.mean - self.mean;
            self.mean += delta * other.count / count;
            self.squares += other.squares + delta * delta * self.count * other.count / count;
            self.count = count;
        }
    }

    fn variance(&self) -> f64 {
        self.squares / self.count
    }
}

/// Mean and standard deviation of each channel over many images, streamed in f64.
///
/// Feed it with *training* images alone: statistics that have seen the test images leak.
///
/// # Examples
///
/// ```
/// use ocellus_data::{ChannelStatistics, Image};
///
/// let mut statistics = ChannelStatistics::default();
/// statistics.add(&Image::new(1, 1, 2, vec![0., 1.])?)?;
/// statistics.add(&Image::new(1, 1, 2, vec![0., 1.])?)?;
/// assert_eq!(statistics.mean(), [0.5]);
/// assert_eq!(statistics.std(), [0.5]);
/// let normalized = statistics.normalize()?.apply(Image::filled(1, 1, 1, 1.)?)?;
/// assert_eq!(normalized.data(), [1.]);
/// # Ok::<(), ocellus_data::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ChannelStatistics {
    channels: Vec<Moments>,
}

impl ChannelStatistics {
    /// Counts an image in.
    ///
    /// # Errors
    ///
    /// If it has another number of channels than those before.
    pub fn add(&mut self, image: &Image) -> Result<()> {
        let mut own = Self { channels: vec![Moments::default(); image.channels()] };
        for (moments, plane) in own.channels.iter_mut().zip(image.planes()) {
            moments.extend(plane);
        }
        self.merge(&own)
    }

    /// Counts in the pixels of an image for which `keep`, in the order (row, column), is true.
    ///
    /// # Errors
    ///
    /// If it has another number of channels than those before, or another number of pixels than
    /// `keep` has values.
    ///
    /// # Examples
    ///
    /// ```
    /// use ocellus_data::{ChannelStatistics, Image};
    ///
    /// let mut statistics = ChannelStatistics::default();
    /// statistics.add_where(&Image::new(1, 1, 3, vec![1., 99., 3.])?, &[true, false, true])?;
    /// assert_eq!((statistics.mean(), statistics.std()), (vec![2.], vec![1.]));
    /// # Ok::<(), ocellus_data::Error>(())
    /// ```
    pub fn add_where(&mut self, image: &Image, keep: &[bool]) -> Result<()> {
        if keep.len() != image.height() * image.width() {
            return Err(Error::Shape(format!(
                "{} choices for the pixels of {image:?}",
                keep.len()
            )));
        }
        let mut own = Self { channels: vec![Moments::default(); image.channels()] };
        for (moments, plane) in own.channels.iter_mut().zip(image.planes()) {
            let kept = plane.iter().zip(keep).filter(|(_, keep)| **keep).map(|(value, _)| *value);
            moments.extend(&kept.collect::<Vec<_>>());
        }
        self.merge(&own)
    }

    /// Counts in what other statistics have counted.
    ///
    /// # Errors
    ///
    /// If they are of another number of channels.
    pub fn merge(&mut self, other: &Self) -> Result<()> {
        if self.channels.is_empty() {
            self.channels.clone_from(&other.channels);
            return Ok(());
        }
        if !other.channels.is_empty() && other.channels.len() != self.channels.len() {
            return Err(Error::Shape(format!(
                "an image of {} channels among images of {}: convert them to one color",
                other.channels.len(),
                self.channels.len()
            )));
        }
        for (moments, more) in self.channels.iter_mut().zip(&other.channels) {
            moments.merge(more);
        }
        Ok(())
    }

    /// The mean of each channel.
    #[must_use]
    pub fn mean(&self) -> Vec<f64> {
        self.channels.iter().map(|m| m.mean).collect()
    }

    /// The standard deviation of each channel (of the population: divided by n).
    #[must_use]
    pub fn std(&self) -> Vec<f64> {
        self.channels.iter().map(|m| m.variance().sqrt()).collect()
    }

    /// The normalization with these constants.
    ///
    /// # Errors
    ///
    /// If nothing was counted, or a channel is constant.
    pub fn normalize(&self) -> Result<Normalize> {
        let single = |values: Vec<f64>| values.into_iter().map(|v| v as f32).collect::<Vec<_>>();
        Normalize::constants(&single(self.mean()), &single(self.std()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(values: &[f32]) -> Image {
        Image::new(1, 1, values.len(), values.to_vec()).unwrap()
    }

    #[test]
    fn min_max_spans_0_to_1() {
        let scaled = Normalize::MinMax.apply(image(&[0.3, 0.5, 0.4])).unwrap();
        assert_eq!(range(scaled.data()), (0., 1.));
    }

    #[test]
    fn a_constant_image_becomes_0() {
        for normalize in [Normalize::MinMax, Normalize::Standardize] {
            let scaled = normalize.apply(image(&[0.3; 7])).unwrap();
            assert!(scaled.data().iter().all(|v| v.abs() < 1e-6), "{normalize:?}");
        }
    }

    #[test]
    fn standardizing_gives_mean_0_and_variance_1() {
        let scaled = Normalize::Standardize.apply(image(&[1., 2., 3., 4.])).unwrap();
        let expected = [-1.5, -0.5, 0.5, 1.5].map(|v: f32| v / 1.25f32.sqrt());
        assert!(scaled.data().iter().zip(expected).all(|(a, e)| (a - e).abs() < 1e-6));
    }

    #[test]
    fn statistics_do_not_depend_on_how_they_were_merged() {
        let (a, b, c) = (image(&[0.1, 0.9]), image(&[0.4, 0.2, 0.3]), image(&[0.5]));
        let mut one = ChannelStatistics::default();
        for part in [&a, &b, &c] {
            one.add(part).unwrap();
        }
        let (mut left, mut right) = (ChannelStatistics::default(), ChannelStatistics::default());
        left.add(&a).unwrap();
        right.add(&b).unwrap();
        right.add(&c).unwrap();
        left.merge(&right).unwrap();
        assert!((one.mean()[0] - left.mean()[0]).abs() < 1e-12);
        assert!((one.mean()[0] - 0.4).abs() < 1e-7);
        assert!((one.std()[0] - left.std()[0]).abs() < 1e-12);
    }

    #[test]
    fn streaming_keeps_the_digits_of_a_large_mean() {
        let mut statistics = ChannelStatistics::default();
        for _ in 0..1000 {
            statistics.add(&image(&[1e4, 1e4 + 1.])).unwrap();
        }
        assert!((statistics.std()[0] - 0.5).abs() < 1e-9);
    }

    #[test]
    fn rejects_bad_constants() {
        assert!(Normalize::constants(&[0.5], &[0.]).is_err());
        assert!(Normalize::constants(&[0.5, 0.5], &[1.]).is_err());
        assert!(Normalize::constants(&[f32::NAN], &[1.]).is_err());
        assert!(ChannelStatistics::default().normalize().is_err());
        let mut mixed = ChannelStatistics::default();
        mixed.add(&image(&[0.])).unwrap();
        assert!(mixed.add(&Image::filled(3, 1, 1, 0.).unwrap()).is_err());
    }
}
