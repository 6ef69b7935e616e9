#![allow(unsafe_code, reason = "vectors are loaded and stored through pointers")]
//! Factors in thirds, in the order of the matrix unit.

use std::ops::Range;

use super::factor::{Factor, STEP};
use super::unit::TILE;

/// f32 values that a panel takes a step: three thirds of two tiles.
pub(super) const PANEL_STEP: usize = 6 * TILE;

/// On which side of the product a factor stands. A row of a left tile is a line, of pairs of terms; a
/// row of a right tile is a pair of terms, of 16 lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Left,
    Right,
}

/// Packs panels, some steps of them: `[panel][step][third][half][16 × 16 pairs]`.
///
/// # Safety
///
/// The processor must have AVX-512 (F and BW), and `to` room for as many panels and steps, written
/// by this thread alone.
pub(super) unsafe fn pack(
    factor: &Factor,
    side: Side,
    panels: Range<usize>,
    steps: Range<usize>,
    to: *mut f32,
) {
    let across = factor.is_across();
    let transposed = across == (side == Side::Left);
    let tile = |panel: usize, step: usize| {
        let at = (panel - panels.start) * steps.len() + step - steps.start;
        for half in 0..2 {
            let piece = factor.piece(panel, half, step);
            let from = factor.values.as_ptr().wrapping_add(piece.start);
            // SAFETY: the piece lies within the factor; the rest is the caller's promise.
            unsafe {
                let to = to.add(at * PANEL_STEP + half * TILE);
                let (lines, depth) = (piece.lines, piece.depth);
                match (across, transposed) {
                    (false, false) => {
                        x86::lines_apart::<false>(from, factor.steps.0, lines, depth, to);
                    }
                    (false, true) => {
                        x86::lines_apart::<true>(from, factor.steps.0, lines, depth, to);
                    }
                    (true, false) => {
                        x86::terms_apart::<false>(from, factor.steps.1, lines, depth, to);
                    }
                    (true, true) => {
                        x86::terms_apart::<true>(from, factor.steps.1, lines, depth, to);
                    }
                }
            }
        }
    };
    // Along what lies side by side in memory.
    if across {
        steps.clone().for_each(|step| panels.clone().for_each(|panel| tile(panel, step)));
    } else {
        panels.clone().for_each(|panel| steps.clone().for_each(|step| tile(panel, step)));
    }
}

mod x86 {
    use std::arch::x86_64::*;

    use super::{STEP, TILE};
    use crate::simd::{Avx512, MAX_LANES, Simd};

    /// From one third of a tile to the next.
    const THIRD: usize = 2 * TILE;

    /// Three numbers of bf16 whose sum each value is: in the upper halves of the lanes.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw")]
    fn thirds(x: __m512) -> [__m512i; 3] {
        let bits = _mm512_castps_si512(x);
        let size = _mm512_and_si512(bits, _mm512_set1_epi32(0x7fff_ffff));
        let upper = _mm512_set1_epi32(-0x1_0000);
        let rounded = |bits: __m512i| {
            _mm512_and_si512(_mm512_add_epi32(bits, _mm512_set1_epi32(0x8000)), upper)
        };
        let (first, rest);
        // What would be rounded to an infinity, or is none to begin with.
        let special = _mm512_cmpgt_epu32_mask(size, _mm512_set1_epi32(0x7f7f_7fff));
        if special == 0 {
            first = rounded(bits);
            rest = _mm512_sub_ps(x, _mm512_castsi512_ps(first));
        } else {
            let infinite = _mm512_set1_epi32(0x7f80_0000);
            let nan = _mm512_cmpgt_epu32_mask(size, infinite);
            let finite = _mm512_cmplt_epu32_mask(size, infinite);
            let cut = _mm512_and_si512(bits, upper);
            let cut = _mm512_mask_or_epi32(cut, nan, cut, _mm512_set1_epi32(0x0040_0000));
            first = _mm512_mask_mov_epi32(rounded(bits), special, cut);
            rest = _mm512_maskz_sub_ps(finite, x, _mm512_castsi512_ps(first));
        }
        let second = rounded(_mm512_castps_si512(rest));
        let third = _mm512_sub_ps(rest, _mm512_castsi512_ps(second));
        // Of at most 8 bits: nothing is cut.
        [first, second, _mm512_and_si512(_mm512_castps_si512(third), upper)]
    }

    /// Row `at` of each third.
    #[inline]
    #[target_feature(enable = "avx512f")]
    fn put(rows: &mut [[__m512; MAX_LANES]; 3], at: usize, thirds: [__m512i; 3]) {
        for (rows, third) in rows.iter_mut().zip(thirds) {
            rows[at] = _mm512_castsi512_ps(third);
        }
    }

    /// Writes 16 rows of each third to its tile, or its columns.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw")]
    unsafe fn store<const TRANSPOSED: bool>(rows: &[[__m512; MAX_LANES]; 3], to: *mut f32) {
        for (n, rows) in rows.iter().enumerate() {
            // SAFETY: by the caller's promise.
            unsafe {
                let to = to.add(n * THIRD);
                if TRANSPOSED {
                    Avx512::store_transposed(to, 16, rows);
                } else {
                    for (r, &row) in rows.iter().enumerate() {
                        _mm512_storeu_ps(to.add(16 * r), row);
                    }
                }
            }
        }
    }

    fn first(count: usize) -> __mmask16 {
        ((1u32 << count.min(16)) - 1) as __mmask16
    }

    /// Terms lie side by side, lines `step` apart.
    #[target_feature(enable = "avx512f,avx512bw")]
    pub(super) unsafe fn lines_apart<const TRANSPOSED: bool>(
        from: *const f32,
        step: usize,
        lines: usize,
        depth: usize,
        to: *mut f32,
    ) {
        let halves = [first(depth), first(depth.saturating_sub(16))];
        // The upper halves of 32 lanes.
        let mut upper = [0i16; 32];
        for (n, upper) in upper.iter_mut().enumerate() {
            *upper = 2 * n as i16 + 1;
        }
        // SAFETY: by the caller's promise; masked lanes are not read, hints touch nothing.
        unsafe {
            let upper = _mm512_loadu_si512(upper.as_ptr().cast());
            let mut rows = [[_mm512_setzero_ps(); MAX_LANES]; 3];
            for line in 0..lines {
                let from = from.add(line * step);
                _mm_prefetch::<_MM_HINT_T0>(from.wrapping_add(2 * STEP).cast());
                _mm_prefetch::<_MM_HINT_T0>(from.wrapping_add(2 * STEP + 16).cast());
                let low = thirds(_mm512_maskz_loadu_ps(halves[0], from));
                let high = thirds(_mm512_maskz_loadu_ps(halves[1], from.wrapping_add(16)));
                let pairs = |n: usize| _mm512_permutex2var_epi16(low[n], upper, high[n]);
                put(&mut rows, line, [pairs(0), pairs(1), pairs(2)]);
            }
            store::<TRANSPOSED>(&rows, to);
        }
    }

    /// Lines lie side by side, terms `step` apart.
    #[target_feature(enable = "avx512f,avx512bw")]
    pub(super) unsafe fn terms_apart<const TRANSPOSED: bool>(
        from: *const f32,
        step: usize,
        lines: usize,
        depth: usize,
        to: *mut f32,
    ) {
        let mask = first(lines);
        // SAFETY: by the caller's promise; masked lanes are not read, hints touch nothing.
        unsafe {
            let term = |n: usize| {
                let mask = if n < depth { mask } else { 0 };
                _mm_prefetch::<_MM_HINT_T0>(from.wrapping_add((n + STEP) * step).cast());
                thirds(_mm512_maskz_loadu_ps(mask, from.wrapping_add(n * step)))
            };
            let mut rows = [[_mm512_setzero_ps(); MAX_LANES]; 3];
            for pair in 0..MAX_LANES {
                let (even, odd) = (term(2 * pair), term(2 * pair + 1));
                let pairs = |n: usize| _mm512_or_si512(_mm512_srli_epi32::<16>(even[n]), odd[n]);
                put(&mut rows, pair, [pairs(0), pairs(1), pairs(2)]);
            }
            store::<TRANSPOSED>(&rows, to);
        }
    }
}
