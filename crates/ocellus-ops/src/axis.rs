use crate::cpu::Float;
use crate::parallel::{GRAIN, pieces, pieces_of};

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

    /// Folds `f(accumulator, at)` over the axis, in its order, at each position.
    pub(crate) fn fold<A: Copy + Send + Sync>(
        &self,
        start: A,
        f: impl Fn(A, At) -> A + Sync,
    ) -> Vec<A> {
        let Self { size, inner, .. } = *self;
        let mut folded = vec![start; self.positions()];
        let block = (GRAIN / size.max(1)).clamp(1, GRAIN);
        pieces_of(&mut folded, block, self.positions() * size, |index, folded| {
            let mut position = index * block;
            if inner == 1 {
                for a in folded {
                    let row = position * size;
                    let at = |class| At { element: row + class, class, position };
                    *a = (0..size).fold(*a, |a, class| f(a, at(class)));
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
                    for (j, a) in run.iter_mut().enumerate() {
                        *a = f(*a, At { element: first + j, class, position: position + j });
                    }
                }
                position += run.len();
                rest = next;
            }
        });
        folded
    }

    /// `f(at)` of each element.
    pub(crate) fn map<T: Float>(&self, f: impl Fn(At) -> T + Sync) -> Vec<T> {
        let Self { size, inner, .. } = *self;
        let mut y = vec![T::zero(); self.positions() * size];
        if inner == 1 {
            pieces(&mut y, size, |position, y| {
                let at = |class| At { element: position * size + class, class, position };
                y.iter_mut().enumerate().for_each(|(class, y)| *y = f(at(class)));
            });
        } else {
            pieces(&mut y, inner, |plane, y| {
                let (outer, class) = (plane / size, plane % size);
                let (first, position) = (plane * inner, outer * inner);
                let at = |j| At { element: first + j, class, position: position + j };
                y.iter_mut().enumerate().for_each(|(j, y)| *y = f(at(j)));
            });
        }
        y
    }

    /// The largest element along the axis; −∞ if there is none.
    pub(crate) fn largest<T: Float>(&self, x: &[T]) -> Vec<T> {
        self.fold(T::neg_infinity(), |a, at| if x[at.element] > a { x[at.element] } else { a })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folds_and_maps_along_any_axis() {
        let dims = [3, 4, 5];
        for dim in 0..3 {
            let axis = Axis::new(&dims, dim);
            let stride: usize = dims[dim + 1..].iter().product();
            let sums = axis.fold(0, |a, at| a + at.element);
            let at = axis.fold(usize::MAX, |a, at| a.min(at.element));
            for (position, &sum) in sums.iter().enumerate() {
                let expected: usize = (0..dims[dim]).map(|k| at[position] + k * stride).sum();
                assert_eq!(sum, expected);
            }
            let mapped: Vec<f64> = axis.map(|i| (at[i.position] + i.class * stride) as f64);
            assert!(mapped.iter().enumerate().all(|(i, &v)| v == i as f64), "{mapped:?}");
        }
    }

    #[test]
    fn many_positions_are_split_into_the_same_folds() {
        let axis = Axis { outer: 3, size: 2, inner: 20_011 };
        let sums = axis.fold(0, |a, at| a + at.element);
        for (position, &sum) in sums.iter().enumerate() {
            let first = position / 20_011 * 40_022 + position % 20_011;
            assert_eq!(sum, 2 * first + 20_011);
        }
    }
}
