#![allow(unsafe_code, reason = "products are computed through pointers")]

use crate::simd::Simd;

/// A product of matrices, as [`product`] takes it.
#[derive(Clone, Copy)]
pub(super) struct Matrices<T> {
    /// The left matrix: entry (r, k) is `a[r · a_row + k · a_step]`.
    pub(super) a: *const T,
    pub(super) a_row: usize,
    pub(super) a_step: usize,
    /// The right matrix, a panel of two vectors: row k is `b[k · b_step..]`.
    pub(super) b: *const T,
    pub(super) b_step: usize,
    /// The result, a panel of two vectors: row r is `c[r · c_row..]`.
    pub(super) c: *mut T,
    pub(super) c_row: usize,
    /// Terms of each sum.
    pub(super) depth: usize,
    /// Whether to add to `c`.
    pub(super) accumulate: bool,
}

/// Rows that a call of [`product`] computes: with two vectors each, as many sums as registers hold.
pub(super) const fn rows_of(lanes: usize) -> usize {
    if lanes == 16 { 8 } else { 4 }
}

/// `c = a · b` or `c += a · b` for [`rows_of`] rows and two vectors of columns.
///
/// # Safety
///
/// The pointers must be valid for the sizes given, and `c` for writes by this thread alone.
#[inline(always)]
pub(super) unsafe fn product<S: Simd>(m: Matrices<S::T>) {
    // SAFETY: by the caller's promise.
    unsafe { if S::LANES == 16 { rows::<S, 8>(m) } else { rows::<S, 4>(m) } }
}

#[inline(always)]
unsafe fn rows<S: Simd, const ROWS: usize>(m: Matrices<S::T>) {
    // SAFETY: by the caller's promise.
    unsafe {
        let zero = S::splat(S::T::default());
        let mut sums = [[zero; 2]; ROWS];
        if m.accumulate {
            let mut r = 0;
            while r < ROWS {
                sums[r] = [S::load(m.c.add(r * m.c_row)), S::load(m.c.add(r * m.c_row + S::LANES))];
                r += 1;
            }
        }
        let (mut a, mut b) = (m.a, m.b);
        for _ in 0..m.depth {
            let right = [S::load(b), S::load(b.add(S::LANES))];
            let mut r = 0;
            while r < ROWS {
                let left = S::splat(*a.add(r * m.a_row));
                sums[r][0] = S::mul_add(left, right[0], sums[r][0]);
                sums[r][1] = S::mul_add(left, right[1], sums[r][1]);
                r += 1;
            }
            a = a.add(m.a_step);
            b = b.add(m.b_step);
        }
        let mut r = 0;
        while r < ROWS {
            S::store(m.c.add(r * m.c_row), sums[r][0]);
            S::store(m.c.add(r * m.c_row + S::LANES), sums[r][1]);
            r += 1;
        }
    }
}
