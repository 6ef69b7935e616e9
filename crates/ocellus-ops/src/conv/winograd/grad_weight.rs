#![allow(unsafe_code, reason = "tasks write disjoint, interleaved parts of the output")]

use std::ops::Range;

use rayon::prelude::*;

use super::channel_tiles::Image;
use super::grad_block::{Block, ByTile};
use super::grad_work::{Chunk, Parts, Work};
use super::maps::{self, Map, Taps};
use super::tiles::{Area, Tiling};
use crate::conv::geometry::Geometry;
use crate::cpu::{Float, Output, with_scratch};
use crate::parallel::cut;

/// Tiles from which on tasks are cut by tiles too, and each transforms its own.
const MANY: usize = 256;

/// Tasks then: how many threads can work, whatever their number is.
const TASKS: usize = 16;

/// Tiles of a block then: with the sums, they stay in a level-2 cache.
const OWN: usize = 32;

/// Tiles of a block where all are transformed before.
const SHARED: usize = 64;

/// Bytes of transformed tiles that are kept at a time then.
const TRANSFORMED: usize = 48 << 20;

/// The gradient by filters of 3 × 3 at stride 1, `(co, ci, 3, 3)`, from x and the gradient by y.
///
/// ```text
/// dg = Gᵀ [Σ (A dy Aᵀ) ⊙ (Bᵀ d B)] G, summed over all tiles
/// ```
pub(in crate::conv) fn grad_weight<T: Float>(g: &Geometry, x: &[T], grad: &[T]) -> Vec<T> {
    run(&plain(g, x, grad))
}

/// The gradient by filters of 4 × 4 at stride 2, `(co, ci, 4, 4)`: each phase of x has tiles of its
/// own, all phases meet the same tiles of y.
///
/// ```text
/// dg = Gᵀ [Σ (Bᵀ dy B) ⊙ (A d Aᵀ)] G of each phase
/// ```
pub(in crate::conv) fn grad_weight_of_phases<T: Float>(
    g: &Geometry,
    x: &[T],
    grad: &[T],
) -> Vec<T> {
    run(&phases(g, x, grad))
}

type Plain<'a, T> = Work<'a, T, maps::Output, maps::Input, maps::Plain>;

fn plain<'a, T: Float>(g: &Geometry, x: &'a [T], grad: &'a [T]) -> Plain<'a, T> {
    let tiling = Tiling::of(g);
    Work::new(tiling, of_y(g, grad, tiling.output), of_x(g, x, tiling.input, 1))
}

type Phases<'a, T> = Work<'a, T, maps::Input, maps::PhaseOutput, maps::Phases>;

fn phases<'a, T: Float>(g: &Geometry, x: &'a [T], grad: &'a [T]) -> Phases<'a, T> {
    let tiling = Tiling::transposed(g);
    Work::new(tiling, of_y(g, grad, tiling.input), of_x(g, x, tiling.output, 2))
}

fn of_y<'a, T>(g: &Geometry, data: &'a [T], area: Area) -> Image<'a, T> {
    // What the unchecked copies of the kernels rely on.
    assert_eq!(data.len(), g.output_shape().iter().product::<usize>());
    Image { data, plane: g.output_plane(), channels: g.co, area, phases: 1 }
}

fn of_x<'a, T>(g: &Geometry, data: &'a [T], area: Area, phases: usize) -> Image<'a, T> {
    assert_eq!(data.len(), g.input_shape().iter().product::<usize>());
    Image { data, plane: g.input_plane(), channels: g.ci, area, phases }
}

fn run<T: Float, Y: Map, X: Map, F: Taps>(work: &Work<T, Y, X, F>) -> Vec<T> {
    let len = work.y.channels * work.x.channels * F::COUNT;
    if work.tiling.count == 0 {
        return vec![T::zero(); len];
    }
    let fill = |out: &Output<T>| {
        if work.tiling.count < MANY {
            work.by_channels(TRANSFORMED, out);
        } else {
            work.by_runs(out);
        }
    };
    // SAFETY: the chunks cover all filters.
    unsafe { Output::collect(len, fill) }
}

impl<T: Float, Y: Map, X: Map, F: Taps> Work<'_, T, Y, X, F> {
    /// Each task adds up a run of tiles for some filters, and transforms the tiles for that; the runs
    /// are added at the end.
    fn by_runs(&self, out: &Output<T>) {
        let chunks = self.chunks(1);
        let lens: Vec<_> = chunks.iter().map(|chunk| self.sums(chunk).len()).collect();
        let run = lens.iter().sum();
        let runs = cut(self.tiling.count, self.tiling.count.div_ceil(TASKS.div_ceil(chunks.len())));
        with_scratch(runs.len() * run, |sums: &mut [T]| {
            let mut tasks = Vec::with_capacity(runs.len() * chunks.len());
            let mut rest = &mut *sums;
            for tiles in &runs {
                for (chunk, &len) in chunks.iter().zip(&lens) {
                    let (sums, after) = rest.split_at_mut(len);
                    tasks.push((tiles, chunk, sums));
                    rest = after;
                }
            }
            tasks.into_par_iter().with_max_len(1).for_each(|(tiles, chunk, sums)| {
                self.add_run(tiles, chunk, sums);
            });
            // The chunks of the same filters, one for each vertical phase.
            let mut tasks = Vec::new();
            let mut start = 0;
            for (chunks, lens) in chunks.chunks(F::PHASES).zip(lens.chunks(F::PHASES)) {
                let parts = Parts { sums: &*sums, run, starts: [start, start + lens[0]] };
                let rows = cut(self.outputs(&chunks[0]).len(), 8);
                tasks.extend(rows.into_iter().map(|rows| (&chunks[0], rows, parts)));
                start += lens.iter().sum::<usize>();
            }
            tasks.into_par_iter().for_each(|(chunk, rows, parts)| {
                self.finish(chunk, rows, parts, false, out);
            });
        });
    }

    fn add_run(&self, run: &Range<usize>, chunk: &Chunk, to: &mut [T]) {
        let blocks = cut(run.len(), OWN);
        let (outputs, inputs) = (
            self.of_y(OWN, chunk.outputs.len()),
            self.of_x(OWN, chunk.phases.len(), chunk.inputs.len()),
        );
        with_scratch(outputs.len() + inputs.len(), |scratch| {
            let (m, v) = scratch.split_at_mut(outputs.len());
            for (n, block) in blocks.into_iter().enumerate() {
                let tiles = run.start + block.start..run.start + block.end;
                let (phases, panels) = (chunk.phases.clone(), chunk.inputs.clone());
                self.transform_y(tiles.clone(), chunk.outputs.clone(), outputs, m.as_mut_ptr());
                self.transform_x(tiles, phases, panels, inputs, v.as_mut_ptr());
                let block = Block { m, v, tiles: block.len() };
                let panels: Vec<_> = (0..inputs.phases * inputs.panels).collect();
                let sums = self.sums(chunk);
                self.correlate(&[block], (outputs, inputs), 0, &panels, sums, to, n > 0);
            }
        });
    }

    /// Tiles are transformed, as many as `bytes` hold; then each task adds them up for some of the
    /// filters.
    fn by_channels(&self, bytes: usize, out: &Output<T>) {
        let blocks = cut(self.tiling.count, SHARED);
        let tiles = blocks.iter().map(Range::len).max().unwrap_or(0);
        let panels = [self.y.channels, self.x.channels].map(|n| n.div_ceil(self.width()));
        let layouts = (self.of_y(tiles, panels[0]), self.of_x(tiles, F::PHASES, panels[1]));
        let block = layouts.0.len() + layouts.1.len();
        let together = (bytes / size_of::<T>() / block).max(1);
        let chunks = self.chunks(F::PHASES);
        for set in cut(blocks.len(), together) {
            with_scratch(set.len() * block, |scratch: &mut [T]| {
                self.transform_blocks(&blocks[set.clone()], layouts, scratch);
                let of_block = |(both, tiles): (_, &Range<usize>)| {
                    let (m, v) = <[T]>::split_at(both, layouts.0.len());
                    Block { m, v, tiles: tiles.len() }
                };
                let blocks = scratch.chunks_exact(block).zip(&blocks[set.clone()]);
                let blocks: Vec<_> = blocks.map(of_block).collect();
                chunks.par_iter().with_max_len(1).for_each(|chunk| {
                    self.add_blocks(&blocks, layouts, chunk, set.start > 0, out);
                });
            });
        }
    }

    /// The tiles of some blocks, one after the other in `to`, each those of y and then those of x.
    fn transform_blocks(&self, blocks: &[Range<usize>], layouts: (ByTile, ByTile), to: &mut [T]) {
        let (outputs, inputs) = layouts;
        let block = outputs.len() + inputs.len();
        assert_eq!(to.len(), blocks.len() * block);
        let (to, tasks) = (Output::of(to), outputs.panels + inputs.panels);
        (0..blocks.len() * tasks).into_par_iter().with_max_len(1).for_each(|task| {
            let (n, panel) = (task / tasks, task % tasks);
            let (to, tiles) = (to.at(n * block, block), blocks[n].clone());
            match panel.checked_sub(outputs.panels) {
                None => {
                    let to = to.wrapping_add(panel * outputs.panel());
                    self.transform_y(tiles, panel..panel + 1, outputs, to);
                }
                Some(panel) => {
                    let to = to.wrapping_add(outputs.len() + panel * inputs.panel());
                    self.transform_x(tiles, 0..F::PHASES, panel..panel + 1, inputs, to);
                }
            }
        });
    }

    /// Adds up transformed blocks for some of the filters, and transforms the sums back.
    fn add_blocks(
        &self,
        blocks: &[Block<T>],
        layouts: (ByTile, ByTile),
        chunk: &Chunk,
        accumulate: bool,
        out: &Output<T>,
    ) {
        let sums = self.sums(chunk);
        let all = 0..layouts.1.phases * layouts.1.panels;
        let panels = all.filter(|panel| chunk.inputs.contains(&(panel % layouts.1.panels)));
        let panels: Vec<_> = panels.collect();
        with_scratch(sums.len(), |to: &mut [T]| {
            self.correlate(blocks, layouts, chunk.outputs.start, &panels, sums, to, false);
            let starts = [0, F::PHASES * self.phase(chunk)];
            let parts = Parts { sums: to, run: sums.len(), starts };
            self.finish(chunk, 0..self.outputs(chunk).len(), parts, accumulate, out);
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conv::{ConvAlgorithm, Padding};

    fn geometry(kernel: usize, output: (usize, usize)) -> Geometry {
        let stride = kernel - 2;
        let side = |output: usize| (output - 1) * stride + kernel - 2;
        Geometry {
            batch: 3,
            groups: 1,
            ci: 37,
            co: 70,
            input: (side(output.0), side(output.1)),
            output,
            kernel: (kernel, kernel),
            stride: (stride, stride),
            dilation: (1, 1),
            padding: Padding::from(1),
            algorithm: ConvAlgorithm::Winograd,
        }
    }

    fn numbers(count: usize, step: f64) -> Vec<f64> {
        (0..count).map(|i| (i as f64 * step).sin()).collect()
    }

    /// By runs of tiles, by channels, and by channels with one block of tiles at a time.
    fn compare<Y: Map, X: Map, F: Taps>(work: &Work<f64, Y, X, F>) {
        let len = work.y.channels * work.x.channels * F::COUNT;
        // SAFETY: all fill the filters.
        let [runs, channels, pieces] = unsafe {
            [
                Output::collect(len, |out| work.by_runs(out)),
                Output::collect(len, |out| work.by_channels(TRANSFORMED, out)),
                Output::collect(len, |out| work.by_channels(0, out)),
            ]
        };
        assert!(work.tiling.count > SHARED);
        for ((a, b), c) in runs.into_iter().zip(channels).zip(pieces) {
            assert!((a - b).abs() < 1e-9 && (a - c).abs() < 1e-9, "{a} {b} {c}");
        }
    }

    #[test]
    fn tasks_may_be_cut_in_either_way() {
        for (kernel, output) in [(3, (21, 26)), (4, (25, 31))] {
            let g = geometry(kernel, output);
            let x = numbers(g.input_shape().iter().product(), 0.7);
            let y = numbers(g.output_shape().iter().product(), 1.3);
            if kernel == 3 {
                compare(&plain(&g, &x, &y));
            } else {
                compare(&phases(&g, &x, &y));
            }
        }
    }
}
