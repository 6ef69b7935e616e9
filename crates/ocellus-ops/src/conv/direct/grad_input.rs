use rayon::prelude::*;

use super::forward::forward;
use super::transposed::transposed;
use crate::conv::epilogue::Epilogue;
use crate::conv::geometry::Geometry;
use crate::conv::weights::Weights;
use crate::cpu::Float;

/// The transpose of [`forward`]: x from y, which is the gradient by the input, and a transposed
/// convolution. The bias is per channel of x.
pub(in crate::conv) fn grad_input<T: Float>(
    g: &Geometry,
    y: &[T],
    weight: &[T],
    epilogue: Epilogue<T>,
) -> Vec<T> {
    match g.turned() {
        Some(turned) => forward(&turned, y, Weights::Plain(&turn(g, weight)), epilogue),
        None => transposed(g, y, weight, epilogue),
    }
}

/// The filters turned by half a turn, with input and output channels exchanged.
fn turn<T: Float>(g: &Geometry, weight: &[T]) -> Vec<T> {
    let (taps, depth) = (g.taps(), g.depth());
    let mut turned = vec![T::zero(); weight.len()];
    let filter = g.co * taps;
    turned.par_chunks_mut(filter.max(1)).enumerate().for_each(|(channel, turned)| {
        let (group, c) = (channel / g.ci, channel % g.ci);
        for (o, turned) in turned.chunks_exact_mut(taps).enumerate() {
            let source = &weight[(group * g.co + o) * depth + c * taps..][..taps];
            for (to, &from) in turned.iter_mut().zip(source.iter().rev()) {
                *to = from;
            }
        }
    });
    turned
}
