use candle_core::{Result, bail};

/// The part of a pooling window that lies within the input, along one axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    /// The first element.
    pub(crate) start: usize,
    /// How many elements: at least one.
    pub(crate) len: usize,
    /// What an average divides by: `len`, or more where padding counts.
    pub(crate) divisor: usize,
}

/// All windows along one axis; their elements are `dilation` apart.
#[derive(Clone, Debug)]
pub(crate) struct Windows {
    pub(crate) spans: Vec<Span>,
    pub(crate) dilation: usize,
}

/// The settings of windows that slide along one axis.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sliding {
    pub(crate) kernel: usize,
    pub(crate) stride: usize,
    pub(crate) padding: usize,
    pub(crate) dilation: usize,
    pub(crate) ceil_mode: bool,
    pub(crate) count_include_pad: bool,
}

impl Sliding {
    /// The windows on `size` elements, as PyTorch places them.
    pub(crate) fn windows(self, op: &str, axis: &str, size: usize) -> Result<Windows> {
        let Self { kernel, stride, padding, dilation, .. } = self;
        if kernel == 0 || stride == 0 || dilation == 0 {
            bail!(
                "{op}: kernel {kernel}, stride {stride} and dilation {dilation} of the {axis}: \
                 none may be 0"
            )
        }
        if padding > kernel / 2 {
            bail!("{op}: padding {padding} of the {axis} is more than half the kernel {kernel}")
        }
        let extent = dilation * (kernel - 1) + 1;
        let (padded, slack) = (size + 2 * padding, if self.ceil_mode { stride - 1 } else { 0 });
        if padded + slack < extent {
            bail!(
                "{op}: {axis} {size} with padding {padding} is too small for a window of {extent}"
            )
        }
        let mut count = (padded + slack - extent) / stride + 1;
        if (count - 1) * stride >= size + padding {
            count -= 1; // The last window would start in the padding behind the input.
        }
        let spans =
            (0..count).map(|i| self.span(op, axis, size, i * stride)).collect::<Result<_>>();
        Ok(Windows { spans: spans?, dilation })
    }

    /// The window that starts at `at`, counted from the start of the padding.
    fn span(self, op: &str, axis: &str, size: usize, at: usize) -> Result<Span> {
        let Self { kernel, padding, dilation, .. } = self;
        let skipped = padding.saturating_sub(at).div_ceil(dilation);
        let start = at + skipped * dilation - padding;
        if start >= size || skipped >= kernel {
            bail!("{op}: a window of the {axis} covers padding only: reduce dilation or padding")
        }
        let len = (kernel - skipped).min((size - start).div_ceil(dilation));
        let counted = (at + kernel).min(size + 2 * padding) - at;
        Ok(Span { start, len, divisor: if self.count_include_pad { counted } else { len } })
    }
}

impl Windows {
    /// `bins` windows that cover `size` elements: bin `i` from `⌊i·size/bins⌋` to
    /// `⌈(i+1)·size/bins⌉`.
    pub(crate) fn adaptive(size: usize, bins: usize) -> Self {
        let span = |i: usize| {
            let start = i * size / bins;
            let len = ((i + 1) * size).div_ceil(bins) - start;
            Span { start, len, divisor: len }
        };
        Self { spans: (0..bins).map(span).collect(), dilation: 1 }
    }

    /// How many outputs the axis has.
    pub(crate) fn len(&self) -> usize {
        self.spans.len()
    }

    /// Whether there is one window only, which is the whole axis without padding.
    pub(crate) fn is_whole(&self, size: usize) -> bool {
        self.spans == [Span { start: 0, len: size, divisor: size }]
    }

    /// The size of the largest window.
    pub(crate) fn largest(&self) -> usize {
        self.spans.iter().map(|s| s.len).max().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sliding(kernel: usize, stride: usize, padding: usize, ceil_mode: bool) -> Sliding {
        Sliding { kernel, stride, padding, dilation: 1, ceil_mode, count_include_pad: true }
    }

    #[test]
    fn the_last_window_must_start_before_the_padding_behind() -> Result<()> {
        // 3 elements, padding 1, kernel 2, stride 2: a third window would start at element 3.
        let windows = sliding(2, 2, 1, true).windows("test", "height", 3)?;
        let spans: Vec<_> = windows.spans.iter().map(|s| (s.start, s.len, s.divisor)).collect();
        assert_eq!(spans, [(0, 1, 2), (1, 2, 2)]);
        Ok(())
    }

    #[test]
    fn a_window_over_the_edge_counts_padding_but_no_more() -> Result<()> {
        let windows = sliding(3, 2, 1, true).windows("test", "height", 6)?;
        let spans: Vec<_> = windows.spans.iter().map(|s| (s.start, s.len, s.divisor)).collect();
        assert_eq!(spans, [(0, 2, 3), (1, 3, 3), (3, 3, 3), (5, 1, 2)]);
        Ok(())
    }

    #[test]
    fn dilated_windows_skip_what_lies_outside() -> Result<()> {
        let dilated = Sliding { dilation: 3, ..sliding(3, 1, 1, false) };
        let windows = dilated.windows("test", "width", 7)?;
        let spans: Vec<_> = windows.spans.iter().map(|s| (s.start, s.len)).collect();
        assert_eq!(spans, [(2, 2), (0, 3), (1, 2)]);
        Ok(())
    }

    #[test]
    fn adaptive_bins_cover_the_input_and_may_overlap() {
        let spans = Windows::adaptive(7, 3).spans;
        let spans: Vec<_> = spans.iter().map(|s| (s.start, s.len)).collect();
        assert_eq!(spans, [(0, 3), (2, 3), (4, 3)]);
        let spans = Windows::adaptive(2, 5).spans;
        let spans: Vec<_> = spans.iter().map(|s| (s.start, s.len)).collect();
        assert_eq!(spans, [(0, 1), (0, 1), (0, 2), (1, 1), (1, 1)]);
    }

    #[test]
    fn rejects_what_makes_no_window() {
        let cases = [
            (sliding(0, 1, 0, false), 4, "none may be 0"),
            (sliding(2, 0, 0, false), 4, "none may be 0"),
            (sliding(3, 1, 2, false), 4, "padding 2 of the height is more than half the kernel 3"),
            (sliding(5, 1, 0, false), 4, "height 4 with padding 0 is too small for a window of 5"),
            (Sliding { dilation: 4, ..sliding(2, 1, 1, false) }, 3, "covers padding only"),
        ];
        for (config, size, expected) in cases {
            let message = config.windows("test", "height", size).unwrap_err().to_string();
            assert!(message.contains(expected), "{message}");
        }
    }
}
