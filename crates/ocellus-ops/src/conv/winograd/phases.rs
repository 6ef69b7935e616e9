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

use std::ops::Range;

use super::block::Layout;
use super::filters::FilterLayout;
use super::forward::forward;
use super::phase_block::{TransformPhaseFilters, TransformPhaseOutput, TransformPhases};
use super::scheme::{Channels, Scheme};
use super::tiles::{Group, Tiling};
use crate::conv::epilogue::Epilogue;
use crate::conv::geometry::Geometry;
use crate::cpu::{Float, Output};
use crate::simd::Isa;

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
    let strides = [16 * g.ci, 16];
    run(Phases { g, x, weight, strides, epilogue, tiling: Tiling::strided(g), input, output })
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
    let strides = [16, 16 * g.ci];
    let (x, tiling) = (y, Tiling::transposed(g));
    run(Phases { g, x, weight, strides, epilogue, tiling, input, output })
}

fn run<T: Float>(phases: Phases<T>) -> Vec<T> {
    assert_eq!(phases.weight.len(), phases.g.co * phases.g.ci * 16);
    assert!(phases.epilogue.residual.is_none(), "phases take no residual");
    forward(&phases)
}

struct Phases<'a, T> {
    g: &'a Geometry,
    x: &'a [T],
    weight: &'a [T],
    /// Values from an output channel to the next, and from an input channel.
    strides: [usize; 2],
    epilogue: Epilogue<'a, T>,
    tiling: Tiling,
    input: Channels,
    output: Channels,
}

impl<T: Float> Scheme for Phases<'_, T> {
    type T = T;

    fn tiling(&self) -> &Tiling {
        &self.tiling
    }

    fn batch(&self) -> usize {
        self.g.batch
    }

    fn input(&self) -> Channels {
        self.input
    }

    fn output(&self) -> Channels {
        self.output
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
        let kernel = TransformPhaseFilters {
            data: self.weight,
            outputs: self.strides[0],
            inputs: self.strides[1],
            count: self.output.count,
            phases: [self.input.phases, self.output.phases],
            blocks,
            channels: inputs,
            layout,
            to: to.as_mut_ptr(),
        };
        // SAFETY: `isa` is this processor's; `to` has room for the layout.
        unsafe { T::dispatch(isa, kernel) };
    }

    fn transform_input(
        &self,
        isa: Isa,
        groups: &[Group],
        channels: Range<usize>,
        layout: Layout,
        to: *mut T,
    ) {
        let (x, plane, phases) = (self.x, self.input.plane, along_a_side(self.input));
        let kernel = TransformPhases { plane, groups, x, channels, phases, layout, to };
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
        let kernel = TransformPhaseOutput {
            plane: self.output.plane,
            groups,
            epilogue: self.epilogue,
            channels,
            phases: along_a_side(self.output),
            layout,
            m: m.as_ptr(),
            out,
        };
        // SAFETY: as above; the tiles of these channels are the caller's.
        unsafe { T::dispatch(isa, kernel) };
    }
}

fn along_a_side(channels: Channels) -> usize {
    if channels.phases == 4 { 2 } else { 1 }
}
