use crate::conv::geometry::Geometry;
use crate::conv::vectors::Staged;
use crate::simd::MAX_LANES;

/// How the values that neighboring output pixels meet with a tap lie in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Spacing {
    /// Side by side.
    One,
    /// Anyhow.
    Any,
}

/// As many output pixels as a vector has lanes, counted through all images, and where their inputs
/// are.
#[derive(Clone, Debug)]
pub(super) struct Pixels {
    /// What is copied to the staging area, if the pixels meet padding; the rest of it is zero. Else
    /// the image itself is read.
    pub(super) copies: Option<Vec<Staged>>,
    /// Where the first tap of the first pixel lies in x, if it is not staged and the channel is the first.
    pub(super) origin: usize,
    /// Where the first tap of each pixel lies, from there or from the begin of the staging area.
    pub(super) offsets: [i32; MAX_LANES],
    pub(super) spacing: Spacing,
    /// Values between a row and the next.
    pub(super) row: usize,
}

/// Neighboring output pixels in a row.
#[derive(Clone, Copy, Debug)]
struct Run {
    image: usize,
    row: usize,
    column: usize,
    len: usize,
    lane: usize,
}

/// Columns of the padded image that a run of pixels meets.
fn reach(g: &Geometry, len: usize) -> usize {
    (len - 1) * g.stride.1 + (g.kernel.1 - 1) * g.dilation.1 + 1
}

/// Values in a row of the staging area, for any group of pixels.
pub(super) fn stage_row(g: &Geometry, lanes: usize) -> usize {
    let runs = lanes.div_ceil(g.output.1.max(1)) + 1;
    lanes * g.stride.1 + runs * reach(g, 1) + MAX_LANES
}

impl Pixels {
    /// Pixels `first..first + lanes`, those that exist; `group` is that of the channels.
    pub(super) fn new(g: &Geometry, group: usize, first: usize, lanes: usize) -> Self {
        let runs = runs(g, first, lanes);
        // No pixels at all meet nothing but zeros: the image may be smaller than the kernel.
        let staged = runs.is_empty() || runs.iter().any(|run| run.meets_padding(g));
        let row = if staged { stage_row(g, lanes) } else { g.input.1 };
        let mut pixels =
            Self { copies: None, origin: 0, offsets: [0; MAX_LANES], spacing: Spacing::Any, row };
        if staged {
            let mut copies = Vec::new();
            let mut start = 0;
            for run in &runs {
                run.stage(g, group, start, row, &mut copies);
                pixels.place(run, start, g.stride.1);
                start += reach(g, run.len);
            }
            pixels.copies = Some(copies);
        } else if let Some(run) = runs.first() {
            pixels.origin = run.origin(g, group);
            for run in &runs {
                pixels.place(run, run.origin(g, group) - pixels.origin, g.stride.1);
            }
        }
        let count: usize = runs.iter().map(|run| run.len).sum();
        let together = |(i, &offset): (usize, &i32)| offset == pixels.offsets[0] + i as i32;
        if count == lanes && pixels.offsets[..lanes].iter().enumerate().all(together) {
            pixels.spacing = Spacing::One;
        }
        pixels
    }

    fn place(&mut self, run: &Run, start: usize, stride: usize) {
        for (i, offset) in self.offsets[run.lane..run.lane + run.len].iter_mut().enumerate() {
            *offset = (start + i * stride) as i32;
        }
    }
}

fn runs(g: &Geometry, first: usize, lanes: usize) -> Vec<Run> {
    let (plane, width) = (g.output_plane(), g.output.1);
    let last = (first + lanes).min(g.batch * plane);
    let mut runs = Vec::new();
    let mut pixel = first;
    while pixel < last {
        let (image, within) = (pixel / plane, pixel % plane);
        let (row, column) = (within / width, within % width);
        let len = (width - column).min(last - pixel);
        runs.push(Run { image, row, column, len, lane: pixel - first });
        pixel += len;
    }
    runs
}

impl Run {
    fn meets_padding(&self, g: &Geometry) -> bool {
        let (top, left) = (self.row * g.stride.0, self.column * g.stride.1);
        top < g.padding.top
            || left < g.padding.left
            || top + (g.kernel.0 - 1) * g.dilation.0 >= g.input.0 + g.padding.top
            || left + reach(g, self.len) > g.input.1 + g.padding.left
    }

    fn plane(&self, g: &Geometry, group: usize) -> usize {
        (self.image * g.groups + group) * g.ci * g.input_plane()
    }

    /// Where the first tap lies; only if it meets no padding.
    fn origin(&self, g: &Geometry, group: usize) -> usize {
        let (y, x) =
            (self.row * g.stride.0 - g.padding.top, self.column * g.stride.1 - g.padding.left);
        self.plane(g, group) + y * g.input.1 + x
    }

    fn stage(
        &self,
        g: &Geometry,
        group: usize,
        start: usize,
        row: usize,
        copies: &mut Vec<Staged>,
    ) {
        let left = self.column * g.stride.1;
        let from = left.max(g.padding.left);
        let to = (left + reach(g, self.len)).min(g.input.1 + g.padding.left);
        for tap in 0..g.kernel.0 {
            let y = (self.row * g.stride.0 + tap * g.dilation.0).checked_sub(g.padding.top);
            let Some(y) = y.filter(|&y| y < g.input.0) else { continue };
            if from < to {
                copies.push(Staged {
                    image: self.plane(g, group) + y * g.input.1 + from - g.padding.left,
                    stage: tap * row + start + from - left,
                    len: to - from,
                });
            }
        }
    }
}
