#![allow(unsafe_code, reason = "vectors are computed")]

use super::transform::{
    OUT, PHASE_OUT, SIDE, filter_tile_transposed, input, output_transposed,
    phase_filter_tile_transposed, phase_output_transposed,
};
use crate::simd::Simd;

/// A map of pixels along a side of a tile to the points.
pub(super) trait Map: Send + Sync {
    /// Pixels along a side.
    const SIDE: usize;

    /// The values at the points; `d` holds [`Map::SIDE`] pixels first.
    ///
    /// # Safety
    ///
    /// As of [`Simd`].
    unsafe fn points<S: Simd>(d: [S::V; SIDE]) -> [S::V; SIDE];
}

/// Bᵀ d.
pub(super) struct Input;

impl Map for Input {
    const SIDE: usize = SIDE;

    #[inline(always)]
    unsafe fn points<S: Simd>(d: [S::V; SIDE]) -> [S::V; SIDE] {
        // SAFETY: by the caller's promise.
        unsafe { input::<S>(d) }
    }
}

/// A y.
pub(super) struct Output;

impl Map for Output {
    const SIDE: usize = OUT;

    #[inline(always)]
    unsafe fn points<S: Simd>([a, b, c, d, ..]: [S::V; SIDE]) -> [S::V; SIDE] {
        // SAFETY: by the caller's promise.
        unsafe { output_transposed::<S>([a, b, c, d]) }
    }
}

/// A y with filters of 2 × 2.
pub(super) struct PhaseOutput;

impl Map for PhaseOutput {
    const SIDE: usize = PHASE_OUT;

    #[inline(always)]
    unsafe fn points<S: Simd>([a, b, c, d, e, _]: [S::V; SIDE]) -> [S::V; SIDE] {
        // SAFETY: by the caller's promise.
        unsafe { phase_output_transposed::<S>([a, b, c, d, e]) }
    }
}

/// The map of the points to the taps of filters of both dimensions.
pub(super) trait Taps: Send + Sync {
    /// Taps of a filter.
    const COUNT: usize;
    /// Phases along a side, each of which has points of its own.
    const PHASES: usize;

    /// Gᵀ u G of a phase, in the places of its taps.
    ///
    /// # Safety
    ///
    /// As of [`Simd`].
    unsafe fn taps<S: Simd>(u: [[S::V; SIDE]; SIDE], phase: [usize; 2], taps: &mut [S::V; 16]);
}

/// Filters of 3 × 3.
pub(super) struct Plain;

impl Taps for Plain {
    const COUNT: usize = 9;
    const PHASES: usize = 1;

    #[inline(always)]
    unsafe fn taps<S: Simd>(u: [[S::V; SIDE]; SIDE], _: [usize; 2], taps: &mut [S::V; 16]) {
        // SAFETY: by the caller's promise.
        let filter = unsafe { filter_tile_transposed::<S>(u) };
        let mut tap = 0;
        while tap < 9 {
            taps[tap] = filter[tap / 3][tap % 3];
            tap += 1;
        }
    }
}

/// Filters of 4 × 4 at stride 2, of which each phase has every second tap, backwards.
pub(super) struct Phases;

impl Taps for Phases {
    const COUNT: usize = 16;
    const PHASES: usize = 2;

    #[inline(always)]
    unsafe fn taps<S: Simd>(
        u: [[S::V; SIDE]; SIDE],
        [row, column]: [usize; 2],
        taps: &mut [S::V; 16],
    ) {
        // SAFETY: by the caller's promise.
        let filter = unsafe { phase_filter_tile_transposed::<S>(u) };
        let mut tap = 0;
        while tap < 4 {
            let (v, h) = (tap / 2, tap % 2);
            taps[4 * (row + 2 * (1 - v)) + column + 2 * (1 - h)] = filter[v][h];
            tap += 1;
        }
    }
}
