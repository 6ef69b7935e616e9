#![allow(unsafe_code, reason = "tasks write disjoint, interleaved parts of the output")]

use std::mem::MaybeUninit;
use std::ops::Range;

use rayon::prelude::*;

use super::grid::{Grid, Stage};
use super::phase_panels::{Interleave, MultiplyPhase, PackTaps};
use super::phases::{Phase, Side};
use super::stage::StageChannels;
use crate::conv::epilogue::Epilogue;
use crate::conv::geometry::Geometry;
use crate::conv::vectors::Staged;
use crate::cpu::{Float, Output, with_scratch};
use crate::parallel::cut;
use crate::simd::Isa;

/// Vectors of pixels of a task.
const VECTORS: usize = 16;

/// Terms of the sums that are staged at a time, about: what a panel meets of them lies in a level-1
/// cache.
const TERMS: usize = 256;

/// Tasks wanted at least: where x has fewer blocks of pixels, its channels are cut too.
const TASKS: usize = 8;

/// x from y at any stride, by phases: the pixels of x of one residue modulo the stride are a
/// convolution of y at stride 1, with the taps that meet them.
///
/// ```text
/// 4 × 4 / 2, padding 1, along a side:   x[2 q]     = w[3] y[q - 1] + w[1] y[q]
///                                       x[2 q + 1] = w[2] y[q]     + w[0] y[q + 1]
/// ```
///
/// A task computes all horizontal phases of some pixels, so that it writes whole rows of x. It
/// reads y from a copy with zeros between the rows, in which the pixels that a tap meets are as far
/// apart as those of the phase: vectors of them need no packing.
pub(super) fn transposed<T: Float>(
    g: &Geometry,
    y: &[T],
    weight: &[T],
    epilogue: Epilogue<T>,
) -> Vec<T> {
    // What the unchecked copies of the kernels rely on.
    assert_eq!(y.len(), g.output_shape().iter().product::<usize>());
    let work = Work::new(g, y, &epilogue);
    let (blocks, rows) = (work.vectors().div_ceil(VECTORS), work.sides[0].stride());
    let vectors = g.ci.div_ceil(work.lanes);
    let parts = TASKS.div_ceil((blocks * g.groups * rows).max(1)).clamp(1, vectors);
    let chunks = cut(vectors, vectors.div_ceil(parts));
    let fill = |out: &Output<T>| {
        let channels = vectors * work.lanes;
        let packed = channels * g.co * g.taps();
        with_scratch(g.groups * (packed + channels), |scratch: &mut [T]| {
            let (filters, first) = scratch.split_at_mut(g.groups * packed);
            work.pack_filters(weight, filters);
            first.fill(T::zero());
            let bias = epilogue.bias.unwrap_or(&[]).chunks(g.ci);
            first.chunks_exact_mut(channels).zip(bias).for_each(|(to, bias)| {
                to[..g.ci].copy_from_slice(bias);
            });
            let (filters, first) = (&*filters, &*first);
            let tasks = blocks * g.groups * rows * chunks.len();
            (0..tasks).into_par_iter().with_max_len(1).for_each(|task| {
                let (rest, chunk) = (task / chunks.len(), &chunks[task % chunks.len()]);
                let (rest, row) = (rest / rows, rest % rows);
                let (block, group) = (rest / g.groups, rest % g.groups);
                let start = chunk.start * work.lanes;
                let channels = start..(chunk.end * work.lanes).min(g.ci);
                let filters = &filters[group * packed + start * g.co * g.taps()..];
                let first = &first[group * vectors * work.lanes + start..];
                work.block(block, Part { group, row, channels, filters, first }, out);
            });
        });
    };
    // SAFETY: blocks × groups × rows × chunks cover every value of x; each task writes its own.
    unsafe { Output::collect(g.input_shape().iter().product(), fill) }
}

struct Work<'a, T> {
    g: &'a Geometry,
    y: &'a [T],
    /// The vertical and the horizontal phases.
    sides: [Side; 2],
    grid: Grid,
    isa: Isa,
    lanes: usize,
    /// Whether negative values become zero.
    relu: bool,
}

/// The part of all channels and phases that a task computes.
struct Part<'a, T> {
    group: usize,
    /// The vertical phase.
    row: usize,
    channels: Range<usize>,
    /// The packed filters from the first of the channels on.
    filters: &'a [T],
    /// The bias, or zeros, likewise.
    first: &'a [T],
}

impl<'a, T: Float> Work<'a, T> {
    fn new(g: &'a Geometry, y: &'a [T], epilogue: &Epilogue<T>) -> Self {
        assert!(epilogue.residual.is_none(), "transposed convolutions take no residual");
        let isa = Isa::current();
        let lanes = isa.lanes::<T>();
        let sides = Side::both(g);
        let grid = Grid::of(g, &sides, lanes);
        Self { g, y, sides, grid, isa, lanes, relu: epilogue.relu }
    }

    /// Vectors of pixels of a phase, of all images.
    fn vectors(&self) -> usize {
        self.g.batch * self.grid.starts.len()
    }

    /// `[group][vector of channels of x][tap][channel of y][lane]`
    fn pack_filters(&self, weight: &[T], to: &mut [T]) {
        let (g, vectors) = (self.g, self.g.ci.div_ceil(self.lanes));
        let vector = self.lanes * g.co * g.taps();
        to.par_chunks_exact_mut(vector).enumerate().for_each(|(n, to)| {
            let (group, first) = (n / vectors, n % vectors * self.lanes);
            let filters = &weight[group * g.co * g.depth()..][..g.co * g.depth()];
            let (filters, channels) = (&filters[first * g.taps()..], self.lanes.min(g.ci - first));
            // SAFETY: `isa` is this processor's.
            unsafe { T::dispatch(self.isa, PackTaps { geometry: g, filters, channels, to }) };
        });
    }

    fn block(&self, block: usize, part: Part<T>, out: &Output<T>) {
        let (g, width) = (self.g, 2 * self.lanes);
        let vectors = block * VECTORS..((block + 1) * VECTORS).min(self.vectors());
        let targets: Vec<_> = vectors.clone().map(|v| self.targets(&part, v)).collect();
        if self.sides[0].phases[part.row].taps.is_empty() {
            return self.fill(&part, &targets, out);
        }
        let stage = self.grid.stage(g, &self.sides[1], vectors, part.group);
        let rows = part.channels.len().next_multiple_of(self.lanes);
        let phases = &self.sides[1].phases;
        let sums = stage.vectors.len() / 2 * rows * width;
        with_scratch(phases.len() * (sums + self.lanes), |scratch| {
            let (sums, room) = scratch.split_at_mut(phases.len() * sums);
            self.add_up(&stage, &part, sums);
            let kernel = Interleave {
                phases: phases.len(),
                sums,
                rows,
                channels: part.channels.len(),
                targets: &targets,
                plane: g.input_plane(),
                relu: self.relu,
                stage: room,
                out,
            };
            // SAFETY: `isa` is this processor's; the targets are this task's.
            unsafe { T::dispatch(self.isa, kernel) };
        });
    }

    /// Rows that no tap meets.
    fn fill(&self, part: &Part<T>, targets: &[Vec<Staged>], out: &Output<T>) {
        for (channel, &value) in part.channels.clone().zip(part.first) {
            let start = (channel - part.channels.start) * self.g.input_plane();
            let value = if self.relu && value <= T::zero() { T::zero() } else { value };
            for target in targets.iter().flatten() {
                // SAFETY: the targets are this task's.
                unsafe { out.slice(start + target.image, target.len) }
                    .fill(MaybeUninit::new(value));
            }
        }
    }

    /// The sums of all horizontal phases: `[phase][panel][channel][two vectors]`.
    fn add_up(&self, stage: &Stage, part: &Part<T>, sums: &mut [T]) {
        let (g, columns) = (self.g, &self.sides[1].phases);
        let phase = sums.len() / columns.len();
        let rows = part.channels.len().next_multiple_of(self.lanes);
        for (column, sums) in columns.iter().zip(sums.chunks_exact_mut(phase)) {
            if column.taps.is_empty() {
                for (n, to) in sums.chunks_exact_mut(2 * self.lanes).enumerate() {
                    to.fill(part.first[n % rows]);
                }
            }
        }
        let taps = columns.iter().map(|column| column.taps.len()).max().unwrap_or(0)
            * self.sides[0].phases[part.row].taps.len();
        let parts = cut(g.co, (TERMS / taps.max(1)).max(1));
        let widest = parts.iter().map(Range::len).max().unwrap_or(0);
        with_scratch(widest * stage.step, |staged| {
            staged.fill(T::zero());
            for channels in parts {
                let kernel = StageChannels {
                    image: self.y,
                    plane: g.output_plane(),
                    channels: channels.clone(),
                    runs: &stage.runs,
                    zeros: &stage.zeros,
                    stage: staged,
                    step: stage.step,
                };
                // SAFETY: `isa` is this processor's; the runs lie within y.
                unsafe { T::dispatch(self.isa, kernel) };
                for (column, sums) in columns.iter().zip(sums.chunks_exact_mut(phase)) {
                    self.multiply(stage, staged, part, column, &channels, sums);
                }
            }
        });
    }

    /// Adds what some channels of y give to the sums of a horizontal phase.
    fn multiply(
        &self,
        stage: &Stage,
        staged: &[T],
        part: &Part<T>,
        column: &Phase,
        channels: &Range<usize>,
        sums: &mut [T],
    ) {
        let (g, phase) = (self.g, [&self.sides[0].phases[part.row], column]);
        if column.taps.is_empty() {
            return;
        }
        let kernel = MultiplyPhase {
            filters: &part.filters[channels.start * self.lanes..],
            vector: g.taps() * g.co * self.lanes,
            channels: part.channels.len(),
            depth: channels.len(),
            stage: staged,
            step: stage.step,
            vectors: &stage.vectors,
            taps: &self.grid.taps(g, &self.sides, phase, g.co * self.lanes, stage),
            first: (channels.start == 0).then_some(part.first),
            sums,
        };
        // SAFETY: `isa` is this processor's; the stage holds what the vectors meet.
        unsafe { T::dispatch(self.isa, kernel) };
    }

    /// Where the pixels of a vector go, in the first channel of the part: their runs in x, and
    /// where these begin among the interleaved phases.
    fn targets(&self, part: &Part<T>, vector: usize) -> Vec<Staged> {
        let (g, [rows, columns], grid) = (self.g, &self.sides, &self.grid);
        let image = vector / grid.starts.len();
        let first = grid.starts[vector % grid.starts.len()];
        let plane = (image * g.groups + part.group) * g.ci + part.channels.start;
        let mut targets = Vec::new();
        for row in first / grid.width..=(first + self.lanes - 1) / grid.width {
            let Some(y) = rows.place(row, part.row).filter(|_| row < rows.pixels) else { continue };
            let start = (row * grid.width + columns.skipped).max(first);
            let end = (row * grid.width + columns.pixels).min(first + self.lanes);
            if start < end {
                let x = (start - row * grid.width - columns.skipped) * columns.stride();
                targets.push(Staged {
                    image: plane * g.input_plane() + y * g.input.1 + x,
                    stage: (start - first) * columns.stride(),
                    len: ((end - start) * columns.stride()).min(g.input.1 - x),
                });
            }
        }
        targets
    }
}
