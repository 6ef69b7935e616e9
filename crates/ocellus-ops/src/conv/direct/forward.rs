#![allow(unsafe_code, reason = "tasks write disjoint, interleaved parts of the output")]

use std::ops::Range;
use std::ptr::null;

use rayon::prelude::*;

use super::panels::{MultiplyPanels, PackPixels, Place};
use super::pixels::{Pixels, stage_row};
use super::tile::cut;
use crate::conv::epilogue::Epilogue;
use crate::conv::geometry::Geometry;
use crate::conv::product::rows_of;
use crate::conv::weights::{Weights, pack, packed_len};
use crate::cpu::{Float, Output, with_scratch};
use crate::simd::Isa;

/// Panels of a task: packed filters are read once for all of them.
const PANELS: usize = 8;

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
    let parts = TASKS.div_ceil((blocks * g.groups).max(1)).clamp(1, channels);
    let chunks = cut(channels, channels.div_ceil(parts));
    let work = Work { g, x, epilogue, isa, lanes };
    let fill = |out: &Output<T>| {
        let (all, rows) = (packed_len(g.groups, g.co, g.depth(), lanes), channels * lanes);
        let packed = all / g.groups;
        let room = if matches!(weights, Weights::Plain(_)) { all } else { 0 };
        with_scratch(room + g.groups * rows, |scratch: &mut [T]| {
            let (filters, bias) = scratch.split_at_mut(room);
            work.pack_bias(bias, rows);
            let filters = match weights {
                Weights::Packed(filters) => filters,
                Weights::Plain(weight) => {
                    pack(isa, (g.groups, g.co, g.depth()), weight, filters);
                    &*filters
                }
            };
            assert_eq!(filters.len(), all);
            let bias = &*bias;
            let tasks = blocks * g.groups * chunks.len();
            (0..tasks).into_par_iter().with_max_len(1).for_each(|task| {
                let (rest, chunk) = (task / chunks.len(), &chunks[task % chunks.len()]);
                let (block, group) = (rest / g.groups, rest % g.groups);
                let filters = &filters[group * packed..][..packed];
                let filters = &filters[chunk.start * lanes * g.depth()..];
                let bias = &bias[group * rows + chunk.start * lanes..];
                let channels = chunk.start * lanes..(chunk.end * lanes).min(g.co);
                work.block(block, group, channels, (filters, bias), out);
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

    /// Some channels of the pixels of a block.
    fn block(
        &self,
        block: usize,
        group: usize,
        channels: Range<usize>,
        (filters, bias): (&[T], &[T]),
        out: &Output<T>,
    ) {
        let (g, lanes) = (self.g, self.lanes);
        let pixels: Vec<Pixels> = self
            .panels(block)
            .flat_map(|first| [first, first + lanes])
            .map(|first| Pixels::new(g, group, first, lanes))
            .collect();
        let places: Vec<Place> =
            self.panels(block).map(|first| self.place(first, group, channels.start)).collect();
        let parts = cut(g.ci, (TERMS / g.taps()).max(1));
        let widest = parts.iter().map(Range::len).max().unwrap_or(0) * g.taps();
        let rows = channels.len().next_multiple_of(lanes);
        let stage = PANELS * 2 * g.kernel.0 * stage_row(g, lanes);
        let (packed, sums) = (PANELS * widest * 2 * lanes, PANELS * rows * 2 * lanes);
        with_scratch(packed + sums + stage, |scratch| {
            let (packed, scratch) = scratch.split_at_mut(packed);
            let (buffer, stage) = scratch.split_at_mut(sums);
            for part in &parts {
                let pack = PackPixels {
                    geometry: g,
                    x: self.x,
                    pixels: &pixels,
                    channels: part.clone(),
                    stage,
                    to: packed.as_mut_ptr(),
                };
                let multiply = MultiplyPanels {
                    plane: g.output_plane(),
                    filters,
                    channels: channels.len(),
                    depth: g.depth(),
                    terms: part.start * g.taps()..part.end * g.taps(),
                    bias,
                    residual: self.epilogue.residual.map_or(null(), <[T]>::as_ptr),
                    relu: self.epilogue.relu,
                    packed: packed.as_ptr(),
                    places: &places,
                    out,
                    buffer: buffer.as_mut_ptr(),
                    buffer_rows: rows,
                };
                // SAFETY: `isa` is this processor's; the buffers have room, and the pixels of these
                // channels are this task's.
                unsafe {
                    T::dispatch(self.isa, pack);
                    T::dispatch(self.isa, multiply);
                }
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
