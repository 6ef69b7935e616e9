#![allow(unsafe_code, reason = "kernels are dispatched")]

use super::block::{TransformInput, TransformOutput};
use super::filters::{Filters, TransformFilters};
use super::forward::forward;
use super::scheme::{Channels, FilterPart, Plan, Scheme, TilePart};
use super::tiles::Tiling;
use crate::conv::epilogue::Epilogue;
use crate::conv::geometry::Geometry;
use crate::cpu::{Float, Output};

/// y from x, filters of 3 × 3 at stride 1.
pub(in crate::conv) fn convolve<T: Float>(
    g: &Geometry,
    x: &[T],
    filters: &Filters<T>,
    epilogue: Epilogue<T>,
) -> Vec<T> {
    // What the unchecked copies of the kernels rely on.
    assert_eq!(x.len(), g.input_shape().iter().product::<usize>());
    let plan = Plan {
        batch: g.batch,
        tiling: Tiling::of(g),
        input: Channels { count: g.ci, phases: 1, plane: g.input_plane() },
        output: Channels { count: g.co, phases: 1, plane: g.output_plane() },
    };
    forward(&Plain { plan, x, filters, epilogue })
}

/// F(4×4, 3×3).
struct Plain<'a, T> {
    plan: Plan,
    x: &'a [T],
    filters: &'a Filters<'a, T>,
    epilogue: Epilogue<'a, T>,
}

impl<T: Float> Scheme for Plain<'_, T> {
    type T = T;

    fn plan(&self) -> &Plan {
        &self.plan
    }

    fn transform_filters(&self, part: FilterPart, to: &mut [T]) {
        assert!(to.len() >= part.layout.len());
        let FilterPart { isa, blocks, inputs, layout } = part;
        let (filters, to) = (self.filters, to.as_mut_ptr());
        // SAFETY: `isa` is this processor's; `to` has room for the layout.
        unsafe { T::dispatch(isa, TransformFilters { filters, blocks, inputs, layout, to }) };
    }

    fn transform_input(&self, part: TilePart, to: *mut T) {
        let TilePart { isa, groups, channels, layout } = part;
        let (plane, x) = (self.plan.input.plane, self.x);
        let kernel = TransformInput { plane, groups, x, channels, layout, to };
        // SAFETY: as above, by the caller's promise.
        unsafe { T::dispatch(isa, kernel) };
    }

    fn transform_output(&self, part: TilePart, m: &[T], out: &Output<T>) {
        let TilePart { isa, groups, channels, layout } = part;
        assert!(m.len() >= layout.len());
        let (plane, epilogue, m) = (self.plan.output.plane, self.epilogue, m.as_ptr());
        let kernel = TransformOutput { plane, groups, epilogue, channels, layout, m, out };
        // SAFETY: as above; the tiles of these channels are the caller's.
        unsafe { T::dispatch(isa, kernel) };
    }
}
