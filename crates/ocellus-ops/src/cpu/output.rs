#![allow(unsafe_code, reason = "parallel tasks write disjoint, interleaved parts of one vector")]

use std::mem::MaybeUninit;

/// A vector under construction that parallel tasks fill: each its own entries.
pub(crate) struct Output<T> {
    start: *mut T,
    len: usize,
}

// SAFETY: the entries are only reached through unsafe code that promises disjointness.
unsafe impl<T: Send> Send for Output<T> {}
// SAFETY: as above.
unsafe impl<T: Send> Sync for Output<T> {}

impl<T: Copy> Output<T> {
    /// A vector of that length, every entry of which `fill` writes. It is not zeroed before: on
    /// large outputs that would cost as much time as a pass over the memory.
    ///
    /// # Safety
    ///
    /// `fill` must write every entry.
    pub(crate) unsafe fn collect(len: usize, fill: impl FnOnce(&Self)) -> Vec<T> {
        let mut values: Vec<T> = Vec::with_capacity(len);
        fill(&Self { start: values.as_mut_ptr(), len });
        // SAFETY: the capacity is `len`, and by the caller's promise every entry is written.
        unsafe { values.set_len(len) };
        values
    }

    /// The entries of a slice, for tasks that each write their own.
    pub(crate) fn of(values: &mut [T]) -> Self {
        Self { start: values.as_mut_ptr(), len: values.len() }
    }

    /// Where the first entry lies: for hints.
    pub(crate) fn start(&self) -> *const T {
        self.start
    }

    /// A pointer to entry `index`, of `count` entries that lie there.
    pub(crate) fn at(&self, index: usize, count: usize) -> *mut T {
        assert!(index + count <= self.len, "entries {index} + {count} of {}", self.len);
        self.start.wrapping_add(index)
    }

    /// Entries `index..index + count`, to be written.
    ///
    /// # Safety
    ///
    /// No other reference to them may be alive.
    #[expect(clippy::mut_from_ref, reason = "disjointness is the caller's promise")]
    pub(crate) unsafe fn slice(&self, index: usize, count: usize) -> &mut [MaybeUninit<T>] {
        // SAFETY: within the allocation (`at` checks); exclusive by the caller's promise.
        unsafe { std::slice::from_raw_parts_mut(self.at(index, count).cast(), count) }
    }
}

#[cfg(test)]
mod tests {
    use rayon::prelude::*;

    use super::*;

    #[test]
    fn tasks_fill_interleaved_parts() {
        let fill = |out: &Output<usize>| {
            (0..10).into_par_iter().for_each(|task| {
                for row in 0..3 {
                    // SAFETY: entry `task` of each row of ten is this task's alone.
                    unsafe { out.slice(row * 10 + task, 1)[0].write(task) };
                }
            });
        };
        // SAFETY: ten tasks fill three rows of ten.
        let values = unsafe { Output::collect(30, fill) };
        assert!(values.iter().enumerate().all(|(i, &v)| v == i % 10));
    }
}
