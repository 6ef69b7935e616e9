use candle_core::Result;

use super::window::{Sliding, Windows};

/// The settings of [`max_pool2d`](crate::max_pool2d); pairs are (height, width).
///
/// # Examples
///
/// ```
/// use ocellus_ops::MaxPool2dConfig;
///
/// // The first pooling of a ResNet.
/// let config = MaxPool2dConfig::new(3).with_stride((2, 2)).with_padding((1, 1));
/// assert_eq!((config.kernel, config.kind.dilation, config.ceil_mode), ((3, 3), (1, 1), false));
/// ```
pub type MaxPool2dConfig = Pool2dConfig<MaxPooling>;

/// The settings of [`avg_pool2d`](crate::avg_pool2d); pairs are (height, width).
///
/// # Examples
///
/// ```
/// use ocellus_ops::AvgPool2dConfig;
///
/// // A 3×3 mean of the neighborhood that keeps the size.
/// let config = AvgPool2dConfig::new(3).with_stride((1, 1)).with_padding((1, 1));
/// assert!(config.kind.count_include_pad);
/// ```
pub type AvgPool2dConfig = Pool2dConfig<AvgPooling>;

/// The settings of a pooling of either kind, [`MaxPool2dConfig`] or [`AvgPool2dConfig`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Pool2dConfig<K> {
    /// Height and width of the window.
    pub kernel: (usize, usize),
    /// Distance of two windows; `new` takes the kernel's size.
    pub stride: (usize, usize),
    /// Rows and columns added on either side, of −∞ for maxima and of zeros for means: at most half
    /// the kernel. Default 0.
    pub padding: (usize, usize),
    /// Whether a last window may reach over the edge, if it starts within input or left padding.
    /// Default false.
    pub ceil_mode: bool,
    /// The settings that only this kind has.
    pub kind: K,
}

/// What a [`MaxPool2dConfig`] has beside the windows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct MaxPooling {
    /// Distance of two elements of a window. Default 1.
    pub dilation: (usize, usize),
}

/// What an [`AvgPool2dConfig`] has beside the windows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct AvgPooling {
    /// Whether the padding counts in the divisor (what lies beyond the padding never does).
    /// Default true, as in PyTorch.
    pub count_include_pad: bool,
}

impl Pool2dConfig<MaxPooling> {
    /// A square window of that size, with as large a stride.
    #[must_use]
    pub const fn new(kernel: usize) -> Self {
        Self::square(kernel, MaxPooling { dilation: (1, 1) })
    }

    /// Sets the distance of two elements of a window.
    #[must_use]
    pub const fn with_dilation(mut self, dilation: (usize, usize)) -> Self {
        self.kind.dilation = dilation;
        self
    }
}

impl Pool2dConfig<AvgPooling> {
    /// A square window of that size, with as large a stride.
    #[must_use]
    pub const fn new(kernel: usize) -> Self {
        Self::square(kernel, AvgPooling { count_include_pad: true })
    }

    /// Sets whether the padding counts in the divisor.
    #[must_use]
    pub const fn with_count_include_pad(mut self, count_include_pad: bool) -> Self {
        self.kind.count_include_pad = count_include_pad;
        self
    }
}

impl<K: Copy> Pool2dConfig<K> {
    const fn square(kernel: usize, kind: K) -> Self {
        let kernel = (kernel, kernel);
        Self { kernel, stride: kernel, padding: (0, 0), ceil_mode: false, kind }
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

    /// The windows of both axes on a plane of that height and width.
    pub(super) fn windows(
        &self,
        op: &str,
        (height, width): (usize, usize),
        dilation: (usize, usize),
        count_include_pad: bool,
    ) -> Result<(Windows, Windows)> {
        let Self { kernel, stride, padding, ceil_mode, .. } = *self;
        let axis = |kernel, stride, padding, dilation| Sliding {
            kernel,
            stride,
            padding,
            dilation,
            ceil_mode,
            count_include_pad,
        };
        let rows = axis(kernel.0, stride.0, padding.0, dilation.0);
        let columns = axis(kernel.1, stride.1, padding.1, dilation.1);
        Ok((rows.windows(op, "height", height)?, columns.windows(op, "width", width)?))
    }
}
