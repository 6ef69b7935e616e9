#![allow(unsafe_code, reason = "kernels are dispatched")]

use rayon::prelude::*;

use super::direct::PackFilters;
use crate::cpu::Float;
use crate::simd::Isa;

/// The filters of a convolution as the kernels take them.
#[derive(Clone, Copy)]
pub(crate) enum Weights<'a, T> {
    /// `(groups · co, ci, kh, kw)`.
    Plain(&'a [T]),
    /// `(groups · ci, co, kh, kw)`; the direct way takes them of one tap.
    Exchanged(&'a [T]),
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

/// Packs filters `(groups · ci, co)` of one tap: what is a vector of output channels lies side by
/// side in them.
pub(super) fn pack_exchanged<T: Float>(
    isa: Isa,
    (groups, co, ci): (usize, usize, usize),
    weight: &[T],
    to: &mut [T],
) {
    let lanes = isa.lanes::<T>();
    assert_eq!(weight.len(), groups * co * ci);
    assert_eq!(to.len(), packed_len(groups, co, ci, lanes));
    let blocks = co.div_ceil(lanes);
    to.par_chunks_exact_mut(lanes * ci).enumerate().for_each(|(n, to)| {
        let (group, first) = (n / blocks, n % blocks * lanes);
        let filters = weight[group * co * ci..].chunks_exact(co);
        for (to, filter) in to.chunks_exact_mut(lanes).zip(filters) {
            let filter = &filter[first..(first + lanes).min(co)];
            to[..filter.len()].copy_from_slice(filter);
            to[filter.len()..].fill(T::zero());
        }
    });
}
