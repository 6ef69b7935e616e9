#![allow(unsafe_code, reason = "tasks write disjoint, interleaved parts of the output")]

use std::ops::Range;
use std::ptr::null;

use rayon::prelude::*;

use super::PANELS;
use super::panels::{MultiplyPanels, PackPixels, Place};
use super::pixels::{Pixels, stage_row};
use crate::conv::epilogue::Epilogue;
use crate::conv::geometry::Geometry;
use crate::conv::product::rows_of;
use crate::conv::weights::{Weights, pack, pack_exchanged, packed_len};
use crate::cpu::{Float, Output, with_scratch};
use crate::parallel::cut;
use crate::simd::Isa;

/// Terms of the sums that are packed at a time, about: a panel of them lies in a level-1 cache.
const TERMS: usize = 192;

/// Tasks wanted at least: where the output has fewer blocks of pixels, its channels are cut too.
const TASKS: usize = 8;

/// y from x: `(batch, groups · co, oh, ow)`.
///
/// Output pixels are taken as vectors, two a panel. What they meet is packed panel by panel, some
/// channels at a time, straight from the image.
pub(in crate::conv) fn forward<T: Float>(
    g: &Geometry,
    x: &[T],
    weights: Weights<T>,
    epilogue: Epilogue<T>,
) -> Vec<T> {
    // What the unchecked copies of the kernels rely on.
    assert_eq!(x.len(), g.input_shape().iter().product::<usize>());
    let isa = Isa::current();
    let lanes = isa.lanes::<T>();
    let blocks = (g.batch * g.output_plane()).div_ceil(PANELS * 2 * lanes);
    let channels = g.co.div_ceil(lanes);
    let count = TASKS.div_ceil((blocks * g.groups).max(1)).clamp(1, channels);
    let chunks = cut(channels, channels.div_ceil(count));
    let parts = cut(g.ci, (TERMS / g.taps()).max(1));
    let work = Work { g, x, epilogue, isa, lanes, parts };
    // Where channels are cut, the tasks share the packed pixels.
    let shared = if chunks.len() > 1 { blocks * g.groups * work.packed_len() } else { 0 };
    let fill = |out: &Output<T>| {
        let (all, rows) = (packed_len(g.groups, g.co, g.depth(), lanes), channels * lanes);
        let packed = all / g.groups;
        let room = if matches!(weights, Weights::Packed(_)) { 0 } else { all };
        with_scratch(room + g.groups * rows + shared, |scratch: &mut [T]| {
            let (filters, scratch) = scratch.split_at_mut(room);
            let (bias, pixels) = scratch.split_at_mut(g.groups * rows);
            work.pack_bias(bias, rows);
            if shared > 0 {
                work.pack_blocks(pixels);
            }
            let filters = match weights {
                Weights::Packed(filters) => filters,
                Weights::Plain(weight) => {
                    pack(isa, (g.groups, g.co, g.depth()), weight, filters);
                    &*filters
                }
                Weights::Exchanged(weight) => {
                    pack_exchanged(isa, (g.groups, g.co, g.depth()), weight, filters);
                    &*filters
                }
            };
            assert_eq!(filters.len(), all);
            let (bias, pixels) = (&*bias, &*pixels);
            let tasks = blocks * g.groups * chunks.len();
            (0..tasks).into_par_iter().with_max_len(1).for_each(|task| {
                let (rest, chunk) = (task / chunks.len(), &chunks[task % chunks.len()]);
                let (block, group) = (rest / g.groups, rest % g.groups);
                let filters = &filters[group * packed..][..packed];
                let filters = &filters[chunk.start * lanes * g.depth()..];
                let bias = &bias[group * rows + chunk.start * lanes..];
                let channels = chunk.start * lanes..(chunk.end * lanes).min(g.co);
                let pixels = (shared > 0).then(|| &pixels[rest * work.packed_len()..]);
                work.block((block, group), channels, (filters, bias), pixels, out);
            });
        });
    };
    // SAFETY: blocks × groups × chunks cover every output value; each task writes its own.
    unsafe { Output::collect(g.output_shape().iter().product(), fill) }
}

struct Work<'a, T> {
    g: &'a Geometry,
    x: &'a [T],
    epilogue: Epilogue<'a, T>,
    isa: Isa,
    lanes: usize,
    /// The channels of x that are packed at a time.
    parts: Vec<Range<usize>>,
}

impl<T: Float> Work<'_, T> {
    /// The bias of each group, or zeros, with zeros up to `rows`.
    fn pack_bias(&self, to: &mut [T], rows: usize) {
        to.fill(T::zero());
        if let Some(bias) = self.epilogue.bias {
            for (to, bias) in to.chunks_exact_mut(rows).zip(bias.chunks_exact(self.g.co)) {
                to[..bias.len()].copy_from_slice(bias);
            }
        }
    }

    /// The first pixel of each panel of a block that has any.
    fn panels(&self, block: usize) -> impl Iterator<Item = usize> {
        let (width, count) = (2 * self.lanes, self.g.batch * self.g.output_plane());
        (0..PANELS).map(move |n| (block * PANELS + n) * width).filter(move |&first| first < count)
    }

    /// Values of the packed pixels of a block, of some terms.
    fn panels_len(&self, terms: usize) -> usize {
        PANELS * 2 * self.lanes * terms
    }

    /// Values of the packed pixels of a block: `[part][panel][term][two vectors]`.
    fn packed_len(&self) -> usize {
        self.panels_len(self.g.depth())
    }

    /// Packs the pixels of all blocks and groups.
    fn pack_blocks(&self, to: &mut [T]) {
        let (len, parts) = (self.packed_len(), self.parts.len());
        let tasks = to.len() / len * parts;
        let to = Output::of(to);
        (0..tasks).into_par_iter().with_max_len(1).for_each(|task| {
            let (n, part) = (task / parts, &self.parts[task % parts]);
            let pixels = self.pixels(n / self.g.groups, n % self.g.groups);
            let terms = part.len() * self.g.taps();
            let start = n * len + self.panels_len(part.start * self.g.taps());
            let to = to.at(start, self.panels_len(terms));
            with_scratch(self.stage_len(), |stage| self.pack(&pixels, part, stage, to));
        });
    }

    fn pixels(&self, block: usize, group: usize) -> Vec<Pixels> {
        self.panels(block)
            .flat_map(|first| [first, first + self.lanes])
            .map(|first| Pixels::new(self.g, group, first, self.lanes))
            .collect()
    }

    fn stage_len(&self) -> usize {
        PANELS * 2 * self.g.kernel.0 * stage_row(self.g, self.lanes)
    }

    /// Packs some channels of the pixels of a block to `to`, which has room for them.
    fn pack(&self, pixels: &[Pixels], part: &Range<usize>, stage: &mut [T], to: *mut T) {
        let (geometry, x, channels) = (self.g, self.x, part.clone());
        let kernel = PackPixels { geometry, x, pixels, channels, stage, to };
        // SAFETY: `isa` is this processor's; there is room, which is this task's.
        unsafe { T::dispatch(self.isa, kernel) };
    }

    /// Some channels of the pixels of a block, which are packed here if they are not yet.
    fn block(
        &self,
        (block, group): (usize, usize),
        channels: Range<usize>,
        (filters, bias): (&[T], &[T]),
        shared: Option<&[T]>,
        out: &Output<T>,
    ) {
        let (g, lanes) = (self.g, self.lanes);
        let places: Vec<Place> =
            self.panels(block).map(|first| self.place(first, group, channels.start)).collect();
        let rows = channels.len().next_multiple_of(lanes);
        let sums = PANELS * rows * 2 * lanes;
        let widest = self.parts.iter().map(Range::len).max().unwrap_or(0) * g.taps();
        let (pixels, stage, room) = match shared {
            Some(_) => (Vec::new(), 0, 0),
            None => (self.pixels(block, group), self.stage_len(), self.panels_len(widest)),
        };
        with_scratch(room + sums + stage, |scratch| {
            let (own, scratch) = scratch.split_at_mut(room);
            let (buffer, stage) = scratch.split_at_mut(sums);
            for part in &self.parts {
                let terms = part.start * g.taps()..part.end * g.taps();
                let packed = match shared {
                    Some(pixels) => pixels[self.panels_len(terms.start)..]
                        [..self.panels_len(terms.len())]
                        .as_ptr(),
                    None => {
                        self.pack(&pixels, part, stage, own.as_mut_ptr());
                        own.as_ptr()
                    }
                };
                let multiply = MultiplyPanels {
                    plane: g.output_plane(),
                    filters,
                    channels: channels.len(),
                    depth: g.depth(),
                    terms,
                    bias,
                    residual: self.epilogue.residual.map_or(null(), <[T]>::as_ptr),
                    relu: self.epilogue.relu,
                    packed,
                    places: &places,
                    out,
                    buffer: buffer.as_mut_ptr(),
                    buffer_rows: rows,
                };
                // SAFETY: as above; the pixels of these channels are this task's.
                unsafe { T::dispatch(self.isa, multiply) };
            }
            for (n, (first, place)) in self.panels(block).zip(&places).enumerate() {
                let buffer = &buffer[n * rows * 2 * lanes..][..rows * 2 * lanes];
                self.write_back(first, group, &channels, *place, buffer, out);
            }
        });
    }

    /// Where the sums of a panel go: to the output if all its pixels lie together there.
    fn place(&self, first: usize, group: usize, channel: usize) -> Place {
        let (g, plane) = (self.g, self.g.output_plane());
        let (image, pixel) = (first / plane, first % plane);
        if pixel + 2 * self.lanes <= plane {
            Place::Output(((image * g.groups + group) * g.co + channel) * plane + pixel)
        } else {
            Place::Buffer
        }
    }

    /// Copies what is in the buffer to the output, with the rest of the epilogue.
    fn write_back(
        &self,
        first: usize,
        group: usize,
        channels: &Range<usize>,
        place: Place,
        buffer: &[T],
        out: &Output<T>,
    ) {
        let (g, plane, width) = (self.g, self.g.output_plane(), 2 * self.lanes);
        // The last rows of a panel are in the buffer in any case, if they do not fill a product.
        let whole = channels.len() / rows_of(self.lanes) * rows_of(self.lanes);
        let from = if matches!(place, Place::Buffer) { 0 } else { whole };
        let last = (first + width).min(g.batch * plane);
        for (row, channel) in channels.clone().enumerate().skip(from) {
            let mut pixel = first;
            while pixel < last {
                let (image, within) = (pixel / plane, pixel % plane);
                let len = (plane - within).min(last - pixel);
                let at = ((image * g.groups + group) * g.co + channel) * plane + within;
                let values = &buffer[row * width + pixel - first..][..len];
                // SAFETY: these pixels of this channel are this task's.
                let to = unsafe { out.slice(at, len) };
                match self.epilogue.residual {
                    None => {
                        to.write_copy_of_slice(values);
                    }
                    Some(residual) => {
                        let sums = values.iter().zip(&residual[at..at + len]);
                        let relu = self.epilogue.relu;
                        for (to, sum) in to.iter_mut().zip(sums.map(|(&a, &b)| a + b)) {
                            to.write(if relu && sum <= T::zero() { T::zero() } else { sum });
                        }
                    }
                }
                pixel += len;
            }
        }
    }
}
