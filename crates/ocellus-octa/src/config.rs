use ocellus_anomaly::ThresholdRule;

use crate::{Clustering, Method, Reduction, Representation, Subdivision};

/// Every setting of the system but the network's weights.
///
/// # Examples
///
/// ```
/// use ocellus_anomaly::ThresholdRule;
/// use ocellus_octa::{Config, Method};
///
/// let config = Config::paper();
/// assert_eq!((config.method, config.image_size), (Method::Cflow, 320));
/// assert!(!config.threshold.is_label_free());
/// assert!(Config::practical().threshold.is_label_free());
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Config {
    /// The detector.
    pub method: Method,
    /// Height and width of the images, pixels.
    pub image_size: usize,
    /// What of the detector stands for an image.
    pub representation: Representation,
    /// How what is not outstanding is divided.
    pub subdivision: Subdivision,
    /// From which score on an image is not outstanding.
    pub threshold: ThresholdRule,
}

impl Config {
    /// The paper's: `CFLOW-AD` at 320 pixels, probability maps, PCA, Ward's linkage, and the threshold of
    /// the greatest F1 on the test images' own grades, an oracle. The number of components is not
    /// stated; it is 32 here.
    #[must_use]
    pub fn paper() -> Self {
        Self {
            method: Method::Cflow,
            image_size: 320,
            representation: Representation::Probability,
            subdivision: Subdivision::new(Reduction::pca(32), Clustering::hierarchical()),
            threshold: ThresholdRule::OracleF1,
        }
    }

    /// The paper's, with a threshold that needs no grade: 95 % of outstanding images that the detector was
    /// calibrated on lie below it.
    #[must_use]
    pub fn practical() -> Self {
        Self { threshold: ThresholdRule::NormalQuantile(0.95), ..Self::paper() }
    }

    /// Sets the detector, and what it has to stand for an image: `PaDiM` and `PatchCore` have distances,
    /// no probabilities.
    #[must_use]
    pub fn with_method(mut self, method: Method) -> Self {
        self.representation = match method {
            Method::Padim | Method::PatchCore => Representation::Distance,
            Method::FastFlow | Method::Cflow => Representation::Probability,
        };
        self.method = method;
        self
    }

    /// Sets height and width of the images.
    #[must_use]
    pub const fn with_image_size(mut self, image_size: usize) -> Self {
        self.image_size = image_size;
        self
    }

    /// Sets what stands for an image.
    #[must_use]
    pub const fn with_representation(mut self, representation: Representation) -> Self {
        self.representation = representation;
        self
    }

    /// Sets how what is not outstanding is divided.
    #[must_use]
    pub fn with_subdivision(mut self, subdivision: Subdivision) -> Self {
        self.subdivision = subdivision;
        self
    }

    /// Sets the rule of the threshold.
    #[must_use]
    pub const fn with_threshold(mut self, threshold: ThresholdRule) -> Self {
        self.threshold = threshold;
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_detector_brings_what_it_has() {
        let config = Config::practical().with_method(Method::Padim);
        assert_eq!(config.representation, Representation::Distance);
        let config = config.with_method(Method::FastFlow).with_image_size(64);
        assert_eq!(config.representation, Representation::Probability);
        assert_eq!(config.image_size, 64);
    }
}
