#![allow(unsafe_code, reason = "products are computed through pointers")]

use crate::simd::Simd;

/// A product of matrices, as [`product`] takes it.
#[derive(Clone, Copy)]
pub(in crate::conv) struct Matrices<T> {
    /// The left matrix: entry (r, k) is `a[r · a_row + k · a_step]`.
    pub(in crate::conv) a: *const T,
    pub(in crate::conv) a_row: usize,
    pub(in crate::conv) a_step: usize,
    /// The right matrix, a panel of two vectors: row k is `b[k · b_step..]`.
    pub(in crate::conv) b: *const T,
    pub(in crate::conv) b_step: usize,
    /// The result, a panel of two vectors: row r is `c[r · c_row..]`.
    pub(in crate::conv) c: *mut T,
    pub(in crate::conv) c_row: usize,
    /// Terms of each sum.
    pub(in crate::conv) depth: usize,
    /// Whether to add to `c`.
    pub(in crate::conv) accumulate: bool,
    /// What is done with the sums at the end.
    pub(in crate::conv) finish: Option<Finish<T>>,
}

/// The epilogue of a product.
#[derive(Clone, Copy)]
pub(in crate::conv) struct Finish<T> {
    /// Added to row r: `bias[r]`.
    pub(in crate::conv) bias: *const T,
    /// Then added to row r, where it is not null: `residual[r · c_row..]`.
    pub(in crate::conv) residual: *const T,
    /// Whether what is negative then becomes zero.
    pub(in crate::conv) relu: bool,
}

/// Rows that a call of [`product`] computes: with two vectors each, as many sums as registers hold.
pub(in crate::conv) const fn rows_of(lanes: usize) -> usize {
    if lanes == 16 { 8 } else { 4 }
}

/// `c = a · b` or `c += a · b` for [`rows_of`] rows and two vectors of columns.
///
/// # Safety
///
/// The pointers must be valid for the sizes given, and `c` for writes by this thread alone.
#[inline(always)]
pub(in crate::conv) unsafe fn product<S: Simd>(m: Matrices<S::T>) {
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
        if let Some(finish) = m.finish {
            let mut r = 0;
            while r < ROWS {
                let bias = S::splat(*finish.bias.add(r));
                sums[r] = [S::add(sums[r][0], bias), S::add(sums[r][1], bias)];
                if !finish.residual.is_null() {
                    let from = finish.residual.add(r * m.c_row);
                    let residual = [S::load(from), S::load(from.add(S::LANES))];
                    sums[r] = [S::add(sums[r][0], residual[0]), S::add(sums[r][1], residual[1])];
                }
                if finish.relu {
                    sums[r] = [S::relu(sums[r][0]), S::relu(sums[r][1])];
                }
                r += 1;
            }
        }
        let mut r = 0;
        while r < ROWS {
            S::store(m.c.add(r * m.c_row), sums[r][0]);
            S::store(m.c.add(r * m.c_row + S::LANES), sums[r][1]);
            r += 1;
        }
    }
}
