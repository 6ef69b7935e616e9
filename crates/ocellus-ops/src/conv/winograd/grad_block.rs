#![allow(unsafe_code, reason = "vectors are loaded and stored through pointers")]

use super::transform::POINTS;
use crate::conv::product::{Matrices, product, rows_of};
use crate::cpu::Float;
use crate::simd::{Kernel, MAX_LANES, Simd};

/// Tiles in the transformed domain, their channels in vectors:
/// `[point][phase][panel of two vectors][tile][channel of the panel]`.
#[derive(Clone, Copy)]
pub(super) struct ByTile {
    pub(super) lanes: usize,
    /// Tiles that there is room for.
    pub(super) tiles: usize,
    pub(super) phases: usize,
    /// Panels of channels of a phase; channels that do not exist are zero.
    pub(super) panels: usize,
}

impl ByTile {
    /// Values of a tile in a panel.
    pub(super) fn row(&self) -> usize {
        2 * self.lanes
    }

    pub(super) fn panel(&self) -> usize {
        self.tiles * self.row()
    }

    /// Values of a point. A line more: points that lie a power of two apart would share few sets
    /// of the cache.
    pub(super) fn point(&self) -> usize {
        self.phases * self.panels * self.panel() + MAX_LANES
    }

    pub(super) fn len(&self) -> usize {
        POINTS * self.point()
    }
}

/// The gradient by the transformed filters: `[point][output channel][phase and input channel]`.
#[derive(Clone, Copy)]
pub(super) struct BySum {
    /// Output channels, a multiple of [`rows_of`].
    pub(super) outputs: usize,
    /// Input channels of all phases, a multiple of two vectors.
    pub(super) inputs: usize,
}

impl BySum {
    pub(super) fn point(&self) -> usize {
        self.outputs * self.inputs + MAX_LANES
    }

    pub(super) fn len(&self) -> usize {
        POINTS * self.point()
    }
}

/// A block of transformed tiles: those of y, those of x, and how many.
#[derive(Clone, Copy)]
pub(super) struct Block<'a, T> {
    pub(super) m: &'a [T],
    pub(super) v: &'a [T],
    pub(super) tiles: usize,
}

/// Adds the sums over the tiles of some blocks: `sums += mᵀ · v`, at all points.
pub(super) struct Correlate<'a, T> {
    pub(super) blocks: &'a [Block<'a, T>],
    pub(super) outputs: ByTile,
    pub(super) inputs: ByTile,
    /// Where the panels of the outputs begin, and which panels of the inputs, whose sums lie one
    /// after the other.
    pub(super) first: usize,
    pub(super) panels: &'a [usize],
    pub(super) sums: BySum,
    pub(super) to: *mut T,
    pub(super) accumulate: bool,
}

impl<T: Float> Kernel<T> for Correlate<'_, T> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd<T = T>>(self) {
        let (rows, width) = (rows_of(S::LANES), 2 * S::LANES);
        let (outputs, inputs, sums) = (&self.outputs, &self.inputs, &self.sums);
        for point in 0..POINTS {
            for (n, block) in self.blocks.iter().enumerate() {
                // SAFETY: within the layouts.
                unsafe {
                    let m = block.m.as_ptr().add(point * outputs.point());
                    let v = block.v.as_ptr().add(point * inputs.point());
                    for (column, panel) in self.panels.iter().enumerate() {
                        for row in (0..sums.outputs).step_by(rows) {
                            let a = (self.first + row / width) * outputs.panel() + row % width;
                            let c = point * sums.point() + row * sums.inputs + column * width;
                            product::<S>(Matrices {
                                a: m.add(a),
                                a_row: 1,
                                a_step: width,
                                b: v.add(panel * inputs.panel()),
                                b_step: width,
                                c: self.to.add(c),
                                c_row: sums.inputs,
                                depth: block.tiles,
                                accumulate: self.accumulate || n > 0,
                                finish: None,
                            });
                        }
                    }
                }
            }
        }
    }
}
