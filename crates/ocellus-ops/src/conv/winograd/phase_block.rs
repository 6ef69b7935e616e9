#![allow(unsafe_code, reason = "vectors are loaded and stored through pointers")]

use std::ops::Range;

use super::block::Layout;
use super::filters::{FilterLayout, store_filters};
use super::points::{load_points, store_points};
use super::tiles::{Group, WIDE_ROW};
use super::transform::{PHASE_OUT, POINTS, SIDE, input_tile, phase_filter_tile, phase_output_tile};
use crate::conv::epilogue::Epilogue;
use crate::conv::vectors::{copy, prefetch, stage_runs};
use crate::cpu::{Float, Output};
use crate::simd::{Kernel, MAX_LANES, Simd};

/// G g Gᵀ of the phases of 4 × 4 filters, each of 2 × 2 taps.
pub(super) struct TransformPhaseFilters<'a, T> {
    /// Tap t of output channel o and input channel i is `data[o · outputs + i · inputs + t]`.
    pub(super) data: &'a [T],
    pub(super) outputs: usize,
    pub(super) inputs: usize,
    /// Output channels.
    pub(super) count: usize,
    /// Which of both sides have phases, 1 or 4; the taps are turned where it is the output.
    pub(super) phases: [usize; 2],
    /// Transformed channels: blocks of the output's, and those of the input.
    pub(super) blocks: Range<usize>,
    pub(super) channels: Range<usize>,
    pub(super) layout: FilterLayout,
    /// Where the first block goes.
    pub(super) to: *mut T,
}

impl<T: Float> Kernel<T> for TransformPhaseFilters<'_, T> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd<T = T>>(self) {
        let (layout, [input_phases, output_phases]) = (&self.layout, self.phases);
        let mut offsets = [0; MAX_LANES];
        for (n, block) in self.blocks.clone().enumerate() {
            let first = block / output_phases * S::LANES;
            let count = S::LANES.min(self.count - first);
            for (lane, offset) in offsets.iter_mut().enumerate() {
                *offset = if lane < count { (lane * self.outputs) as i32 } else { 0 };
            }
            for (m, channel) in self.channels.clone().enumerate() {
                let values = &self.data[first * self.outputs..];
                let values = &values[channel / input_phases * self.inputs..];
                assert!(values.len() > (count - 1) * self.outputs + 15);
                // One of the two is 0.
                let phase = block % output_phases + channel % input_phases;
                let (row, column) = (phase / 2, phase % 2);
                // SAFETY: the taps of all lanes lie within `values`, the points within the layout.
                unsafe {
                    let mut taps = [[S::splat(T::zero()); 2]; 2];
                    let mut t = 0;
                    while t < 4 {
                        let at = if output_phases > 1 { 3 - t } else { t };
                        let tap = 4 * (row + at / 2 * 2) + column + at % 2 * 2;
                        taps[t / 2][t % 2] = S::gather(values.as_ptr().add(tap), &offsets);
                        t += 1;
                    }
                    let u = phase_filter_tile::<S>(taps);
                    let to = self.to.add(layout.place(n, m));
                    store_filters::<S>(to, layout.point(), u, count);
                }
            }
        }
    }
}

/// Bᵀ d B of the tiles of a block, for some input channels, of each phase.
pub(super) struct TransformPhases<'a, T> {
    pub(super) plane: usize,
    pub(super) groups: &'a [Group],
    pub(super) x: &'a [T],
    pub(super) channels: Range<usize>,
    /// Phases along a side, 1 or 2: every pixel belongs to one.
    pub(super) phases: usize,
    pub(super) layout: Layout,
    /// Where the block begins.
    pub(super) to: *mut T,
}

impl<T: Float> Kernel<T> for TransformPhases<'_, T> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd<T = T>>(self) {
        let (layout, phases) = (&self.layout, self.phases);
        for (n, panel) in self.groups.chunks_exact(2).enumerate() {
            let mut stages = [[T::zero(); 2 * SIDE * WIDE_ROW]; 2];
            for channel in self.channels.clone() {
                let x = &self.x[channel * self.plane..];
                for (half, (group, stage)) in panel.iter().zip(&mut stages).enumerate() {
                    // SAFETY: the copies lie within the planes, the tiles within the stage; `to` has
                    // room for the layout.
                    unsafe {
                        stage_runs::<S>(x, self.plane, &group.inputs, stage.as_mut_ptr());
                        for phase in 0..phases * phases {
                            let first = phase / phases * WIDE_ROW + phase % phases;
                            let first = stage.as_ptr().add(first);
                            let v = input_tile::<S>(phase_tiles::<S>(first, phases, group));
                            let row = channel * phases * phases + phase;
                            let to = n * layout.panel() + row * layout.row() + half * S::LANES;
                            store_points::<S>(self.to.add(to), layout.point(), v);
                        }
                    }
                }
            }
        }
    }
}

/// The values of the tiles of a group in a phase, whose pixels are `step` apart.
#[inline(always)]
unsafe fn phase_tiles<S: Simd>(
    stage: *const S::T,
    step: usize,
    group: &Group,
) -> [[S::V; SIDE]; SIDE] {
    // SAFETY: by the caller, the tiles lie there.
    unsafe {
        let mut d = [[S::splat(S::T::default()); SIDE]; SIDE];
        let mut i = 0;
        while i < POINTS {
            let at = i / SIDE * step * WIDE_ROW + i % SIDE * step;
            d[i / SIDE][i % SIDE] = S::gather(stage.add(at), &group.offsets);
            i += 1;
        }
        d
    }
}

/// Aᵀ m A of the tiles of a block, for some output channels, with the epilogue: each phase gives
/// every second pixel.
pub(super) struct TransformPhaseOutput<'a, T> {
    pub(super) plane: usize,
    pub(super) groups: &'a [Group],
    /// Without a residual.
    pub(super) epilogue: Epilogue<'a, T>,
    pub(super) channels: Range<usize>,
    /// Phases along a side, 1 or 2.
    pub(super) phases: usize,
    pub(super) layout: Layout,
    pub(super) m: *const T,
    pub(super) out: &'a Output<T>,
}

impl<T: Float> Kernel<T> for TransformPhaseOutput<'_, T> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd<T = T>>(self) {
        let (layout, phases) = (&self.layout, self.phases);
        let mut stage = [T::zero(); 2 * PHASE_OUT * WIDE_ROW];
        let mut lines = [[[T::zero(); PHASE_OUT * MAX_LANES]; PHASE_OUT]; 2];
        for (n, group) in self.groups.iter().enumerate() {
            let panel = n / 2 * layout.panel() + n % 2 * S::LANES;
            for (k, channel) in self.channels.clone().enumerate() {
                let bias = self.epilogue.bias.map_or(T::zero(), |b| b[channel]);
                let first = k / S::LANES * phases * phases * S::LANES + k % S::LANES;
                // SAFETY: within the layout; the runs of these tiles are this task's.
                unsafe {
                    let from = Points {
                        m: self.m.add(panel + first * layout.row()),
                        step: layout.point(),
                        phase: S::LANES * layout.row(),
                        bias: S::splat(bias),
                        relu: self.epilogue.relu,
                    };
                    let to = stage.as_mut_ptr();
                    if phases == 1 {
                        let y = output_tile::<S>(&from, 0);
                        let mut r = 0;
                        while r < PHASE_OUT {
                            S::interleave5(to.add(r * WIDE_ROW), y[r]);
                            r += 1;
                        }
                    } else {
                        rows::<S>(&from, 0, &mut lines, to);
                        rows::<S>(&from, 2, &mut lines, to.add(WIDE_ROW));
                    }
                    for run in &group.outputs {
                        let to = self.out.at(channel * self.plane + run.image, run.len);
                        copy::<S>(stage.as_ptr().add(run.stage), to, run.len);
                        prefetch(to.wrapping_add(self.plane), run.len);
                    }
                }
            }
        }
    }
}

/// The products of a channel of a group.
struct Points<S: Simd> {
    m: *const S::T,
    /// Values from a point to the next, and from a phase to the next.
    step: usize,
    phase: usize,
    bias: S::V,
    relu: bool,
}

/// The output of a phase.
#[inline(always)]
unsafe fn output_tile<S: Simd>(from: &Points<S>, phase: usize) -> [[S::V; PHASE_OUT]; PHASE_OUT] {
    // SAFETY: by the caller, the points lie there.
    unsafe {
        let m = from.m.add(phase * from.phase);
        let mut y = phase_output_tile::<S>(load_points::<S>(m, from.step));
        let mut i = 0;
        while i < PHASE_OUT * PHASE_OUT {
            let v = S::add(y[i / PHASE_OUT][i % PHASE_OUT], from.bias);
            y[i / PHASE_OUT][i % PHASE_OUT] = if from.relu { S::relu(v) } else { v };
            i += 1;
        }
        y
    }
}

/// The rows of a tile in both horizontal phases.
type Lines<T> = [[[T; PHASE_OUT * MAX_LANES]; PHASE_OUT]; 2];

/// Writes every second row of pixels from `to` on, from a phase and the next.
#[inline(always)]
unsafe fn rows<S: Simd>(from: &Points<S>, phase: usize, lines: &mut Lines<S::T>, to: *mut S::T) {
    // SAFETY: by the caller, the rows lie there; a line has room for a row of all tiles.
    unsafe {
        let mut column = 0;
        while column < 2 {
            let y = output_tile::<S>(from, phase + column);
            let mut r = 0;
            while r < PHASE_OUT {
                S::interleave5(lines[column][r].as_mut_ptr(), y[r]);
                r += 1;
            }
            column += 1;
        }
        let mut r = 0;
        while r < PHASE_OUT {
            let mut v = 0;
            while v < PHASE_OUT * S::LANES {
                let even = S::load(lines[0][r].as_ptr().add(v));
                let odd = S::load(lines[1][r].as_ptr().add(v));
                S::interleave2(to.add(2 * r * WIDE_ROW + 2 * v), [even, odd]);
                v += S::LANES;
            }
            r += 1;
        }
    }
}
