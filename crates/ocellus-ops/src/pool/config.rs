/// The settings of [`max_pool2d`](crate::max_pool2d); pairs are (height, width).
///
/// # Examples
///
/// ```
/// use ocellus_ops::MaxPool2dConfig;
///
/// // The first pooling of a ResNet.
/// let config = MaxPool2dConfig::new(3).with_stride((2, 2)).with_padding((1, 1));
/// assert_eq!((config.kernel, config.dilation, config.ceil_mode), ((3, 3), (1, 1), false));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct MaxPool2dConfig {
    /// Height and width of the window.
    pub kernel: (usize, usize),
    /// Distance of two windows; [`new`](Self::new) takes the kernel's size.
    pub stride: (usize, usize),
    /// Rows and columns of −∞ added on either side: at most half the kernel. Default 0.
    pub padding: (usize, usize),
    /// Distance of two elements of a window. Default 1.
    pub dilation: (usize, usize),
    /// Whether a last window may reach over the edge, if it starts within input or left padding.
    /// Default false.
    pub ceil_mode: bool,
}

impl MaxPool2dConfig {
    /// A square window of that size, with as large a stride.
    #[must_use]
    pub const fn new(kernel: usize) -> Self {
        let kernel = (kernel, kernel);
        Self { kernel, stride: kernel, padding: (0, 0), dilation: (1, 1), ceil_mode: false }
    }

    /// Sets height and width of the window.
    #[must_use]
    pub const fn with_kernel(mut self, kernel: (usize, usize)) -> Self {
        self.kernel = kernel;
        self
    }

    /// Sets the distance of two windows.
    #[must_use]
    pub const fn with_stride(mut self, stride: (usize, usize)) -> Self {
        self.stride = stride;
        self
    }

    /// Sets the padding on either side.
    #[must_use]
    pub const fn with_padding(mut self, padding: (usize, usize)) -> Self {
        self.padding = padding;
        self
    }

    /// Sets the distance of two elements of a window.
    #[must_use]
    pub const fn with_dilation(mut self, dilation: (usize, usize)) -> Self {
        self.dilation = dilation;
        self
    }

    /// Sets whether a last window may reach over the edge.
    #[must_use]
    pub const fn with_ceil_mode(mut self, ceil_mode: bool) -> Self {
        self.ceil_mode = ceil_mode;
        self
    }
}

/// The settings of [`avg_pool2d`](crate::avg_pool2d); pairs are (height, width).
///
/// # Examples
///
/// ```
/// use ocellus_ops::AvgPool2dConfig;
///
/// // A 3×3 mean of the neighborhood that keeps the size.
/// let config = AvgPool2dConfig::new(3).with_stride((1, 1)).with_padding((1, 1));
/// assert!(config.count_include_pad);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct AvgPool2dConfig {
    /// Height and width of the window.
    pub kernel: (usize, usize),
    /// Distance of two windows; [`new`](Self::new) takes the kernel's size.
    pub stride: (usize, usize),
    /// Rows and columns of zeros added on either side: at most half the kernel. Default 0.
    pub padding: (usize, usize),
    /// Whether a last window may reach over the edge, if it starts within input or left padding.
    /// Default false.
    pub ceil_mode: bool,
    /// Whether the padding counts in the divisor (what lies beyond the padding never does).
    /// Default true, as in PyTorch.
    pub count_include_pad: bool,
}

impl AvgPool2dConfig {
    /// A square window of that size, with as large a stride.
    #[must_use]
    pub const fn new(kernel: usize) -> Self {
        let kernel = (kernel, kernel);
        Self { kernel, stride: kernel, padding: (0, 0), ceil_mode: false, count_include_pad: true }
    }

    /// Sets height and width of the window.
    #[must_use]
    pub const fn with_kernel(mut self, kernel: (usize, usize)) -> Self {
        self.kernel = kernel;
        self
    }

    /// Sets the distance of two windows.
    #[must_use]
    pub const fn with_stride(mut self, stride: (usize, usize)) -> Self {
        self.stride = stride;
        self
    }

    /// Sets the padding on either side.
    #[must_use]
    pub const fn with_padding(mut self, padding: (usize, usize)) -> Self {
        self.padding = padding;
        self
    }

    /// Sets whether a last window may reach over the edge.
    #[must_use]
    pub const fn with_ceil_mode(mut self, ceil_mode: bool) -> Self {
        self.ceil_mode = ceil_mode;
        self
    }

    /// Sets whether the padding counts in the divisor.
    #[must_use]
    pub const fn with_count_include_pad(mut self, count_include_pad: bool) -> Self {
        self.count_include_pad = count_include_pad;
        self
    }
}
