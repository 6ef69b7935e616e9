use super::ConvAlgorithm;

/// Rows and columns of zeros around an image, side by side different if need be.
///
/// # Examples
///
/// ```
/// use ocellus_ops::Padding;
///
/// assert_eq!(Padding::from(1), Padding::new(1, 1, 1, 1));
/// assert_eq!(Padding::from((1, 2)), Padding::new(1, 1, 2, 2)); // (vertical, horizontal)
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Padding {
    /// Rows above.
    pub top: usize,
    /// Rows below.
    pub bottom: usize,
    /// Columns to the left.
    pub left: usize,
    /// Columns to the right.
    pub right: usize,
}

impl Padding {
    /// One number for each side.
    #[must_use]
    pub const fn new(top: usize, bottom: usize, left: usize, right: usize) -> Self {
        Self { top, bottom, left, right }
    }
}

impl From<usize> for Padding {
    /// The same on all sides.
    fn from(all: usize) -> Self {
        Self::new(all, all, all, all)
    }
}

impl From<(usize, usize)> for Padding {
    /// (above and below, left and right), as PyTorch's pairs.
    fn from((vertical, horizontal): (usize, usize)) -> Self {
        Self::new(vertical, vertical, horizontal, horizontal)
    }
}

/// Configuration of [`conv2d`](crate::conv2d): stride 1, no padding, dilation 1 and one group
/// unless set otherwise.
///
/// Pairs are (vertical, horizontal).
///
/// # Examples
///
/// ```
/// use ocellus_ops::{Conv2dConfig, Padding};
///
/// let stem = Conv2dConfig::default().with_stride((2, 2)).with_padding(3);
/// assert_eq!(stem.padding, Padding::new(3, 3, 3, 3));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Conv2dConfig {
    /// Input pixels between neighboring positions of the kernel.
    pub stride: (usize, usize),
    /// Zeros around the input.
    pub padding: Padding,
    /// Input pixels between neighboring taps of the kernel.
    pub dilation: (usize, usize),
    /// Blocks of channels that do not mix; as many as channels make a depthwise convolution.
    pub groups: usize,
    /// How it is computed on the CPU.
    pub algorithm: ConvAlgorithm,
}

impl Default for Conv2dConfig {
    fn default() -> Self {
        Self {
            stride: (1, 1),
            padding: Padding::default(),
            dilation: (1, 1),
            groups: 1,
            algorithm: ConvAlgorithm::Auto,
        }
    }
}

impl Conv2dConfig {
    /// Sets the input pixels between neighboring positions of the kernel.
    #[must_use]
    pub fn with_stride(mut self, stride: (usize, usize)) -> Self {
        self.stride = stride;
        self
    }

    /// Sets the zeros around the input.
    #[must_use]
    pub fn with_padding(mut self, padding: impl Into<Padding>) -> Self {
        self.padding = padding.into();
        self
    }

    /// Sets the input pixels between neighboring taps of the kernel.
    #[must_use]
    pub fn with_dilation(mut self, dilation: (usize, usize)) -> Self {
        self.dilation = dilation;
        self
    }

    /// Sets the number of blocks of channels that do not mix.
    #[must_use]
    pub fn with_groups(mut self, groups: usize) -> Self {
        self.groups = groups;
        self
    }

    /// Sets how it is computed on the CPU.
    #[must_use]
    pub fn with_algorithm(mut self, algorithm: ConvAlgorithm) -> Self {
        self.algorithm = algorithm;
        self
    }
}

/// Configuration of [`conv_transpose2d`](crate::conv_transpose2d): stride 1, no padding, dilation 1
/// and one group unless set otherwise.
///
/// Pairs are (vertical, horizontal).
///
/// # Examples
///
/// ```
/// use ocellus_ops::ConvTranspose2dConfig;
///
/// let double = ConvTranspose2dConfig::default().with_stride((2, 2)).with_padding(1);
/// assert_eq!(double.output_padding, (0, 0));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct ConvTranspose2dConfig {
    /// Output pixels between what neighboring input pixels add to.
    pub stride: (usize, usize),
    /// Rows and columns cut off the output.
    pub padding: Padding,
    /// Rows added below and columns added to the right of the output, less than the stride or the
    /// dilation: a strided convolution maps several sizes to one, this says which is meant.
    pub output_padding: (usize, usize),
    /// Output pixels between neighboring taps of the kernel.
    pub dilation: (usize, usize),
    /// Blocks of channels that do not mix.
    pub groups: usize,
}

impl Default for ConvTranspose2dConfig {
    fn default() -> Self {
        Self {
            stride: (1, 1),
            padding: Padding::default(),
            output_padding: (0, 0),
            dilation: (1, 1),
            groups: 1,
        }
    }
}

impl ConvTranspose2dConfig {
    /// Sets the output pixels between what neighboring input pixels add to.
    #[must_use]
    pub fn with_stride(mut self, stride: (usize, usize)) -> Self {
        self.stride = stride;
        self
    }

    /// Sets the rows and columns cut off the output.
    #[must_use]
    pub fn with_padding(mut self, padding: impl Into<Padding>) -> Self {
        self.padding = padding.into();
        self
    }

    /// Sets the rows and columns added below and to the right of the output.
    #[must_use]
    pub fn with_output_padding(mut self, output_padding: (usize, usize)) -> Self {
        self.output_padding = output_padding;
        self
    }

    /// Sets the output pixels between neighboring taps of the kernel.
    #[must_use]
    pub fn with_dilation(mut self, dilation: (usize, usize)) -> Self {
        self.dilation = dilation;
        self
    }

    /// Sets the number of blocks of channels that do not mix.
    #[must_use]
    pub fn with_groups(mut self, groups: usize) -> Self {
        self.groups = groups;
        self
    }
}
