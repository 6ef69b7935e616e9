use ndarray::{Array2, ArrayView2, Axis};
use ocellus_cluster::{Error, Float, Result, linalg::product};
use rayon::prelude::*;

use super::kernel::{Function, centered, squared_norms};

/// Rows that are computed at once, at most and while most of them are thrown away unused: a product of
/// matrices is far faster than one with a vector.
const BLOCK: usize = 64;
const LEAST_BLOCK: usize = 4;
const NONE: usize = usize::MAX;

/// Rows of a kernel matrix, the last used of them kept, within a number of bytes.
pub(super) struct KernelRows<T> {
    x: Array2<T>,
    norms: Vec<f64>,
    kernel: Function,
    /// Rows kept, whose each, and when they were last used.
    slots: Vec<Vec<f32>>,
    owners: Vec<usize>,
    used: Vec<u64>,
    clock: u64,
    /// Whether a row was asked for since it was computed.
    asked: Vec<bool>,
    block: usize,
    /// The slot of each sample.
    slot_of: Vec<usize>,
    capacity: usize,
}

impl<T: Float> KernelRows<T> {
    pub(super) fn new(x: ArrayView2<'_, T>, kernel: Function, bytes: usize) -> Self {
        let x = centered(x, kernel.origin(x).as_deref());
        let samples = x.nrows();
        let capacity = (bytes / (4 * samples.max(1))).clamp(2, samples.max(2));
        Self {
            norms: squared_norms(x.view()),
            x,
            kernel,
            slots: Vec::new(),
            owners: Vec::new(),
            used: Vec::new(),
            clock: 0,
            asked: Vec::new(),
            block: BLOCK,
            slot_of: vec![NONE; samples],
            capacity,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.norms.len()
    }

    /// k(x, x) of each sample.
    pub(super) fn diagonal(&self) -> Vec<f64> {
        self.norms.iter().map(|&norm| self.kernel.of_itself(norm)).collect()
    }

    pub(super) fn has(&self, i: usize) -> bool {
        self.slot_of[i] != NONE
    }

    /// A row that [`fetch`](Self::fetch) has fetched.
    pub(super) fn row(&self, i: usize) -> &[f32] {
        self.slots.get(self.slot_of[i]).map_or(&[], Vec::as_slice)
    }

    /// How many rows [`fetch`](Self::fetch) computes at once.
    pub(super) fn block(&self) -> usize {
        self.block.min(self.capacity / 2).max(1)
    }

    /// Sees to it that row i is there, and computes with it others that are likely to be next. Row
    /// `keep` stays.
    pub(super) fn fetch(
        &mut self,
        i: usize,
        keep: Option<usize>,
        next: impl FnOnce(&Self) -> Vec<usize>,
    ) -> Result<()> {
        self.clock += 1;
        if self.has(i) {
            self.used[self.slot_of[i]] = self.clock;
            self.asked[self.slot_of[i]] = true;
            return Ok(());
        }
        let mut wanted = vec![i];
        if self.block() > 1 {
            wanted.extend(next(self).into_iter().filter(|&j| j != i && !self.has(j)));
            wanted.truncate(self.block());
        }
        let rows = self.compute(&wanted)?;
        let slots = self.free(wanted.len(), keep);
        for ((sample, row), slot) in wanted.into_iter().zip(rows).zip(slots) {
            if self.owners[slot] != NONE {
                self.slot_of[self.owners[slot]] = NONE;
            }
            (self.slots[slot], self.owners[slot]) = (row, sample);
            (self.used[slot], self.slot_of[sample]) = (self.clock, slot);
            self.asked[slot] = sample == i;
        }
        Ok(())
    }

    /// Slots to be filled: new ones while there is room, then those used longest ago.
    fn free(&mut self, count: usize, keep: Option<usize>) -> Vec<usize> {
        let kept = keep.map_or(NONE, |keep| self.slot_of[keep]);
        let new = count.min(self.capacity - self.slots.len());
        let first = self.slots.len();
        self.slots.resize(first + new, Vec::new());
        self.owners.resize(first + new, NONE);
        self.used.resize(first + new, 0);
        self.asked.resize(first + new, false);
        let mut free: Vec<usize> = (first..first + new).collect();
        if new < count {
            let mut old: Vec<usize> = (0..first).filter(|&slot| slot != kept).collect();
            old.sort_unstable_by_key(|&slot| (self.used[slot], slot));
            old.truncate(count - new);
            self.adapt(&old);
            free.extend(old);
        }
        free
    }

    /// Smaller blocks where most rows were guessed for nothing, larger ones where few were.
    fn adapt(&mut self, freed: &[usize]) {
        let unused = freed.iter().filter(|&&slot| !self.asked[slot]).count();
        if 2 * unused > freed.len() {
            self.block = (self.block / 2).max(LEAST_BLOCK);
        } else if 4 * unused < freed.len() {
            self.block = (self.block * 2).min(BLOCK);
        }
    }

    fn compute(&self, wanted: &[usize]) -> Result<Vec<Vec<f32>>> {
        let block = self.x.select(Axis(0), wanted);
        let products = product(block.view(), self.x.t())?;
        let rows: Vec<Vec<f32>> = wanted
            .par_iter()
            .zip(products.outer_iter())
            .map(|(&i, products)| {
                let mut values = vec![0.; self.len()];
                let products = products.to_slice().unwrap_or_default();
                self.kernel.of_products(products, self.norms[i], &self.norms, &mut values);
                values
            })
            .collect();
        for (row, &i) in rows.iter().zip(wanted) {
            // 0 · ∞ and 0 · NaN are NaN.
            if row.iter().map(|v| v * 0.).sum::<f32>() != 0. {
                return Err(Error::InvalidSetting {
                    name: "the kernel",
                    value: format!("infinite at sample {i}"),
                    remedy: "scale the features, or take a smaller gamma or degree",
                });
            }
        }
        Ok(rows)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(bytes: usize) -> KernelRows<f64> {
        let x = Array2::from_shape_fn((50, 3), |(i, j)| ((i * 7 + j * 3) % 11) as f64);
        KernelRows::new(x.view(), Function::Rbf { gamma: 0.02 }, bytes)
    }

    #[test]
    fn rows_are_those_of_the_kernel_however_few_are_kept() {
        let mut all = rows(1 << 20);
        for bytes in [0, 1000, 3000, 1 << 20] {
            let mut some = rows(bytes);
            for step in 0..200 {
                let (i, j) = (step * 17 % 50, step * 29 % 50);
                some.fetch(i, None, |_| vec![j, (i + 1) % 50]).unwrap();
                some.fetch(j, Some(i), |_| vec![(j + 1) % 50]).unwrap();
                all.fetch(i, None, |_| vec![]).unwrap();
                for k in 0..50 {
                    assert!((some.row(i)[k] - all.row(i)[k]).abs() < 1e-7);
                }
                assert_eq!(some.row(j).len(), 50, "{bytes} bytes, samples {i} and {j}");
                assert!(some.slots.len() <= some.capacity);
                assert_eq!(some.row(i)[i], 1.);
            }
        }
    }

    #[test]
    fn an_infinite_kernel_is_an_error() {
        let x = Array2::from_elem((2, 1), 1e30);
        let mut rows = KernelRows::new(x.view(), Function::Linear, 100);
        let message = rows.fetch(1, None, |_| vec![]).unwrap_err().to_string();
        assert!(message.contains("infinite at sample 1"), "{message}");
    }
}
