#![allow(unsafe_code, reason = "kernels are dispatched")]

use std::ops::Range;

use super::block::{Layout, TransformInput, TransformOutput};
use super::filters::{FilterLayout, Filters, TransformFilters};
use super::forward::forward;
use super::scheme::{Channels, Scheme};
use super::tiles::{Group, Tiling};
use crate::conv::epilogue::Epilogue;
use crate::conv::geometry::Geometry;
use crate::cpu::{Float, Output};
use crate::simd::Isa;

/// y from x, filters of 3 × 3 at stride 1.
pub(in crate::conv) fn convolve<T: Float>(
    g: &Geometry,
    x: &[T],
    filters: &Filters<T>,
    epilogue: Epilogue<T>,
) -> Vec<T> {
    // What the unchecked copies of the kernels rely on.
    assert_eq!(x.len(), g.input_shape().iter().product::<usize>());
    forward(&Plain { g, x, filters, epilogue, tiling: Tiling::of(g) })
}

/// F(4×4, 3×3).
struct Plain<'a, T> {
    g: &'a Geometry,
    x: &'a [T],
    filters: &'a Filters<'a, T>,
    epilogue: Epilogue<'a, T>,
    tiling: Tiling,
}

impl<T: Float> Scheme for Plain<'_, T> {
    type T = T;

    fn tiling(&self) -> &Tiling {
        &self.tiling
    }

    fn batch(&self) -> usize {
        self.g.batch
    }

    fn input(&self) -> Channels {
        Channels { count: self.g.ci, phases: 1, plane: self.g.input_plane() }
    }

    fn output(&self) -> Channels {
        Channels { count: self.g.co, phases: 1, plane: self.g.output_plane() }
    }

    fn transform_filters(
        &self,
        isa: Isa,
        blocks: Range<usize>,
        inputs: Range<usize>,
        layout: FilterLayout,
        to: &mut [T],
    ) {
        assert!(to.len() >= layout.len());
        let (filters, to) = (self.filters, to.as_mut_ptr());
        // SAFETY: `isa` is this processor's; `to` has room for the layout.
        unsafe { T::dispatch(isa, TransformFilters { filters, blocks, inputs, layout, to }) };
    }

    fn transform_input(
        &self,
        isa: Isa,
        groups: &[Group],
        channels: Range<usize>,
        layout: Layout,
        to: *mut T,
    ) {
        let (geometry, x) = (self.g, self.x);
        let kernel = TransformInput { geometry, groups, x, channels, layout, to };
        // SAFETY: as above, by the caller's promise.
        unsafe { T::dispatch(isa, kernel) };
    }

    fn transform_output(
        &self,
        isa: Isa,
        groups: &[Group],
        channels: Range<usize>,
        layout: Layout,
        m: &[T],
        out: &Output<T>,
    ) {
        assert!(m.len() >= layout.len());
        let (geometry, epilogue, m) = (self.g, self.epilogue, m.as_ptr());
        let kernel = TransformOutput { geometry, groups, epilogue, channels, layout, m, out };
        // SAFETY: as above; the tiles of these channels are the caller's.
        unsafe { T::dispatch(isa, kernel) };
    }
}
