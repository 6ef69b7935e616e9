use candle_core::Result;

use super::{check_packed, packed_len};
use crate::simd::{Loop, vectorized_loop};

/// Rows that are computed at once, and products that are summed side by side.
const ROWS: usize = 4;
const LANES: usize = 8;

/// Replaces the lower triangle of a symmetric matrix by that of its Cholesky factor; whether there
/// is one.
///
/// ```text
/// S = L Lᵀ,  L[i, j] = (S[i, j] − Σ_k<j L[i, k] L[j, k]) / L[j, j]
/// ```
///
/// If the matrix is not positive definite, the triangle is left half done.
///
/// # Shapes
///
/// - triangle: its rows one behind the other, `rows (rows + 1) / 2` entries
///
/// # Examples
///
/// ```
/// let mut triangle = [4., 2., 5.];
/// assert!(ocellus_ops::cholesky_packed(&mut triangle, 2)?);
/// assert_eq!(triangle, [2., 1., 2.]);
/// assert!(!ocellus_ops::cholesky_packed(&mut [1., 2., 1.], 2)?);
/// # Ok::<(), candle_core::Error>(())
/// ```
///
/// # Errors
///
/// If the length does not fit.
pub fn cholesky_packed(triangle: &mut [f64], rows: usize) -> Result<bool> {
    check_packed("cholesky_packed", triangle.len(), rows)?;
    Ok(vectorized_loop(Cholesky { triangle, rows }))
}

struct Cholesky<'a> {
    triangle: &'a mut [f64],
    rows: usize,
}

impl Loop for Cholesky<'_> {
    type Output = bool;

    #[inline(always)]
    fn run(self) -> bool {
        for first in (0..self.rows).step_by(ROWS) {
            let count = ROWS.min(self.rows - first);
            let (above, rest) = self.triangle.split_at_mut(packed_len(first));
            let below = &mut rest[..packed_len(first + count) - packed_len(first)];
            if count == ROWS {
                eliminate(above, below, first);
            }
            // Within the rows, and all of the last few.
            let start = if count == ROWS { first } else { 0 };
            if !finish(above, below, first, start) {
                return false;
            }
        }
        true
    }
}

/// Columns left of `first` of the `ROWS` rows from `first` on.
#[inline(always)]
fn eliminate(above: &[f64], below: &mut [f64], first: usize) {
    for j in 0..first {
        let done = &above[packed_len(j)..][..=j];
        let mut lanes = [[0.; LANES]; ROWS];
        let (chunks, tail) = done[..j].as_chunks::<LANES>();
        let mut sums = [0.; ROWS];
        for row in 0..ROWS {
            let start = packed_len(first + row) - packed_len(first);
            let (left, left_tail) = below[start..][..j].as_chunks::<LANES>();
            let lanes = &mut lanes[row];
            for (a, b) in left.iter().zip(chunks) {
                for lane in 0..LANES {
                    lanes[lane] += a[lane] * b[lane];
                }
            }
            for (a, b) in left_tail.iter().zip(tail) {
                sums[row] += a * b;
            }
        }
        for row in 0..ROWS {
            let [a, b, c, d, e, f, g, h] = lanes[row];
            let sum = ((a + e) + (c + g)) + ((b + f) + (d + h)) + sums[row];
            let entry = &mut below[packed_len(first + row) - packed_len(first) + j];
            *entry = (*entry - sum) / done[j];
        }
    }
}

/// Columns from `start` on of the rows from `first` on, row by row.
#[inline(always)]
fn finish(above: &[f64], below: &mut [f64], first: usize, start: usize) -> bool {
    let mut done = 0;
    let mut i = first;
    while done < below.len() {
        let (before, row) = below.split_at_mut(done);
        let row = &mut row[..=i];
        for j in start..=i {
            let other: &[f64] = match j {
                j if j == i => &[],
                j if j < first => &above[packed_len(j)..][..=j],
                j => &before[packed_len(j) - packed_len(first)..][..=j],
            };
            let (left, rest) = row.split_at_mut(j);
            let same = if j == i { &*left } else { &other[..j] };
            let sum = rest[0] - left.iter().zip(same).map(|(a, b)| a * b).sum::<f64>();
            if j < i {
                rest[0] = sum / other[j];
            } else if sum > 0. && sum.is_finite() {
                rest[0] = sum.sqrt();
            } else {
                return false;
            }
        }
        done += i + 1;
        i += 1;
    }
    true
}

#[cfg(test)]
mod tests {
    use ocellus_testing::fill;

    use super::*;
    use crate::simd::with_each_isa;

    /// A random matrix times its transpose, and 0.01 on the diagonal.
    fn positive(rows: usize) -> Vec<f64> {
        let x = fill((rows, rows), 0.3, candle_core::DType::F64).unwrap();
        let x = x.to_vec2::<f64>().unwrap();
        let dot = |i: usize, j: usize| x[i].iter().zip(&x[j]).map(|(a, b)| a * b).sum::<f64>();
        let entry = |i, j| dot(i, j) + if i == j { 0.01 } else { 0. };
        (0..rows).flat_map(|i| (0..=i).map(move |j| (i, j))).map(|(i, j)| entry(i, j)).collect()
    }

    #[test]
    fn the_factor_times_its_transpose_is_the_matrix() {
        for rows in [0, 1, 2, 3, 4, 5, 8, 13, 36, 101] {
            let matrix = positive(rows);
            with_each_isa(|isa| {
                let mut factor = matrix.clone();
                assert!(cholesky_packed(&mut factor, rows).unwrap());
                for i in 0..rows {
                    for j in 0..=i {
                        let (left, right) = (&factor[packed_len(i)..], &factor[packed_len(j)..]);
                        let found: f64 = (0..=j).map(|k| left[k] * right[k]).sum();
                        let expected = matrix[packed_len(i) + j];
                        assert!(
                            (found - expected).abs() < 1e-11,
                            "{isa:?} {rows} {i} {j}: {found}"
                        );
                    }
                }
            });
        }
    }

    #[test]
    fn finds_what_is_not_positive_definite() {
        for (rows, bad) in [(1, 0), (7, 3), (20, 19), (21, 20)] {
            for value in [-1., 0., f64::NAN] {
                let mut matrix = positive(rows);
                matrix[packed_len(bad + 1) - 1] = value;
                assert!(!cholesky_packed(&mut matrix, rows).unwrap(), "{rows} {bad} {value}");
            }
        }
        assert!(cholesky_packed(&mut [1.; 4], 2).is_err());
    }
}
