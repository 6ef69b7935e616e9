#![allow(unsafe_code, reason = "see the trait")]

use std::arch::x86_64::*;

use super::{MAX_LANES, Simd};

/// Sixteen f32 in a register of AVX-512.
#[derive(Clone, Copy)]
pub(crate) struct Avx512;

/// Exchanges the two index bits of 2 × 2 blocks of vectors: one step of a transposition.
macro_rules! shuffled {
    ($a:expr, $b:expr, $low:ident, $high:ident) => {
        (
            _mm512_castpd_ps($low(_mm512_castps_pd($a), _mm512_castps_pd($b))),
            _mm512_castpd_ps($high(_mm512_castps_pd($a), _mm512_castps_pd($b))),
        )
    };
}

// SAFETY of all blocks: the processor has AVX-512F and the pointers are valid, by the trait's
// promise.
impl Simd for Avx512 {
    type T = f32;
    type V = __m512;
    const LANES: usize = 16;

    #[inline(always)]
    unsafe fn splat(x: f32) -> __m512 {
        unsafe { _mm512_set1_ps(x) }
    }

    #[inline(always)]
    unsafe fn load(from: *const f32) -> __m512 {
        unsafe { _mm512_loadu_ps(from) }
    }

    #[inline(always)]
    unsafe fn load_first(from: *const f32, count: usize) -> __m512 {
        unsafe { _mm512_maskz_loadu_ps(((1u32 << count) - 1) as u16, from) }
    }

    #[inline(always)]
    unsafe fn store(to: *mut f32, v: __m512) {
        unsafe { _mm512_storeu_ps(to, v) }
    }

    #[inline(always)]
    unsafe fn add(a: __m512, b: __m512) -> __m512 {
        unsafe { _mm512_add_ps(a, b) }
    }

    #[inline(always)]
    unsafe fn sub(a: __m512, b: __m512) -> __m512 {
        unsafe { _mm512_sub_ps(a, b) }
    }

    #[inline(always)]
    unsafe fn mul(a: __m512, b: __m512) -> __m512 {
        unsafe { _mm512_mul_ps(a, b) }
    }

    #[inline(always)]
    unsafe fn mul_add(a: __m512, b: __m512, c: __m512) -> __m512 {
        unsafe { _mm512_fmadd_ps(a, b, c) }
    }

    #[inline(always)]
    unsafe fn neg_mul_add(a: __m512, b: __m512, c: __m512) -> __m512 {
        unsafe { _mm512_fnmadd_ps(a, b, c) }
    }

    #[inline(always)]
    unsafe fn relu(v: __m512) -> __m512 {
        // Where one operand is a NaN, the result is the second.
        unsafe { _mm512_max_ps(_mm512_setzero_ps(), v) }
    }

    #[inline(always)]
    unsafe fn gather(from: *const f32, offsets: &[i32; MAX_LANES]) -> __m512 {
        unsafe {
            let offsets = _mm512_loadu_si512(offsets.as_ptr().cast());
            _mm512_i32gather_ps::<4>(offsets, from)
        }
    }

    #[inline(always)]
    unsafe fn interleave2(to: *mut f32, [a, b]: [__m512; 2]) {
        unsafe {
            let low = _mm512_setr_epi32(0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
            let high =
                _mm512_setr_epi32(8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
            _mm512_storeu_ps(to, _mm512_permutex2var_ps(a, low, b));
            _mm512_storeu_ps(to.add(16), _mm512_permutex2var_ps(a, high, b));
        }
    }

    #[inline(always)]
    unsafe fn deinterleave4(from: *const f32) -> [__m512; 4] {
        unsafe {
            let x = [0, 16, 32, 48].map(|at| _mm512_loadu_ps(from.add(at)));
            let even = _mm512_setr_epi32(0, 4, 8, 12, 16, 20, 24, 28, 1, 5, 9, 13, 17, 21, 25, 29);
            let odd = _mm512_setr_epi32(2, 6, 10, 14, 18, 22, 26, 30, 3, 7, 11, 15, 19, 23, 27, 31);
            let a = _mm512_permutex2var_ps(x[0], even, x[1]); // j = 0 | j = 1, tiles 0-7
            let b = _mm512_permutex2var_ps(x[2], even, x[3]); // tiles 8-15
            let c = _mm512_permutex2var_ps(x[0], odd, x[1]); // j = 2 | j = 3
            let d = _mm512_permutex2var_ps(x[2], odd, x[3]);
            let low = |a, b| {
                _mm512_castpd_ps(_mm512_shuffle_f64x2::<0x44>(
                    _mm512_castps_pd(a),
                    _mm512_castps_pd(b),
                ))
            };
            let high = |a, b| {
                _mm512_castpd_ps(_mm512_shuffle_f64x2::<0xee>(
                    _mm512_castps_pd(a),
                    _mm512_castps_pd(b),
                ))
            };
            [low(a, b), high(a, b), low(c, d), high(c, d)]
        }
    }

    #[inline(always)]
    unsafe fn interleave4(to: *mut f32, v: [__m512; 4]) {
        unsafe {
            let [a, b, c, d] = v;
            let first = |a, b| {
                _mm512_castpd_ps(_mm512_shuffle_f64x2::<0x44>(
                    _mm512_castps_pd(a),
                    _mm512_castps_pd(b),
                ))
            };
            let second = |a, b| {
                _mm512_castpd_ps(_mm512_shuffle_f64x2::<0xee>(
                    _mm512_castps_pd(a),
                    _mm512_castps_pd(b),
                ))
            };
            let low = _mm512_setr_epi32(0, 8, 16, 24, 1, 9, 17, 25, 2, 10, 18, 26, 3, 11, 19, 27);
            let high =
                _mm512_setr_epi32(4, 12, 20, 28, 5, 13, 21, 29, 6, 14, 22, 30, 7, 15, 23, 31);
            let (ab, cd) = (first(a, b), first(c, d)); // lanes 0-7 of each
            _mm512_storeu_ps(to, _mm512_permutex2var_ps(ab, low, cd));
            _mm512_storeu_ps(to.add(16), _mm512_permutex2var_ps(ab, high, cd));
            let (ab, cd) = (second(a, b), second(c, d));
            _mm512_storeu_ps(to.add(32), _mm512_permutex2var_ps(ab, low, cd));
            _mm512_storeu_ps(to.add(48), _mm512_permutex2var_ps(ab, high, cd));
        }
    }

    #[inline(always)]
    unsafe fn interleave5(to: *mut f32, [a, b, c, d, e]: [__m512; 5]) {
        unsafe {
            let mut v = 0;
            while v < 5 {
                let [ab, cd, last] =
                    FIVE[v].lanes.map(|lanes| _mm512_loadu_si512(lanes.as_ptr().cast()));
                let [_, of_cd, of_last] = FIVE[v].masks;
                let x = _mm512_permutex2var_ps(a, ab, b);
                let x = _mm512_mask_blend_ps(of_cd, x, _mm512_permutex2var_ps(c, cd, d));
                _mm512_storeu_ps(to.add(16 * v), _mm512_mask_permutexvar_ps(x, of_last, last, e));
                v += 1;
            }
        }
    }

    #[inline(always)]
    unsafe fn store_transposed(to: *mut f32, stride: usize, v: &[__m512; MAX_LANES]) {
        unsafe {
            // 4 × 4 blocks within the 128-bit lanes, then the lanes themselves.
            let mut t = [_mm512_setzero_ps(); 16];
            let mut i = 0;
            while i < 16 {
                let (a, b, c, d) = (v[i], v[i + 1], v[i + 2], v[i + 3]);
                let (ab, cd) = (_mm512_unpacklo_ps(a, b), _mm512_unpacklo_ps(c, d));
                (t[i], t[i + 1]) = shuffled!(ab, cd, _mm512_unpacklo_pd, _mm512_unpackhi_pd);
                let (ab, cd) = (_mm512_unpackhi_ps(a, b), _mm512_unpackhi_ps(c, d));
                (t[i + 2], t[i + 3]) = shuffled!(ab, cd, _mm512_unpacklo_pd, _mm512_unpackhi_pd);
                i += 4;
            }
            // t[4 q + r]: columns r, 4 + r, 8 + r, 12 + r of rows 4 q to 4 q + 3.
            let mut r = 0;
            while r < 4 {
                let (a, b, c, d) = (t[r], t[4 + r], t[8 + r], t[12 + r]);
                let ab = _mm512_shuffle_f32x4::<0x88>(a, b); // columns r and 8 + r
                let cd = _mm512_shuffle_f32x4::<0x88>(c, d);
                _mm512_storeu_ps(to.add(r * stride), _mm512_shuffle_f32x4::<0x88>(ab, cd));
                _mm512_storeu_ps(to.add((8 + r) * stride), _mm512_shuffle_f32x4::<0xdd>(ab, cd));
                let ab = _mm512_shuffle_f32x4::<0xdd>(a, b); // columns 4 + r and 12 + r
                let cd = _mm512_shuffle_f32x4::<0xdd>(c, d);
                _mm512_storeu_ps(to.add((4 + r) * stride), _mm512_shuffle_f32x4::<0x88>(ab, cd));
                _mm512_storeu_ps(to.add((12 + r) * stride), _mm512_shuffle_f32x4::<0xdd>(ab, cd));
                r += 1;
            }
        }
    }
}

/// What a vector of five interleaved ones consists of: of the first pair, the second, the last.
struct Five {
    /// For each lane, its lane in the pair.
    lanes: [[i32; 16]; 3],
    /// Which lanes are of it.
    masks: [u16; 3],
}

const FIVE: [Five; 5] = {
    let mut five = [const { Five { lanes: [[0; 16]; 3], masks: [0; 3] } }; 5];
    let mut i = 0;
    while i < 80 {
        let (vector, lane) = (i % 5, i / 5);
        let (pair, to) = (vector / 2, &mut five[i / 16]);
        to.lanes[pair][i % 16] = (16 * (vector % 2) + lane) as i32;
        to.masks[pair] |= 1 << (i % 16);
        i += 1;
    }
    five
};
