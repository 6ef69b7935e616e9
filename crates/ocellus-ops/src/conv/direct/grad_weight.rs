#![allow(unsafe_code, reason = "products are written through pointers")]

use std::ops::Range;

use rayon::prelude::*;

use super::columns::gather;
use super::tile::{Tile, channel_parts, cut, tiles};
use crate::conv::geometry::Geometry;
use crate::cpu::{Float, Output, Strided, matmul, with_scratch};

/// Tasks wanted at least: where the weight has fewer parts, the pixels are cut too.
const TASKS: usize = 8;

/// Bytes that the partial sums may take together.
const PARTIALS: usize = 64 << 20;

/// The gradient by the weight: `(groups · co, ci, kh, kw)`, from x and the gradient by y.
///
/// The pixels are cut into runs, whose sums are added in their order: the cut depends on the sizes
/// alone, so the result has the same bits at any number of threads.
pub(in crate::conv) fn grad_weight<T: Float>(g: &Geometry, x: &[T], grad: &[T]) -> Vec<T> {
    let (tiles, parts) = (tiles(g), channel_parts(g));
    let size = g.groups * g.co * g.depth();
    if size == 0 || tiles.is_empty() {
        return vec![T::zero(); size];
    }
    let most = (PARTIALS / (size * size_of::<T>())).clamp(1, tiles.len());
    let runs = TASKS.div_ceil(g.groups * parts.len()).min(most);
    if runs == 1 {
        return whole(g, x, grad, &tiles, &parts);
    }
    let runs = cut(tiles.len(), tiles.len().div_ceil(runs));
    // The transposed gradients (depth × co) of each run, group and part, one after the other.
    let mut partial = vec![T::zero(); runs.len() * size];
    let mut pieces = Vec::with_capacity(runs.len() * g.groups * parts.len());
    let mut rest = partial.as_mut_slice();
    for run in &runs {
        for group in 0..g.groups {
            for part in &parts {
                let (piece, after) = rest.split_at_mut(part.len() * g.taps() * g.co);
                pieces.push((&tiles[run.clone()], group, part, piece));
                rest = after;
            }
        }
    }
    pieces.into_par_iter().with_max_len(1).for_each(|(tiles, group, part, piece)| {
        with_scratch(scratch_len(g, tiles, part), |scratch| {
            accumulate(g, x, grad, tiles, group, part, piece, scratch);
        });
    });
    sum(g, &partial, size)
}

/// Without partial sums: each task sums all pixels for its part of the channels.
fn whole<T: Float>(
    g: &Geometry,
    x: &[T],
    grad: &[T],
    tiles: &[Tile],
    parts: &[Range<usize>],
) -> Vec<T> {
    let fill = |out: &Output<T>| {
        (0..g.groups * parts.len()).into_par_iter().with_max_len(1).for_each(|task| {
            let (group, part) = (task / parts.len(), &parts[task % parts.len()]);
            let rows = part.len() * g.taps();
            with_scratch(rows * g.co + scratch_len(g, tiles, part), |scratch| {
                let (piece, scratch) = scratch.split_at_mut(rows * g.co);
                accumulate(g, x, grad, tiles, group, part, piece, scratch);
                for c in 0..g.co {
                    let start = (group * g.co + c) * g.depth() + part.start * g.taps();
                    // SAFETY: these channels of this filter are this task's.
                    let filter = unsafe { out.slice(start, rows) };
                    for (to, row) in filter.iter_mut().zip(piece.chunks_exact(g.co)) {
                        to.write(row[c]);
                    }
                }
            });
        });
    };
    // SAFETY: groups × parts cover every channel of every filter; each task writes its own.
    unsafe { Output::collect(g.groups * g.co * g.depth(), fill) }
}

/// Output pixels of a tile, of all its images.
fn width(g: &Geometry, tile: &Tile) -> usize {
    tile.images.len() * tile.pixels(g).len()
}

/// What [`accumulate`] needs besides its result: the columns and the gradient of a tile.
fn scratch_len(g: &Geometry, tiles: &[Tile], part: &Range<usize>) -> usize {
    let widest = tiles.iter().map(|tile| width(g, tile)).max().unwrap_or(0);
    (part.len() * g.taps() + g.co) * widest
}

/// Adds up the tiles of a run: `piece = columns · gradᵀ`.
#[expect(clippy::too_many_arguments, reason = "an inner routine")]
fn accumulate<T: Float>(
    g: &Geometry,
    x: &[T],
    grad: &[T],
    tiles: &[Tile],
    group: usize,
    part: &Range<usize>,
    piece: &mut [T],
    scratch: &mut [T],
) {
    let rows = part.len() * g.taps();
    for (i, tile) in tiles.iter().enumerate() {
        let width = width(g, tile);
        let (columns, pixels) = scratch.split_at_mut(rows * width);
        gather(g, x, tile, group, part.clone(), columns, width);
        by_pixel(g, grad, tile, group, pixels);
        let (a, b) = (Strided::row_major(columns, width), Strided::row_major(pixels, g.co));
        // SAFETY: `piece` holds `rows` rows of `co`.
        unsafe { matmul((rows, g.co, width), piece.as_mut_ptr(), g.co, i > 0, a, b) };
    }
}

/// The gradient in a tile, transposed: pixel by pixel, the channels of the group.
fn by_pixel<T: Float>(g: &Geometry, grad: &[T], tile: &Tile, group: usize, pixels: &mut [T]) {
    const BLOCK: usize = 16;
    let (plane, range) = (g.output_plane(), tile.pixels(g));
    for (i, image) in tile.images.clone().enumerate() {
        let source = &grad[(image * g.groups + group) * g.co * plane..][..g.co * plane];
        let pixels = &mut pixels[i * range.len() * g.co..][..range.len() * g.co];
        // Some pixels of all channels at a time: they stay in the nearest cache.
        for (b, block) in pixels.chunks_mut(BLOCK * g.co).enumerate() {
            let start = range.start + b * BLOCK;
            let count = block.len() / g.co;
            for c in 0..g.co {
                let values = &source[c * plane + start..][..count];
                for (p, &value) in values.iter().enumerate() {
                    block[p * g.co + c] = value;
                }
            }
        }
    }
}

/// Adds the partial sums in order and transposes them to (co × depth).
fn sum<T: Float>(g: &Geometry, partial: &[T], size: usize) -> Vec<T> {
    /// Filters written side by side: as many as lie in a cache line of the partial sums.
    const BLOCK: usize = 16;
    let (co, depth) = (g.co, g.depth());
    let mut total = vec![T::zero(); size];
    let blocks = total.par_chunks_mut(co * depth).enumerate().flat_map(|(group, t)| {
        t.par_chunks_mut(BLOCK * depth).enumerate().map(move |b| (group, b))
    });
    blocks.for_each(|(group, (block, total))| {
        let (first, count) = (block * BLOCK, total.len() / depth);
        for partial in partial.chunks_exact(size) {
            let partial = &partial[group * co * depth..][..co * depth];
            for (k, row) in partial.chunks_exact(co).enumerate() {
                for (c, &value) in row[first..first + count].iter().enumerate() {
                    total[c * depth + k] += value;
                }
            }
        }
    });
    total
}
