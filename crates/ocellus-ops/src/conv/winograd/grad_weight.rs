#![allow(unsafe_code, reason = "tasks write disjoint, interleaved parts of the output")]

use std::ops::Range;

use rayon::prelude::*;

use super::grad_block::{
    ByChannel, BySum, ByTile, Correlate, Finish, TransformGradient, TransposeInput,
};
use super::tiles::Tiling;
use crate::conv::direct::cut;
use crate::conv::geometry::Geometry;
use crate::conv::product::rows_of;
use crate::cpu::{Float, Output, with_scratch};
use crate::simd::Isa;

/// Sums of the transformed filters up to this many bytes are kept by each run of tiles.
const PRIVATE: usize = 3 << 20;

/// Runs of tiles with sums of their own: how many threads can work, whatever their number is.
const RUNS: usize = 16;

/// Bytes of transformed tiles that are kept at a time where tasks are cut by channels.
const TRANSFORMED: usize = 48 << 20;

/// Groups of tiles of a block.
const GROUPS: usize = 4;

/// Output and input channels of a task where tasks are cut by channels.
const CHANNELS: usize = 64;

/// The gradient by filters of 3 × 3 at stride 1, `(co, ci, 3, 3)`, from x and the gradient by y.
///
/// ```text
/// dg = Gᵀ [Σ (A dy Aᵀ) ⊙ (Bᵀ d B)] G, summed over all tiles
/// ```
pub(in crate::conv) fn grad_weight<T: Float>(g: &Geometry, x: &[T], grad: &[T]) -> Vec<T> {
    // What the unchecked copies of the kernels rely on.
    assert_eq!(x.len(), g.input_shape().iter().product::<usize>());
    assert_eq!(grad.len(), g.output_shape().iter().product::<usize>());
    let work = Work::new(g, x, grad);
    if work.sums().len() * size_of::<T>() <= PRIVATE { work.by_runs() } else { work.by_channels() }
}

struct Work<'a, T> {
    g: &'a Geometry,
    x: &'a [T],
    grad: &'a [T],
    isa: Isa,
    lanes: usize,
    tiling: Tiling,
    input: ByTile,
    gradient: ByChannel,
}

impl<'a, T: Float> Work<'a, T> {
    fn new(g: &'a Geometry, x: &'a [T], grad: &'a [T]) -> Self {
        let isa = Isa::current();
        let lanes = isa.lanes::<T>();
        let tiles = GROUPS * lanes;
        let input = ByTile { lanes, tiles, panels: g.ci.div_ceil(2 * lanes) };
        let gradient = ByChannel { tiles, channels: g.co.next_multiple_of(rows_of(lanes)) };
        Self { g, x, grad, isa, lanes, tiling: Tiling::of(g), input, gradient }
    }

    fn blocks(&self) -> usize {
        self.tiling.count.div_ceil(self.input.tiles)
    }

    fn rows(&self) -> usize {
        rows_of(self.lanes)
    }

    fn sums(&self) -> BySum {
        BySum { outputs: self.gradient.channels, inputs: self.input.panels * 2 * self.lanes }
    }

    /// Transforms block `block` of the tiles, for some panels of input channels.
    fn transform_input(&self, block: usize, panels: Range<usize>, to: &mut [T]) {
        assert_eq!(to.len(), self.input.len());
        let groups = self.tiling.groups(block * self.input.tiles, self.lanes, GROUPS);
        let (geometry, x, layout) = (self.g, self.x, self.input);
        let to = to.as_mut_ptr();
        // SAFETY: `isa` is this processor's; `to` has room for the layout.
        unsafe {
            let kernel = TransposeInput { geometry, groups: &groups, x, panels, layout, to };
            T::dispatch(self.isa, kernel);
        }
    }

    /// Likewise for the gradient by y.
    fn transform_gradient(&self, block: usize, to: &mut [T]) {
        assert_eq!(to.len(), self.gradient.len());
        let groups = self.tiling.groups(block * self.input.tiles, self.lanes, GROUPS);
        let (geometry, grad, layout) = (self.g, self.grad, self.gradient);
        let (channels, to) = (0..layout.channels, to.as_mut_ptr());
        // SAFETY: as above.
        unsafe {
            let kernel =
                TransformGradient { geometry, groups: &groups, grad, channels, layout, to };
            T::dispatch(self.isa, kernel);
        }
    }

    /// Adds the products of a block to `sums`, or begins them.
    #[expect(clippy::too_many_arguments, reason = "an inner routine")]
    fn correlate(
        &self,
        m: &[T],
        v: &[T],
        outputs: Range<usize>,
        inputs: Range<usize>,
        sums: BySum,
        to: &mut [T],
        accumulate: bool,
    ) {
        assert!(m.len() == self.gradient.len() && v.len() == self.input.len());
        assert_eq!(to.len(), sums.len());
        let kernel = Correlate {
            outputs,
            inputs,
            gradient: self.gradient,
            m: m.as_ptr(),
            input: self.input,
            v: v.as_ptr(),
            sums,
            to: to.as_mut_ptr(),
            accumulate,
        };
        // SAFETY: as above; the ranges lie within the layouts.
        unsafe { T::dispatch(self.isa, kernel) };
    }

    /// Each run of tiles adds up all filters; the runs are added at the end.
    fn by_runs(&self) -> Vec<T> {
        let sums = self.sums();
        let runs = cut(self.blocks(), self.blocks().div_ceil(RUNS));
        let mut parts = vec![T::zero(); runs.len() * sums.len()];
        let (outputs, inputs) = (0..sums.outputs / self.rows(), 0..self.input.panels);
        runs.par_iter().zip(parts.par_chunks_exact_mut(sums.len())).with_max_len(1).for_each(
            |(run, part)| {
                with_scratch(self.input.len() + self.gradient.len(), |scratch| {
                    let (v, m) = scratch.split_at_mut(self.input.len());
                    for block in run.clone() {
                        self.transform_input(block, inputs.clone(), v);
                        self.transform_gradient(block, m);
                        let (o, i) = (outputs.clone(), inputs.clone());
                        self.correlate(m, v, o, i, sums, part, block > run.start);
                    }
                });
            },
        );
        let fill = |out: &Output<T>| {
            cut(self.g.co, 8).into_par_iter().for_each(|rows| {
                self.finish(rows, 0..self.g.ci, sums, (0, 0), &parts, false, out);
            });
        };
        // SAFETY: all filters are written.
        unsafe { Output::collect(self.g.co * self.g.depth(), fill) }
    }

    /// Some tiles are transformed; then each task adds them up for some of the filters.
    fn by_channels(&self) -> Vec<T> {
        let (v_len, m_len) = (self.input.len(), self.gradient.len());
        let block_len = v_len + m_len;
        let outputs = cut(self.gradient.channels / self.rows(), CHANNELS / self.rows());
        let inputs = cut(self.input.panels, CHANNELS / (2 * self.lanes));
        let tasks: Vec<_> =
            outputs.iter().flat_map(|o| inputs.iter().map(move |i| (o, i))).collect();
        let together = (TRANSFORMED / size_of::<T>() / block_len).max(1);
        let fill = |out: &Output<T>| {
            for set in cut(self.blocks(), together) {
                with_scratch(set.len() * block_len, |scratch: &mut [T]| {
                    let blocks = scratch.par_chunks_exact_mut(block_len).zip(set.clone());
                    blocks.with_max_len(1).for_each(|(both, block)| {
                        let (v, m) = both.split_at_mut(v_len);
                        self.transform_input(block, 0..self.input.panels, v);
                        self.transform_gradient(block, m);
                    });
                    let blocks = &*scratch;
                    tasks.par_iter().with_max_len(1).for_each(|&(o, i)| {
                        self.add_up(blocks, o, i, set.start > 0, out);
                    });
                });
            }
        };
        // SAFETY: all filters are written.
        unsafe { Output::collect(self.g.co * self.g.depth(), fill) }
    }

    /// Adds up transformed blocks for some of the filters, and transforms the sums back.
    fn add_up(
        &self,
        blocks: &[T],
        outputs: &Range<usize>,
        inputs: &Range<usize>,
        accumulate: bool,
        out: &Output<T>,
    ) {
        let (rows, columns) = (self.rows(), 2 * self.lanes);
        let sums = BySum { outputs: outputs.len() * rows, inputs: inputs.len() * columns };
        with_scratch(sums.len(), |part| {
            let block_len = self.input.len() + self.gradient.len();
            for (n, both) in blocks.chunks_exact(block_len).enumerate() {
                let (v, m) = both.split_at(self.input.len());
                self.correlate(m, v, outputs.clone(), inputs.clone(), sums, part, n > 0);
            }
            let first = (outputs.start * rows, inputs.start * columns);
            let o = first.0..(outputs.end * rows).min(self.g.co);
            let i = first.1..(inputs.end * columns).min(self.g.ci);
            self.finish(o, i, sums, first, part, accumulate, out);
        });
    }

    /// Transforms sums back to filters.
    #[expect(clippy::too_many_arguments, reason = "an inner routine")]
    fn finish(
        &self,
        outputs: Range<usize>,
        inputs: Range<usize>,
        sums: BySum,
        first: (usize, usize),
        parts: &[T],
        accumulate: bool,
        out: &Output<T>,
    ) {
        let geometry = self.g;
        let kernel = Finish { geometry, outputs, inputs, sums, parts, first, accumulate, out };
        // SAFETY: as above; these filters are the caller's.
        unsafe { T::dispatch(self.isa, kernel) };
    }
}
