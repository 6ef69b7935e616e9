#![allow(unsafe_code, reason = "tasks write disjoint, interleaved parts of the output")]

use std::ops::Range;

use rayon::prelude::*;

use super::block::{Layout, Multiply, TransformInput, TransformOutput};
use super::filters::{FilterLayout, Filters, TransformFilters};
use super::tiles::{Group, Tiling};
use crate::conv::direct::cut;
use crate::conv::epilogue::Epilogue;
use crate::conv::geometry::Geometry;
use crate::cpu::{Float, Output, with_scratch};
use crate::simd::Isa;

/// Output channels of a task's products.
const CHANNELS: usize = 64;

/// Tasks wanted at least: where there are fewer blocks of tiles, channels are cut too.
const TASKS: usize = 8;

/// Input channels from which on filters are transformed where they are used, some at a time: all of
/// them would be written to and read from memory.
const MANY: usize = 512;

/// Input channels whose filters are transformed at a time then.
const INPUTS: usize = 64;

/// Bytes of transformed tiles that are kept at a time then.
const TRANSFORMED: usize = 48 << 20;

/// y from x, filters of 3 × 3 at stride 1.
pub(in crate::conv) fn forward<T: Float>(
    g: &Geometry,
    x: &[T],
    filters: &Filters<T>,
    epilogue: Epilogue<T>,
) -> Vec<T> {
    // What the unchecked copies of the kernels rely on.
    assert_eq!(x.len(), g.input_shape().iter().product::<usize>());
    let isa = Isa::current();
    let lanes = isa.lanes::<T>();
    let tiling = Tiling::of(g);
    // With many channels, more tiles share the filters on their way from memory.
    let panels = if g.ci >= 128 && tiling.count > 2 * lanes { 2 } else { 1 };
    let input = Layout { lanes, panels, channels: g.ci };
    let work = Work { g, x, filters, epilogue, isa, tiling, input };
    let fill = |out: &Output<T>| {
        if g.ci >= MANY || work.blocks() < TASKS {
            work.in_phases(out);
        } else {
            work.block_by_block(out);
        }
    };
    // SAFETY: the blocks cover all tiles, and the chunks all channels.
    unsafe { Output::collect(g.output_shape().iter().product(), fill) }
}

struct Work<'a, T> {
    g: &'a Geometry,
    x: &'a [T],
    filters: &'a Filters<'a, T>,
    epilogue: Epilogue<'a, T>,
    isa: Isa,
    tiling: Tiling,
    /// The layout of a block of transformed tiles; the last block may have fewer panels.
    input: Layout,
}

impl<T: Float> Work<'_, T> {
    fn blocks(&self) -> usize {
        self.tiling.count.div_ceil(self.input.tiles())
    }

    /// The layout of a block, without panels that would be empty.
    fn layout(&self, block: usize) -> Layout {
        let rest = self.tiling.count - block * self.input.tiles();
        let panels = self.input.panels.min(rest.div_ceil(2 * self.input.lanes));
        Layout { panels, ..self.input }
    }

    /// The groups of tiles of a block.
    fn groups(&self, block: usize) -> Vec<Group> {
        let Layout { lanes, panels, .. } = self.layout(block);
        self.tiling.groups(self.g, block * self.input.tiles(), lanes, 2 * panels)
    }

    /// The output channels in blocks of as many as a vector has lanes, cut for the tasks.
    fn chunks(&self) -> Vec<Range<usize>> {
        cut(self.g.co.div_ceil(self.input.lanes), CHANNELS / self.input.lanes)
    }

    /// The layout of the products for some blocks of output channels.
    fn output(&self, block: usize, chunk: &Range<usize>) -> Layout {
        Layout { channels: chunk.len() * self.input.lanes, ..self.layout(block) }
    }

    /// Values of the greatest such layout.
    fn products(&self) -> usize {
        Layout { channels: CHANNELS, ..self.input }.len()
    }

    /// A task is a block of tiles, which stay in the cache. All filters are transformed before.
    fn block_by_block(&self, out: &Output<T>) {
        let (lanes, inputs) = (self.input.lanes, 0..self.g.ci);
        let chunks = self.chunks();
        let layout = |chunk: &Range<usize>| FilterLayout {
            lanes,
            blocks: chunk.len(),
            inputs: inputs.len(),
        };
        let len: usize = chunks.iter().map(|c| layout(c).len()).max().unwrap_or(0);
        with_scratch(len * chunks.len(), |u: &mut [T]| {
            u.par_chunks_exact_mut(len).zip(&chunks).for_each(|(u, chunk)| {
                self.transform_filters(chunk, &inputs, layout(chunk), u);
            });
            let u = &*u;
            (0..self.blocks()).into_par_iter().with_max_len(1).for_each(|block| {
                with_scratch(self.input.len() + self.products(), |scratch| {
                    let (v, m) = scratch.split_at_mut(self.input.len());
                    self.transform_input(block, 0..self.g.ci, v.as_mut_ptr());
                    for (chunk, u) in chunks.iter().zip(u.chunks_exact(len)) {
                        self.multiply(layout(chunk), u, (block, v), &inputs, chunk, m);
                        self.transform_output(block, chunk, m, out);
                    }
                });
            });
        });
    }

    /// All tiles are transformed before (or as many as memory is granted for); a task is a block and
    /// some of the output channels, whose filters it transforms itself.
    fn in_phases(&self, out: &Output<T>) {
        let (lanes, len) = (self.input.lanes, self.input.len());
        let (chunks, parts) = (self.chunks(), cut(self.g.ci, INPUTS));
        let widest = FilterLayout { lanes, blocks: CHANNELS / lanes, inputs: INPUTS }.len();
        let together = (TRANSFORMED / size_of::<T>() / len).max(1);
        for set in cut(self.blocks(), together) {
            with_scratch(set.len() * len, |transformed: &mut [T]| {
                self.transform_inputs(&set, transformed);
                let transformed = &*transformed;
                let tasks = set.len() * chunks.len();
                (0..tasks).into_par_iter().with_max_len(1).for_each(|task| {
                    let (chunk, n) = (&chunks[task / set.len()], task % set.len());
                    let v = &transformed[n * len..][..len];
                    with_scratch(widest + self.products(), |scratch| {
                        let (u, m) = scratch.split_at_mut(widest);
                        for inputs in &parts {
                            let layout =
                                FilterLayout { lanes, blocks: chunk.len(), inputs: inputs.len() };
                            self.transform_filters(chunk, inputs, layout, u);
                            self.multiply(layout, u, (set.start + n, v), inputs, chunk, m);
                        }
                        self.transform_output(set.start + n, chunk, m, out);
                    });
                });
            });
        }
    }

    fn transform_filters(
        &self,
        chunk: &Range<usize>,
        inputs: &Range<usize>,
        layout: FilterLayout,
        to: &mut [T],
    ) {
        assert!(to.len() >= layout.len());
        let (filters, blocks, inputs) = (self.filters, chunk.clone(), inputs.clone());
        let kernel = TransformFilters { filters, blocks, inputs, layout, to: to.as_mut_ptr() };
        // SAFETY: `isa` is this processor's; `to` has room for the layout.
        unsafe { T::dispatch(self.isa, kernel) };
    }

    /// The tiles of some blocks, one after the other in `to`.
    fn transform_inputs(&self, set: &Range<usize>, to: &mut [T]) {
        let len = self.input.len();
        assert_eq!(to.len(), set.len() * len);
        let parts = cut(self.g.ci, self.g.ci.div_ceil(TASKS.div_ceil(set.len())));
        let to = Output::of(to);
        (0..set.len() * parts.len()).into_par_iter().with_max_len(1).for_each(|task| {
            let (n, part) = (task / parts.len(), &parts[task % parts.len()]);
            self.transform_input(set.start + n, part.clone(), to.at(n * len, len));
        });
    }

    /// Some channels of the tiles of a block; `to` is where the block begins.
    fn transform_input(&self, block: usize, channels: Range<usize>, to: *mut T) {
        let (geometry, groups) = (self.g, &self.groups(block));
        let (x, layout) = (self.x, self.layout(block));
        let kernel = TransformInput { geometry, groups, x, channels, layout, to };
        // SAFETY: as above; these channels of the block are this task's.
        unsafe { T::dispatch(self.isa, kernel) };
    }

    fn multiply(
        &self,
        filters: FilterLayout,
        u: &[T],
        (block, v): (usize, &[T]),
        inputs: &Range<usize>,
        chunk: &Range<usize>,
        m: &mut [T],
    ) {
        let (input, output) = (self.layout(block), self.output(block, chunk));
        let inputs = inputs.clone();
        assert!(u.len() >= filters.len() && v.len() >= input.len() && m.len() >= output.len());
        let (u, v, m) = (u.as_ptr(), v.as_ptr(), m.as_mut_ptr());
        let kernel = Multiply { filters, u, input, v, inputs, output, m };
        // SAFETY: as above.
        unsafe { T::dispatch(self.isa, kernel) };
    }

    fn transform_output(&self, block: usize, chunk: &Range<usize>, m: &[T], out: &Output<T>) {
        let layout = self.output(block, chunk);
        assert!(m.len() >= layout.len());
        let lanes = self.input.lanes;
        let kernel = TransformOutput {
            geometry: self.g,
            groups: &self.groups(block),
            epilogue: self.epilogue,
            channels: chunk.start * lanes..(chunk.end * lanes).min(self.g.co),
            layout,
            m: m.as_ptr(),
            out,
        };
        // SAFETY: as above; the block's tiles of these channels are this task's.
        unsafe { T::dispatch(self.isa, kernel) };
    }
}
