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
        Some(turned) if g.taps() == 1 => forward(&turned, y, Weights::Exchanged(weight), epilogue),
        _ => transposed(g, y, weight, epilogue),
    }
}
