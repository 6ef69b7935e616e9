#![allow(unsafe_code, reason = "indices are written to memory that is not cleared before")]

use std::mem::MaybeUninit;
use std::sync::Arc;

use candle_core::{DType, Device, Result, Tensor, WithDType};

use crate::cpu::{Output, read};
use crate::parallel::{GRAIN, tasks};
use crate::simd::{Loop, vectorized_loop};

/// Stands for the ignore index.
pub(crate) const IGNORED: u32 = u32::MAX;

/// A class at each position, or [`IGNORED`].
#[derive(Clone, Debug)]
pub(crate) struct Indices {
    classes: Arc<Vec<u32>>,
    /// How many are not ignored.
    labeled: usize,
}

impl Indices {
    /// The values of a tensor of integers, if all are below the number of classes or are the
    /// ignore index.
    pub(super) fn new(x: &Tensor, classes: usize, ignored: Option<i64>) -> Result<Option<Self>> {
        let x = x.to_device(&Device::Cpu)?;
        Ok(match x.dtype() {
            DType::U8 => Self::of(&read::<u8>(&x)?, classes, ignored),
            DType::U32 => Self::of(&read::<u32>(&x)?, classes, ignored),
            _ => Self::of(&read::<i64>(&x)?, classes, ignored),
        })
    }

    fn of<T: WithDType + Into<i64>>(
        values: &[T],
        classes: usize,
        ignored: Option<i64>,
    ) -> Option<Self> {
        let mut counts = Vec::new();
        let fill = |y: &Output<u32>| {
            counts = tasks(values.len().div_ceil(GRAIN), GRAIN, |block| {
                let first = block * GRAIN;
                let values = &values[first..values.len().min(first + GRAIN)];
                // SAFETY: each block is given to one task.
                let y = unsafe { y.slice(first, values.len()) };
                vectorized_loop(Check { values, classes, ignored, y })
            });
        };
        // SAFETY: the blocks cover all values, and `Check` writes each.
        let indices = unsafe { Output::collect(values.len(), fill) };
        let valid = counts.iter().map(|count| count.valid).sum::<usize>() == values.len();
        let labeled = counts.iter().map(|count| count.labeled).sum();
        valid.then(|| Self { classes: Arc::new(indices), labeled })
    }

    /// Those of all positions.
    #[inline(always)]
    pub(crate) fn classes(&self) -> &[u32] {
        &self.classes
    }

    /// How many are not ignored.
    pub(crate) fn labeled(&self) -> usize {
        self.labeled
    }

    /// The sum of the weights of the classes.
    pub(super) fn weight(&self, weights: &[f64]) -> f64 {
        /// Sums side by side, so that an addition need not wait for the one before.
        const LANES: usize = 8;
        // What is ignored is no class, and has no weight.
        let weight = |&class: &u32| weights.get(class as usize).copied().unwrap_or(0.);
        let of_block = |block: usize| {
            let first = block * GRAIN;
            let classes = &self.classes[first..self.classes.len().min(first + GRAIN)];
            let (chunks, rest) = classes.as_chunks::<LANES>();
            let mut sums = [0.; LANES];
            for chunk in chunks {
                for (sum, class) in sums.iter_mut().zip(chunk) {
                    *sum += weight(class);
                }
            }
            sums.into_iter().chain(rest.iter().map(weight)).sum::<f64>()
        };
        tasks(self.classes.len().div_ceil(GRAIN), GRAIN, of_block).into_iter().sum()
    }
}

/// How many values are classes or ignored, and how many of them are classes.
#[derive(Clone, Default)]
struct Count {
    valid: usize,
    labeled: usize,
}

/// Writes values as indices, and counts them.
struct Check<'a, T> {
    values: &'a [T],
    classes: usize,
    ignored: Option<i64>,
    y: &'a mut [MaybeUninit<u32>],
}

impl<T: Copy + Into<i64>> Loop for Check<'_, T> {
    type Output = Count;

    #[inline(always)]
    fn run(self) -> Count {
        let mut count = Count::default();
        let (some, ignored) = (self.ignored.is_some(), self.ignored.unwrap_or(0));
        for (y, &value) in self.y.iter_mut().zip(self.values) {
            let value: i64 = value.into();
            let ignored = some & (value == ignored);
            // A negative one is large without its sign.
            let labeled = !ignored & ((value as u64) < self.classes as u64);
            y.write(if labeled { value as u32 } else { IGNORED });
            count.labeled += usize::from(labeled);
            count.valid += usize::from(labeled | ignored);
        }
        count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_checked_and_counted_wherever_they_stand() {
        let len = 2 * GRAIN + 5;
        let mut values: Vec<i64> = (0..len as i64).map(|i| i % 4 - 1).collect();
        let indices = Indices::of(&values, 3, Some(-1)).unwrap();
        let expected = values.iter().map(|&v| u32::try_from(v).unwrap_or(IGNORED));
        assert!(indices.classes().iter().copied().eq(expected));
        let labeled = values.iter().filter(|&&v| v != -1);
        assert_eq!(indices.labeled(), labeled.clone().count());
        let weights = [0.5, 2., 4.];
        let expected: f64 = labeled.map(|&v| weights[v as usize]).sum();
        assert_eq!(indices.weight(&weights), expected);
        for at in [0, GRAIN, len - 1] {
            for wrong in [3, -2, i64::MIN, 1 << 32] {
                let value = std::mem::replace(&mut values[at], wrong);
                assert!(Indices::of(&values, 3, Some(-1)).is_none());
                assert!(Indices::of(&values, 3, Some(wrong)).is_none(), "-1 is no class");
                values[at] = value;
            }
        }
    }
}
