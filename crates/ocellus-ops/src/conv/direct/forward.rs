#![allow(unsafe_code, reason = "tasks write disjoint, interleaved parts of the output")]

use std::mem::MaybeUninit;
use std::ops::Range;

use rayon::prelude::*;

use super::columns::gather;
use super::tile::{Tile, channel_parts, cut, tiles};
use crate::conv::epilogue::Epilogue;
use crate::conv::geometry::Geometry;
use crate::cpu::{Float, Output, Strided, matmul, with_scratch};

/// Tasks wanted at least, where the output has fewer tiles: its channels are cut too.
const TASKS: usize = 8;

/// Output channels of a task at least: fewer do not pay for making the columns.
const CHANNELS: usize = 128;

/// y from x: `(batch, groups · co, oh, ow)`.
pub(in crate::conv) fn forward<T: Float>(
    g: &Geometry,
    x: &[T],
    weight: &[T],
    epilogue: Epilogue<T>,
) -> Vec<T> {
    let (tiles, parts) = (tiles(g), channel_parts(g));
    let blocks = TASKS.div_ceil((tiles.len() * g.groups).max(1)).min(g.co / CHANNELS).max(1);
    let blocks = cut(g.co, g.co.div_ceil(blocks).max(1));
    let len = g.output_shape().iter().product();
    let fill = |out: &Output<T>| {
        let tasks = tiles.len() * g.groups * blocks.len();
        (0..tasks).into_par_iter().with_max_len(1).for_each(|task| {
            let (tile, rest) = (&tiles[task / (g.groups * blocks.len())], task / blocks.len());
            let block = Block {
                tile,
                group: rest % g.groups,
                channels: blocks[task % blocks.len()].clone(),
            };
            let filters = &weight[(block.group * g.co + block.channels.start) * g.depth()..]
                [..block.channels.len() * g.depth()];
            let bias = epilogue.bias.map(|b| &b[block.group * g.co..][block.channels.clone()]);
            let epilogue = Epilogue { bias, ..epilogue };
            if block.tile.images.len() == 1 {
                block.single(g, x, filters, epilogue, &parts, out);
            } else {
                block.several(g, x, filters, epilogue, &parts, out);
            }
        });
    };
    // SAFETY: tiles × groups × blocks cover every output value; each task writes its own whole.
    unsafe { Output::collect(len, fill) }
}

/// The part of the output that a task computes.
struct Block<'a> {
    tile: &'a Tile,
    group: usize,
    channels: Range<usize>,
}

impl Block<'_> {
    /// A tile within one image: the product is written in place.
    fn single<T: Float>(
        &self,
        g: &Geometry,
        x: &[T],
        filters: &[T],
        epilogue: Epilogue<T>,
        parts: &[Range<usize>],
        out: &Output<T>,
    ) {
        let (plane, pixels, bias) = (g.output_plane(), self.tile.pixels(g), epilogue.bias);
        let image = self.tile.images.start;
        let channel = (image * g.groups + self.group) * g.co + self.channels.start;
        let start = channel * plane + pixels.start;
        for (c, &b) in bias.unwrap_or_default().iter().enumerate() {
            // SAFETY: this tile of this channel is this task's.
            unsafe { out.slice(start + c * plane, pixels.len()) }.fill(MaybeUninit::new(b));
        }
        let last = (self.channels.len() - 1) * plane + pixels.len();
        let dst = out.at(start, last);
        if g.is_pointwise() {
            // The columns are the input itself.
            let columns = &x[(image * g.groups + self.group) * g.ci * plane..][..g.ci * plane];
            let (a, b) = (
                Strided::row_major(filters, g.ci),
                Strided::row_major(&columns[pixels.start..], plane),
            );
            let size = (self.channels.len(), pixels.len(), g.ci);
            // SAFETY: `dst` holds the block's rows, `plane` apart (`at` has checked the last).
            unsafe { matmul(size, dst, plane, bias.is_some(), a, b) };
        } else {
            // SAFETY: as above.
            unsafe { self.product(g, x, filters, parts, dst, plane, bias.is_some()) };
        }
        for c in 0..self.channels.len() {
            // SAFETY: just written, and this task's.
            epilogue.finish(unsafe { out.written(start + c * plane, pixels.len()) });
        }
    }

    /// A tile of several images: one product for all of them, then copied to its places.
    fn several<T: Float>(
        &self,
        g: &Geometry,
        x: &[T],
        filters: &[T],
        epilogue: Epilogue<T>,
        parts: &[Range<usize>],
        out: &Output<T>,
    ) {
        let (plane, images) = (g.output_plane(), self.tile.images.clone());
        let (width, bias) = (images.len() * plane, epilogue.bias);
        let mut product = vec![T::zero(); self.channels.len() * width];
        for (row, &b) in product.chunks_exact_mut(width).zip(bias.unwrap_or_default()) {
            row.fill(b);
        }
        // SAFETY: `product` holds a row for each channel.
        unsafe { self.product(g, x, filters, parts, product.as_mut_ptr(), width, bias.is_some()) };
        epilogue.finish(&mut product);
        for (c, row) in product.chunks_exact(width).enumerate() {
            for (image, values) in images.clone().zip(row.chunks_exact(plane)) {
                let channel = (image * g.groups + self.group) * g.co + self.channels.start + c;
                // SAFETY: this channel of this image is this task's.
                unsafe { out.slice(channel * plane, plane) }.write_copy_of_slice(values);
            }
        }
    }

    /// `dst = filters · columns`, added to `dst` if `accumulate`: the columns of some channels at a
    /// time, so that they stay in the cache.
    ///
    /// # Safety
    ///
    /// As for [`matmul`].
    #[expect(clippy::too_many_arguments, reason = "an inner routine")]
    unsafe fn product<T: Float>(
        &self,
        g: &Geometry,
        x: &[T],
        filters: &[T],
        parts: &[Range<usize>],
        dst: *mut T,
        stride: usize,
        accumulate: bool,
    ) {
        let width = self.tile.images.len() * self.tile.pixels(g).len();
        let tallest = parts.iter().map(Range::len).max().unwrap_or(0) * g.taps();
        with_scratch(tallest * width, |columns| {
            for part in parts {
                gather(g, x, self.tile, self.group, part.clone(), columns, width);
                let size = (self.channels.len(), width, part.len() * g.taps());
                let a = Strided::row_major(&filters[part.start * g.taps()..], g.depth());
                let b = Strided::row_major(columns, width);
                // SAFETY: by the caller's promise.
                unsafe { matmul(size, dst, stride, accumulate || part.start > 0, a, b) };
            }
        });
    }
}
