/// Which pixels of the image each position of a feature map depends on, along one axis.
///
/// Behind transposed convolutions that differs from pixel to pixel; it repeats with `period`, the
/// network's total stride.
#[derive(Clone, Debug)]
pub(crate) struct Reach {
    /// Pixels from one position to the next.
    stride: usize,
    period: usize,
    /// The first and last pixel that position i sees, of the positions within a period.
    spans: Vec<(isize, isize)>,
}

impl Reach {
    /// An image: each pixel sees itself.
    pub(crate) fn image(period: usize) -> Self {
        let spans = (0..period as isize).map(|i| (i, i)).collect();
        Self { stride: 1, period, spans }
    }

    /// Behind a convolution or pooling.
    pub(crate) fn conv(&self, kernel: usize, stride: usize, padding: usize) -> Self {
        let first = |i: usize| (i * stride) as isize - padding as isize;
        let span = |i| self.union(first(i), first(i) + kernel as isize - 1);
        let stride = self.stride * stride;
        Self { stride, period: self.period, spans: (0..self.period / stride).map(span).collect() }
    }

    /// Behind a transposed convolution: y takes part in x where `0 ≤ y + padding − stride · x < kernel`.
    pub(crate) fn deconv(&self, kernel: usize, scale: usize, padding: usize) -> Self {
        let floor =
            |i: usize, shift: isize| ((i + padding) as isize - shift).div_euclid(scale as isize);
        let span = |i| self.union(floor(i, kernel as isize - scale as isize), floor(i, 0));
        let stride = self.stride / scale;
        Self { stride, period: self.period, spans: (0..self.period / stride).map(span).collect() }
    }

    /// Of the concatenation or sum with features of the same size.
    pub(crate) fn join(mut self, other: &Self) -> Self {
        for (span, other) in self.spans.iter_mut().zip(&other.spans) {
            *span = (span.0.min(other.0), span.1.max(other.1));
        }
        self
    }

    /// The side of the smallest square around each pixel of the output that holds all it sees.
    pub(crate) fn field(&self) -> usize {
        let farthest = self.spans.iter().zip(0_isize..).map(|(&(first, last), i)| {
            let here = i * self.stride as isize;
            (here - first).max(last - here)
        });
        2 * farthest.max().unwrap_or(0).max(0) as usize + 1
    }

    /// What position i sees, within the first period or not.
    pub(crate) fn span(&self, i: isize) -> (isize, isize) {
        let count = self.spans.len() as isize;
        let (first, last) = self.spans[i.rem_euclid(count) as usize];
        let turns = i.div_euclid(count) * self.period as isize;
        (first + turns, last + turns)
    }

    /// What positions `from` to `to` see.
    fn union(&self, from: isize, to: isize) -> (isize, isize) {
        let spans = (from..=to).map(|i| self.span(i));
        spans.reduce(|a, b| (a.0.min(b.0), a.1.max(b.1))).unwrap_or_else(|| self.span(from))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stack_of_convolutions_sees_what_is_known_of_it() {
        let image = Reach::image(4);
        assert_eq!(image.field(), 1);
        assert_eq!(image.conv(3, 1, 1).field(), 3);
        assert_eq!(image.conv(3, 1, 1).conv(3, 1, 1).field(), 5);
        // Pixels 2i − 3 … 2i + 3; then, four apart, of −7 … 7.
        assert_eq!(image.conv(7, 2, 3).spans, [(-3, 3), (-1, 5)]);
        assert_eq!(image.conv(7, 2, 3).conv(3, 2, 1).spans, [(-5, 5)]);
    }

    /// Pixel 2i of the doubled map is made of positions i − 1 and i, pixel 2i + 1 of i and i + 1.
    #[test]
    fn a_transposed_convolution_sees_two_positions() {
        let doubled = Reach::image(2).conv(1, 2, 0).deconv(4, 2, 1);
        assert_eq!(doubled.spans, [(-2, 0), (0, 2)]);
        let blocks = Reach::image(2).conv(2, 2, 0).deconv(2, 2, 0);
        assert_eq!(blocks.spans, [(0, 1), (0, 1)]);
        assert_eq!(blocks.span(3), (2, 3));
        assert_eq!(blocks.span(-1), (-2, -1));
        assert_eq!(blocks.join(&Reach::image(2).conv(5, 1, 2)).spans, [(-2, 2), (-1, 3)]);
    }
}
