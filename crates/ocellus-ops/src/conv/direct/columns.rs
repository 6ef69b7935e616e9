use std::ops::Range;

use super::tile::Tile;
use crate::conv::geometry::Geometry;
use crate::cpu::Float;

/// Where a tap of the kernel meets the image, along a row of the output.
struct Span {
    /// Output columns before which the tap lies in the padding to the left.
    start: usize,
    /// Output columns from which on it lies in the padding to the right.
    end: usize,
    /// The input column of output column `start`.
    first: usize,
}

impl Span {
    fn of(g: &Geometry, tap: usize) -> Self {
        let (w, ow, stride) = (g.input.1, g.output.1, g.stride.1);
        let (offset, left) = (tap * g.dilation.1, g.padding.left);
        let start = left.saturating_sub(offset).div_ceil(stride).min(ow);
        let end = (w + left).saturating_sub(offset).div_ceil(stride).clamp(start, ow);
        // Where the tap never meets the image, `first` is not used.
        Self { start, end, first: (start * stride + offset).saturating_sub(left) }
    }
}

/// The input row that tap row `tap` meets at output row `row`, if it lies in the image.
fn input_row(g: &Geometry, row: usize, tap: usize) -> Option<usize> {
    let y = (row * g.stride.0 + tap * g.dilation.0).checked_sub(g.padding.top)?;
    (y < g.input.0).then_some(y)
}

/// The columns of a tile: row `(channel, tap)` holds the input values that this tap meets, output
/// pixel by output pixel, zero in the padding. Rows are `stride` apart; `x` is all of the input,
/// `channels` are of group `group`.
pub(super) fn gather<T: Float>(
    g: &Geometry,
    x: &[T],
    tile: &Tile,
    group: usize,
    channels: Range<usize>,
    columns: &mut [T],
    stride: usize,
) {
    let plane = g.input_plane();
    let spans: Vec<Span> = (0..g.kernel.1).map(|tap| Span::of(g, tap)).collect();
    let per_image = tile.rows.len() * g.output.1;
    for (c, channel) in channels.enumerate() {
        for (i, image) in tile.images.clone().enumerate() {
            let at = (image * g.groups + group) * g.ci + channel;
            let source = &x[at * plane..][..plane];
            for ky in 0..g.kernel.0 {
                for (kx, span) in spans.iter().enumerate() {
                    let row = c * g.taps() + ky * g.kernel.1 + kx;
                    let target = &mut columns[row * stride + i * per_image..][..per_image];
                    gather_tap(g, source, &tile.rows, ky, span, target);
                }
            }
        }
    }
}

/// What one tap meets in one plane.
fn gather_tap<T: Float>(
    g: &Geometry,
    source: &[T],
    rows: &Range<usize>,
    ky: usize,
    span: &Span,
    target: &mut [T],
) {
    let (w, ow, step) = (g.input.1, g.output.1, g.stride.1);
    if g.stride == (1, 1) && w == ow && span.start < span.end {
        return gather_same(g, source, rows, ky, span, target);
    }
    for (row, line) in rows.clone().zip(target.chunks_exact_mut(ow)) {
        let Some(y) = input_row(g, row, ky) else {
            line.fill(T::zero());
            continue;
        };
        line[..span.start].fill(T::zero());
        line[span.end..].fill(T::zero());
        let line = &mut line[span.start..span.end];
        if line.is_empty() {
            continue;
        }
        let source = &source[y * w + span.first..(y + 1) * w];
        match step {
            1 => line.copy_from_slice(&source[..line.len()]),
            // The compiler makes vectors of this form.
            2 => line.iter_mut().zip(source.chunks(2)).for_each(|(to, pair)| *to = pair[0]),
            _ => line.iter_mut().zip(source.iter().step_by(step)).for_each(|(to, &x)| *to = x),
        }
    }
}

/// As [`gather_tap`] at stride 1 with an output as wide as the input: all rows are one run of
/// memory, but for what the padding covers at both ends of each.
fn gather_same<T: Float>(
    g: &Geometry,
    source: &[T],
    rows: &Range<usize>,
    ky: usize,
    span: &Span,
    target: &mut [T],
) {
    let w = g.output.1;
    // Output rows whose input row lies in the image.
    let offset = ky * g.dilation.0;
    let start = g.padding.top.saturating_sub(offset).clamp(rows.start, rows.end);
    let end = (g.input.0 + g.padding.top).saturating_sub(offset).clamp(start, rows.end);
    target[..(start - rows.start) * w].fill(T::zero());
    target[(end - rows.start) * w..].fill(T::zero());
    if start == end {
        return;
    }
    let target = &mut target[(start - rows.start) * w..(end - rows.start) * w];
    let count = (end - start - 1) * w + span.end - span.start;
    let from = (start + offset - g.padding.top) * w + span.first;
    target[span.start..span.start + count].copy_from_slice(&source[from..from + count]);
    if span.start > 0 || span.end < w {
        for line in target.chunks_exact_mut(w) {
            line[..span.start].fill(T::zero());
            line[span.end..].fill(T::zero());
        }
    }
}
