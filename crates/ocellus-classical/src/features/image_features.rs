use std::collections::BTreeMap;

use ndarray::{Array1, Array2, ArrayView1, ArrayView3, Axis};
use rayon::prelude::*;

use super::Dft;
use super::histogram;
use super::pixels::Pixels;
use super::profiles::Profiles;
use super::spectrum::{Spectrum, Workspace};
use crate::{Error, Result};

/// Describes images by numbers: histograms and Fourier magnitudes.
///
/// An image is (height, width, channels), 8 bits, of one channel (gray) or three (RGB). The features
/// are, in this order, each part if it is wanted:
///
/// 1. the histogram of gray values, bins of equal width from 0 to 256. The gray value of a color is
///    ⌊0.299 R + 0.587 G + 0.114 B + ½⌋, as Pillow's;
/// 2. those of red, green and blue, alike;
/// 3. those of hue, saturation and value, bins of equal width from 0 to 1. What is gray has hue and
///    saturation 0. Bins are found in whole numbers: no rounding moves a color to the next one;
/// 4. what [`Dft`] says.
///
/// # Examples
///
/// ```
/// use ndarray::Array3;
/// use ocellus_classical::ImageFeatures;
///
/// let features = ImageFeatures::default().with_gray_bins(2).with_rgb_bins(0).with_hsv_bins(0).with_dft(None);
/// let image = Array3::from_shape_fn((4, 4, 1), |(row, _, _)| if row == 0 { 200 } else { 20 });
/// assert_eq!(features.names(), ["gray_0", "gray_1"]);
/// assert_eq!(features.extract(image.view())?.to_vec(), [0.75, 0.25]);
/// # Ok::<(), ocellus_classical::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[non_exhaustive]
pub struct ImageFeatures {
    /// Bins of gray values; no histogram if 0.
    pub gray_bins: usize,
    /// Bins of red, green and blue each.
    pub rgb_bins: usize,
    /// Bins of hue, saturation and value each.
    pub hsv_bins: usize,
    /// Whether a histogram holds shares of the pixels rather than their number.
    pub normalized: bool,
    /// Which Fourier magnitudes.
    pub dft: Option<Dft>,
}

impl Default for ImageFeatures {
    fn default() -> Self {
        let dft = Some(Dft::default());
        Self { gray_bins: 32, rgb_bins: 16, hsv_bins: 16, normalized: true, dft }
    }
}

/// Features of some images, and their places among all.
type Described = Vec<(usize, Vec<f64>)>;

/// What images of one size have in common.
struct Plan<'a> {
    dft: &'a Dft,
    spectrum: Spectrum,
    profiles: Profiles,
}

impl<'a> Plan<'a> {
    fn new(dft: &'a Dft, (height, width): (usize, usize)) -> std::result::Result<Self, String> {
        dft.check_size(height, width)?;
        let profiles = Profiles::new(dft, height, width)?;
        Ok(Self { dft, spectrum: Spectrum::new(height, width), profiles })
    }

    fn append(&self, gray: &[u8], work: &mut Workspace, to: &mut Vec<f64>) {
        let (start, height) = (to.len(), self.spectrum.height);
        let values = self.spectrum.transform(gray, work);
        to.extend(self.dft.frequencies().map(|(u, v)| {
            let u = u.rem_euclid(height as isize) as usize;
            values[v * height + u].norm()
        }));
        self.profiles.append(values, to);
        if self.dft.log {
            to[start..].iter_mut().for_each(|value| *value = value.ln_1p());
        }
    }
}

impl ImageFeatures {
    /// Bins of gray values: 32 by default; no histogram if 0.
    #[must_use]
    pub const fn with_gray_bins(mut self, bins: usize) -> Self {
        self.gray_bins = bins;
        self
    }

    /// Bins of red, green and blue each: 16 by default.
    #[must_use]
    pub const fn with_rgb_bins(mut self, bins: usize) -> Self {
        self.rgb_bins = bins;
        self
    }

    /// Bins of hue, saturation and value each: 16 by default.
    #[must_use]
    pub const fn with_hsv_bins(mut self, bins: usize) -> Self {
        self.hsv_bins = bins;
        self
    }

    /// Whether a histogram holds shares of the pixels rather than their number: yes by default.
    #[must_use]
    pub const fn with_normalized(mut self, normalized: bool) -> Self {
        self.normalized = normalized;
        self
    }

    /// Which Fourier magnitudes.
    #[must_use]
    pub const fn with_dft(mut self, dft: Option<Dft>) -> Self {
        self.dft = dft;
        self
    }

    /// The names of the features, in order.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        let parts = [
            (self.gray_bins, &["gray"][..]),
            (self.rgb_bins, &["red", "green", "blue"]),
            (self.hsv_bins, &["hue", "saturation", "value"]),
        ];
        let mut names = Vec::new();
        for (bins, channels) in parts {
            for channel in channels {
                names.extend((0..bins).map(|bin| format!("{channel}_{bin}")));
            }
        }
        names.extend(self.dft.iter().flat_map(Dft::names));
        names
    }

    /// The features of an image.
    ///
    /// # Errors
    ///
    /// If there are no features, or more than 256 bins; if the image has no pixels or other than one
    /// or three channels, or is too small for the block, the rings or the sectors of the transform.
    pub fn extract(&self, image: ArrayView3<'_, u8>) -> Result<Array1<f64>> {
        Ok(self.extract_all(&[image])?.index_axis_move(Axis(0), 0))
    }

    /// The features of many images, of any sizes, side by side: (images, features). An image has the
    /// bits that it has alone.
    ///
    /// # Errors
    ///
    /// As [`extract`](Self::extract); the first image with an error is named.
    pub fn extract_all(&self, images: &[ArrayView3<'_, u8>]) -> Result<Array2<f64>> {
        let count = self.check()?;
        let wrong = |index| move |problem| Error::Image { index, problem };
        let mut sizes = BTreeMap::<_, Vec<_>>::new();
        for (index, &image) in images.iter().enumerate() {
            let pixels = Pixels::new(image).map_err(wrong(index))?;
            sizes.entry((pixels.height, pixels.width)).or_default().push((index, pixels));
        }
        let of_size = |(size, group): (_, Vec<(usize, Pixels<'_>)>)| {
            let first = group.first().map_or(0, |&(index, _)| index);
            let plan = self.dft.as_ref().map(|dft| Plan::new(dft, size)).transpose();
            let plan = plan.map_err(wrong(first))?;
            let extract = |work: &mut Workspace, (index, pixels)| {
                (index, self.describe(&pixels, plan.as_ref(), work))
            };
            Ok(group.into_par_iter().map_init(Workspace::default, extract).collect())
        };
        let groups: Vec<Result<Described>> = sizes.into_par_iter().map(of_size).collect();
        let mut features = Array2::zeros((images.len(), count));
        let mut errors = Vec::new();
        for group in groups {
            match group {
                Ok(rows) => rows.into_iter().for_each(|(index, row)| {
                    features.row_mut(index).assign(&ArrayView1::from(&row));
                }),
                Err(error) => errors.push(error),
            }
        }
        let place = |error: &Error| match error {
            Error::Image { index, .. } => *index,
            _ => 0,
        };
        errors.into_iter().min_by_key(place).map_or(Ok(features), Err)
    }

    /// How many features there are.
    fn check(&self) -> Result<usize> {
        let setting = |name, value: usize, remedy| ocellus_cluster::Error::InvalidSetting {
            name,
            value: value.to_string(),
            remedy,
        };
        let bins = self.gray_bins.max(self.rgb_bins).max(self.hsv_bins);
        if bins > 256 {
            return Err(setting("the number of bins", bins, "give 256 or fewer").into());
        }
        if let Some(dft) = &self.dft {
            dft.check()?;
        }
        match self.names().len() {
            0 => Err(setting("the number of features", 0, "give bins or a transform").into()),
            count => Ok(count),
        }
    }

    fn describe(
        &self,
        pixels: &Pixels<'_>,
        plan: Option<&Plan<'_>>,
        work: &mut Workspace,
    ) -> Vec<f64> {
        let gray = if self.gray_bins > 0 || plan.is_some() { pixels.gray() } else { Vec::new() };
        let mut counts = Vec::new();
        if self.gray_bins > 0 {
            counts.extend(histogram::gray(&gray, self.gray_bins));
        }
        if self.rgb_bins > 0 {
            counts.extend(histogram::rgb(pixels, self.rgb_bins));
        }
        if self.hsv_bins > 0 {
            counts.extend(histogram::hsv(pixels, self.hsv_bins));
        }
        let scale = if self.normalized { pixels.count() as f64 } else { 1. };
        let mut features: Vec<f64> = counts.into_iter().map(|n| f64::from(n) / scale).collect();
        if let Some(plan) = plan {
            plan.append(&gray, work, &mut features);
        }
        features
    }
}
