#![allow(unsafe_code, reason = "kernels are dispatched")]

use rayon::prelude::*;

use super::direct::PackFilters;
use crate::cpu::Float;
use crate::simd::Isa;

/// The filters of a convolution as the kernels take them.
#[derive(Clone, Copy)]
pub(super) enum Weights<'a, T> {
    /// `(groups · co, ci, kh, kw)`.
    Plain(&'a [T]),
    /// `[group][block of output channels][input channel][tap][lane]`: see [`pack`].
    Packed(&'a [T]),
}

/// Values of packed filters: as many output channels as a vector has lanes make a block, and zeros
/// stand in for missing ones.
pub(super) fn packed_len(groups: usize, co: usize, depth: usize, lanes: usize) -> usize {
    groups * co.next_multiple_of(lanes) * depth
}

/// Packs filters of `depth` entries for `isa`, those of each group apart.
pub(super) fn pack<T: Float>(
    isa: Isa,
    (groups, co, depth): (usize, usize, usize),
    weight: &[T],
    to: &mut [T],
) {
    let lanes = isa.lanes::<T>();
    assert_eq!(weight.len(), groups * co * depth);
    assert_eq!(to.len(), packed_len(groups, co, depth, lanes));
    let blocks = co.div_ceil(lanes);
    to.par_chunks_exact_mut(lanes * depth).enumerate().for_each(|(n, to)| {
        let (group, block) = (n / blocks, n % blocks);
        let filters = &weight[group * co * depth..][..co * depth];
        let filters = &filters[block * lanes * depth..((block + 1) * lanes).min(co) * depth];
        // SAFETY: `isa` is this processor's.
        unsafe { T::dispatch(isa, PackFilters { filters, depth, to }) };
    });
}
