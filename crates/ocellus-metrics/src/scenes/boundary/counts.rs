use std::{iter::Sum, ops::AddAssign};

use super::{BoundaryConfig, BoundaryMatcher};
use crate::{Pixels, Result};

/// How many pixels of the predicted boundary lie near the true one, and the reverse: the boundary F1
/// score, or BF score.
///
/// ```text
/// precision = |{z ∈ B_predicted : d(z, B_true) ≤ θ}| / |B_predicted|
/// recall    = |{z ∈ B_true : d(z, B_predicted) ≤ θ}| / |B_true|
/// F1 = 2 · precision · recall / (precision + recall)                              [1]
/// ```
///
/// A boundary pixel is a pixel of the class that has, above, below, left or right of it, one of
/// another class. The edge of the image is no boundary, nor is that of an ignored region. d is the
/// Euclidean distance between the centers of pixels, and exact.
///
/// The counts of several images add up; the score of the literature is the mean of the images' F1.
///
/// # Examples
///
/// ```
/// use ocellus_metrics::{BoundaryConfig, BoundaryCounts, Pixels};
///
/// // A building of 3 columns is predicted one pixel too far to the right.
/// let truth = [false, true, true, true, false, false].repeat(4);
/// let predicted = [false, false, true, true, true, false].repeat(4);
/// let pixels = Pixels::new(&truth, &predicted)?;
/// let exact = BoundaryCounts::of_image(&pixels, 6, &BoundaryConfig::new(1, 0.))?;
/// assert_eq!(exact.f1(), Some(0.));
/// let within_one = BoundaryCounts::of_image(&pixels, 6, &BoundaryConfig::new(1, 1.))?;
/// assert_eq!((within_one.predicted, within_one.f1()), (8, Some(1.)));
/// # Ok::<(), ocellus_metrics::Error>(())
/// ```
///
/// # Deviations
///
/// The paper asks for d < θ, here a distance of exactly θ is near enough: "within one pixel" means
/// the neighbor. It does not say what a boundary pixel is.
///
/// # References
///
/// 1. G. Csurka et al. *What is a good evaluation measure for semantic segmentation?* BMVC 2013.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct BoundaryCounts {
    /// Pixels of the true boundary.
    pub truth: u64,
    /// Those near the predicted one.
    pub found: u64,
    /// Pixels of the predicted boundary.
    pub predicted: u64,
    /// Those near the true one.
    pub right: u64,
}

impl BoundaryCounts {
    /// Compares the boundaries of one whole image. For scenes too large for that see
    /// [`BoundaryMatcher`].
    ///
    /// # Errors
    ///
    /// If `width` does not divide the number of pixels, or the tolerance is out of its range.
    pub fn of_image<L: Copy + Into<u32>>(
        pixels: &Pixels<'_, L>,
        width: usize,
        config: &BoundaryConfig,
    ) -> Result<Self> {
        let mut matcher = BoundaryMatcher::new(width, config)?;
        matcher.add_rows(pixels)?;
        Ok(matcher.finish())
    }

    /// Counts in the boundaries of another image.
    ///
    /// ```
    /// use ocellus_metrics::{BoundaryConfig, BoundaryCounts, Pixels};
    ///
    /// let config = BoundaryConfig::new(1, 1.);
    /// let image = BoundaryCounts::of_image(&Pixels::new(&[0u8, 1], &[0, 1])?, 2, &config)?;
    /// let mut both = image;
    /// both.merge(&image);
    /// assert_eq!(both.truth, 2 * image.truth);
    /// # Ok::<(), ocellus_metrics::Error>(())
    /// ```
    pub fn merge(&mut self, other: &Self) {
        self.truth += other.truth;
        self.found += other.found;
        self.predicted += other.predicted;
        self.right += other.right;
    }

    /// The share of the predicted boundary that is near the true one; `None` if nothing is
    /// predicted.
    #[must_use]
    pub fn precision(&self) -> Option<f64> {
        (self.predicted > 0).then(|| self.right as f64 / self.predicted as f64)
    }

    /// The share of the true boundary that is near the predicted one; `None` if there is none.
    #[must_use]
    pub fn recall(&self) -> Option<f64> {
        (self.truth > 0).then(|| self.found as f64 / self.truth as f64)
    }

    /// The harmonic mean of precision and recall: 0 if both are, or if only one of the two
    /// boundaries has pixels; `None` if neither has.
    #[must_use]
    pub fn f1(&self) -> Option<f64> {
        match (self.precision(), self.recall()) {
            (None, None) => None,
            (Some(p), Some(r)) if p + r > 0. => Some(2. * p * r / (p + r)),
            _ => Some(0.),
        }
    }
}

impl AddAssign for BoundaryCounts {
    fn add_assign(&mut self, other: Self) {
        self.truth += other.truth;
        self.found += other.found;
        self.predicted += other.predicted;
        self.right += other.right;
    }
}

impl Sum for BoundaryCounts {
    fn sum<I: Iterator<Item = Self>>(counts: I) -> Self {
        counts.fold(Self::default(), |mut sum, counts| {
            sum += counts;
            sum
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_undefined_is_no_number() {
        let none = BoundaryCounts::default();
        assert_eq!((none.precision(), none.recall(), none.f1()), (None, None, None));
        let missed = BoundaryCounts { truth: 3, ..none };
        assert_eq!((missed.precision(), missed.recall(), missed.f1()), (None, Some(0.), Some(0.)));
        let wrong = BoundaryCounts { predicted: 2, ..missed };
        assert_eq!(wrong.f1(), Some(0.));
        let sum: BoundaryCounts = [missed, wrong].into_iter().sum();
        assert_eq!((sum.truth, sum.predicted), (6, 2));
    }
}
