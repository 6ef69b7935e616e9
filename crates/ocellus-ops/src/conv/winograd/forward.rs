#![allow(unsafe_code, reason = "tasks write disjoint, interleaved parts of the output")]

use std::ops::Range;

use rayon::prelude::*;

use super::block::{Layout, Multiply, TransformInput, TransformOutput};
use super::filters::{Filters, Transformed};
use super::tiles::{Group, Tiling};
use crate::conv::direct::cut;
use crate::conv::geometry::Geometry;
use crate::cpu::{Float, Output, with_scratch};
use crate::simd::Isa;

/// Output channels of a task's products.
const CHANNELS: usize = 64;

/// Input channels from which on tiles are transformed once for all tasks: with fewer, a task
/// transforms its own, which then stay in its cache.
const MANY: usize = 512;

/// Bytes of transformed tiles that are kept at a time then.
const TRANSFORMED: usize = 48 << 20;

/// y from x, filters of 3 × 3 at stride 1.
pub(in crate::conv) fn forward<T: Float>(
    g: &Geometry,
    x: &[T],
    filters: &Filters<T>,
    bias: Option<&[T]>,
) -> Vec<T> {
    let isa = Isa::current();
    let lanes = isa.lanes::<T>();
    let filters = Transformed::new(isa, filters);
    let panels = if g.ci >= MANY { 2 } else { 1 };
    let input = Layout { lanes, panels, channels: g.ci };
    let work = Work { g, x, bias, isa, filters, tiling: Tiling::of(g), input };
    let fill = |out: &Output<T>| {
        if g.ci >= MANY { work.in_phases(out) } else { work.block_by_block(out) }
    };
    // SAFETY: the blocks cover all tiles, and the chunks all channels.
    unsafe { Output::collect(g.output_shape().iter().product(), fill) }
}

struct Work<'a, T> {
    g: &'a Geometry,
    x: &'a [T],
    bias: Option<&'a [T]>,
    isa: Isa,
    filters: Transformed<T>,
    tiling: Tiling,
    /// The layout of a block of transformed tiles.
    input: Layout,
}

impl<T: Float> Work<'_, T> {
    fn blocks(&self) -> usize {
        self.tiling.count.div_ceil(self.input.tiles())
    }

    /// The groups of tiles of a block.
    fn groups(&self, block: usize) -> Vec<Group> {
        let Layout { lanes, panels, .. } = self.input;
        self.tiling.groups(self.g, block * self.input.tiles(), lanes, 2 * panels)
    }

    /// The output channels, cut at multiples of the lanes.
    fn chunks(&self) -> Vec<Range<usize>> {
        let lanes = self.input.lanes;
        cut(self.g.co.div_ceil(lanes), CHANNELS / lanes)
            .into_iter()
            .map(|c| c.start * lanes..(c.end * lanes).min(self.g.co))
            .collect()
    }

    /// The layout of the products for some output channels.
    fn output(&self, channels: usize) -> Layout {
        Layout { channels: channels.next_multiple_of(self.input.lanes), ..self.input }
    }

    /// A task is a block of tiles.
    fn block_by_block(&self, out: &Output<T>) {
        let chunks = self.chunks();
        let products = self.output(CHANNELS).len();
        (0..self.blocks()).into_par_iter().with_max_len(1).for_each(|block| {
            with_scratch(self.input.len() + products, |scratch| {
                let (v, m) = scratch.split_at_mut(self.input.len());
                self.transform(block, v);
                for channels in &chunks {
                    self.multiply(block, v, channels, m, out);
                }
            });
        });
    }

    /// All tiles are transformed (or as many as memory is granted for); then a task is a block and
    /// some of the output channels.
    fn in_phases(&self, out: &Output<T>) {
        let chunks = self.chunks();
        let products = self.output(CHANNELS).len();
        let len = self.input.len();
        let together = (TRANSFORMED / size_of::<T>() / len).max(1);
        for set in cut(self.blocks(), together) {
            with_scratch(set.len() * len, |transformed: &mut [T]| {
                transformed
                    .par_chunks_exact_mut(len)
                    .zip(set.clone())
                    .with_max_len(1)
                    .for_each(|(v, block)| self.transform(block, v));
                let transformed = &*transformed;
                let tasks = set.len() * chunks.len();
                (0..tasks).into_par_iter().with_max_len(1).for_each(|task| {
                    let (channels, n) = (&chunks[task / set.len()], task % set.len());
                    let v = &transformed[n * len..][..len];
                    with_scratch(products, |m| {
                        self.multiply(set.start + n, v, channels, m, out);
                    });
                });
            });
        }
    }

    /// Transforms the tiles of a block.
    fn transform(&self, block: usize, to: &mut [T]) {
        assert_eq!(to.len(), self.input.len());
        let groups = &self.groups(block);
        let (geometry, x, layout, to) = (self.g, self.x, self.input, to.as_mut_ptr());
        let kernel = TransformInput { geometry, groups, x, layout, to };
        // SAFETY: `isa` is this processor's; `to` has room for the layout.
        unsafe { T::dispatch(self.isa, kernel) };
    }

    /// Multiplies a block with the filters of some channels and transforms the products back.
    fn multiply(
        &self,
        block: usize,
        v: &[T],
        channels: &Range<usize>,
        m: &mut [T],
        out: &Output<T>,
    ) {
        let layout = self.output(channels.len());
        assert!(v.len() == self.input.len() && m.len() >= layout.len());
        let multiply = Multiply {
            filters: &self.filters,
            channels: channels.clone(),
            input: self.input,
            v: v.as_ptr(),
            output: layout,
            m: m.as_mut_ptr(),
        };
        // SAFETY: `isa` is this processor's; `m` has room for the layout.
        unsafe { T::dispatch(self.isa, multiply) };
        let output = TransformOutput {
            geometry: self.g,
            groups: &self.groups(block),
            bias: self.bias,
            channels: channels.clone(),
            layout,
            m: m.as_ptr(),
            out,
        };
        // SAFETY: as above; the block's tiles of these channels are this task's.
        unsafe { T::dispatch(self.isa, output) };
    }
}
