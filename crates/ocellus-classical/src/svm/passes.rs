//! The passes over all active samples of an iteration: all of its time but that of new rows.

use crate::simd::vectorized;

const LANES: usize = 16;

/// The position of the largest value above a bound.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Best {
    pub(super) value: f64,
    pub(super) at: Option<usize>,
}

/// The best of each lane, the first of equals.
struct Lanes {
    value: [f64; LANES],
    at: [u64; LANES],
}

impl Lanes {
    #[inline(always)]
    fn above(bound: f64) -> Self {
        Self { value: [bound; LANES], at: [u64::MAX; LANES] }
    }

    #[inline(always)]
    fn offer(&mut self, values: &[f64; LANES], start: usize) {
        for ((best, at), &value) in self.value.iter_mut().zip(&mut self.at).zip(values) {
            let better = value > *best;
            *best = if better { value } else { *best };
            *at = if better { start as u64 } else { *at };
        }
    }

    /// The best of all, the first of equals; the rest of the values follow the lanes.
    #[inline(always)]
    fn best(&self, bound: f64) -> Best {
        let mut best = Best { value: bound, at: None };
        for lane in 0..LANES {
            if self.at[lane] != u64::MAX {
                best.offer(self.value[lane], self.at[lane] as usize + lane);
            }
        }
        best
    }
}

impl Best {
    #[inline(always)]
    fn offer(&mut self, value: f64, at: usize) {
        let first = self.at.is_none_or(|known| at < known);
        if value > self.value || (value == self.value && first && self.at.is_some()) {
            *self = Self { value, at: Some(at) };
        }
    }
}

/// The largest of `up − f`.
pub(super) fn first(f: &[f64], up: &[f64]) -> Best {
    vectorized(
        #[inline(always)]
        || {
            let mut lanes = Lanes::above(f64::NEG_INFINITY);
            let (f_head, f_tail) = f.as_chunks::<LANES>();
            let (up_head, up_tail) = up.as_chunks::<LANES>();
            for (block, (f, up)) in f_head.iter().zip(up_head).enumerate() {
                let mut values = [0.; LANES];
                for lane in 0..LANES {
                    values[lane] = up[lane] - f[lane];
                }
                lanes.offer(&values, block * LANES);
            }
            let mut best = lanes.best(f64::NEG_INFINITY);
            for (k, (f, up)) in f_tail.iter().zip(up_tail).enumerate() {
                best.offer_last(up - f, f_head.len() * LANES + k);
            }
            best
        },
    )
}

impl Best {
    /// Offers what comes after all others.
    #[inline(always)]
    fn offer_last(&mut self, value: f64, at: usize) {
        if value > self.value {
            *self = Self { value, at: Some(at) };
        }
    }
}

/// f ← f + step · (row − other), and the largest of `up − f` after that.
pub(super) fn update(f: &mut [f64], up: &[f64], row: &[f32], other: &[f32], step: f64) -> Best {
    vectorized(
        #[inline(always)]
        || {
            let mut lanes = Lanes::above(f64::NEG_INFINITY);
            let (f_head, f_tail) = f.as_chunks_mut::<LANES>();
            let (up_head, up_tail) = up.as_chunks::<LANES>();
            let (row_head, row_tail) = row.as_chunks::<LANES>();
            let (other_head, other_tail) = other.as_chunks::<LANES>();
            let done = f_head.len() * LANES;
            let blocks = f_head.iter_mut().zip(up_head).zip(row_head.iter().zip(other_head));
            for (block, ((f, up), (row, other))) in blocks.enumerate() {
                let mut values = [0.; LANES];
                for lane in 0..LANES {
                    f[lane] += step * (f64::from(row[lane]) - f64::from(other[lane]));
                    values[lane] = up[lane] - f[lane];
                }
                lanes.offer(&values, block * LANES);
            }
            let mut best = lanes.best(f64::NEG_INFINITY);
            let tail = f_tail.iter_mut().zip(up_tail).zip(row_tail.iter().zip(other_tail));
            for (k, ((f, up), (row, other))) in tail.enumerate() {
                *f += step * (f64::from(*row) - f64::from(*other));
                best.offer_last(up - *f, done + k);
            }
            best
        },
    )
}

/// Where the second sample of a working set is looked for.
pub(super) struct Second<'a> {
    pub(super) f: &'a [f64],
    pub(super) low: &'a [f64],
    pub(super) diagonal: &'a [f64],
    /// The first sample's row, diagonal entry and f.
    pub(super) row: &'a [f32],
    pub(super) itself: f64,
    pub(super) value: f64,
}

/// The curvature of a pair that has none.
pub(super) const LEAST_CURVATURE: f64 = 1e-12;

impl Second<'_> {
    /// The sample that lowers the objective most, (fⱼ − fᵢ)² / curvature; and the largest of `f + low`.
    pub(super) fn find(&self) -> (Best, f64) {
        vectorized(
            #[inline(always)]
            || {
                let mut lanes = Lanes::above(0.);
                let mut highest = [f64::NEG_INFINITY; LANES];
                let (f_head, f_tail) = self.f.as_chunks::<LANES>();
                let (low_head, low_tail) = self.low.as_chunks::<LANES>();
                let (diagonal_head, diagonal_tail) = self.diagonal.as_chunks::<LANES>();
                let (row_head, row_tail) = self.row.as_chunks::<LANES>();
                let blocks = f_head.iter().zip(low_head).zip(diagonal_head.iter().zip(row_head));
                for (block, ((f, low), (diagonal, row))) in blocks.enumerate() {
                    let mut gains = [0.; LANES];
                    for lane in 0..LANES {
                        let (gain, f) = self.gain(f[lane], low[lane], diagonal[lane], row[lane]);
                        gains[lane] = gain;
                        highest[lane] = if f > highest[lane] { f } else { highest[lane] };
                    }
                    lanes.offer(&gains, block * LANES);
                }
                let mut best = lanes.best(0.);
                let mut top = highest.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                let tail = f_tail.iter().zip(low_tail).zip(diagonal_tail.iter().zip(row_tail));
                for (k, ((f, low), (diagonal, row))) in tail.enumerate() {
                    let (gain, f) = self.gain(*f, *low, *diagonal, *row);
                    best.offer_last(gain, f_head.len() * LANES + k);
                    top = top.max(f);
                }
                (best, top)
            },
        )
    }

    #[inline(always)]
    fn gain(&self, f: f64, low: f64, diagonal: f64, row: f32) -> (f64, f64) {
        let f = f + low;
        let violation = f - self.value;
        let curvature = self.itself + diagonal - 2. * f64::from(row);
        let curvature = if curvature > 0. { curvature } else { LEAST_CURVATURE };
        let gain = violation * violation / curvature;
        (if violation > 0. { gain } else { 0. }, f)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const OUT: f64 = f64::NEG_INFINITY;

    fn naive(values: impl Iterator<Item = f64>, bound: f64) -> Best {
        let mut best = Best { value: bound, at: None };
        values.enumerate().for_each(|(at, value)| best.offer_last(value, at));
        best
    }

    proptest! {
        #[test]
        fn passes_are_those_of_plain_loops(
            samples in prop::collection::vec((-4i32..4, 0..3u8, -2i32..3, -2i32..3), 1..70),
        ) {
            let mut f: Vec<f64> = samples.iter().map(|s| f64::from(s.0)).collect();
            let pen = |out| move |s: &(i32, u8, i32, i32)| if s.1 == out { OUT } else { 0. };
            let up: Vec<f64> = samples.iter().map(pen(1)).collect();
            let low: Vec<f64> = samples.iter().map(pen(2)).collect();
            let row: Vec<f32> = samples.iter().map(|s| s.2 as f32).collect();
            let other: Vec<f32> = samples.iter().map(|s| s.3 as f32).collect();
            let diagonal = vec![3.; f.len()];
            prop_assert_eq!(first(&f, &up), naive(f.iter().zip(&up).map(|(f, u)| u - f), OUT));
            let search = Second {
                f: &f, low: &low, diagonal: &diagonal, row: &row, itself: 1., value: -1.,
            };
            let (best, top) = search.find();
            let gains = (0..f.len()).map(|k| search.gain(f[k], low[k], 3., row[k]).0);
            prop_assert_eq!(best, naive(gains, 0.));
            prop_assert_eq!(top, f.iter().zip(&low).map(|(f, l)| f + l).fold(OUT, f64::max));
            let moved: Vec<f64> = (0..f.len())
                .map(|k| f[k] + 0.5 * (f64::from(row[k]) - f64::from(other[k]))).collect();
            let best = update(&mut f, &up, &row, &other, 0.5);
            prop_assert_eq!(&f, &moved);
            prop_assert_eq!(best, naive(f.iter().zip(&up).map(|(f, u)| u - f), OUT));
        }
    }
}
