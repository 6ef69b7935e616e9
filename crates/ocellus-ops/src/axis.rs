#![allow(unsafe_code, reason = "results are written to memory that is not cleared before")]

use std::mem::MaybeUninit;
use std::ops::Range;

use crate::cpu::Float;
use crate::parallel::{GRAIN, collect_pieces, tasks};

/// One axis of a contiguous tensor, which is then `(outer, size, inner)`: its elements at one
/// *position*, an index into `(outer, inner)`, belong together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Axis {
    pub(crate) outer: usize,
    pub(crate) size: usize,
    pub(crate) inner: usize,
}

/// Positions of a tile at most.
pub(crate) const TILE: usize = 512;

/// Positions of a tile at most where an index of `outer` has no more: tiles that small would spend
/// their time on clearing sums for [`TILE`] positions.
pub(crate) const SMALL: usize = 16;

/// Neighboring positions within one index of `outer`, so few that all their elements fit into the
/// cache.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tile {
    /// The index of its first position.
    pub(crate) position: usize,
    /// Its number of positions.
    pub(crate) len: usize,
    /// Elements along the axis.
    pub(crate) size: usize,
    first: usize,
    inner: usize,
}

impl Tile {
    /// The elements of a class, one a position.
    #[inline(always)]
    pub(crate) fn row(&self, class: usize) -> Range<usize> {
        let first = self.first + class * self.inner;
        first..first + self.len
    }
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

    /// `f(tile)` of each tile, in their order; in parallel where it pays.
    pub(crate) fn tiles<R: Clone + Default + Send>(&self, f: impl Fn(Tile) -> R + Sync) -> Vec<R> {
        let Self { outer, size, inner } = *self;
        // Rows of a tile shorter than a few cache lines would waste loads.
        let width = (2 * GRAIN / size.max(1)).clamp(64, TILE).min(inner.max(1));
        let across = inner.div_ceil(width);
        tasks(outer * across, width * size, |index| {
            let (outer, column) = (index / across, index % across * width);
            let len = width.min(inner - column);
            let (position, first) = (outer * inner + column, outer * size * inner + column);
            f(Tile { position, len, size, first, inner })
        })
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
    fn tiles_cover_each_element_once_in_order() {
        for dims in [[3, 4, 5], [2, 3, 1300], [2, 700, 200], [40_000, 2, 1], [2, 0, 3], [2, 3, 0]] {
            let axis = Axis::new(&dims, 1);
            let of_tiles = axis.tiles(|tile| {
                let rows: Vec<usize> = (0..tile.size).flat_map(|class| tile.row(class)).collect();
                (tile.position, tile.len, rows)
            });
            let mut next = 0;
            for (position, len, _) in &of_tiles {
                assert_eq!(*position, next);
                assert!(*len <= TILE);
                next += len;
            }
            assert_eq!(next, axis.positions());
            let mut elements: Vec<usize> =
                of_tiles.into_iter().flat_map(|(_, _, rows)| rows).collect();
            elements.sort_unstable();
            assert!(elements.into_iter().eq(0..dims.iter().product()), "{dims:?}");
        }
    }

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
