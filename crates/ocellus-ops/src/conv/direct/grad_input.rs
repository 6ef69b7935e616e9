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
        // Their sums are written in place.
        Some(turned) if g.taps() == 1 => {
            forward(&turned, y, Weights::Plain(&exchange(g, weight)), epilogue)
        }
        _ => transposed(g, y, weight, epilogue),
    }
}

/// Filters of one tap with input and output channels exchanged.
fn exchange<T: Float>(g: &Geometry, weight: &[T]) -> Vec<T> {
    let mut exchanged = vec![T::zero(); weight.len()];
    exchanged.par_chunks_mut(g.co).enumerate().for_each(|(channel, exchanged)| {
        let (group, c) = (channel / g.ci, channel % g.ci);
        let filters = weight[group * g.co * g.ci..].chunks_exact(g.ci);
        exchanged.iter_mut().zip(filters).for_each(|(to, filter)| *to = filter[c]);
    });
    exchanged
}
