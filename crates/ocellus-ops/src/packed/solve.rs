#![allow(unsafe_code, reason = "vectors are loaded and stored through pointers")]

use candle_core::Result;

use super::{check_packed, packed_len};
use crate::simd::{Isa, Kernel, Simd, dispatch_f32};

/// Right-hand sides that [`solve_packed`] takes.
pub const SOLVE_LANES: usize = 16;

/// Rows that are solved at once.
const ROWS: usize = 8;

/// Solves a lower triangular system for several right-hand sides, in place.
///
/// ```text
/// x[i] ← (x[i] − Σ_j<i L[i, j] x[j]) / L[i, i]
/// ```
///
/// Each is solved as if the others were not there: the same bits whatever they are.
///
/// # Shapes
///
/// - factor: the rows of the triangle one behind the other, as of [`cholesky_packed`](crate::cholesky_packed)
/// - x: for each row an entry of each right-hand side
///
/// # Examples
///
/// ```
/// let mut x = [[4f32; 16], [9.; 16]];
/// ocellus_ops::solve_packed(&[2., 1., 7.], &mut x)?;
/// assert_eq!(x, [[2.; 16], [1.; 16]]);
/// # Ok::<(), candle_core::Error>(())
/// ```
///
/// # Errors
///
/// If the lengths do not fit.
pub fn solve_packed(factor: &[f32], x: &mut [[f32; SOLVE_LANES]]) -> Result<()> {
    check_packed("solve_packed", factor.len(), x.len())?;
    // SAFETY: the processor has what `current` says; the lengths are checked.
    unsafe { dispatch_f32(Isa::current(), Solve { factor, x }) };
    Ok(())
}

/// The factor has a row for each of `x`.
struct Solve<'a> {
    factor: &'a [f32],
    x: &'a mut [[f32; SOLVE_LANES]],
}

impl Kernel<f32> for Solve<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd<T = f32>>(self) {
        let Self { factor, x } = self;
        for lane in (0..SOLVE_LANES).step_by(S::LANES) {
            let mut first = 0;
            while first < x.len() {
                // SAFETY: by the caller's promise; `lane + LANES` is at most `SOLVE_LANES`.
                unsafe {
                    if first + ROWS <= x.len() {
                        solve_rows::<S, ROWS>(factor, x, first, lane);
                        first += ROWS;
                    } else {
                        solve_rows::<S, 1>(factor, x, first, lane);
                        first += 1;
                    }
                }
            }
        }
    }
}

/// Solves `N` rows from `first` on for the lanes from `lane` on.
#[inline(always)]
unsafe fn solve_rows<S: Simd<T = f32>, const N: usize>(
    factor: &[f32],
    x: &mut [[f32; SOLVE_LANES]],
    first: usize,
    lane: usize,
) {
    // SAFETY: the rows and lanes are there, by the caller's promise; starts are those of rows.
    unsafe {
        let mut rows = [factor.as_ptr(); N];
        let mut sums = [S::splat(0.); N];
        for n in 0..N {
            rows[n] = factor.as_ptr().add(packed_len(first + n));
            sums[n] = S::load(x[first + n].as_ptr().add(lane));
        }
        for (j, solved) in x[..first].iter().enumerate() {
            let solved = S::load(solved.as_ptr().add(lane));
            for n in 0..N {
                sums[n] = S::neg_mul_add(S::splat(*rows[n].add(j)), solved, sums[n]);
            }
        }
        for n in 0..N {
            for m in 0..n {
                sums[n] = S::neg_mul_add(S::splat(*rows[n].add(first + m)), sums[m], sums[n]);
            }
            sums[n] = S::mul(sums[n], S::splat(1. / *rows[n].add(first + n)));
            S::store(x[first + n].as_mut_ptr().add(lane), sums[n]);
        }
    }
}

#[cfg(test)]
mod tests {
    use ocellus_testing::fill;

    use super::*;
    use crate::simd::with_each_isa;

    fn values(count: usize, phase: f64) -> Vec<f32> {
        let x = fill(count, phase, candle_core::DType::F32).unwrap();
        x.to_vec1().unwrap()
    }

    #[test]
    fn the_factor_times_the_solution_is_the_right_hand_side() {
        for rows in [0, 1, 3, 8, 9, 21, 64, 100] {
            let mut factor = values(packed_len(rows), 0.2);
            for i in 0..rows {
                factor[packed_len(i + 1) - 1] = 3. + i as f32;
            }
            let right = values(rows * SOLVE_LANES, 0.7);
            with_each_isa(|isa| {
                let mut x = right.as_chunks::<SOLVE_LANES>().0.to_vec();
                solve_packed(&factor, &mut x).unwrap();
                for i in 0..rows {
                    for lane in 0..SOLVE_LANES {
                        let row = &factor[packed_len(i)..][..=i];
                        let products =
                            row.iter().zip(&x).map(|(l, x)| f64::from(*l) * f64::from(x[lane]));
                        let (found, expected) =
                            (products.sum::<f64>(), right[i * SOLVE_LANES + lane]);
                        assert!(
                            (found - f64::from(expected)).abs() < 1e-5,
                            "{isa:?} {rows} {i}: {found}"
                        );
                    }
                }
            });
        }
    }

    #[test]
    fn other_right_hand_sides_change_no_bit() {
        let rows = 37;
        let mut factor = values(packed_len(rows), 0.2);
        (0..rows).for_each(|i| factor[packed_len(i + 1) - 1] = 2.);
        let right = values(rows * SOLVE_LANES, 0.7);
        with_each_isa(|isa| {
            let mut all = right.as_chunks::<SOLVE_LANES>().0.to_vec();
            let mut alone: Vec<[f32; SOLVE_LANES]> = all
                .iter()
                .map(|lanes| std::array::from_fn(|lane| if lane == 2 { lanes[5] } else { 0. }))
                .collect();
            solve_packed(&factor, &mut all).unwrap();
            solve_packed(&factor, &mut alone).unwrap();
            for (all, alone) in all.iter().zip(&alone) {
                assert_eq!(all[5].to_bits(), alone[2].to_bits(), "{isa:?}");
            }
        });
    }

    #[test]
    fn rejects_lengths_that_do_not_fit() {
        assert!(solve_packed(&[1.; 4], &mut [[0.; SOLVE_LANES]; 2]).is_err());
    }
}
