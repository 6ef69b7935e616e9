use rayon::prelude::*;

use crate::Float;

/// Rows from which the step is chosen.
const SAMPLE: usize = 256;
/// The largest number on a grid.
const MOST: f64 = 127.;
/// Steps that are tried, each √½ of the one before.
const TRIALS: i32 = 24;

/// The points (c + step · k) with whole numbers k of −127 to 127, to which rows are rounded.
#[derive(Clone, Debug)]
pub(super) struct Grid {
    center: Vec<f64>,
    step: f64,
}

impl Grid {
    /// Around the mean of the rows. Of several steps it has the one with which the errors of rows that
    /// are spread over all have the smallest median: values that are out of reach count as well.
    pub(super) fn new<T: Float>(rows: &[T], columns: usize) -> Self {
        let count = rows.len() / columns;
        let mut center = vec![0.; columns];
        for row in rows.chunks_exact(columns) {
            for (sum, &value) in center.iter_mut().zip(row) {
                *sum += value.widen() / count as f64;
            }
        }
        let far = |row: &[T]| -> f64 {
            let distances = row.iter().zip(&center).map(|(&x, center)| (x.widen() - center).abs());
            distances.fold(0., f64::max)
        };
        let farthest = rows.par_chunks_exact(columns).map(far).reduce(|| 0., f64::max);
        if farthest == 0. {
            return Self { center, step: 1. };
        }
        let mut grid = Self { center, step: farthest / MOST };
        let sample = rows.chunks_exact(columns).step_by(count.div_ceil(SAMPLE).max(1));
        let sample: Vec<&[T]> = sample.collect();
        let largest = grid.step;
        let (mut best, mut least) = (largest, f64::INFINITY);
        for trial in 0..TRIALS {
            grid.step = largest * 0.5f64.sqrt().powi(trial);
            let error = |row: &&[T]| grid.place(row, &mut vec![0; columns]).1;
            let mut errors: Vec<f64> = sample.par_iter().map(error).collect();
            let middle = errors.len() / 2;
            let median = *errors.select_nth_unstable_by(middle, f64::total_cmp).1;
            if median < least {
                (best, least) = (grid.step, median);
            }
        }
        grid.step = best;
        grid
    }

    pub(super) fn step(&self) -> f64 {
        self.step
    }

    /// The numbers of each row, the sum of their squares, and how far the row is from there.
    pub(super) fn places<T: Float>(&self, rows: &[T]) -> (Vec<i8>, Vec<i32>, Vec<f64>) {
        let columns = self.center.len();
        let mut bytes = vec![0; rows.len()];
        let (norms, errors) = rows
            .par_chunks_exact(columns)
            .zip(bytes.par_chunks_exact_mut(columns))
            .map(|(row, bytes)| self.place(row, bytes))
            .unzip();
        (bytes, norms, errors)
    }

    /// The last is an upper bound, by more than rounding in double precision can change.
    fn place<T: Float>(&self, row: &[T], bytes: &mut [i8]) -> (i32, f64) {
        /// Added and taken away, rounds to a whole number.
        const ROUND: f64 = 1.5 * (1u64 << 52) as f64;
        let mut sums = [0f64; 8];
        let chunks = row.chunks(8).zip(self.center.chunks(8)).zip(bytes.chunks_mut(8));
        for ((row, center), bytes) in chunks {
            for (((sum, byte), &x), center) in sums.iter_mut().zip(bytes).zip(row).zip(center) {
                let away = x.widen() - center;
                let number = (away / self.step).clamp(-MOST, MOST) + ROUND - ROUND;
                let error = away - number * self.step;
                *byte = number as i8;
                *sum += error * error;
            }
        }
        let norm = bytes.iter().map(|&byte| i32::from(byte) * i32::from(byte)).sum();
        let slack = 1e-10 * self.step * (row.len() as f64).sqrt();
        (norm, sums.iter().sum::<f64>().sqrt() * (1. + 1e-9) + slack)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_as_far_from_their_places_as_is_said() {
        let rows: Vec<f32> = (0..700).map(|i| 1e3 + (i as f32).sin() * (i % 7) as f32).collect();
        let grid = Grid::new(&rows, 7);
        let (bytes, norms, errors) = grid.places(&rows);
        for (i, row) in rows.chunks(7).enumerate() {
            let bytes = &bytes[i * 7..][..7];
            let squares = bytes.iter().map(|&b| i32::from(b).pow(2)).sum::<i32>();
            assert_eq!(norms[i], squares);
            let away = row.iter().zip(bytes).zip(&grid.center).map(|((&x, &byte), center)| {
                (f64::from(x) - (center + grid.step * f64::from(byte))).powi(2)
            });
            let away = away.sum::<f64>().sqrt();
            assert!(away <= errors[i] && errors[i] < away + 1e-6, "{away} {}", errors[i]);
            assert!(away < grid.step * 7f64.sqrt(), "{away}");
        }
    }

    #[test]
    fn one_row_far_away_does_not_make_the_others_equal() {
        let mut rows: Vec<f32> = (0..3000).map(|i| (i as f32).sin()).collect();
        rows[1234] = 1e4;
        let grid = Grid::new(&rows, 3);
        assert!(grid.step < 0.2, "{}", grid.step);
        let (_, _, errors) = grid.places(&rows);
        assert!(errors[1234 / 3] > 9e3);
        assert!(errors[0] < 0.2);
    }

    #[test]
    fn equal_rows_have_a_grid() {
        let grid = Grid::new(&[3f32; 12], 4);
        assert_eq!(grid.step(), 1.);
        assert_eq!(grid.places(&[3f32; 4]).0, [0; 4]);
    }
}
