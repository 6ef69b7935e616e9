#![allow(unsafe_code, reason = "vectors are loaded and stored through pointers")]

use crate::simd::Simd;

/// A run of values that is copied between an image and a staging area.
#[derive(Clone, Copy, Debug)]
pub(super) struct Staged {
    /// Where it lies in all of x or y, if the channel is the first (of the group).
    pub(super) image: usize,
    /// Where it lies in the staging area.
    pub(super) stage: usize,
    /// How many values.
    pub(super) len: usize,
}

/// Copies runs of a channel to the staging area, and asks for the same of the next channel.
///
/// # Safety
///
/// The runs must lie within `x` and the staging area.
#[inline(always)]
pub(super) unsafe fn stage_runs<S: Simd>(
    x: &[S::T],
    plane: usize,
    runs: &[Staged],
    stage: *mut S::T,
) {
    for run in runs {
        debug_assert!(run.image + run.len <= x.len());
        // SAFETY: by the caller's promise.
        unsafe {
            let from = x.as_ptr().add(run.image);
            copy::<S>(from, stage.add(run.stage), run.len);
            prefetch(from.wrapping_add(plane), run.len);
        }
    }
}

/// Copies `len` values.
///
/// # Safety
///
/// Both runs must be valid and apart.
#[inline(always)]
pub(super) unsafe fn copy<S: Simd>(from: *const S::T, to: *mut S::T, len: usize) {
    // SAFETY: by the caller's promise; the last vector begins within the run.
    unsafe {
        let mut i = 0;
        while i + S::LANES <= len {
            S::store(to.add(i), S::load(from.add(i)));
            i += S::LANES;
        }
        if i < len {
            if len >= S::LANES {
                S::store(to.add(len - S::LANES), S::load(from.add(len - S::LANES)));
            } else {
                while i < len {
                    *to.add(i) = *from.add(i);
                    i += 1;
                }
            }
        }
    }
}

/// `to = from + residual`, then what is negative becomes zero if `relu`.
///
/// # Safety
///
/// The runs must be valid, and `to` apart from the others.
#[inline(always)]
pub(super) unsafe fn add<S: Simd>(
    from: *const S::T,
    residual: *const S::T,
    to: *mut S::T,
    len: usize,
    relu: bool,
) {
    // SAFETY: by the caller's promise.
    unsafe {
        let mut i = 0;
        while i + S::LANES <= len {
            let sum = S::add(S::load(from.add(i)), S::load(residual.add(i)));
            S::store(to.add(i), if relu { S::relu(sum) } else { sum });
            i += S::LANES;
        }
        while i < len {
            let sum = *from.add(i) + *residual.add(i);
            let zero = S::T::default();
            *to.add(i) = if relu && sum <= zero { zero } else { sum };
            i += 1;
        }
    }
}

/// Asks for the cache lines of values that are read soon.
#[inline(always)]
pub(super) fn prefetch<T>(from: *const T, len: usize) {
    let line = 64 / size_of::<T>();
    for i in (0..len).step_by(line) {
        // SAFETY: a hint, which reads nothing.
        #[cfg(target_arch = "x86_64")]
        unsafe {
            use std::arch::x86_64::*;
            _mm_prefetch::<_MM_HINT_T0>(from.wrapping_add(i).cast());
        }
    }
}
