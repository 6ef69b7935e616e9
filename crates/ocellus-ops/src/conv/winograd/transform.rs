#![allow(unsafe_code, reason = "vectors are loaded and stored through pointers")]
//! The linear maps of F(4×4, 3×3) and their transposes, on vectors of tiles or filters.
//!
//! ```text
//! y = Aᵀ [(G g Gᵀ) ⊙ (Bᵀ d B)] A                                          [1], Eq. 8
//! ```
//!
//! d is a tile of 6 × 6 input values, g a filter of 3 × 3, y a tile of 4 × 4 output values; the
//! points of interpolation are 0, ±1, ±2 and ∞.
//!
//! 1. A. Lavin, S. Gray. *Fast algorithms for convolutional neural networks.* CVPR 2016.
//!    <https://arxiv.org/abs/1509.09308>

use candle_core::WithDType;

use crate::simd::Simd;

/// Side of a tile of the output.
pub(super) const OUT: usize = 4;

/// Side of a tile of the input, and of the transformed values.
pub(super) const SIDE: usize = 6;

/// Transformed values of a tile: as many products instead of 9 · 16.
pub(super) const POINTS: usize = SIDE * SIDE;

#[inline(always)]
fn constant<S: Simd>(x: f64) -> S::V {
    // SAFETY: called from kernels.
    unsafe { S::splat(<S::T as WithDType>::from_f64(x)) }
}

/// Bᵀ d.
#[inline(always)]
pub(super) unsafe fn input<S: Simd>(d: [S::V; SIDE]) -> [S::V; SIDE] {
    unsafe {
        let (four, five, two) = (constant::<S>(4.), constant::<S>(5.), constant::<S>(2.));
        let [d0, d1, d2, d3, d4, d5] = d;
        let even = S::neg_mul_add(four, d2, d4);
        let odd = S::neg_mul_add(four, d1, d3);
        let (even_2, odd_2) = (S::sub(d4, d2), S::sub(d3, d1));
        [
            S::mul_add(four, d0, S::neg_mul_add(five, d2, d4)),
            S::add(even, odd),
            S::sub(even, odd),
            S::mul_add(two, odd_2, even_2),
            S::neg_mul_add(two, odd_2, even_2),
            S::mul_add(four, d1, S::neg_mul_add(five, d3, d5)),
        ]
    }
}

/// Aᵀ m.
#[inline(always)]
pub(super) unsafe fn output<S: Simd>(m: [S::V; SIDE]) -> [S::V; OUT] {
    unsafe {
        let (two, four, eight) = (constant::<S>(2.), constant::<S>(4.), constant::<S>(8.));
        let [m0, m1, m2, m3, m4, m5] = m;
        let (sum, difference) = (S::add(m1, m2), S::sub(m1, m2));
        let (sum_2, difference_2) = (S::add(m3, m4), S::sub(m3, m4));
        [
            S::add(m0, S::add(sum, sum_2)),
            S::mul_add(two, difference_2, difference),
            S::mul_add(four, sum_2, sum),
            S::add(m5, S::mul_add(eight, difference_2, difference)),
        ]
    }
}

/// A y: the transpose of [`output`].
#[inline(always)]
pub(super) unsafe fn output_transposed<S: Simd>(y: [S::V; OUT]) -> [S::V; SIDE] {
    unsafe {
        let (two, four) = (constant::<S>(2.), constant::<S>(4.));
        let [y0, y1, y2, y3] = y;
        let (even, odd) = (S::add(y0, y2), S::add(y1, y3));
        let even_2 = S::mul_add(four, y2, y0);
        let odd_2 = S::mul_add(four, y3, y1);
        [
            y0,
            S::add(even, odd),
            S::sub(even, odd),
            S::mul_add(two, odd_2, even_2),
            S::neg_mul_add(two, odd_2, even_2),
            y3,
        ]
    }
}

/// G g.
#[inline(always)]
pub(super) unsafe fn filter<S: Simd>(g: [S::V; 3]) -> [S::V; SIDE] {
    unsafe {
        let (quarter, sixth) = (constant::<S>(1. / 4.), constant::<S>(-1. / 6.));
        let (twelfth, small) = (constant::<S>(1. / 12.), constant::<S>(1. / 24.));
        let [g0, g1, g2] = g;
        let ends = S::mul(sixth, S::add(g0, g2));
        let middle = S::mul(sixth, g1);
        // g0 / 24 + g2 / 6 and g1 / 12
        let ends_2 = S::neg_mul_add(sixth, g2, S::mul(small, g0));
        let middle_2 = S::mul(twelfth, g1);
        [
            S::mul(quarter, g0),
            S::add(ends, middle),
            S::sub(ends, middle),
            S::add(ends_2, middle_2),
            S::sub(ends_2, middle_2),
            g2,
        ]
    }
}

/// Gᵀ u: the transpose of [`filter`].
#[inline(always)]
pub(super) unsafe fn filter_transposed<S: Simd>(u: [S::V; SIDE]) -> [S::V; 3] {
    unsafe {
        let (quarter, sixth) = (constant::<S>(1. / 4.), constant::<S>(-1. / 6.));
        let (twelfth, small) = (constant::<S>(1. / 12.), constant::<S>(1. / 24.));
        let [u0, u1, u2, u3, u4, u5] = u;
        let ends = S::mul(sixth, S::add(u1, u2));
        let ends_2 = S::add(u3, u4);
        [
            S::mul_add(small, ends_2, S::mul_add(quarter, u0, ends)),
            S::mul_add(twelfth, S::sub(u3, u4), S::mul(sixth, S::sub(u1, u2))),
            S::neg_mul_add(sixth, ends_2, S::add(ends, u5)),
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
both!(output_tile_transposed, output_transposed, OUT, SIDE, "A y Aᵀ.");
both!(filter_tile, filter, 3, SIDE, "G g Gᵀ.");
both!(filter_tile_transposed, filter_transposed, SIDE, 3, "Gᵀ u G.");
