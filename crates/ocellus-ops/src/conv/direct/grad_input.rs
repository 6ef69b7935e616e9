use rayon::prelude::*;

use super::forward::forward;
use super::transposed::transposed;
use crate::conv::epilogue::Epilogue;
use crate::conv::geometry::Geometry;
use crate::conv::weights::{Weights, packed_len};
use crate::cpu::{Float, with_scratch};
use crate::simd::Isa;

/// The transpose of [`forward`]: x from y, which is the gradient by the input, and a transposed
/// convolution. The bias is per channel of x.
pub(in crate::conv) fn grad_input<T: Float>(
    g: &Geometry,
    y: &[T],
    weight: &[T],
    epilogue: Epilogue<T>,
) -> Vec<T> {
    match g.turned() {
        // Their sums are written in place.
        Some(turned) if g.taps() == 1 => {
            let lanes = Isa::current().lanes::<T>();
            let len = packed_len(g.groups, turned.co, turned.ci, lanes);
            with_scratch(len, |filters| {
                pack_exchanged(g, weight, lanes, filters);
                forward(&turned, y, Weights::Packed(filters), epilogue)
            })
        }
        _ => transposed(g, y, weight, epilogue),
    }
}

/// Packs filters of one tap with input and output channels exchanged: what is a vector of output
/// channels then lies side by side.
fn pack_exchanged<T: Float>(g: &Geometry, weight: &[T], lanes: usize, to: &mut [T]) {
    let blocks = g.ci.div_ceil(lanes);
    to.par_chunks_exact_mut(lanes * g.co).enumerate().for_each(|(n, to)| {
        let (group, first) = (n / blocks, n % blocks * lanes);
        let filters = weight[group * g.co * g.ci..].chunks_exact(g.ci);
        for (to, filter) in to.chunks_exact_mut(lanes).zip(filters) {
            let filter = &filter[first..(first + lanes).min(g.ci)];
            to[..filter.len()].copy_from_slice(filter);
            to[filter.len()..].fill(T::zero());
        }
    });
}
