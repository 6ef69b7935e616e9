#![allow(unsafe_code, reason = "vectors are loaded and stored through pointers")]

use crate::simd::Simd;

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
