#![allow(unsafe_code, reason = "tasks write disjoint, interleaved parts of the output")]

use std::ops::Range;

use rayon::prelude::*;

use super::panels::{MultiplyPanels, PackFilters, PackPixels, Place};
use super::pixels::{Pixels, stage_row};
use super::tile::cut;
use crate::conv::epilogue::Epilogue;
use crate::conv::geometry::Geometry;
use crate::conv::product::rows_of;
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
    weight: &[T],
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
        let (packed, rows) = (channels * lanes * g.depth(), channels * lanes);
        with_scratch(g.groups * (packed + rows), |scratch: &mut [T]| {
            let (filters, bias) = scratch.split_at_mut(g.groups * packed);
            work.pack_filters(weight, filters);
            work.pack_bias(bias, rows);
            let (filters, bias) = (&*filters, &*bias);
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
    fn pack_filters(&self, weight: &[T], to: &mut [T]) {
        let (g, lanes, depth) = (self.g, self.lanes, self.g.depth());
        let blocks = g.co.div_ceil(lanes);
        to.par_chunks_exact_mut(lanes * depth).enumerate().for_each(|(n, to)| {
            let (group, block) = (n / blocks, n % blocks);
            let filters = &weight[group * g.co * depth..][..g.co * depth];
            let filters = &filters[block * lanes * depth..((block + 1) * lanes).min(g.co) * depth];
            // SAFETY: `isa` is this processor's.
            unsafe { T::dispatch(self.isa, PackFilters { filters, depth, to }) };
        });
    }

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

    /// Copies what is in the buffer to the output.
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
                unsafe { out.slice(at, len) }.write_copy_of_slice(values);
                pixel += len;
            }
        }
    }
}
