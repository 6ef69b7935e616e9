#![allow(unsafe_code, reason = "tasks write disjoint, interleaved parts of the output")]

use std::ops::Range;

use rayon::prelude::*;

use super::block::{Layout, Multiply};
use super::filters::FilterLayout;
use super::scheme::{Channels, FilterPart, Plan, Scheme, TilePart};
use super::tiles::Group;
use crate::cpu::{Float, Output, with_scratch};
use crate::parallel::cut;
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

/// What a scheme computes: transforms, products, transforms.
pub(super) fn forward<T: Float>(scheme: &impl Scheme<T = T>) -> Vec<T> {
    let plan = scheme.plan();
    let &Plan { batch, tiling, input, output } = plan;
    let isa = Isa::current();
    let lanes = isa.lanes::<T>();
    let channels = input.count * input.phases;
    // With many channels, more tiles share the filters on their way from memory.
    let panels = if channels >= 128 && tiling.count > 2 * lanes { 2 } else { 1 };
    let work = Work { scheme, plan, isa, input: Layout { lanes, panels, channels } };
    let fill = |out: &Output<T>| {
        if channels >= MANY || work.blocks() < TASKS {
            work.tiles_first(out);
        } else {
            work.block_by_block(out);
        }
    };
    // SAFETY: the blocks cover all tiles, and the chunks all channels.
    unsafe { Output::collect(batch * output.count * output.plane, fill) }
}

struct Work<'a, S> {
    scheme: &'a S,
    plan: &'a Plan,
    isa: Isa,
    /// The layout of a block of transformed tiles; the last block may have fewer panels.
    input: Layout,
}

impl<S: Scheme> Work<'_, S> {
    fn blocks(&self) -> usize {
        self.plan.tiling.count.div_ceil(self.input.tiles())
    }

    /// The layout of a block, without panels that would be empty.
    fn layout(&self, block: usize) -> Layout {
        let rest = self.plan.tiling.count - block * self.input.tiles();
        let panels = self.input.panels.min(rest.div_ceil(2 * self.input.lanes));
        Layout { panels, ..self.input }
    }

    /// The groups of tiles of a block.
    fn groups(&self, block: usize) -> Vec<Group> {
        let Layout { lanes, panels, .. } = self.layout(block);
        self.plan.tiling.groups(block * self.input.tiles(), lanes, 2 * panels)
    }

    /// The transformed output channels in blocks of as many as a vector has lanes, cut for the tasks.
    fn chunks(&self) -> Vec<Range<usize>> {
        let (lanes, Channels { count, phases, .. }) = (self.input.lanes, self.plan.output);
        let chunks = cut(count.div_ceil(lanes), CHANNELS / lanes / phases);
        chunks.into_iter().map(|c| c.start * phases..c.end * phases).collect()
    }

    /// Filters of some blocks of output channels and some input channels.
    fn filters(&self, chunk: &Range<usize>, inputs: &Range<usize>) -> FilterPart {
        let layout =
            FilterLayout { lanes: self.input.lanes, blocks: chunk.len(), inputs: inputs.len() };
        FilterPart { isa: self.isa, blocks: chunk.clone(), inputs: inputs.clone(), layout }
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
    fn block_by_block(&self, out: &Output<S::T>) {
        let (lanes, inputs) = (self.input.lanes, 0..self.input.channels);
        let chunks = self.chunks();
        let widest = chunks.iter().map(Range::len).max().unwrap_or(0);
        let len = FilterLayout { lanes, blocks: widest, inputs: inputs.len() }.len();
        with_scratch(len * chunks.len(), |u: &mut [S::T]| {
            u.par_chunks_exact_mut(len).zip(&chunks).for_each(|(u, chunk)| {
                self.scheme.transform_filters(self.filters(chunk, &inputs), u);
            });
            let u = &*u;
            (0..self.blocks()).into_par_iter().with_max_len(1).for_each(|block| {
                with_scratch(self.input.len() + self.products(), |scratch| {
                    let (v, m) = scratch.split_at_mut(self.input.len());
                    self.transform_input(block, 0..self.plan.input.count, v.as_mut_ptr());
                    for (chunk, u) in chunks.iter().zip(u.chunks_exact(len)) {
                        self.multiply(self.filters(chunk, &inputs), u, (block, v), m);
                        self.transform_output(block, chunk, m, out);
                    }
                });
            });
        });
    }

    /// All tiles are transformed before (or as many as memory is granted for); a task is a block and
    /// some of the output channels, whose filters it transforms itself.
    fn tiles_first(&self, out: &Output<S::T>) {
        let (lanes, len) = (self.input.lanes, self.input.len());
        let (chunks, parts) = (self.chunks(), cut(self.input.channels, INPUTS));
        let widest = FilterLayout { lanes, blocks: CHANNELS / lanes, inputs: INPUTS }.len();
        let together = (TRANSFORMED / size_of::<S::T>() / len).max(1);
        for set in cut(self.blocks(), together) {
            with_scratch(set.len() * len, |transformed: &mut [S::T]| {
                self.transform_inputs(&set, transformed);
                let transformed = &*transformed;
                let tasks = set.len() * chunks.len();
                (0..tasks).into_par_iter().with_max_len(1).for_each(|task| {
                    let (chunk, n) = (&chunks[task / set.len()], task % set.len());
                    let v = &transformed[n * len..][..len];
                    with_scratch(widest + self.products(), |scratch| {
                        let (u, m) = scratch.split_at_mut(widest);
                        for inputs in &parts {
                            self.scheme.transform_filters(self.filters(chunk, inputs), u);
                            self.multiply(self.filters(chunk, inputs), u, (set.start + n, v), m);
                        }
                        self.transform_output(set.start + n, chunk, m, out);
                    });
                });
            });
        }
    }

    /// The tiles of some blocks, one after the other in `to`.
    fn transform_inputs(&self, set: &Range<usize>, to: &mut [S::T]) {
        let len = self.input.len();
        assert_eq!(to.len(), set.len() * len);
        let channels = self.plan.input.count;
        let parts = cut(channels, channels.div_ceil(TASKS.div_ceil(set.len())));
        let to = Output::of(to);
        (0..set.len() * parts.len()).into_par_iter().with_max_len(1).for_each(|task| {
            let (n, part) = (task / parts.len(), &parts[task % parts.len()]);
            self.transform_input(set.start + n, part.clone(), to.at(n * len, len));
        });
    }

    /// Some channels of the tiles of a block; `to` is where the block begins.
    fn transform_input(&self, block: usize, channels: Range<usize>, to: *mut S::T) {
        let (isa, groups, layout) = (self.isa, &self.groups(block), self.layout(block));
        self.scheme.transform_input(TilePart { isa, groups, channels, layout }, to);
    }

    fn multiply(
        &self,
        filters: FilterPart,
        u: &[S::T],
        (block, v): (usize, &[S::T]),
        m: &mut [S::T],
    ) {
        let (input, output) = (self.layout(block), self.output(block, &filters.blocks));
        let (inputs, filters) = (filters.inputs, filters.layout);
        assert!(u.len() >= filters.len() && v.len() >= input.len() && m.len() >= output.len());
        let (u, v, m) = (u.as_ptr(), v.as_ptr(), m.as_mut_ptr());
        let kernel = Multiply { filters, u, input, v, inputs, output, m };
        // SAFETY: `isa` is this processor's; there is room for the layouts.
        unsafe { S::T::dispatch(self.isa, kernel) };
    }

    fn transform_output(&self, block: usize, chunk: &Range<usize>, m: &[S::T], out: &Output<S::T>) {
        let (lanes, Channels { count, phases, .. }) = (self.input.lanes, self.plan.output);
        let channels = chunk.start / phases * lanes..(chunk.end / phases * lanes).min(count);
        let (isa, groups, layout) = (self.isa, &self.groups(block), self.output(block, chunk));
        self.scheme.transform_output(TilePart { isa, groups, channels, layout }, m, out);
    }
}
