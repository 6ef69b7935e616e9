use candle_core::WithDType;
use rayon::prelude::*;

use crate::cpu::Float;

/// Elements that one task handles at least: fewer are not worth a thread.
pub(crate) const GRAIN: usize = 1 << 14;

/// `x` in f64.
pub(crate) fn wide<T: Float>(x: T) -> f64 {
    WithDType::to_f64(x)
}

/// `f(x)` of each element.
pub(crate) fn map<T: Float>(x: &[T], f: impl Fn(T) -> T + Sync) -> Vec<T> {
    let mut y = vec![T::zero(); x.len()];
    pieces(&mut y, GRAIN, |block, y| {
        for (y, &x) in y.iter_mut().zip(&x[block * GRAIN..]) {
            *y = f(x);
        }
    });
    y
}

/// `f(index, x)` of each element.
pub(crate) fn map_indexed<T: Float>(x: &[T], f: impl Fn(usize, T) -> T + Sync) -> Vec<T> {
    let mut y = vec![T::zero(); x.len()];
    pieces(&mut y, GRAIN, |block, y| {
        let first = block * GRAIN;
        for ((index, y), &x) in (first..).zip(y).zip(&x[first..]) {
            *y = f(index, x);
        }
    });
    y
}

/// `f(a, b)` of each pair of elements.
pub(crate) fn zip<T: Float>(a: &[T], b: &[T], f: impl Fn(T, T) -> T + Sync) -> Vec<T> {
    let mut y = vec![T::zero(); a.len()];
    pieces(&mut y, GRAIN, |block, y| {
        let first = block * GRAIN;
        for ((y, &a), &b) in y.iter_mut().zip(&a[first..]).zip(&b[first..]) {
            *y = f(a, b);
        }
    });
    y
}

/// Runs `f(index, piece)` on each piece of `size` elements, in parallel where it pays.
pub(crate) fn pieces<T: Send>(y: &mut [T], size: usize, f: impl Fn(usize, &mut [T]) + Sync) {
    let size = size.max(1);
    if y.len() <= GRAIN {
        y.chunks_mut(size).enumerate().for_each(|(i, y)| f(i, y));
    } else {
        let together = (GRAIN / size).max(1);
        y.par_chunks_mut(size).enumerate().with_min_len(together).for_each(|(i, y)| f(i, y));
    }
}

/// As [`pieces`], where `y` is small but takes the reading of `work` elements.
pub(crate) fn pieces_of<T: Send>(
    y: &mut [T],
    size: usize,
    work: usize,
    f: impl Fn(usize, &mut [T]) + Sync,
) {
    if work <= GRAIN {
        y.chunks_mut(size).enumerate().for_each(|(i, y)| f(i, y));
    } else {
        let together = (y.len() * GRAIN / work / size).max(1);
        y.par_chunks_mut(size).enumerate().with_min_len(together).for_each(|(i, y)| f(i, y));
    }
}

/// `Σ f(x, y)` in f64, always in the same order.
pub(crate) fn sum<T: Float>(x: &[T], y: &[T], f: impl Fn(f64, f64) -> f64) -> f64 {
    const LANES: usize = 8;
    let mut lanes = [0.; LANES];
    let (x_blocks, x_rest) = x.as_chunks::<LANES>();
    let (y_blocks, y_rest) = y.as_chunks::<LANES>();
    for (x, y) in x_blocks.iter().zip(y_blocks) {
        for ((lane, &x), &y) in lanes.iter_mut().zip(x).zip(y) {
            *lane += f(wide(x), wide(y));
        }
    }
    let rest: f64 = x_rest.iter().zip(y_rest).map(|(&x, &y)| f(wide(x), wide(y))).sum();
    lanes.iter().sum::<f64>() + rest
}
