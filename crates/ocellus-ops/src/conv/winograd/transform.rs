#![allow(unsafe_code, reason = "vectors are loaded and stored through pointers")]
//! The linear maps of F(4×4, 3×3) and their transposes, on vectors of tiles or filters; and those of
//! F(5×5, 2×2), whose map of the input is the same.
//!
//! ```text
//! y = Aᵀ [(G g Gᵀ) ⊙ (Bᵀ d B)] A                                          [1], Eq. 8
//! ```
//!
//! d is a tile of 6 × 6 input values, g a filter of 3 × 3, y a tile of 4 × 4 output values. The
//! points of interpolation are 0, ±√½, ±√2 and ∞: with the usual ±1 and ±2, whose powers grow to 8
//! (64 in two dimensions), rounding errors are several times as large.
//!
//! SAFETY of all blocks: only vectors are computed; that the processor has them is the callers'
//! promise, as of [`Simd`].
//!
//! 1. A. Lavin, S. Gray. *Fast algorithms for convolutional neural networks.* CVPR 2016.
//!    <https://arxiv.org/abs/1509.09308>

use std::f64::consts::{FRAC_1_SQRT_2, SQRT_2};

use candle_core::WithDType;

use crate::simd::Simd;

/// Side of a tile of the output.
pub(super) const OUT: usize = 4;

/// Side of a tile of the output with filters of 2 × 2.
pub(super) const PHASE_OUT: usize = 5;

/// Side of a tile of the input, and of the transformed values.
pub(super) const SIDE: usize = 6;

/// Transformed values of a tile: as many products instead of 9 · 16.
pub(super) const POINTS: usize = SIDE * SIDE;

#[inline(always)]
fn constant<S: Simd>(x: f64) -> S::V {
    // SAFETY: called from kernels.
    unsafe { S::splat(<S::T as WithDType>::from_f64(x)) }
}

/// Bᵀ d: at a point p, d is divided by the polynomial of the other points.
#[inline(always)]
pub(super) unsafe fn input<S: Simd>(d: [S::V; SIDE]) -> [S::V; SIDE] {
    unsafe {
        let (two, half) = (constant::<S>(2.), constant::<S>(0.5));
        let (ends, root, half_root) =
            (constant::<S>(2.5), constant::<S>(SQRT_2), constant::<S>(FRAC_1_SQRT_2));
        let [d0, d1, d2, d3, d4, d5] = d;
        let (even, odd) = (S::neg_mul_add(two, d2, d4), S::neg_mul_add(two, d1, d3));
        let (even_2, odd_2) = (S::neg_mul_add(half, d2, d4), S::neg_mul_add(half, d1, d3));
        [
            S::neg_mul_add(ends, d2, S::add(d0, d4)),
            S::mul_add(half_root, odd, even),
            S::neg_mul_add(half_root, odd, even),
            S::mul_add(root, odd_2, even_2),
            S::neg_mul_add(root, odd_2, even_2),
            S::neg_mul_add(ends, d3, S::add(d1, d5)),
        ]
    }
}

/// Aᵀ m: row i holds the i-th powers of the points.
#[inline(always)]
pub(super) unsafe fn output<S: Simd>(m: [S::V; SIDE]) -> [S::V; OUT] {
    unsafe {
        let (two, half, half_root) =
            (constant::<S>(2.), constant::<S>(0.5), constant::<S>(FRAC_1_SQRT_2));
        let (cube, cube_2) = (constant::<S>(SQRT_2 / 4.), constant::<S>(2. * SQRT_2));
        let [m0, m1, m2, m3, m4, m5] = m;
        let (sum, difference) = (S::add(m1, m2), S::sub(m1, m2));
        let (sum_2, difference_2) = (S::add(m3, m4), S::sub(m3, m4));
        [
            S::add(m0, S::add(sum, sum_2)),
            S::mul(half_root, S::mul_add(two, difference_2, difference)),
            S::mul_add(two, sum_2, S::mul(half, sum)),
            S::mul_add(cube_2, difference_2, S::mul_add(cube, difference, m5)),
        ]
    }
}

/// Aᵀ m with filters of 2 × 2: one power more.
#[inline(always)]
pub(super) unsafe fn phase_output<S: Simd>(m: [S::V; SIDE]) -> [S::V; PHASE_OUT] {
    unsafe {
        let (two, half, half_root) =
            (constant::<S>(2.), constant::<S>(0.5), constant::<S>(FRAC_1_SQRT_2));
        let (cube, cube_2) = (constant::<S>(SQRT_2 / 4.), constant::<S>(2. * SQRT_2));
        let (quarter, four) = (constant::<S>(0.25), constant::<S>(4.));
        let [m0, m1, m2, m3, m4, m5] = m;
        let (sum, difference) = (S::add(m1, m2), S::sub(m1, m2));
        let (sum_2, difference_2) = (S::add(m3, m4), S::sub(m3, m4));
        [
            S::add(m0, S::add(sum, sum_2)),
            S::mul(half_root, S::mul_add(two, difference_2, difference)),
            S::mul_add(two, sum_2, S::mul(half, sum)),
            S::mul_add(cube_2, difference_2, S::mul(cube, difference)),
            S::mul_add(four, sum_2, S::mul_add(quarter, sum, m5)),
        ]
    }
}

/// A y: the transpose of [`output`].
#[inline(always)]
pub(super) unsafe fn output_transposed<S: Simd>(y: [S::V; OUT]) -> [S::V; SIDE] {
    unsafe {
        let (two, half) = (constant::<S>(2.), constant::<S>(0.5));
        let (root, half_root) = (constant::<S>(SQRT_2), constant::<S>(FRAC_1_SQRT_2));
        let [y0, y1, y2, y3] = y;
        let (even, odd) = (S::mul_add(half, y2, y0), S::mul_add(half, y3, y1));
        let (even_2, odd_2) = (S::mul_add(two, y2, y0), S::mul_add(two, y3, y1));
        [
            y0,
            S::mul_add(half_root, odd, even),
            S::neg_mul_add(half_root, odd, even),
            S::mul_add(root, odd_2, even_2),
            S::neg_mul_add(root, odd_2, even_2),
            y3,
        ]
    }
}

/// A y with filters of 2 × 2: the transpose of [`phase_output`].
#[inline(always)]
pub(super) unsafe fn phase_output_transposed<S: Simd>(y: [S::V; PHASE_OUT]) -> [S::V; SIDE] {
    unsafe {
        let (two, half) = (constant::<S>(2.), constant::<S>(0.5));
        let (four, quarter) = (constant::<S>(4.), constant::<S>(0.25));
        let (root, half_root) = (constant::<S>(SQRT_2), constant::<S>(FRAC_1_SQRT_2));
        let [y0, y1, y2, y3, y4] = y;
        let even = S::mul_add(quarter, y4, S::mul_add(half, y2, y0));
        let even_2 = S::mul_add(four, y4, S::mul_add(two, y2, y0));
        let (odd, odd_2) = (S::mul_add(half, y3, y1), S::mul_add(two, y3, y1));
        [
            y0,
            S::mul_add(half_root, odd, even),
            S::neg_mul_add(half_root, odd, even),
            S::mul_add(root, odd_2, even_2),
            S::neg_mul_add(root, odd_2, even_2),
            y4,
        ]
    }
}

/// G g: row p holds the powers of the point p, divided by the product of its distances to the
/// others: −3/2 for ±√½, 6 for ±√2.
#[inline(always)]
pub(super) unsafe fn filter<S: Simd>(g: [S::V; 3]) -> [S::V; SIDE] {
    unsafe {
        let (third, sixth) = (constant::<S>(-1. / 3.), constant::<S>(1. / 6.));
        let (root_third, root_sixth) = (constant::<S>(-SQRT_2 / 3.), constant::<S>(SQRT_2 / 6.));
        let two = constant::<S>(2.);
        let [g0, g1, g2] = g;
        let (even, odd) = (S::mul(third, S::mul_add(two, g0, g2)), S::mul(root_third, g1));
        let (even_2, odd_2) = (S::mul(sixth, S::mul_add(two, g2, g0)), S::mul(root_sixth, g1));
        [g0, S::add(even, odd), S::sub(even, odd), S::add(even_2, odd_2), S::sub(even_2, odd_2), g2]
    }
}

/// G g with filters of 2 × 2: the powers 0 and 1.
#[inline(always)]
pub(super) unsafe fn phase_filter<S: Simd>(g: [S::V; 2]) -> [S::V; SIDE] {
    unsafe {
        let (two_thirds, sixth) = (constant::<S>(-2. / 3.), constant::<S>(1. / 6.));
        let (root_third, root_sixth) = (constant::<S>(-SQRT_2 / 3.), constant::<S>(SQRT_2 / 6.));
        let [g0, g1] = g;
        let (even, odd) = (S::mul(two_thirds, g0), S::mul(root_third, g1));
        let (even_2, odd_2) = (S::mul(sixth, g0), S::mul(root_sixth, g1));
        [g0, S::add(even, odd), S::sub(even, odd), S::add(even_2, odd_2), S::sub(even_2, odd_2), g1]
    }
}

/// Gᵀ u: the transpose of [`filter`].
#[inline(always)]
pub(super) unsafe fn filter_transposed<S: Simd>(u: [S::V; SIDE]) -> [S::V; 3] {
    unsafe {
        let (third, sixth) = (constant::<S>(-1. / 3.), constant::<S>(1. / 6.));
        let (root_third, root_sixth) = (constant::<S>(-SQRT_2 / 3.), constant::<S>(SQRT_2 / 6.));
        let two = constant::<S>(2.);
        let [u0, u1, u2, u3, u4, u5] = u;
        let (sum, sum_2) = (S::mul(third, S::add(u1, u2)), S::mul(sixth, S::add(u3, u4)));
        [
            S::mul_add(two, sum, S::add(u0, sum_2)),
            S::mul_add(root_third, S::sub(u1, u2), S::mul(root_sixth, S::sub(u3, u4))),
            S::mul_add(two, sum_2, S::add(u5, sum)),
        ]
    }
}

/// Gᵀ u with filters of 2 × 2: the transpose of [`phase_filter`].
#[inline(always)]
pub(super) unsafe fn phase_filter_transposed<S: Simd>(u: [S::V; SIDE]) -> [S::V; 2] {
    unsafe {
        let (two_thirds, sixth) = (constant::<S>(-2. / 3.), constant::<S>(1. / 6.));
        let (root_third, root_sixth) = (constant::<S>(-SQRT_2 / 3.), constant::<S>(SQRT_2 / 6.));
        let [u0, u1, u2, u3, u4, u5] = u;
        [
            S::mul_add(two_thirds, S::add(u1, u2), S::mul_add(sixth, S::add(u3, u4), u0)),
            S::mul_add(root_third, S::sub(u1, u2), S::mul_add(root_sixth, S::sub(u3, u4), u5)),
        ]
    }
}

/// A one-dimensional map, applied to both dimensions of a tile.
macro_rules! both {
    ($name:ident, $along:ident, $from:expr, $to:expr, $doc:literal) => {
        #[doc = $doc]
        #[inline(always)]
        pub(super) unsafe fn $name<S: Simd>(x: [[S::V; $from]; $from]) -> [[S::V; $to]; $to] {
            unsafe {
                let zero = constant::<S>(0.);
                // Row by row, stored as columns.
                let mut columns = [[zero; $from]; $to];
                let mut i = 0;
                while i < $from {
                    let row = $along::<S>(x[i]);
                    let mut j = 0;
                    while j < $to {
                        columns[j][i] = row[j];
                        j += 1;
                    }
                    i += 1;
                }
                let mut y = [[zero; $to]; $to];
                let mut j = 0;
                while j < $to {
                    let column = $along::<S>(columns[j]);
                    let mut i = 0;
                    while i < $to {
                        y[i][j] = column[i];
                        i += 1;
                    }
                    j += 1;
                }
                y
            }
        }
    };
}

both!(input_tile, input, SIDE, SIDE, "Bᵀ d B.");
both!(output_tile, output, SIDE, OUT, "Aᵀ m A.");
both!(filter_tile, filter, 3, SIDE, "G g Gᵀ.");
both!(phase_output_tile, phase_output, SIDE, PHASE_OUT, "Aᵀ m A with filters of 2 × 2.");
both!(phase_filter_tile, phase_filter, 2, SIDE, "G g Gᵀ of a filter of 2 × 2.");
both!(filter_tile_transposed, filter_transposed, SIDE, 3, "Gᵀ u G.");
both!(phase_filter_tile_transposed, phase_filter_transposed, SIDE, 2, "Gᵀ u G, 2 × 2.");
