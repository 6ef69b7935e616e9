#![allow(unsafe_code, reason = "vectors are loaded and stored through pointers")]

use std::ops::Range;

use crate::conv::vectors::{Staged, stage_runs};
use crate::cpu::Float;
use crate::simd::{Kernel, Simd};

/// Copies what some pixels meet of some channels to a staging area: `[channel]`, `step` apart.
pub(super) struct StageChannels<'a, T> {
    pub(super) image: &'a [T],
    /// Values between a channel of the image and the next.
    pub(super) plane: usize,
    pub(super) channels: Range<usize>,
    pub(super) runs: &'a [Staged],
    /// What is zero after that.
    pub(super) zeros: &'a [Range<usize>],
    pub(super) stage: &'a mut [T],
    pub(super) step: usize,
}

impl<T: Float> Kernel<T> for StageChannels<'_, T> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd<T = T>>(self) {
        for (channel, stage) in self.channels.zip(self.stage.chunks_exact_mut(self.step)) {
            // SAFETY: the runs lie within the planes and a channel of the staging area.
            unsafe {
                let image = &self.image[channel * self.plane..];
                stage_runs::<S>(image, self.plane, self.runs, stage.as_mut_ptr());
            }
            for zeros in self.zeros {
                stage[zeros.clone()].fill(T::zero());
            }
        }
    }
}

/// Values from a channel in the staging area to the next: an odd number of cache lines (of 16 f32),
/// so that channels do not crowd in few sets of a cache.
pub(super) fn channel_step(len: usize) -> usize {
    len.div_ceil(16) / 2 * 32 + 16
}

/// Adds a run, or makes the last one longer if this one continues it.
pub(super) fn push_run(runs: &mut Vec<Staged>, run: Staged) {
    match runs.last_mut() {
        Some(last) if last.image + last.len == run.image && last.stage + last.len == run.stage => {
            last.len += run.len;
        }
        _ => runs.push(run),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn channels_have_room_and_are_an_odd_number_of_lines_apart() {
        for len in 0..200 {
            let step = channel_step(len);
            assert!(step >= len && step < len + 32 && step / 16 % 2 == 1, "{len}: {step}");
        }
    }

    #[test]
    fn runs_that_continue_each_other_are_one() {
        let mut runs = Vec::new();
        for (image, stage) in [(5, 0), (8, 3), (11, 7), (20, 10)] {
            push_run(&mut runs, Staged { image, stage, len: 3 });
        }
        let runs: Vec<_> = runs.iter().map(|run| (run.image, run.stage, run.len)).collect();
        assert_eq!(runs, [(5, 0, 6), (11, 7, 3), (20, 10, 3)]);
    }
}
