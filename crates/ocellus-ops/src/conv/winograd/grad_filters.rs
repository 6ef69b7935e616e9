#![allow(unsafe_code, reason = "vectors are loaded and stored through pointers")]

use std::marker::PhantomData;
use std::ops::Range;

use super::grad_block::BySum;
use super::maps::Taps;
use super::transform::{POINTS, SIDE};
use crate::conv::vectors::{add, copy};
use crate::cpu::{Float, Output};
use crate::simd::{Kernel, MAX_LANES, Simd};

/// Values of a filter in a vector of them, before they are written side by side.
const STEP: usize = 16;

/// Gᵀ u G of some filters, added up over runs of tiles.
pub(super) struct Finish<'a, T, F> {
    /// Input channels of a filter of y.
    pub(super) ci: usize,
    /// The filters: channels of y and of x.
    pub(super) outputs: Range<usize>,
    pub(super) inputs: Range<usize>,
    pub(super) sums: BySum,
    /// Sums of several runs of tiles, one after the other, `run` apart.
    pub(super) parts: &'a [T],
    pub(super) run: usize,
    /// Where those of the first of these filters lie in the vertical phases, and values from a
    /// horizontal phase to the next.
    pub(super) starts: [usize; 2],
    pub(super) phase: usize,
    /// Whether to add to what is there.
    pub(super) accumulate: bool,
    pub(super) out: &'a Output<T>,
    pub(super) taps: PhantomData<F>,
}

impl<T: Float, F: Taps> Kernel<T> for Finish<'_, T, F> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd<T = T>>(self) {
        let mut filters = [T::zero(); STEP * MAX_LANES + MAX_LANES];
        for (row, output) in self.outputs.clone().enumerate() {
            for input in self.inputs.clone().step_by(S::LANES) {
                let count = S::LANES.min(self.inputs.end - input);
                let place = row * self.sums.inputs + input - self.inputs.start;
                // SAFETY: within the layout; these filters are this task's.
                unsafe {
                    let mut taps = [S::splat(T::zero()); STEP];
                    for phase in 0..F::PHASES * F::PHASES {
                        let phase = [phase / F::PHASES, phase % F::PHASES];
                        let u =
                            self.points::<S>(self.starts[phase[0]] + phase[1] * self.phase + place);
                        F::taps::<S>(u, phase, &mut taps);
                    }
                    side_by_side::<S, F>(&taps, &mut filters);
                    let len = F::COUNT * count;
                    let to = self.out.at((output * self.ci + input) * F::COUNT, len);
                    if self.accumulate {
                        add::<S>(filters.as_ptr(), to, to, len, false);
                    } else {
                        copy::<S>(filters.as_ptr(), to, len);
                    }
                }
            }
        }
    }
}

impl<T: Float, F> Finish<'_, T, F> {
    /// The sums of all runs at a place.
    #[inline(always)]
    unsafe fn points<S: Simd<T = T>>(&self, place: usize) -> [[S::V; SIDE]; SIDE] {
        // SAFETY: by the caller's promise.
        unsafe {
            let mut u = [[S::splat(T::zero()); SIDE]; SIDE];
            for part in self.parts.chunks_exact(self.run) {
                let from = part.as_ptr().add(place);
                let mut p = 0;
                while p < POINTS {
                    let value = S::load(from.add(p * self.sums.point()));
                    u[p / SIDE][p % SIDE] = S::add(u[p / SIDE][p % SIDE], value);
                    p += 1;
                }
            }
            u
        }
    }
}

/// Writes the taps of a filter after those of the one before.
#[inline(always)]
unsafe fn side_by_side<S: Simd, F: Taps>(
    taps: &[S::V; STEP],
    to: &mut [S::T; STEP * MAX_LANES + MAX_LANES],
) {
    let mut values = [S::T::default(); STEP * MAX_LANES];
    // SAFETY: `values` holds all lanes; the last filter's vectors end within `to`.
    unsafe {
        let mut tap = 0;
        while tap < STEP {
            let mut v = [S::splat(S::T::default()); MAX_LANES];
            v[..S::LANES].copy_from_slice(&taps[tap..tap + S::LANES]);
            S::store_transposed(values.as_mut_ptr().add(tap), STEP, &v);
            tap += S::LANES;
        }
        for lane in 0..S::LANES {
            let mut tap = 0;
            while tap < F::COUNT {
                // What is written beyond the taps is overwritten by the next filter's.
                let v = S::load(values.as_ptr().add(lane * STEP + tap));
                S::store(to.as_mut_ptr().add(lane * F::COUNT + tap), v);
                tap += S::LANES;
            }
        }
    }
}
