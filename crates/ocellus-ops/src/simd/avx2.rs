#![allow(unsafe_code, reason = "see the trait")]

use std::arch::x86_64::*;

use super::{MAX_LANES, Simd};

/// Eight f32 in a register of AVX, with AVX2 and FMA.
#[derive(Clone, Copy)]
pub(crate) struct Avx2;

/// Transposes the 4 × 4 blocks in the lower and in the upper halves of four vectors.
#[inline(always)]
unsafe fn transposed4([a, b, c, d]: [__m256; 4]) -> [__m256; 4] {
    // SAFETY: by the caller's promise.
    unsafe {
        let (ab_low, ab_high) = (_mm256_unpacklo_ps(a, b), _mm256_unpackhi_ps(a, b));
        let (cd_low, cd_high) = (_mm256_unpacklo_ps(c, d), _mm256_unpackhi_ps(c, d));
        [
            _mm256_shuffle_ps::<0x44>(ab_low, cd_low),
            _mm256_shuffle_ps::<0xee>(ab_low, cd_low),
            _mm256_shuffle_ps::<0x44>(ab_high, cd_high),
            _mm256_shuffle_ps::<0xee>(ab_high, cd_high),
        ]
    }
}

// SAFETY of all blocks: the processor has AVX2 and FMA and the pointers are valid, by the trait's
// promise.
impl Simd for Avx2 {
    type T = f32;
    type V = __m256;
    const LANES: usize = 8;

    #[inline(always)]
    unsafe fn splat(x: f32) -> __m256 {
        unsafe { _mm256_set1_ps(x) }
    }

    #[inline(always)]
    unsafe fn load(from: *const f32) -> __m256 {
        unsafe { _mm256_loadu_ps(from) }
    }

    #[inline(always)]
    unsafe fn store(to: *mut f32, v: __m256) {
        unsafe { _mm256_storeu_ps(to, v) }
    }

    #[inline(always)]
    unsafe fn add(a: __m256, b: __m256) -> __m256 {
        unsafe { _mm256_add_ps(a, b) }
    }

    #[inline(always)]
    unsafe fn sub(a: __m256, b: __m256) -> __m256 {
        unsafe { _mm256_sub_ps(a, b) }
    }

    #[inline(always)]
    unsafe fn mul(a: __m256, b: __m256) -> __m256 {
        unsafe { _mm256_mul_ps(a, b) }
    }

    #[inline(always)]
    unsafe fn mul_add(a: __m256, b: __m256, c: __m256) -> __m256 {
        unsafe { _mm256_fmadd_ps(a, b, c) }
    }

    #[inline(always)]
    unsafe fn neg_mul_add(a: __m256, b: __m256, c: __m256) -> __m256 {
        unsafe { _mm256_fnmadd_ps(a, b, c) }
    }

    #[inline(always)]
    unsafe fn relu(v: __m256) -> __m256 {
        // Where one operand is a NaN, the result is the second.
        unsafe { _mm256_max_ps(_mm256_setzero_ps(), v) }
    }

    #[inline(always)]
    unsafe fn gather(from: *const f32, offsets: &[i32; MAX_LANES]) -> __m256 {
        unsafe {
            let offsets = _mm256_loadu_si256(offsets.as_ptr().cast());
            _mm256_i32gather_ps::<4>(from, offsets)
        }
    }

    #[inline(always)]
    unsafe fn interleave2(to: *mut f32, [a, b]: [__m256; 2]) {
        unsafe {
            // Lanes 0, 1, 4, 5 of both, and 2, 3, 6, 7.
            let (low, high) = (_mm256_unpacklo_ps(a, b), _mm256_unpackhi_ps(a, b));
            _mm256_storeu_ps(to, _mm256_permute2f128_ps::<0x20>(low, high));
            _mm256_storeu_ps(to.add(8), _mm256_permute2f128_ps::<0x31>(low, high));
        }
    }

    #[inline(always)]
    unsafe fn deinterleave4(from: *const f32) -> [__m256; 4] {
        unsafe {
            // Tiles 0 to 3 in the lower halves, 4 to 7 in the upper ones.
            transposed4([
                _mm256_loadu2_m128(from.add(16), from),
                _mm256_loadu2_m128(from.add(20), from.add(4)),
                _mm256_loadu2_m128(from.add(24), from.add(8)),
                _mm256_loadu2_m128(from.add(28), from.add(12)),
            ])
        }
    }

    #[inline(always)]
    unsafe fn interleave4(to: *mut f32, v: [__m256; 4]) {
        unsafe {
            let [a, b, c, d] = transposed4(v);
            _mm256_storeu2_m128(to.add(16), to, a);
            _mm256_storeu2_m128(to.add(20), to.add(4), b);
            _mm256_storeu2_m128(to.add(24), to.add(8), c);
            _mm256_storeu2_m128(to.add(28), to.add(12), d);
        }
    }

    #[inline(always)]
    unsafe fn store_transposed(to: *mut f32, stride: usize, v: &[__m256; MAX_LANES]) {
        unsafe {
            // Columns 0 to 3 in the lower halves, 4 to 7 in the upper ones; rows 0-3, then 4-7.
            let top = transposed4([v[0], v[1], v[2], v[3]]);
            let bottom = transposed4([v[4], v[5], v[6], v[7]]);
            let mut i = 0;
            while i < 4 {
                let (upper, lower) = (
                    _mm256_permute2f128_ps::<0x20>(top[i], bottom[i]),
                    _mm256_permute2f128_ps::<0x31>(top[i], bottom[i]),
                );
                _mm256_storeu_ps(to.add(i * stride), upper);
                _mm256_storeu_ps(to.add((4 + i) * stride), lower);
                i += 1;
            }
        }
    }
}
