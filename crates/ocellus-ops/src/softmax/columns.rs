#![allow(unsafe_code, reason = "tiles of the result lie interleaved")]

use std::marker::PhantomData;

use super::form::Form;
use crate::axis::{Axis, SMALL, TILE, Tile};
use crate::cpu::{Float, Output};
use crate::parallel::wide;
use crate::simd::{Loop, vectorized_loop};

/// The forward pass, tile by tile: all passes over a tile find it in the cache.
pub(super) fn forward<F: Form, T: Float>(axis: Axis, x: &[T]) -> Vec<T> {
    let fill = |y: &Output<T>| {
        let form = PhantomData::<F>;
        if axis.inner <= SMALL {
            axis.tiles(|tile| vectorized_loop(Forward::<_, _, SMALL> { x, y, tile, form }));
        } else {
            axis.tiles(|tile| vectorized_loop(Forward::<_, _, TILE> { x, y, tile, form }));
        }
    };
    // SAFETY: the tiles cover all elements, and each writes its own.
    unsafe { Output::collect(x.len(), fill) }
}

/// The gradient by the input, tile by tile.
pub(super) fn backward<F: Form, T: Float>(axis: Axis, y: &[T], gradient: &[T]) -> Vec<T> {
    let fill = |dx: &Output<T>| {
        let form = PhantomData::<F>;
        if axis.inner <= SMALL {
            axis.tiles(|tile| {
                vectorized_loop(Backward::<_, _, SMALL> { y, gradient, dx, tile, form });
            });
        } else {
            axis.tiles(|tile| {
                vectorized_loop(Backward::<_, _, TILE> { y, gradient, dx, tile, form });
            });
        }
    };
    // SAFETY: as above.
    unsafe { Output::collect(y.len(), fill) }
}

/// The largest element and the sum of the powers `exp(x − largest)` of each position of a tile of
/// at most `N`.
pub(crate) struct Sums<T, const N: usize> {
    pub(crate) largest: [T; N],
    pub(crate) totals: [f64; N],
}

impl<T: Float, const N: usize> Sums<T, N> {
    /// Takes the sums of a tile of x, and writes the powers to that of `powers`, if any.
    ///
    /// # Safety
    ///
    /// The tile of `powers` must be this task's alone.
    #[inline(always)]
    pub(crate) unsafe fn of(x: &[T], tile: Tile, powers: Option<&Output<T>>) -> Self {
        let mut sums = Self { largest: [T::neg_infinity(); N], totals: [0.; N] };
        let (largest, totals) = (&mut sums.largest[..tile.len], &mut sums.totals[..tile.len]);
        for class in 0..tile.size {
            for (m, &x) in largest.iter_mut().zip(&x[tile.row(class)]) {
                *m = if x > *m { x } else { *m };
            }
        }
        for class in 0..tile.size {
            let x = x[tile.row(class)].iter().zip(&*largest).zip(&mut *totals);
            match powers {
                None => {
                    for ((&x, &m), total) in x {
                        *total += wide((x - m).exponential());
                    }
                }
                Some(powers) => {
                    // SAFETY: a part of the tile, which is this task's alone.
                    let powers = unsafe { powers.slice(tile.row(class).start, tile.len) };
                    for (((&x, &m), total), power) in x.zip(powers) {
                        let p = (x - m).exponential();
                        power.write(p);
                        *total += wide(p);
                    }
                }
            }
        }
        sums
    }
}

struct Forward<'a, F, T, const N: usize> {
    x: &'a [T],
    y: &'a Output<T>,
    tile: Tile,
    form: PhantomData<F>,
}

impl<F: Form, T: Float, const N: usize> Loop for Forward<'_, F, T, N> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { x, y, tile, .. } = self;
        // SAFETY: the caller gives each tile to one task.
        let sums = unsafe { Sums::<T, N>::of(x, tile, Some(y)) };
        let mut shared = [T::zero(); N];
        for (shared, &total) in shared[..tile.len].iter_mut().zip(&sums.totals) {
            *shared = T::from_f64(F::shared(total));
        }
        for class in 0..tile.size {
            // SAFETY: as above.
            let y = unsafe { y.slice(tile.row(class).start, tile.len) };
            let of_position = sums.largest[..tile.len].iter().zip(&shared[..tile.len]);
            for ((y, &x), (&m, &shared)) in y.iter_mut().zip(&x[tile.row(class)]).zip(of_position) {
                // SAFETY: the powers were written there.
                let power = unsafe { y.assume_init() };
                y.write(F::value(x, m, power, shared));
            }
        }
    }
}

struct Backward<'a, F, T, const N: usize> {
    y: &'a [T],
    gradient: &'a [T],
    dx: &'a Output<T>,
    tile: Tile,
    form: PhantomData<F>,
}

impl<F: Form, T: Float, const N: usize> Loop for Backward<'_, F, T, N> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { y, gradient, dx, tile, .. } = self;
        let mut sums = [0.; N];
        for class in 0..tile.size {
            let row = y[tile.row(class)].iter().zip(&gradient[tile.row(class)]);
            for ((&y, &gradient), sum) in row.zip(&mut sums[..tile.len]) {
                *sum += F::term(y, gradient);
            }
        }
        for class in 0..tile.size {
            // SAFETY: the caller gives each tile to one task.
            let dx = unsafe { dx.slice(tile.row(class).start, tile.len) };
            let row = y[tile.row(class)].iter().zip(&gradient[tile.row(class)]);
            for (((&y, &gradient), &sum), dx) in row.zip(&sums[..tile.len]).zip(dx) {
                dx.write(F::gradient(y, gradient, T::from_f64(sum)));
            }
        }
    }
}
