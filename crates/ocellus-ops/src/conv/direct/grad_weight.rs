#![allow(unsafe_code, reason = "tasks write disjoint, interleaved parts of the filters")]

use std::ops::Range;

use rayon::prelude::*;

use super::padded::Padded;
use super::stage::{StageChannels, channel_step, push_run};
use super::tile::{Tile, channel_parts, tiles};
use super::weight_panels::{
    Correlate, CorrelateFew, Products, Rows, TransposePixels, WriteFilters,
};
use crate::conv::geometry::Geometry;
use crate::conv::product::rows_of;
use crate::conv::vectors::Staged;
use crate::cpu::{Float, Output, with_scratch};
use crate::parallel::cut;
use crate::simd::Isa;

/// Tasks wanted at least: where the weight has fewer parts, the pixels are cut too.
const TASKS: usize = 8;

/// Filters of a group up to which pixels are taken as vectors, not filters.
const FEW: usize = 3;

/// Bytes that the partial sums may take together.
const PARTIALS: usize = 64 << 20;

/// The gradient by the weight: `(groups · co, ci, kh, kw)`, from x and the gradient by y.
///
/// A product of what the taps meet of x, read in place from a padded copy, and the transposed
/// gradient, summed over the pixels of a tile at a time. The pixels are cut into runs of tiles,
/// whose sums are added in their order: the cut depends on the sizes alone, so the result has the
/// same bits at any number of threads.
pub(in crate::conv) fn grad_weight<T: Float>(g: &Geometry, x: &[T], grad: &[T]) -> Vec<T> {
    // What the unchecked copies of the kernels rely on.
    assert_eq!(x.len(), g.input_shape().iter().product::<usize>());
    assert_eq!(grad.len(), g.output_shape().iter().product::<usize>());
    let (tiles, parts) = (tiles(g), channel_parts(g));
    let size = g.groups * g.co * g.depth();
    if size == 0 || tiles.is_empty() {
        return vec![T::zero(); size];
    }
    let work = Work::new(g, x, grad);
    let most = (PARTIALS / (size * size_of::<T>())).clamp(1, tiles.len());
    let runs = TASKS.div_ceil(g.groups * parts.len()).min(most);
    let runs = cut(tiles.len(), tiles.len().div_ceil(runs));
    let parts: Vec<_> = (0..g.groups)
        .flat_map(|group| parts.iter().map(move |channels| Part { group, channels }))
        .collect();
    let fill = |out: &Output<T>| match runs[..] {
        [_] => work.whole(&tiles, &parts, out),
        _ => work.by_runs(&tiles, &runs, &parts, out),
    };
    // SAFETY: the parts cover every channel of every filter.
    unsafe { Output::collect(size, fill) }
}

/// Some channels of x of a group: the filters are cut into such parts.
struct Part<'a> {
    group: usize,
    channels: &'a Range<usize>,
}

struct Work<'a, T> {
    g: &'a Geometry,
    x: &'a [T],
    grad: &'a [T],
    padded: Padded<'a>,
    isa: Isa,
    lanes: usize,
}

impl<'a, T: Float> Work<'a, T> {
    fn new(g: &'a Geometry, x: &'a [T], grad: &'a [T]) -> Self {
        let isa = Isa::current();
        Self { g, x, grad, padded: Padded::of(g), isa, lanes: isa.lanes::<T>() }
    }

    /// Rows of the sums of a part: those that a product computes together, all of them.
    fn rows(&self, part: &Part) -> usize {
        (part.channels.len() * self.g.taps()).next_multiple_of(rows_of(self.lanes))
    }

    /// Values of the sums of a part: `[panel of filters][channel, tap][two vectors]`.
    fn sums(&self, part: &Part) -> usize {
        self.rows(part) * self.g.co.next_multiple_of(2 * self.lanes)
    }

    /// Each task sums all pixels for its part.
    fn whole(&self, tiles: &[Tile], parts: &[Part], out: &Output<T>) {
        parts.par_iter().with_max_len(1).for_each(|part| {
            with_scratch(self.sums(part), |sums| {
                self.add_up(tiles, part, sums);
                self.write(&[sums], part, 0..self.g.co, out);
            });
        });
    }

    /// Each task sums a run of tiles for its part; the runs are added at the end.
    fn by_runs(&self, tiles: &[Tile], runs: &[Range<usize>], parts: &[Part], out: &Output<T>) {
        let len = parts.iter().map(|part| runs.len() * self.sums(part)).sum();
        with_scratch(len, |scratch: &mut [T]| {
            let mut tasks = Vec::with_capacity(parts.len() * runs.len());
            let mut rest = &mut *scratch;
            for part in parts {
                let (sums, after) = rest.split_at_mut(runs.len() * self.sums(part));
                let pieces = sums.chunks_exact_mut(self.sums(part)).zip(runs);
                tasks.extend(pieces.map(|(sums, run)| (part, run, sums)));
                rest = after;
            }
            tasks.into_par_iter().with_max_len(1).for_each(|(part, run, sums)| {
                self.add_up(&tiles[run.clone()], part, sums);
            });
            let mut tasks = Vec::new();
            let mut rest = &*scratch;
            for part in parts {
                let (sums, after) = rest.split_at(runs.len() * self.sums(part));
                let sums: Vec<_> = sums.chunks_exact(self.sums(part)).collect();
                let panels = (0..self.g.co).step_by(2 * self.lanes);
                tasks.extend(panels.map(|first| (part, first, sums.clone())));
                rest = after;
            }
            tasks.into_par_iter().for_each(|(part, first, sums)| {
                let filters = first..(first + 2 * self.lanes).min(self.g.co);
                self.write(&sums, part, filters, out);
            });
        });
    }

    /// Adds up some tiles.
    fn add_up(&self, tiles: &[Tile], part: &Part, sums: &mut [T]) {
        let g = self.g;
        let longest = tiles.iter().map(|tile| self.padded.len(tile)).max().unwrap_or(0);
        let most = tiles.iter().map(|tile| self.gradient_len(tile)).max().unwrap_or(0);
        // A vector of pixels may end beyond the last.
        let step = channel_step(longest + self.lanes * g.stride.1);
        let mut rows: Vec<_> = (0..part.channels.len())
            .flat_map(|n| (0..g.taps()).map(move |tap| n * step + self.padded.tap(tap)))
            .collect();
        rows.resize(self.rows(part), 0);
        with_scratch(part.channels.len() * step + most, |scratch| {
            let (stage, y) = scratch.split_at_mut(part.channels.len() * step);
            for (n, tile) in tiles.iter().enumerate() {
                self.stage(tile, part, step, stage);
                let y = &mut y[..self.gradient_len(tile)];
                let count = part.channels.len() * g.taps();
                let rows = Rows { stage, places: &rows, count, step: g.stride.1 };
                let (starts, depth) = self.stage_gradient(tile, part.group, y);
                let (filters, starts, sums) = (g.co, &starts, &mut *sums);
                let products =
                    Products { rows, y, filters, starts, depth, sums, accumulate: n > 0 };
                // SAFETY: `isa` is this processor's; the stage and y hold the pixels of the tile.
                unsafe {
                    if self.few() {
                        T::dispatch(self.isa, CorrelateFew(products));
                    } else {
                        T::dispatch(self.isa, Correlate(products));
                    }
                }
            }
        });
    }

    /// Whether there are so few filters that most lanes of vectors of them would be empty.
    fn few(&self) -> bool {
        self.g.co <= FEW
    }

    /// Values of the gradient by y in a tile, as the kernels take it.
    fn gradient_len(&self, tile: &Tile) -> usize {
        if self.few() {
            let (starts, depth) = self.padded.segments(tile);
            self.g.co * channel_step(starts.len() * depth.next_multiple_of(self.lanes))
        } else {
            tile.images.len()
                * tile.pixels(self.g).len()
                * self.g.co.next_multiple_of(2 * self.lanes)
        }
    }

    /// Writes the gradient by y in a tile as the kernels take it; returns where runs of pixels begin
    /// in the stage of x and there, and how long they are.
    fn stage_gradient(
        &self,
        tile: &Tile,
        group: usize,
        y: &mut [T],
    ) -> (Vec<(usize, usize)>, usize) {
        let (mut starts, depth) = self.padded.segments(tile);
        if self.few() {
            self.copy_runs(tile, group, &mut starts, depth, y);
        } else {
            self.transpose(tile, group, y);
            starts.iter_mut().for_each(|(_, pixel)| *pixel *= 2 * self.lanes);
        }
        (starts, depth)
    }

    /// The gradient by y in a tile: `[channel]`, runs of pixels in whole vectors. The pixel that each
    /// run starts with becomes the place of the run.
    fn copy_runs(
        &self,
        tile: &Tile,
        group: usize,
        starts: &mut [(usize, usize)],
        depth: usize,
        y: &mut [T],
    ) {
        let g = self.g;
        let vectors = depth.next_multiple_of(self.lanes);
        let (first, per_image) = (tile.pixels(g).start, tile.pixels(g).len());
        let mut runs = Vec::new();
        for (n, (_, start)) in starts.iter_mut().enumerate() {
            let end = *start + depth;
            let mut pixel = *start;
            while pixel < end {
                let (image, within) = (tile.images.start + pixel / per_image, pixel % per_image);
                let plane = (image * g.groups + group) * g.co * g.output_plane();
                let len = (per_image - within).min(end - pixel);
                let stage = n * vectors + pixel - *start;
                push_run(&mut runs, Staged { image: plane + first + within, stage, len });
                pixel += len;
            }
            *start = n * vectors;
        }
        let step = y.len() / g.co;
        // Vectors end in zeros.
        y.fill(T::zero());
        let kernel = StageChannels {
            image: self.grad,
            plane: g.output_plane(),
            channels: 0..g.co,
            runs: &runs,
            zeros: &[],
            stage: y,
            step,
        };
        // SAFETY: `isa` is this processor's; the runs lie within the gradient and y.
        unsafe { T::dispatch(self.isa, kernel) };
    }

    /// The padded copies of the channels, `step` apart.
    fn stage(&self, tile: &Tile, part: &Part, step: usize, stage: &mut [T]) {
        let runs = self.padded.runs(tile, part.group);
        let padded = runs.iter().map(|run| run.len).sum::<usize>() < self.padded.len(tile);
        if padded || self.few() {
            stage.fill(T::zero());
        }
        let kernel = StageChannels {
            image: self.x,
            plane: self.g.input_plane(),
            channels: part.channels.clone(),
            runs: &runs,
            zeros: &[],
            stage,
            step,
        };
        // SAFETY: `isa` is this processor's; the runs lie within x and the stage.
        unsafe { T::dispatch(self.isa, kernel) };
    }

    /// The gradient by y in a tile: `[panel][pixel][two vectors of channels]`.
    fn transpose(&self, tile: &Tile, group: usize, to: &mut [T]) {
        let (g, width, pixels) = (self.g, 2 * self.lanes, tile.pixels(self.g));
        let (plane, panel) = (g.output_plane(), tile.images.len() * pixels.len() * width);
        for (i, image) in tile.images.clone().enumerate() {
            let kernel = TransposePixels {
                y: &self.grad[(image * g.groups + group) * g.co * plane..][..g.co * plane],
                plane,
                channels: g.co,
                pixels: pixels.clone(),
                to: &mut to[i * pixels.len() * width..],
                panel,
            };
            // SAFETY: `isa` is this processor's.
            unsafe { T::dispatch(self.isa, kernel) };
        }
    }

    /// Writes some filters of a part: the partial sums, added in order.
    fn write(&self, sums: &[&[T]], part: &Part, filters: Range<usize>, out: &Output<T>) {
        let g = self.g;
        let kernel = WriteFilters {
            parts: sums,
            rows: self.rows(part),
            count: part.channels.len() * g.taps(),
            filters,
            start: part.group * g.co * g.depth() + part.channels.start * g.taps(),
            depth: g.depth(),
            out,
        };
        // SAFETY: `isa` is this processor's; these channels of all filters are this task's.
        unsafe { T::dispatch(self.isa, kernel) };
    }
}
