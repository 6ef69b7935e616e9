#![allow(unsafe_code, reason = "kernels are dispatched")]

use std::marker::PhantomData;
use std::ops::Range;

use super::channel_tiles::{Image, TransformChannels};
use super::grad_block::{Block, BySum, ByTile, Correlate};
use super::grad_filters::Finish;
use super::maps::{Map, Taps};
use super::tiles::Tiling;
use crate::conv::product::rows_of;
use crate::cpu::{Float, Output};
use crate::parallel::cut;
use crate::simd::Isa;

/// Channels of y, and of x in all phases of a task, that a task adds up.
const CHANNELS: usize = 64;

/// The gradient by filters: images, the maps of their tiles, and of the sums.
pub(super) struct Work<'a, T, Y, X, F> {
    isa: Isa,
    pub(super) lanes: usize,
    pub(super) tiling: Tiling,
    pub(super) y: Image<'a, T>,
    pub(super) x: Image<'a, T>,
    maps: PhantomData<(Y, X, F)>,
}

/// The filters of a task.
pub(super) struct Chunk {
    /// Panels of channels of y.
    pub(super) outputs: Range<usize>,
    /// Vertical phases and panels of channels of x.
    pub(super) phases: Range<usize>,
    pub(super) inputs: Range<usize>,
}

/// The sums of a chunk in one or more runs of tiles.
#[derive(Clone, Copy)]
pub(super) struct Parts<'a, T> {
    pub(super) sums: &'a [T],
    /// Values from a run to the next.
    pub(super) run: usize,
    /// Where those of each vertical phase begin.
    pub(super) starts: [usize; 2],
}

impl<'a, T: Float, Y: Map, X: Map, F: Taps> Work<'a, T, Y, X, F> {
    pub(super) fn new(tiling: Tiling, y: Image<'a, T>, x: Image<'a, T>) -> Self {
        let isa = Isa::current();
        Self { isa, lanes: isa.lanes::<T>(), tiling, y, x, maps: PhantomData }
    }

    /// Channels of a panel.
    pub(super) fn width(&self) -> usize {
        2 * self.lanes
    }

    /// Cuts the filters for tasks of `phases` vertical phases, those of the same filters side by side.
    pub(super) fn chunks(&self, phases: usize) -> Vec<Chunk> {
        let most = |channels: usize| (channels / self.width()).max(1);
        let outputs = cut(self.y.channels.div_ceil(self.width()), most(CHANNELS));
        let inputs = cut(self.x.channels.div_ceil(self.width()), most(CHANNELS / F::PHASES));
        let mut chunks = Vec::new();
        for (outputs, inputs) in
            outputs.iter().flat_map(|outputs| inputs.iter().map(move |inputs| (outputs, inputs)))
        {
            chunks.extend(cut(F::PHASES, phases).into_iter().map(|phases| Chunk {
                outputs: outputs.clone(),
                phases,
                inputs: inputs.clone(),
            }));
        }
        chunks
    }

    /// The layout of up to `tiles` tiles of y.
    pub(super) fn of_y(&self, tiles: usize, panels: usize) -> ByTile {
        ByTile { lanes: self.lanes, tiles, phases: 1, panels }
    }

    /// Likewise of x, for that many vertical phases.
    pub(super) fn of_x(&self, tiles: usize, vertical: usize, panels: usize) -> ByTile {
        ByTile { lanes: self.lanes, tiles, phases: vertical * F::PHASES, panels }
    }

    pub(super) fn sums(&self, chunk: &Chunk) -> BySum {
        let outputs = self.outputs(chunk).len().next_multiple_of(rows_of(self.lanes));
        let inputs = chunk.phases.len() * F::PHASES * self.phase(chunk);
        BySum { outputs, inputs }
    }

    /// Values of a phase in a row of the sums.
    pub(super) fn phase(&self, chunk: &Chunk) -> usize {
        chunk.inputs.len() * self.width()
    }

    /// The channels of y.
    pub(super) fn outputs(&self, chunk: &Chunk) -> Range<usize> {
        let end = chunk.outputs.end * self.width();
        chunk.outputs.start * self.width()..end.min(self.y.channels)
    }

    /// Transforms tiles of y for some panels of channels; `to` is where the first begins, these
    /// panels there are the caller's alone.
    pub(super) fn transform_y(
        &self,
        tiles: Range<usize>,
        panels: Range<usize>,
        layout: ByTile,
        to: *mut T,
    ) {
        self.transform::<Y>(self.y, tiles, (0..1, panels), layout, to);
    }

    /// Likewise for x, some of the vertical phases.
    pub(super) fn transform_x(
        &self,
        tiles: Range<usize>,
        phases: Range<usize>,
        panels: Range<usize>,
        layout: ByTile,
        to: *mut T,
    ) {
        self.transform::<X>(self.x, tiles, (phases, panels), layout, to);
    }

    fn transform<M: Map>(
        &self,
        image: Image<T>,
        tiles: Range<usize>,
        (phases, panels): (Range<usize>, Range<usize>),
        layout: ByTile,
        to: *mut T,
    ) {
        let (runs, map) = (self.tiling.runs(tiles), PhantomData::<M>);
        let runs = &runs;
        let kernel = TransformChannels { image, runs, phases, panels, layout, to, map };
        // SAFETY: `isa` is this processor's; `to` has room for the layout, by the caller's promise.
        unsafe { T::dispatch(self.isa, kernel) };
    }

    /// Adds the products of some blocks to `to`, or begins with them: panels of y from `first` on, and
    /// those of x.
    #[expect(clippy::too_many_arguments, reason = "an inner routine")]
    pub(super) fn correlate(
        &self,
        blocks: &[Block<T>],
        (outputs, inputs): (ByTile, ByTile),
        first: usize,
        panels: &[usize],
        sums: BySum,
        to: &mut [T],
        accumulate: bool,
    ) {
        let fits = |block: &Block<T>| {
            block.m.len() == outputs.len()
                && block.v.len() == inputs.len()
                && block.tiles <= outputs.tiles.min(inputs.tiles)
        };
        assert!(blocks.iter().all(fits) && to.len() == sums.len());
        let to = to.as_mut_ptr();
        let kernel = Correlate { blocks, outputs, inputs, first, panels, sums, to, accumulate };
        // SAFETY: as above; the panels lie within the layouts.
        unsafe { T::dispatch(self.isa, kernel) };
    }

    /// Transforms the sums of some rows of a chunk back to filters, which are the caller's alone.
    pub(super) fn finish(
        &self,
        chunk: &Chunk,
        rows: Range<usize>,
        parts: Parts<T>,
        accumulate: bool,
        out: &Output<T>,
    ) {
        let (sums, first) = (self.sums(chunk), chunk.outputs.start * self.width());
        let end = chunk.inputs.end * self.width();
        let kernel = Finish {
            ci: self.x.channels,
            outputs: first + rows.start..first + rows.end,
            inputs: chunk.inputs.start * self.width()..end.min(self.x.channels),
            sums,
            parts: parts.sums,
            run: parts.run,
            starts: parts.starts.map(|start| start + rows.start * sums.inputs),
            phase: self.phase(chunk),
            accumulate,
            out,
            taps: PhantomData::<F>,
        };
        // SAFETY: as above.
        unsafe { T::dispatch(self.isa, kernel) };
    }
}
