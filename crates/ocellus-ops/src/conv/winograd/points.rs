#![allow(unsafe_code, reason = "vectors are loaded and stored through pointers")]

use super::transform::{POINTS, SIDE};
use crate::simd::Simd;

/// Writes the values of each point, `step` apart.
///
/// # Safety
///
/// There must be room for a vector at each.
#[inline(always)]
pub(super) unsafe fn store_points<S: Simd>(to: *mut S::T, step: usize, v: [[S::V; SIDE]; SIDE]) {
    let mut p = 0;
    while p < POINTS {
        // SAFETY: by the caller's promise.
        unsafe { S::store(to.add(p * step), v[p / SIDE][p % SIDE]) };
        p += 1;
    }
}

/// Reads the values of each point, `step` apart.
///
/// # Safety
///
/// A vector must lie at each.
#[inline(always)]
pub(super) unsafe fn load_points<S: Simd>(from: *const S::T, step: usize) -> [[S::V; SIDE]; SIDE] {
    // SAFETY: by the caller's promise.
    unsafe {
        let mut v = [[S::splat(S::T::default()); SIDE]; SIDE];
        let mut p = 0;
        while p < POINTS {
            v[p / SIDE][p % SIDE] = S::load(from.add(p * step));
            p += 1;
        }
        v
    }
}
