/// Over which pixels a ratio such as Dice's is taken, before ratios are averaged.
///
/// # Examples
///
/// ```
/// use ocellus_losses::{Aggregation, Dice};
///
/// assert_eq!(Dice::softmax().aggregation, Aggregation::Batch);
/// assert_eq!(Dice::softmax().per_image().aggregation, Aggregation::Image);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Aggregation {
    /// All pixels of the batch: one ratio a class.
    #[default]
    Batch,
    /// The pixels of each image: a ratio for each class and image, which are averaged.
    Image,
}

/// What becomes of a class of which the target has no pixel.
///
/// # Examples
///
/// ```
/// use ocellus_losses::{AbsentClasses, Dice, LovaszSoftmax};
///
/// assert_eq!(Dice::softmax().absent, AbsentClasses::Free);
/// assert_eq!(LovaszSoftmax::default().absent, AbsentClasses::LeftOut);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AbsentClasses {
    /// Its loss is 0 and takes part in the mean: predicting it costs nothing.
    Free,
    /// It takes no part in the mean.
    LeftOut,
    /// It counts like any other: predicting it costs.
    Counted,
}
