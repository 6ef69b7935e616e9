#![allow(unsafe_code, reason = "results are written to memory that is not cleared before")]

use std::mem::MaybeUninit;

use crate::cpu::{Float, Output};
use crate::parallel::tasks;

/// Elements of a block at most: a few such blocks stay in the cache of a core.
const SIZE: usize = 1 << 12;

/// A `(batch, channels, …)` tensor cut into blocks, each a part of one plane.
pub(super) struct Blocks {
    batch: usize,
    channels: usize,
    /// Elements of a plane.
    plane: usize,
    /// Blocks of a plane.
    per_plane: usize,
}

/// A block: neighbors of one channel.
#[derive(Clone, Copy)]
pub(super) struct Block {
    pub(super) channel: usize,
    start: usize,
    len: usize,
}

impl Block {
    /// The block's elements of a tensor.
    #[inline(always)]
    pub(super) fn of<T>(self, x: &[T]) -> &[T] {
        &x[self.start..self.start + self.len]
    }
}

impl Blocks {
    pub(super) fn new(dims: &[usize]) -> Self {
        let plane = dims[2..].iter().product::<usize>();
        Self { batch: dims[0], channels: dims[1], plane, per_plane: plane.div_ceil(SIZE) }
    }

    fn count(&self) -> usize {
        self.batch * self.channels * self.per_plane
    }

    fn block(&self, index: usize) -> Block {
        let (plane, part) = (index / self.per_plane, index % self.per_plane);
        // All of about the same size, so that none is short.
        let from = |part: usize| part * self.plane / self.per_plane;
        Block {
            channel: plane % self.channels,
            start: plane * self.plane + from(part),
            len: from(part + 1) - from(part),
        }
    }

    /// `f` of each block, in parallel where it pays.
    pub(super) fn map<R: Clone + Default + Send>(&self, f: impl Fn(Block) -> R + Sync) -> Vec<R> {
        tasks(self.count(), self.plane.min(SIZE), |index| f(self.block(index)))
    }

    /// As [`map`](Self::map), where `f` also writes the block's elements of a new tensor.
    ///
    /// # Safety
    ///
    /// `f` must write every element that it is given.
    pub(super) unsafe fn fill<T: Float, R: Clone + Default + Send>(
        &self,
        f: impl Fn(Block, &mut [MaybeUninit<T>]) -> R + Sync,
    ) -> (Vec<T>, Vec<R>) {
        let mut results = Vec::new();
        let fill = |output: &Output<T>| {
            // SAFETY: blocks do not overlap, and each is given to one call.
            results = self.map(|block| f(block, unsafe { output.slice(block.start, block.len) }));
        };
        // SAFETY: the blocks cover the tensor, and by the caller's promise `f` writes them.
        let values = unsafe { Output::collect(self.batch * self.channels * self.plane, fill) };
        (values, results)
    }

    /// The results of a channel's blocks, in their order.
    pub(super) fn of_channel<R: Copy>(
        &self,
        results: &[R],
        channel: usize,
    ) -> impl Iterator<Item = R> {
        let planes = (0..self.batch).map(move |item| item * self.channels + channel);
        planes.flat_map(|plane| &results[plane * self.per_plane..][..self.per_plane]).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_cover_a_tensor_channel_by_channel() {
        let shapes: [&[usize]; 5] =
            [&[2, 3], &[2, 3, 7], &[3, 2, 70, 83], &[1, 1, 3, SIZE], &[0, 2, 3]];
        for dims in shapes {
            let blocks = Blocks::new(dims);
            // SAFETY: the closure writes its whole block.
            let (values, sizes) = unsafe {
                blocks.fill(|block, values: &mut [MaybeUninit<f64>]| {
                    for value in values.iter_mut() {
                        value.write(block.channel as f64);
                    }
                    values.len()
                })
            };
            let plane: usize = dims[2..].iter().product();
            for (i, &value) in values.iter().enumerate() {
                assert_eq!(value, (i / plane % dims[1]) as f64);
            }
            assert_eq!(values.len(), dims.iter().product::<usize>());
            assert!(sizes.iter().all(|&size| 0 < size && size <= SIZE));
            for channel in 0..dims[1] {
                assert_eq!(blocks.of_channel(&sizes, channel).sum::<usize>(), dims[0] * plane);
            }
        }
    }
}
