use crate::{Error, Result};

/// Which pixels of a class belong to the same object.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub enum Connectivity {
    /// Those that share a side.
    #[default]
    Four,
    /// Those that share a side or a corner.
    Eight,
}

/// The settings of the comparison of objects.
///
/// # Examples
///
/// ```
/// use ocellus_metrics::{Connectivity, ObjectConfig};
///
/// let config = ObjectConfig::new(1)
///     .with_connectivity(Connectivity::Eight)
///     .with_thresholds([0.5, 0.75]);
/// assert_eq!(config.thresholds, [0.5, 0.75]);
/// ```
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct ObjectConfig {
    /// The class whose objects are compared.
    pub class: u32,
    /// Which pixels belong to the same object. Default [`Connectivity::Four`].
    pub connectivity: Connectivity,
    /// The least intersections over union that make a match, above 0, up to 1. Default 0.5 alone.
    pub thresholds: Vec<f64>,
}

impl ObjectConfig {
    /// The objects of a class, matched at an intersection over union of 0.5.
    #[must_use]
    pub fn new(class: u32) -> Self {
        Self { class, connectivity: Connectivity::Four, thresholds: vec![0.5] }
    }

    /// Sets which pixels belong to the same object.
    #[must_use]
    pub fn with_connectivity(mut self, connectivity: Connectivity) -> Self {
        self.connectivity = connectivity;
        self
    }

    /// Sets the least intersections over union that make a match.
    #[must_use]
    pub fn with_thresholds(mut self, thresholds: impl Into<Vec<f64>>) -> Self {
        self.thresholds = thresholds.into();
        self
    }

    pub(super) fn check(&self) -> Result<()> {
        let valid = |t: &f64| *t > 0. && *t <= 1.;
        if self.thresholds.is_empty() || !self.thresholds.iter().all(valid) {
            let value = format!("{:?}", self.thresholds);
            let remedy = "give one or more numbers above 0, up to 1";
            return Err(Error::setting("the thresholds of objects", value, remedy));
        }
        Ok(())
    }
}
