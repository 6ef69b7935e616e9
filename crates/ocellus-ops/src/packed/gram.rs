#![allow(unsafe_code, reason = "vectors are loaded and stored through pointers")]

use candle_core::{Result, bail};

use super::{check_packed, packed_len};
use crate::simd::{Isa, Kernel, MAX_LANES, Simd, dispatch_f32};

/// Rows of the triangle that are computed at once.
const ROWS: usize = 8;

/// Adds the products of all pairs of entries of vectors to the lower triangle of a matrix.
///
/// ```text
/// S[i, j] += Σ_v v[i] v[j],  j ≤ i
/// ```
///
/// Products of one call are summed in `f32` in the order of the vectors, then added in `f64`.
///
/// # Shapes
///
/// - vectors: one behind the other, `dim` entries each
/// - triangle: its rows one behind the other, `dim (dim + 1) / 2` entries
///
/// # Examples
///
/// ```
/// let mut triangle = [0.5; 3];
/// ocellus_ops::add_gram_packed(&[1., 2., 3., 4.], 2, &mut triangle)?;
/// assert_eq!(triangle, [10.5, 14.5, 20.5]); // 1·1 + 3·3, 2·1 + 4·3, 2·2 + 4·4
/// # Ok::<(), candle_core::Error>(())
/// ```
///
/// # Errors
///
/// If the lengths do not fit.
pub fn add_gram_packed(vectors: &[f32], dim: usize, triangle: &mut [f64]) -> Result<()> {
    check_packed("add_gram_packed", triangle.len(), dim)?;
    if dim == 0 {
        return Ok(());
    }
    if !vectors.len().is_multiple_of(dim) {
        bail!("add_gram_packed: {} values are no vectors of {dim}", vectors.len())
    }
    // So that a vector of lanes, or a group of rows, that begins inside ends inside.
    let stride = (dim + ROWS - 1).next_multiple_of(MAX_LANES);
    let mut padded = vec![0.; vectors.len() / dim * stride];
    for (padded, vector) in padded.chunks_mut(stride).zip(vectors.chunks(dim)) {
        padded[..dim].copy_from_slice(vector);
    }
    // SAFETY: the processor has what `current` says; the vectors are padded as the kernel needs.
    unsafe { dispatch_f32(Isa::current(), Gram { vectors: &padded, stride, dim, triangle }) };
    Ok(())
}

/// `stride` is a multiple of `MAX_LANES` and at least `dim + ROWS − 1`.
struct Gram<'a> {
    vectors: &'a [f32],
    stride: usize,
    dim: usize,
    triangle: &'a mut [f64],
}

impl Kernel<f32> for Gram<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd<T = f32>>(self) {
        let Self { vectors, stride, dim, triangle } = self;
        for first in (0..dim).step_by(ROWS) {
            let end = dim.min(first + ROWS);
            for column in (0..end).step_by(S::LANES) {
                // SAFETY: by the caller's promise; `column + LANES` and `first + ROWS` are at most
                // `stride`.
                unsafe {
                    let mut sums = [S::splat(0.); ROWS];
                    for vector in vectors.chunks_exact(stride) {
                        let right = S::load(vector.as_ptr().add(column));
                        for (row, sum) in sums.iter_mut().enumerate() {
                            let left = S::splat(*vector.get_unchecked(first + row));
                            *sum = S::mul_add(left, right, *sum);
                        }
                    }
                    let mut lanes = [0.; MAX_LANES];
                    for (row, &sum) in (first..end).zip(&sums) {
                        S::store(lanes.as_mut_ptr(), sum);
                        let count = S::LANES.min((row + 1).saturating_sub(column));
                        let entries = &mut triangle[packed_len(row)..][..=row];
                        for (entry, &lane) in entries.iter_mut().skip(column).zip(&lanes[..count]) {
                            *entry += f64::from(lane);
                        }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use ocellus_testing::fill;

    use super::*;
    use crate::simd::with_each_isa;

    #[test]
    fn equals_the_sums_by_definition() -> Result<()> {
        for (dim, count) in [(1, 3), (7, 1), (16, 5), (33, 32), (100, 9), (5, 0)] {
            let x = fill((count, dim), 0.1, candle_core::DType::F32)?
                .flatten_all()?
                .to_vec1::<f32>()?;
            with_each_isa(|isa| {
                let mut triangle = vec![0.25; packed_len(dim)];
                add_gram_packed(&x, dim, &mut triangle).unwrap();
                for i in 0..dim {
                    for j in 0..=i {
                        let pairs = x.chunks(dim).map(|v| f64::from(v[i]) * f64::from(v[j]));
                        let expected = 0.25 + pairs.sum::<f64>();
                        let found = triangle[packed_len(i) + j];
                        assert!((found - expected).abs() < 1e-5, "{isa:?} {dim} {i} {j}: {found}");
                    }
                }
            });
        }
        Ok(())
    }

    #[test]
    fn rejects_lengths_that_do_not_fit() {
        assert!(add_gram_packed(&[1.; 4], 2, &mut [0.; 4]).is_err());
        assert!(add_gram_packed(&[1.; 5], 2, &mut [0.; 3]).is_err());
        assert!(add_gram_packed(&[], 0, &mut []).is_ok());
    }
}
