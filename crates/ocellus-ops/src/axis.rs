#![allow(unsafe_code, reason = "results are written to memory that is not cleared before")]

mod block;
mod lanes;

use std::mem::MaybeUninit;

pub(crate) use self::lanes::{Lanes, narrow};
use crate::cpu::Float;
use crate::parallel::{GRAIN, collect_pieces};

/// One axis of a contiguous tensor, which is then `(outer, size, inner)`: its elements at one
/// *position*, an index into `(outer, inner)`, belong together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Axis {
    pub(crate) outer: usize,
    pub(crate) size: usize,
    pub(crate) inner: usize,
}

/// Where an element is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct At {
    /// Its index along the axis.
    pub(crate) class: usize,
    /// Its index into `(outer, inner)`.
    pub(crate) position: usize,
}

impl Axis {
    pub(crate) fn new(dims: &[usize], dim: usize) -> Self {
        let outer = dims[..dim].iter().product();
        Self { outer, size: dims[dim], inner: dims[dim + 1..].iter().product() }
    }

    pub(crate) fn positions(&self) -> usize {
        self.outer * self.inner
    }

    /// `f(element of x, at)` of each element.
    pub(crate) fn map<T: Float>(&self, x: &[T], f: impl Fn(T, At) -> T + Sync) -> Vec<T> {
        let Self { size, inner, .. } = *self;
        if inner == 1 {
            let rows = (GRAIN / size.max(1)).max(1);
            let fill = |block: usize, y: &mut [MaybeUninit<T>]| {
                for (row, y) in y.chunks_exact_mut(size).enumerate() {
                    let position = block * rows + row;
                    let first = position * size;
                    for (class, (y, &x)) in y.iter_mut().zip(&x[first..]).enumerate() {
                        y.write(f(x, At { class, position }));
                    }
                }
            };
            // SAFETY: a piece is a whole number of rows, all elements of which are written.
            return unsafe { collect_pieces(x.len(), rows * size, fill) };
        }
        let fill = |plane: usize, y: &mut [MaybeUninit<T>]| {
            let (outer, class) = (plane / size, plane % size);
            let (first, position) = (plane * inner, outer * inner);
            for (j, (y, &x)) in y.iter_mut().zip(&x[first..]).enumerate() {
                y.write(f(x, At { class, position: position + j }));
            }
        };
        // SAFETY: a piece is a plane, of which x has as many elements.
        unsafe { collect_pieces(x.len(), inner, fill) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn maps_along_any_axis() {
        let dims = [3, 4, 5];
        let x: Vec<f64> = (0..60).map(f64::from).collect();
        for dim in 0..3 {
            let axis = Axis::new(&dims, dim);
            let inner = axis.inner;
            let element =
                |at: At| (at.position / inner * axis.size + at.class) * inner + at.position % inner;
            let mapped: Vec<f64> = axis.map(&x, |x, at| x - element(at) as f64);
            assert!(mapped.iter().all(|&v| v == 0.), "{mapped:?}");
        }
    }
}
