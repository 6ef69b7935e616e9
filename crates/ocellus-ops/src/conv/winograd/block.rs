#![allow(unsafe_code, reason = "vectors are loaded and stored through pointers")]

use std::ops::Range;

use super::filters::FilterLayout;
use super::points::{load_points, store_points};
use super::tiles::{Group, IN_ROW, IN_STAGE, OUT_ROW, OUT_STAGE};
use super::transform::{OUT, POINTS, SIDE, input_tile, output_tile};
use crate::conv::epilogue::Epilogue;
use crate::conv::product::{Matrices, product, rows_of};
use crate::conv::vectors::{add, copy, stage_runs};
use crate::cpu::{Float, Output};
use crate::simd::{Kernel, MAX_LANES, Simd};

/// Terms of a sum that are added in one go: the panel of the right matrix stays in the nearest
/// cache.
const DEPTH: usize = 128;

/// Some panels of tiles, each of two groups, in the transformed domain:
/// `[point][panel][channel][two vectors]`.
#[derive(Clone, Copy)]
pub(super) struct Layout {
    pub(super) lanes: usize,
    pub(super) panels: usize,
    pub(super) channels: usize,
}

impl Layout {
    /// Tiles of the block.
    pub(super) fn tiles(&self) -> usize {
        self.panels * self.row()
    }

    /// Values of a channel in a panel.
    pub(super) fn row(&self) -> usize {
        2 * self.lanes
    }

    pub(super) fn panel(&self) -> usize {
        self.channels * self.row()
    }

    /// Values of a point, with a line more: see [`FilterLayout`].
    pub(super) fn point(&self) -> usize {
        self.panels * self.panel() + MAX_LANES
    }

    pub(super) fn len(&self) -> usize {
        POINTS * self.point()
    }
}

/// Bᵀ d B of the tiles of a block, for some input channels.
pub(super) struct TransformInput<'a, T> {
    pub(super) plane: usize,
    pub(super) groups: &'a [Group],
    pub(super) x: &'a [T],
    pub(super) channels: Range<usize>,
    pub(super) layout: Layout,
    /// Where the block begins.
    pub(super) to: *mut T,
}

impl<T: Float> Kernel<T> for TransformInput<'_, T> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd<T = T>>(self) {
        let (plane, layout) = (self.plane, &self.layout);
        for (n, panel) in self.groups.chunks_exact(2).enumerate() {
            let mut stages = [[T::zero(); IN_STAGE]; 2];
            for channel in self.channels.clone() {
                let x = &self.x[channel * plane..];
                for (half, (group, stage)) in panel.iter().zip(&mut stages).enumerate() {
                    // SAFETY: the copies lie within the planes; `to` has room for the layout.
                    unsafe {
                        stage_runs::<S>(x, plane, &group.inputs, stage.as_mut_ptr());
                        let v = input_tile::<S>(input_tiles::<S>(stage, group));
                        let to = n * layout.panel() + channel * layout.row() + half * S::LANES;
                        store_points::<S>(self.to.add(to), layout.point(), v);
                    }
                }
            }
        }
    }
}

/// The values of the tiles of a group.
#[inline(always)]
pub(super) unsafe fn input_tiles<S: Simd>(
    stage: &[S::T; IN_STAGE],
    group: &Group,
) -> [[S::V; SIDE]; SIDE] {
    // SAFETY: the offsets lie within a row of the stage, which is longer than they and a vector.
    unsafe {
        let mut d = [[S::splat(S::T::default()); SIDE]; SIDE];
        let mut r = 0;
        while r < SIDE {
            let row = stage.as_ptr().add(r * IN_ROW);
            d[r] = if group.contiguous {
                let [d0, d1, d2, d3] = S::deinterleave4(row);
                let [d4, d5, ..] = S::deinterleave4(row.add(OUT));
                [d0, d1, d2, d3, d4, d5]
            } else {
                [
                    S::gather(row, &group.offsets),
                    S::gather(row.add(1), &group.offsets),
                    S::gather(row.add(2), &group.offsets),
                    S::gather(row.add(3), &group.offsets),
                    S::gather(row.add(4), &group.offsets),
                    S::gather(row.add(5), &group.offsets),
                ]
            };
            r += 1;
        }
        d
    }
}

/// The products at all points, of some input channels and some output channels: `m = u · v`, or
/// `m += u · v` but for the first input channels.
pub(super) struct Multiply<T> {
    /// The transformed filters of these output channels, a whole number of blocks.
    pub(super) filters: FilterLayout,
    pub(super) u: *const T,
    pub(super) input: Layout,
    pub(super) v: *const T,
    /// The input channels that `u` has.
    pub(super) inputs: Range<usize>,
    pub(super) output: Layout,
    pub(super) m: *mut T,
}

impl<T: Float> Kernel<T> for Multiply<T> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd<T = T>>(self) {
        let Self { filters, input, output, .. } = &self;
        for point in 0..POINTS {
            for from in self.inputs.clone().step_by(DEPTH) {
                let depth = DEPTH.min(self.inputs.end - from);
                for panel in 0..input.panels {
                    // SAFETY: within the layouts.
                    unsafe {
                        let v = self.v.add(point * input.point() + panel * input.panel());
                        let m = self.m.add(point * output.point() + panel * output.panel());
                        for row in (0..output.channels).step_by(rows_of(S::LANES)) {
                            let u = filters.at(point, row) + (from - self.inputs.start) * S::LANES;
                            product::<S>(Matrices {
                                a: self.u.add(u),
                                a_row: 1,
                                a_step: S::LANES,
                                b: v.add(from * input.row()),
                                b_step: input.row(),
                                c: m.add(row * output.row()),
                                c_row: output.row(),
                                depth,
                                accumulate: from > 0,
                                finish: None,
                            });
                        }
                    }
                }
            }
        }
    }
}

/// Aᵀ m A of the tiles of a block, for some output channels, with the epilogue.
pub(super) struct TransformOutput<'a, T> {
    pub(super) plane: usize,
    pub(super) groups: &'a [Group],
    pub(super) epilogue: Epilogue<'a, T>,
    pub(super) channels: Range<usize>,
    pub(super) layout: Layout,
    pub(super) m: *const T,
    pub(super) out: &'a Output<T>,
}

impl<T: Float> Kernel<T> for TransformOutput<'_, T> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd<T = T>>(self) {
        let (plane, layout) = (self.plane, &self.layout);
        let residual = self.epilogue.residual;
        let mut stage = [T::zero(); OUT_STAGE];
        for (n, group) in self.groups.iter().enumerate() {
            let panel = n / 2 * layout.panel() + n % 2 * S::LANES;
            let whole = group.contiguous
                && group.outputs.len() == OUT
                && group.outputs[0].len == OUT * S::LANES;
            for (row, channel) in self.channels.clone().enumerate() {
                let bias = self.epilogue.bias.map_or(T::zero(), |b| b[channel]);
                // SAFETY: within the layout; the runs of these tiles are this task's.
                unsafe {
                    let m = self.m.add(panel + row * layout.row());
                    let bias = S::splat(bias);
                    let y = output_tile::<S>(load_points::<S>(m, layout.point()));
                    let start = channel * plane;
                    let mut r = 0;
                    while r < OUT {
                        let mut row = y[r];
                        let mut j = 0;
                        while j < OUT {
                            row[j] = S::add(row[j], bias);
                            j += 1;
                        }
                        let mut to = stage.as_mut_ptr().add(r * OUT_ROW);
                        if whole {
                            let at = start + group.outputs[r].image;
                            to = self.out.at(at, OUT * S::LANES);
                            if let Some(residual) = residual {
                                row = add_tiles::<S>(row, residual.as_ptr().add(at));
                            }
                        }
                        // Else the residual is added to the runs, and then comes the ReLU.
                        if self.epilogue.relu && (whole || residual.is_none()) {
                            row = relu::<S>(row);
                        }
                        S::interleave4(to, row);
                        r += 1;
                    }
                    if !whole {
                        for run in &group.outputs {
                            let at = start + run.image;
                            let (to, from) =
                                (self.out.at(at, run.len), stage.as_ptr().add(run.stage));
                            match residual {
                                None => copy::<S>(from, to, run.len),
                                Some(residual) => {
                                    let residual = residual.as_ptr().add(at);
                                    add::<S>(from, residual, to, run.len, self.epilogue.relu);
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

#[inline(always)]
unsafe fn relu<S: Simd>(row: [S::V; OUT]) -> [S::V; OUT] {
    // SAFETY: by the caller, the processor has the instructions.
    unsafe { [S::relu(row[0]), S::relu(row[1]), S::relu(row[2]), S::relu(row[3])] }
}

/// Adds a row of whole tiles that lie side by side at `from`.
#[inline(always)]
unsafe fn add_tiles<S: Simd>(row: [S::V; OUT], from: *const S::T) -> [S::V; OUT] {
    // SAFETY: by the caller, tiles of all lanes lie there.
    unsafe {
        let [a, b, c, d] = S::deinterleave4(from);
        [S::add(row[0], a), S::add(row[1], b), S::add(row[2], c), S::add(row[3], d)]
    }
}
