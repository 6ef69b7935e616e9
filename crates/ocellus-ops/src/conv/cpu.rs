//! The CPU kernels: each convolution by the algorithm that suits its sizes.

use super::epilogue::Epilogue;
use super::geometry::Geometry;
use super::weights::Weights;
use super::winograd::{self, Filters};
use super::{ConvAlgorithm, direct, pointwise};
use crate::cpu::Float;
use crate::parallel::{GRAIN, pieces};
use crate::simd::Isa;

/// Channels from which on the transformation of tiles pays.
const CHANNELS: usize = 16;

/// Tiles from which on it pays for the gradient by the weight, which sums over them.
const TILES: usize = 8;

/// The same for the tiles of a phase.
const PHASE_TILES: usize = 32;

/// Whether Winograd's algorithm is to be used.
fn by_winograd(g: &Geometry) -> bool {
    g.suits_winograd() && wants_winograd(g)
}

fn wants_winograd(g: &Geometry) -> bool {
    match g.algorithm {
        ConvAlgorithm::Direct => false,
        ConvAlgorithm::Winograd => true,
        ConvAlgorithm::Auto => g.ci >= CHANNELS && g.co >= CHANNELS,
    }
}

/// Whether it is to be used for the phases of a 4 × 4 convolution at stride 2.
fn by_phases<T: Float>(g: &Geometry) -> bool {
    g.suits_phases() && wants_winograd(g) && !has_few_phase_tiles::<T>(g)
}

/// As [`has_few_tiles`]; the transformations take more, for tiles and filters of four phases.
fn has_few_phase_tiles<T: Float>(g: &Geometry) -> bool {
    let panel = 2 * Isa::current().lanes::<T>();
    let by_tiles = 36 * phase_tiles(g).next_multiple_of(panel);
    let by_pixels = 4 * (g.batch * g.output_plane()).next_multiple_of(panel);
    g.algorithm == ConvAlgorithm::Auto && 2 * by_pixels <= 3 * by_tiles
}

/// Whether the panels of tiles would be so empty that the direct way takes no more products.
fn has_few_tiles<T: Float>(g: &Geometry) -> bool {
    let panel = 2 * Isa::current().lanes::<T>();
    let by_tiles = 36 * tiles(g).next_multiple_of(panel);
    let by_pixels = 9 * (g.batch * g.output_plane()).next_multiple_of(panel);
    // A fifth for the transformations.
    g.algorithm == ConvAlgorithm::Auto && 5 * by_pixels <= 6 * by_tiles
}

/// Tiles of all images, for Winograd's algorithm.
fn tiles(g: &Geometry) -> usize {
    g.batch * g.output.0.div_ceil(4) * g.output.1.div_ceil(4)
}

/// Tiles of a phase.
fn phase_tiles(g: &Geometry) -> usize {
    g.batch * (g.output.0 + 1).div_ceil(5) * (g.output.1 + 1).div_ceil(5)
}

/// y from x: `(batch, groups · co, oh, ow)`.
pub(crate) fn forward<T: Float>(
    g: &Geometry,
    x: &[T],
    weights: Weights<T>,
    epilogue: Epilogue<T>,
) -> Vec<T> {
    if by_winograd(g) && !has_few_tiles::<T>(g) {
        return winograd::convolve(g, x, &Filters::of_conv(g, weights), epilogue);
    }
    if let Some(y) = pointwise::forward(g, x, weights, epilogue) {
        return y;
    }
    match (weights, epilogue.residual) {
        (Weights::Plain(weight), None) if by_phases::<T>(g) => {
            winograd::strided(g, x, weight, epilogue)
        }
        _ => direct::forward(g, x, weights, epilogue),
    }
}

/// The transpose of [`forward`]: x from y, which is the gradient by the input, and a transposed
/// convolution. The bias is per channel of x, and there is no residual.
pub(crate) fn grad_input<T: Float>(
    g: &Geometry,
    y: &[T],
    weight: &[T],
    epilogue: Epilogue<T>,
) -> Vec<T> {
    let turned = g.turned();
    let exchanged = Weights::Exchanged(weight);
    if let Some(x) = turned.and_then(|turned| pointwise::forward(&turned, y, exchanged, epilogue)) {
        return x;
    }
    match turned {
        Some(turned) if by_winograd(g) && !has_few_tiles::<T>(&turned) => {
            winograd::convolve(&turned, y, &Filters::turned(g, weight), epilogue)
        }
        None if by_phases::<T>(g) => winograd::transposed(g, y, weight, epilogue),
        _ => direct::grad_input(g, y, weight, epilogue),
    }
}

/// The gradient by the input, which a ReLU gave, by what that took.
pub(crate) fn grad_input_gated<T: Float>(
    g: &Geometry,
    grad: &[T],
    weight: &[T],
    gate: &[T],
) -> Vec<T> {
    if let Some(x) = pointwise::grad_input_gated(g, grad, weight, gate) {
        return x;
    }
    let mut x = grad_input(g, grad, weight, Epilogue::of(None));
    pieces(&mut x, GRAIN, |n, x| {
        for (x, &gate) in x.iter_mut().zip(&gate[n * GRAIN..]) {
            *x = if gate <= T::zero() { T::zero() } else { *x };
        }
    });
    x
}

/// Adds the gradient by the first `count` channels of the input to images of `planes` channels.
pub(crate) fn add_grad_input<T: Float>(
    g: &Geometry,
    grad: &[T],
    weight: &[T],
    count: usize,
    (to, planes): (&mut [T], usize),
) {
    if pointwise::add_grad_input(g, grad, weight, count, (&mut *to, planes)) {
        return;
    }
    let (x, plane) = (grad_input(g, grad, weight, Epilogue::of(None)), g.input_plane());
    pieces(to, plane, |n, to| {
        let (image, channel) = (n / planes, n % planes);
        if channel < count {
            let x = &x[(image * g.ci + channel) * plane..];
            to.iter_mut().zip(x).for_each(|(to, &x)| *to += x);
        }
    });
}

/// The gradient by the weight: `(groups · co, ci, kh, kw)`, from x and the gradient by y.
pub(crate) fn grad_weight<T: Float>(g: &Geometry, x: &[T], grad: &[T]) -> Vec<T> {
    if let Some(by_weight) = pointwise::grad_weight(g, x, grad) {
        return by_weight;
    }
    let auto = g.algorithm == ConvAlgorithm::Auto;
    if by_winograd(g) && !(auto && tiles(g) < TILES) {
        winograd::grad_weight(g, x, grad)
    } else if g.suits_phases() && wants_winograd(g) && !(auto && phase_tiles(g) < PHASE_TILES) {
        winograd::grad_weight_of_phases(g, x, grad)
    } else {
        direct::grad_weight(g, x, grad)
    }
}
