#![allow(unsafe_code, reason = "see the trait")]

use std::marker::PhantomData;

use super::{MAX_LANES, Simd};
use crate::cpu::Float;

/// Lanes of a portable vector: two of SSE's or NEON's, in f32.
const LANES: usize = 8;

/// Vectors as arrays.
#[derive(Clone, Copy)]
pub(crate) struct Portable<T>(PhantomData<T>);

macro_rules! lanewise {
    ($($i:ident),+ => $value:expr) => {{
        let mut result = [T::zero(); LANES];
        let mut lane = 0;
        while lane < LANES {
            $(let $i = $i[lane];)+
            result[lane] = $value;
            lane += 1;
        }
        result
    }};
}

impl<T: Float> Simd for Portable<T> {
    type T = T;
    type V = [T; LANES];
    const LANES: usize = LANES;

    #[inline(always)]
    unsafe fn splat(x: T) -> Self::V {
        [x; LANES]
    }

    #[inline(always)]
    unsafe fn load(from: *const T) -> Self::V {
        // SAFETY: by the caller's promise.
        unsafe { from.cast::<Self::V>().read_unaligned() }
    }

    #[inline(always)]
    unsafe fn store(to: *mut T, v: Self::V) {
        // SAFETY: by the caller's promise.
        unsafe { to.cast::<Self::V>().write_unaligned(v) }
    }

    #[inline(always)]
    unsafe fn add(a: Self::V, b: Self::V) -> Self::V {
        lanewise!(a, b => a + b)
    }

    #[inline(always)]
    unsafe fn sub(a: Self::V, b: Self::V) -> Self::V {
        lanewise!(a, b => a - b)
    }

    #[inline(always)]
    unsafe fn mul(a: Self::V, b: Self::V) -> Self::V {
        lanewise!(a, b => a * b)
    }

    #[inline(always)]
    unsafe fn mul_add(a: Self::V, b: Self::V, c: Self::V) -> Self::V {
        // Not `mul_add`: without the instruction that is a call for each lane.
        lanewise!(a, b, c => a * b + c)
    }

    #[inline(always)]
    unsafe fn neg_mul_add(a: Self::V, b: Self::V, c: Self::V) -> Self::V {
        lanewise!(a, b, c => c - a * b)
    }

    #[inline(always)]
    unsafe fn relu(v: Self::V) -> Self::V {
        lanewise!(v => if v <= T::zero() { T::zero() } else { v })
    }

    #[inline(always)]
    unsafe fn gather(from: *const T, offsets: &[i32; MAX_LANES]) -> Self::V {
        let mut v = [T::zero(); LANES];
        for (lane, &offset) in v.iter_mut().zip(offsets) {
            // SAFETY: by the caller's promise.
            *lane = unsafe { *from.offset(offset as isize) };
        }
        v
    }

    #[inline(always)]
    unsafe fn interleave2(to: *mut T, [a, b]: [Self::V; 2]) {
        for lane in 0..LANES {
            // SAFETY: by the caller's promise.
            unsafe {
                *to.add(2 * lane) = a[lane];
                *to.add(2 * lane + 1) = b[lane];
            }
        }
    }

    #[inline(always)]
    unsafe fn deinterleave4(from: *const T) -> [Self::V; 4] {
        let mut v = [[T::zero(); LANES]; 4];
        for lane in 0..LANES {
            for (j, v) in v.iter_mut().enumerate() {
                // SAFETY: by the caller's promise.
                v[lane] = unsafe { *from.add(4 * lane + j) };
            }
        }
        v
    }

    #[inline(always)]
    unsafe fn interleave4(to: *mut T, v: [Self::V; 4]) {
        for lane in 0..LANES {
            for (j, v) in v.iter().enumerate() {
                // SAFETY: by the caller's promise.
                unsafe { *to.add(4 * lane + j) = v[lane] };
            }
        }
    }

    #[inline(always)]
    unsafe fn store_transposed(to: *mut T, stride: usize, v: &[Self::V; MAX_LANES]) {
        for lane in 0..LANES {
            for (j, v) in v[..LANES].iter().enumerate() {
                // SAFETY: by the caller's promise.
                unsafe { *to.add(lane * stride + j) = v[lane] };
            }
        }
    }
}
