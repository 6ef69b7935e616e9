#![allow(unsafe_code, reason = "gemm takes raw pointers, so that parallel tasks write one matrix")]

use gemm::{Parallelism, gemm};

use super::Float;

/// A matrix in a slice: entry (i, j) is `data[i · rows + j · cols]`.
#[derive(Clone, Copy)]
pub(crate) struct Strided<'a, T> {
    pub(crate) data: &'a [T],
    /// Distance between an entry and the one below it.
    pub(crate) rows: usize,
    /// Distance between an entry and the one to its right.
    pub(crate) cols: usize,
}

impl<'a, T> Strided<'a, T> {
    /// A matrix whose rows are contiguous, `rows` apart.
    pub(crate) fn row_major(data: &'a [T], rows: usize) -> Self {
        Self { data, rows, cols: 1 }
    }

    fn holds(&self, rows: usize, cols: usize) -> bool {
        rows == 0 || cols == 0 || (rows - 1) * self.rows + (cols - 1) * self.cols < self.data.len()
    }
}

/// `dst = a · b`, or `dst += a · b` if `accumulate`, on the calling thread alone.
///
/// `a` is m × k, `b` is k × n; row i of `dst` begins at `dst + i · stride`, its entries are
/// contiguous. The order of summation depends on the sizes alone.
///
/// # Safety
///
/// `dst` must be valid for writes (for reads too if `accumulate`) of those m rows of n entries, and
/// no other thread may touch them meanwhile.
pub(crate) unsafe fn matmul<T: Float>(
    (m, n, k): (usize, usize, usize),
    dst: *mut T,
    stride: usize,
    accumulate: bool,
    a: Strided<'_, T>,
    b: Strided<'_, T>,
) {
    assert!(a.holds(m, k) && b.holds(k, n), "a matrix exceeds its slice");
    // Mind the names: gemm computes dst = alpha · dst + beta · lhs · rhs.
    let alpha = if accumulate { T::one() } else { T::zero() };
    // SAFETY: `a` and `b` lie within their slices (checked above), `dst` by the caller's promise;
    // T is f32 or f64, which gemm knows.
    unsafe {
        gemm(
            m,
            n,
            k,
            dst,
            1,
            stride as isize,
            accumulate,
            a.data.as_ptr(),
            a.cols as isize,
            a.rows as isize,
            b.data.as_ptr(),
            b.cols as isize,
            b.rows as isize,
            alpha,
            T::one(),
            false,
            false,
            false,
            Parallelism::None,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn products_replace_or_accumulate() {
        let (a, b) = ([1., 2., 3., 4., 5., 6.], [1., 0., 2., 1., 0., 3.]);
        let mut dst = [10f64; 5];
        for (accumulate, expected) in [
            (false, [5., 11., 10., 14., 23.]), // Row 0, a gap, row 1.
            (true, [10., 22., 10., 28., 46.]),
        ] {
            let (a, b) = (Strided::row_major(&a, 3), Strided::row_major(&b, 2));
            // SAFETY: two rows of two entries, three apart, fit in five entries.
            unsafe { matmul((2, 2, 3), dst.as_mut_ptr(), 3, accumulate, a, b) };
            assert_eq!(dst, expected);
        }
    }
}
