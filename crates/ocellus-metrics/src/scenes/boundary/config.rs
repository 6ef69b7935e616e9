use crate::{Error, Result};

/// The settings of the boundary score of a class.
///
/// # Examples
///
/// ```
/// use ocellus_metrics::BoundaryConfig;
///
/// let within_two_pixels = BoundaryConfig::new(1, 2.);
/// assert_eq!(within_two_pixels.tolerance, 2.);
/// // 0.75 % of the diagonal of 300 × 400 pixels.
/// assert_eq!(BoundaryConfig::relative(1, 400, 300).tolerance, 3.75);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct BoundaryConfig {
    /// The class whose boundaries are compared.
    pub class: u32,
    /// How far apart boundary pixels may be, center to center, in pixels; up to 65,534.
    pub tolerance: f64,
}

impl BoundaryConfig {
    /// The boundaries of a class, with a tolerance in pixels.
    #[must_use]
    pub fn new(class: u32, tolerance: f64) -> Self {
        Self { class, tolerance }
    }

    /// The tolerance of the literature: 0.75 % of the image's diagonal.
    #[must_use]
    pub fn relative(class: u32, width: usize, height: usize) -> Self {
        Self::new(class, 0.0075 * (width as f64).hypot(height as f64))
    }

    /// The largest whole distance within the tolerance.
    pub(super) fn reach(&self) -> Result<u16> {
        if !(0. ..f64::from(u16::MAX)).contains(&self.tolerance) {
            let remedy = "give a distance in pixels, 0 to 65534";
            return Err(Error::setting("the tolerance of boundaries", self.tolerance, remedy));
        }
        Ok(self.tolerance as u16)
    }
}
