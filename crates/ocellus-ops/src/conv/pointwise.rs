//! 1 × 1 convolutions at stride 1 and their gradients are products of matrices: by the processor's
//! matrix unit, where it has one.

use super::epilogue::Epilogue;
use super::geometry::Geometry;
use super::weights::Weights;
use super::{ConvAlgorithm, Padding};
use crate::cpu::Float;
#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
use crate::matrix::{Ending, Factor, Images, add_product, product};

/// Channels on either side, and pixels of an image, from which on it pays to cut values in thirds.
const LEAST: usize = 64;

/// By the sizes of an image alone: what becomes of it must not depend on the batch.
fn suits(g: &Geometry) -> bool {
    g.taps() == 1
        && (g.stride, g.groups, g.batch > 0) == ((1, 1), 1, true)
        && g.padding == Padding::default()
        && g.algorithm == ConvAlgorithm::Auto
        && g.ci.min(g.co).min(g.output_plane()) >= LEAST
}

/// y from x, if the matrix unit can do it.
#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
pub(super) fn forward<T: Float>(
    g: &Geometry,
    x: &[T],
    weights: Weights<T>,
    epilogue: Epilogue<T>,
) -> Option<Vec<T>> {
    if !suits(g) {
        return None;
    }
    let (weight, across) = match weights {
        Weights::Plain(weight) => (weight, false),
        Weights::Exchanged(weight) => (weight, true),
        Weights::Packed(_) => return None,
    };
    let a = Factor::matrix(T::as_f32(weight)?, g.co, g.ci, across);
    let b = pixels(g, T::as_f32(x)?, g.ci);
    let epilogue = Epilogue {
        bias: epilogue.bias.and_then(T::as_f32),
        residual: epilogue.residual.and_then(T::as_f32),
        relu: epilogue.relu,
    };
    T::from_f32(product(&a, &b, epilogue.into())?)
}

/// Images as a right factor, whose lines are pixels.
#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
fn pixels<'a>(g: &Geometry, values: &'a [f32], channels: usize) -> Factor<'a> {
    let (lines, stack) = (g.output_plane(), Images::AlongLines);
    let (steps, image_step) = ((1, lines), channels * lines);
    Factor { values, lines, depth: channels, steps, images: g.batch, image_step, stack }
}

/// The gradient by the input, which a ReLU gave, by what that took.
#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
pub(super) fn grad_input_gated<T: Float>(
    g: &Geometry,
    grad: &[T],
    weight: &[T],
    gate: &[T],
) -> Option<Vec<T>> {
    if !suits(g) {
        return None;
    }
    let a = Factor::matrix(T::as_f32(weight)?, g.ci, g.co, true);
    let b = pixels(g, T::as_f32(grad)?, g.co);
    let gate = Some(T::as_f32(gate)?);
    T::from_f32(product(&a, &b, Ending { epilogue: Epilogue::of(None), gate })?)
}

/// Adds the gradient by the first `count` channels of the input to images of more channels; whether
/// it could.
#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
pub(super) fn add_grad_input<T: Float>(
    g: &Geometry,
    grad: &[T],
    weight: &[T],
    count: usize,
    (to, planes): (&mut [T], usize),
) -> bool {
    let values = (T::as_f32(weight), T::as_f32(grad), T::as_f32_mut(to));
    let (true, (Some(weight), Some(grad), Some(to))) = (suits(g), values) else { return false };
    // Lines of the exchanged weight, of which only the first are taken.
    let a = Factor { lines: count, ..Factor::matrix(weight, g.ci, g.co, true) };
    add_product(&a, &pixels(g, grad, g.co), to, planes * g.output_plane())
}

/// The gradient by the weight, likewise.
#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
pub(super) fn grad_weight<T: Float>(g: &Geometry, x: &[T], grad: &[T]) -> Option<Vec<T>> {
    if !suits(g) {
        return None;
    }
    let (depth, stack) = (g.output_plane(), Images::AlongDepth);
    let factor = |values, lines| -> Option<Factor> {
        let (values, steps, image_step) = (T::as_f32(values)?, (depth, 1), lines * depth);
        Some(Factor { values, lines, depth, steps, images: g.batch, image_step, stack })
    };
    let (a, b) = (factor(grad, g.co)?, factor(x, g.ci)?);
    T::from_f32(product(&a, &b, Epilogue::of(None).into())?)
}

#[cfg(not(all(target_arch = "x86_64", target_os = "linux")))]
mod elsewhere {
    use super::*;

    pub(in crate::conv) fn forward<T: Float>(
        _: &Geometry,
        _: &[T],
        _: Weights<T>,
        _: Epilogue<T>,
    ) -> Option<Vec<T>> {
        None
    }

    pub(in crate::conv) fn grad_input_gated<T: Float>(
        _: &Geometry,
        _: &[T],
        _: &[T],
        _: &[T],
    ) -> Option<Vec<T>> {
        None
    }

    pub(in crate::conv) fn add_grad_input<T: Float>(
        _: &Geometry,
        _: &[T],
        _: &[T],
        _: usize,
        _: (&mut [T], usize),
    ) -> bool {
        false
    }

    pub(in crate::conv) fn grad_weight<T: Float>(_: &Geometry, _: &[T], _: &[T]) -> Option<Vec<T>> {
        None
    }
}
#[cfg(not(all(target_arch = "x86_64", target_os = "linux")))]
pub(super) use elsewhere::{add_grad_input, forward, grad_input_gated, grad_weight};
