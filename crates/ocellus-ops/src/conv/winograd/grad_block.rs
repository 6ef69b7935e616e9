#![allow(unsafe_code, reason = "vectors are loaded and stored through pointers")]

use std::ops::Range;

use super::block::input_tiles;
use super::points::store_points;
use super::tiles::{Group, IN_STAGE, OUT_ROW, OUT_STAGE};
use super::transform::{
    OUT, POINTS, SIDE, filter_tile_transposed, input_tile, output_tile_transposed,
};
use crate::conv::geometry::Geometry;
use crate::conv::product::{Matrices, product, rows_of};
use crate::conv::vectors::stage_runs;
use crate::cpu::{Float, Output};
use crate::simd::{Kernel, MAX_LANES, Simd};

/// Input tiles in the transformed domain, their channels in vectors:
/// `[point][panel of two vectors][tile][channel of the panel]`.
#[derive(Clone, Copy)]
pub(super) struct ByTile {
    pub(super) lanes: usize,
    pub(super) tiles: usize,
    /// Panels of channels.
    pub(super) panels: usize,
}

impl ByTile {
    fn row(&self) -> usize {
        2 * self.lanes
    }

    fn panel(&self) -> usize {
        self.tiles * self.row()
    }

    fn point(&self) -> usize {
        self.panels * self.panel() + MAX_LANES
    }

    pub(super) fn len(&self) -> usize {
        POINTS * self.point()
    }
}

/// Tiles of the gradient in the transformed domain: `[point][channel][tile]`.
#[derive(Clone, Copy)]
pub(super) struct ByChannel {
    pub(super) tiles: usize,
    /// Channels, a multiple of half a vector; those that do not exist are zero.
    pub(super) channels: usize,
}

impl ByChannel {
    fn point(&self) -> usize {
        self.channels * self.tiles + MAX_LANES
    }

    pub(super) fn len(&self) -> usize {
        POINTS * self.point()
    }
}

/// The gradient by the transformed filters: `[point][output channel][input channel]`.
#[derive(Clone, Copy)]
pub(super) struct BySum {
    pub(super) outputs: usize,
    /// Input channels, a multiple of two vectors.
    pub(super) inputs: usize,
}

impl BySum {
    fn point(&self) -> usize {
        self.outputs * self.inputs + MAX_LANES
    }

    pub(super) fn len(&self) -> usize {
        POINTS * self.point()
    }
}

/// Bᵀ d B of the tiles of a block, channels in vectors, for panels `panels` of the channels.
pub(super) struct TransposeInput<'a, T> {
    pub(super) geometry: &'a Geometry,
    pub(super) groups: &'a [Group],
    pub(super) x: &'a [T],
    pub(super) panels: Range<usize>,
    pub(super) layout: ByTile,
    pub(super) to: *mut T,
}

impl<T: Float> Kernel<T> for TransposeInput<'_, T> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd<T = T>>(self) {
        let (g, layout) = (self.geometry, &self.layout);
        let mut points = [[T::zero(); MAX_LANES * MAX_LANES]; POINTS];
        for (n, group) in self.groups.iter().enumerate() {
            let mut stage = [T::zero(); IN_STAGE];
            for half in 2 * self.panels.start..2 * self.panels.end {
                let first = half * S::LANES;
                for lane in 0..S::LANES {
                    // SAFETY: within the planes and the buffers.
                    unsafe {
                        let to = points.as_mut_ptr().cast::<T>().add(lane * S::LANES);
                        if first + lane < g.ci {
                            let x = &self.x[(first + lane) * g.input_plane()..];
                            stage_runs::<S>(x, g.input_plane(), &group.inputs, stage.as_mut_ptr());
                            let v = input_tile::<S>(input_tiles::<S>(&stage, group));
                            store_points::<S>(to, MAX_LANES * MAX_LANES, v);
                        } else {
                            let zeros = [[S::splat(T::zero()); SIDE]; SIDE];
                            store_points::<S>(to, MAX_LANES * MAX_LANES, zeros);
                        }
                    }
                }
                let to =
                    half / 2 * layout.panel() + n * S::LANES * layout.row() + half % 2 * S::LANES;
                for (p, values) in points.iter().enumerate() {
                    // SAFETY: within the layout.
                    unsafe {
                        let mut v = [S::splat(T::zero()); MAX_LANES];
                        let mut lane = 0;
                        while lane < S::LANES {
                            v[lane] = S::load(values.as_ptr().add(lane * S::LANES));
                            lane += 1;
                        }
                        S::store_transposed(self.to.add(p * layout.point() + to), layout.row(), &v);
                    }
                }
            }
        }
    }
}

/// A dy Aᵀ of the tiles of a block, for some output channels.
pub(super) struct TransformGradient<'a, T> {
    pub(super) geometry: &'a Geometry,
    pub(super) groups: &'a [Group],
    pub(super) grad: &'a [T],
    pub(super) channels: Range<usize>,
    pub(super) layout: ByChannel,
    pub(super) to: *mut T,
}

impl<T: Float> Kernel<T> for TransformGradient<'_, T> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd<T = T>>(self) {
        let (g, layout) = (self.geometry, &self.layout);
        for (n, group) in self.groups.iter().enumerate() {
            let mut stage = [T::zero(); OUT_STAGE];
            for channel in self.channels.clone() {
                // SAFETY: within the planes and the layout.
                unsafe {
                    if channel < g.co {
                        let grad = &self.grad[channel * g.output_plane()..];
                        let plane = g.output_plane();
                        stage_runs::<S>(grad, plane, &group.outputs, stage.as_mut_ptr());
                    } else {
                        stage = [T::zero(); OUT_STAGE];
                    }
                    let mut y = [[S::splat(T::zero()); OUT]; OUT];
                    let mut r = 0;
                    while r < OUT {
                        y[r] = S::deinterleave4(stage.as_ptr().add(r * OUT_ROW));
                        r += 1;
                    }
                    let m = output_tile_transposed::<S>(y);
                    let to = self.to.add(channel * layout.tiles + n * S::LANES);
                    store_points::<S>(to, layout.point(), m);
                }
            }
        }
    }
}

/// Adds the sums over the tiles of a block: `sums += m · vᵀ`, at all points.
pub(super) struct Correlate<T> {
    /// Output channels, in units of half a vector, and panels of input channels.
    pub(super) outputs: Range<usize>,
    pub(super) inputs: Range<usize>,
    pub(super) gradient: ByChannel,
    pub(super) m: *const T,
    pub(super) input: ByTile,
    pub(super) v: *const T,
    pub(super) sums: BySum,
    /// Those of the first channels of the ranges.
    pub(super) to: *mut T,
    pub(super) accumulate: bool,
}

impl<T: Float> Kernel<T> for Correlate<T> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd<T = T>>(self) {
        let rows = rows_of(S::LANES);
        for point in 0..POINTS {
            for (n, panel) in self.inputs.clone().enumerate() {
                for (r, block) in self.outputs.clone().enumerate() {
                    // SAFETY: within the layouts.
                    unsafe {
                        let to = point * self.sums.point() + r * rows * self.sums.inputs;
                        product::<S>(Matrices {
                            a: self.m.add(
                                point * self.gradient.point() + block * rows * self.gradient.tiles,
                            ),
                            a_row: self.gradient.tiles,
                            a_step: 1,
                            b: self.v.add(point * self.input.point() + panel * self.input.panel()),
                            b_step: self.input.row(),
                            c: self.to.add(to + n * self.input.row()),
                            c_row: self.sums.inputs,
                            depth: self.input.tiles,
                            accumulate: self.accumulate,
                            finish: None,
                        });
                    }
                }
            }
        }
    }
}

/// Gᵀ u G of some filters, added up over `parts`.
pub(super) struct Finish<'a, T> {
    pub(super) geometry: &'a Geometry,
    /// The channels of the filters that `parts` hold.
    pub(super) outputs: Range<usize>,
    pub(super) inputs: Range<usize>,
    pub(super) sums: BySum,
    /// Sums of several runs of tiles, one after the other, `sums.len()` apart.
    pub(super) parts: &'a [T],
    /// The first channels that `parts` hold.
    pub(super) first: (usize, usize),
    /// Whether to add to what is there.
    pub(super) accumulate: bool,
    pub(super) out: &'a Output<T>,
}

impl<T: Float> Kernel<T> for Finish<'_, T> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd<T = T>>(self) {
        let ci = self.geometry.ci;
        for output in self.outputs.clone() {
            for input in self.inputs.clone().step_by(S::LANES) {
                let count = S::LANES.min(self.inputs.end - input);
                let (row, column) = (output - self.first.0, input - self.first.1);
                // SAFETY: within the layout; these filters are this task's.
                unsafe {
                    let mut u = [[S::splat(T::zero()); SIDE]; SIDE];
                    for part in self.parts.chunks_exact(self.sums.len()) {
                        let from = part.as_ptr().add(row * self.sums.inputs + column);
                        let mut p = 0;
                        while p < POINTS {
                            let value = S::load(from.add(p * self.sums.point()));
                            u[p / SIDE][p % SIDE] = S::add(u[p / SIDE][p % SIDE], value);
                            p += 1;
                        }
                    }
                    let filters = filter_tile_transposed::<S>(u);
                    let mut taps = [[T::zero(); MAX_LANES]; 9];
                    let mut tap = 0;
                    while tap < 9 {
                        S::store(taps[tap].as_mut_ptr(), filters[tap / 3][tap % 3]);
                        tap += 1;
                    }
                    let to = self.out.at((output * ci + input) * 9, 9 * count);
                    for lane in 0..count {
                        for (tap, values) in taps.iter().enumerate() {
                            let to = to.add(9 * lane + tap);
                            *to = if self.accumulate { *to + values[lane] } else { values[lane] };
                        }
                    }
                }
            }
        }
    }
}
