use crate::ImagePooling;

/// How the score of an image follows from its map.
///
/// # Examples
///
/// ```
/// use ocellus_anomaly::{ImagePooling, ImageScoring};
///
/// let methods_own = ImageScoring::default();
/// assert_eq!(methods_own.pooling, ImagePooling::OfMethod);
/// // For images that are spoiled as a whole, and may be blurred.
/// let of_quality = ImageScoring::new(ImagePooling::Mean).with_two_sided(true);
/// assert!(of_quality.two_sided);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct ImageScoring {
    /// How the map becomes a number.
    pub pooling: ImagePooling,
    /// Whether the score is the distance of that number from the median of normal images.
    ///
    /// An image may be more likely than normal ones, as a blurred one has less that can surprise; two
    /// sides find that strange, too: E. Nalisnick, A. Matsukawa, Y. W. Teh, B. Lakshminarayanan.
    /// *Detecting out-of-distribution inputs to deep generative models using typicality.*
    /// arXiv:1906.02994, 2019.
    pub two_sided: bool,
}

impl ImageScoring {
    /// One-sided: the greater the number, the stranger the image.
    #[must_use]
    pub fn new(pooling: ImagePooling) -> Self {
        Self { pooling, two_sided: false }
    }

    /// Sets whether the score is the distance from the median of normal images.
    #[must_use]
    pub fn with_two_sided(mut self, two_sided: bool) -> Self {
        self.two_sided = two_sided;
        self
    }
}
