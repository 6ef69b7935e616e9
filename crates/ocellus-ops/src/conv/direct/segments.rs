#![allow(unsafe_code, reason = "products are computed through pointers")]

use crate::simd::Simd;

/// The most rows that [`product`] computes.
pub(super) const MAX_ROWS: usize = 8;

/// A product of matrices whose terms come in segments, as [`product`] takes it.
#[derive(Clone, Copy)]
pub(super) struct Segments<'a, T> {
    /// The left matrix: entry (r, k) of a segment is `a[start.0 + rows[r] + k · a_step]`.
    pub(super) a: *const T,
    pub(super) rows: [usize; MAX_ROWS],
    pub(super) a_step: usize,
    /// The right matrix, two vectors wide: row k of a segment is `b[n][start.1 + k · b_step..]`.
    pub(super) b: [*const T; 2],
    pub(super) b_step: usize,
    /// Where each segment starts in both matrices.
    pub(super) starts: &'a [(usize, usize)],
    /// Terms of a segment.
    pub(super) depth: usize,
    /// The result: row r is `c[r · 2 · lanes..]`.
    pub(super) c: *mut T,
    /// What is added to the sums of each row; if none, what is in `c`.
    pub(super) first: Option<*const T>,
}

/// The sums over all segments for two vectors of columns; they stay in registers from the first
/// segment to the last. `rows` are wanted, at most [`rows_of`](crate::conv::product::rows_of), and
/// more may be computed, up to that.
///
/// # Safety
///
/// The pointers must be valid for the sizes given, and `c` for writes by this thread alone.
#[inline(always)]
pub(super) unsafe fn product<S: Simd>(rows: usize, m: Segments<S::T>) {
    // SAFETY: by the caller's promise.
    unsafe { if S::LANES == 16 && rows > 4 { sum::<S, 8>(m) } else { sum::<S, 4>(m) } }
}

#[inline(always)]
unsafe fn sum<S: Simd, const ROWS: usize>(m: Segments<S::T>) {
    // SAFETY: by the caller's promise.
    unsafe {
        let mut sums = [[S::splat(S::T::default()); 2]; ROWS];
        for &(a, b) in m.starts {
            let mut a = m.a.add(a);
            let mut b = m.b.map(|start| start.add(b));
            for _ in 0..m.depth {
                let right = [S::load(b[0]), S::load(b[1])];
                let mut r = 0;
                while r < ROWS {
                    let left = S::splat(*a.add(m.rows[r]));
                    sums[r][0] = S::mul_add(left, right[0], sums[r][0]);
                    sums[r][1] = S::mul_add(left, right[1], sums[r][1]);
                    r += 1;
                }
                a = a.add(m.a_step);
                b = b.map(|b| b.add(m.b_step));
            }
        }
        // Long sums are added up from short ones: their rounding errors stay small.
        let mut r = 0;
        while r < ROWS {
            let c = m.c.add(r * 2 * S::LANES);
            let before = match m.first {
                Some(first) => [S::splat(*first.add(r)); 2],
                None => [S::load(c), S::load(c.add(S::LANES))],
            };
            S::store(c, S::add(before[0], sums[r][0]));
            S::store(c.add(S::LANES), S::add(before[1], sums[r][1]));
            r += 1;
        }
    }
}
