#![allow(unsafe_code, reason = "kernels are dispatched")]
//! 4 × 4 convolutions at stride 2, and their transposes, by F(5×5, 2×2): each pixel of the larger
//! image belongs to one of four phases, the residues of its row and column modulo 2, and each phase
//! is a convolution of 2 × 2 at stride 1: 36 products for 25 values instead of 100.
//!
//! ```text
//! y[t]             = Σ over phases: w[phase] x[2 t + phase] + w[phase + 2] x[2 (t + 1) + phase]
//! x[2 t + phase]   = w[phase + 2] y[t − 1] + w[phase] y[t]                      (x with its padding)
//! ```
//!
//! along a side. In the first the products of four transformed phases add up; in the second one
//! transformed tile gives all four phases.

use super::forward::forward;
use super::phase_block::{TransformPhaseFilters, TransformPhaseOutput, TransformPhases};
use super::scheme::{Channels, FilterPart, Plan, Scheme, TilePart};
use super::tiles::Tiling;
use crate::conv::epilogue::Epilogue;
use crate::conv::geometry::Geometry;
use crate::cpu::{Float, Output};

/// y from x.
pub(in crate::conv) fn strided<T: Float>(
    g: &Geometry,
    x: &[T],
    weight: &[T],
    epilogue: Epilogue<T>,
) -> Vec<T> {
    assert_eq!(x.len(), g.input_shape().iter().product::<usize>());
    let input = Channels { count: g.ci, phases: 4, plane: g.input_plane() };
    let output = Channels { count: g.co, phases: 1, plane: g.output_plane() };
    let plan = Plan { batch: g.batch, tiling: Tiling::strided(g), input, output };
    run(Phases { plan, x, weight, strides: [16 * g.ci, 16], epilogue })
}

/// x from y.
pub(in crate::conv) fn transposed<T: Float>(
    g: &Geometry,
    y: &[T],
    weight: &[T],
    epilogue: Epilogue<T>,
) -> Vec<T> {
    assert_eq!(y.len(), g.output_shape().iter().product::<usize>());
    let input = Channels { count: g.co, phases: 1, plane: g.output_plane() };
    let output = Channels { count: g.ci, phases: 4, plane: g.input_plane() };
    let plan = Plan { batch: g.batch, tiling: Tiling::transposed(g), input, output };
    run(Phases { plan, x: y, weight, strides: [16, 16 * g.ci], epilogue })
}

fn run<T: Float>(phases: Phases<T>) -> Vec<T> {
    let Plan { input, output, .. } = phases.plan;
    assert_eq!(phases.weight.len(), input.count * output.count * 16);
    assert!(phases.epilogue.residual.is_none(), "phases take no residual");
    forward(&phases)
}

struct Phases<'a, T> {
    plan: Plan,
    x: &'a [T],
    weight: &'a [T],
    /// Values from an output channel to the next, and from an input channel.
    strides: [usize; 2],
    epilogue: Epilogue<'a, T>,
}

impl<T: Float> Scheme for Phases<'_, T> {
    type T = T;

    fn plan(&self) -> &Plan {
        &self.plan
    }

    fn transform_filters(&self, part: FilterPart, to: &mut [T]) {
        assert!(to.len() >= part.layout.len());
        let Plan { input, output, .. } = self.plan;
        let kernel = TransformPhaseFilters {
            data: self.weight,
            outputs: self.strides[0],
            inputs: self.strides[1],
            count: output.count,
            phases: [input.phases, output.phases],
            blocks: part.blocks,
            channels: part.inputs,
            layout: part.layout,
            to: to.as_mut_ptr(),
        };
        // SAFETY: `isa` is this processor's; `to` has room for the layout.
        unsafe { T::dispatch(part.isa, kernel) };
    }

    fn transform_input(&self, part: TilePart, to: *mut T) {
        let TilePart { isa, groups, channels, layout } = part;
        let (input, x) = (self.plan.input, self.x);
        let (plane, phases) = (input.plane, along_a_side(input));
        let kernel = TransformPhases { plane, groups, x, channels, phases, layout, to };
        // SAFETY: as above, by the caller's promise.
        unsafe { T::dispatch(isa, kernel) };
    }

    fn transform_output(&self, part: TilePart, m: &[T], out: &Output<T>) {
        let TilePart { isa, groups, channels, layout } = part;
        assert!(m.len() >= layout.len());
        let (output, epilogue, m) = (self.plan.output, self.epilogue, m.as_ptr());
        let (plane, phases) = (output.plane, along_a_side(output));
        let kernel =
            TransformPhaseOutput { plane, groups, epilogue, channels, phases, layout, m, out };
        // SAFETY: as above; the tiles of these channels are the caller's.
        unsafe { T::dispatch(isa, kernel) };
    }
}

fn along_a_side(channels: Channels) -> usize {
    if channels.phases == 4 { 2 } else { 1 }
}
