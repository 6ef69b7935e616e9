#![allow(unsafe_code, reason = "results are written to memory that is not cleared before")]

use std::mem::MaybeUninit;

use crate::cpu::Float;
use crate::parallel::{GRAIN, collect_pieces, pieces_of};
use crate::simd::vectorized;

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
    /// The index of the element.
    pub(crate) element: usize,
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

    /// The index of the element at a position.
    pub(crate) fn element(&self, position: usize, class: usize) -> usize {
        (position / self.inner * self.size + class) * self.inner + position % self.inner
    }

    /// Folds `f(accumulator, element of x, at)` over the axis, in its order, at each position.
    pub(crate) fn fold<T: Copy + Sync, A: Copy + Send + Sync>(
        &self,
        x: &[T],
        start: A,
        f: impl Fn(A, T, At) -> A + Sync,
    ) -> Vec<A> {
        let Self { size, inner, .. } = *self;
        let mut folded = vec![start; self.positions()];
        let block = (GRAIN / size.max(1)).clamp(1, GRAIN);
        pieces_of(&mut folded, block, self.positions() * size, |index, folded| {
            vectorized(|| {
                let mut position = index * block;
                if inner == 1 {
                    for a in folded {
                        let row = position * size;
                        let at = |class| At { element: row + class, class, position };
                        let row = x[row..row + size].iter().enumerate();
                        *a = row.fold(*a, |a, (class, &x)| f(a, x, at(class)));
                        position += 1;
                    }
                    return;
                }
                let mut rest = folded;
                while !rest.is_empty() {
                    // A run of neighbors within one index of `outer`.
                    let (outer, column) = (position / inner, position % inner);
                    let (run, next) = rest.split_at_mut(rest.len().min(inner - column));
                    for class in 0..size {
                        let first = (outer * size + class) * inner + column;
                        let x = &x[first..first + run.len()];
                        for (j, (a, &x)) in run.iter_mut().zip(x).enumerate() {
                            *a = f(*a, x, At { element: first + j, class, position: position + j });
                        }
                    }
                    position += run.len();
                    rest = next;
                }
            });
        });
        folded
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
                        y.write(f(x, At { element: first + class, class, position }));
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
                y.write(f(x, At { element: first + j, class, position: position + j }));
            }
        };
        // SAFETY: a piece is a plane, of which x has as many elements.
        unsafe { collect_pieces(x.len(), inner, fill) }
    }

    /// The largest element along the axis; −∞ if there is none.
    pub(crate) fn largest<T: Float>(&self, x: &[T]) -> Vec<T> {
        self.fold(x, T::neg_infinity(), |a, x, _| if x > a { x } else { a })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folds_and_maps_along_any_axis() {
        let dims = [3, 4, 5];
        let x: Vec<f64> = (0..60).map(f64::from).collect();
        for dim in 0..3 {
            let axis = Axis::new(&dims, dim);
            let stride: usize = dims[dim + 1..].iter().product();
            let sums = axis.fold(&x, 0., |a, x, _| a + x);
            let at = axis.fold(&x, usize::MAX, |a, _, at| a.min(at.element));
            for (position, &sum) in sums.iter().enumerate() {
                let expected: usize = (0..dims[dim]).map(|k| at[position] + k * stride).sum();
                assert_eq!(sum, expected as f64);
            }
            let mapped: Vec<f64> =
                axis.map(&x, |x, i| x - (at[i.position] + i.class * stride) as f64);
            assert!(mapped.iter().all(|&v| v == 0.), "{mapped:?}");
        }
    }

    #[test]
    fn many_positions_are_split_into_the_same_folds() {
        let axis = Axis { outer: 3, size: 2, inner: 20_011 };
        let elements: Vec<usize> = (0..6 * 20_011).collect();
        let sums = axis.fold(&elements, 0, |a, x, _| a + x);
        for (position, &sum) in sums.iter().enumerate() {
            let first = position / 20_011 * 40_022 + position % 20_011;
            assert_eq!(sum, 2 * first + 20_011);
        }
    }
}
