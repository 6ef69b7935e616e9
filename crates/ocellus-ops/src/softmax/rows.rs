#![allow(unsafe_code, reason = "results are written to memory that is not cleared before")]

use std::marker::PhantomData;
use std::mem::MaybeUninit;

use super::form::Form;
use crate::axis::Axis;
use crate::cpu::Float;
use crate::parallel::{GRAIN, filled, sums, wide};
use crate::simd::{Loop, vectorized_loop};

/// Whether rows are computed one by one: where they lie together, and are long, or too few to be
/// computed side by side.
pub(super) fn suit(axis: Axis) -> bool {
    axis.inner == 1 && (axis.size > 16 || axis.outer < 16)
}

/// The forward pass along the last axis, row by row.
pub(super) fn forward<F: Form, T: Float>(size: usize, x: &[T]) -> Vec<T> {
    let rows = (GRAIN / size.max(1)).max(1) * size;
    let fill = |block: usize, y: &mut [MaybeUninit<T>]| {
        let x = &x[block * rows..][..y.len()];
        for (x, y) in x.chunks_exact(size).zip(y.chunks_exact_mut(size)) {
            let largest = vectorized_loop(Largest(x));
            vectorized_loop(Powers { x, largest, y });
            // SAFETY: the powers were written to all of the row.
            let y = unsafe { y.assume_init_mut() };
            let [total] = sums(y, y, |power, _| [wide(power)]);
            let shared = T::from_f64(F::shared(total));
            vectorized_loop(Finish { x, largest, shared, y, form: PhantomData::<F> });
        }
    };
    // SAFETY: a piece is a whole number of rows, all elements of which are written.
    unsafe { filled(x.len(), rows, fill) }
}

/// The gradient by the input along the last axis, row by row.
pub(super) fn backward<F: Form, T: Float>(size: usize, y: &[T], gradient: &[T]) -> Vec<T> {
    let rows = (GRAIN / size.max(1)).max(1) * size;
    let fill = |block: usize, dx: &mut [MaybeUninit<T>]| {
        let part = block * rows..block * rows + dx.len();
        let (y, gradient) = (y[part.clone()].chunks_exact(size), gradient[part].chunks_exact(size));
        for ((y, gradient), dx) in y.zip(gradient).zip(dx.chunks_exact_mut(size)) {
            let [sum] = sums(y, gradient, |y, gradient| [F::term(y, gradient)]);
            let sum = T::from_f64(sum);
            vectorized_loop(Backward { y, gradient, sum, dx, form: PhantomData::<F> });
        }
    };
    // SAFETY: as above.
    unsafe { filled(y.len(), rows, fill) }
}

/// The largest element of a row; −∞ if there is none.
struct Largest<'a, T>(&'a [T]);

impl<T: Float> Loop for Largest<'_, T> {
    type Output = T;

    #[inline(always)]
    fn run(self) -> T {
        let larger = |m: T, x: T| if x > m { x } else { m };
        // Side by side, so that a comparison need not wait for the one before.
        let mut lanes = [T::neg_infinity(); 64];
        let (chunks, rest) = self.0.as_chunks::<64>();
        for chunk in chunks {
            for (m, &x) in lanes.iter_mut().zip(chunk) {
                *m = larger(*m, x);
            }
        }
        let largest = if chunks.is_empty() { &[] } else { &lanes[..] };
        largest.iter().chain(rest).fold(T::neg_infinity(), |m, &x| larger(m, x))
    }
}

struct Powers<'a, T> {
    x: &'a [T],
    largest: T,
    y: &'a mut [MaybeUninit<T>],
}

impl<T: Float> Loop for Powers<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        for (y, &x) in self.y.iter_mut().zip(self.x) {
            y.write((x - self.largest).exponential());
        }
    }
}

struct Finish<'a, F, T> {
    x: &'a [T],
    largest: T,
    shared: T,
    y: &'a mut [T],
    form: PhantomData<F>,
}

impl<F: Form, T: Float> Loop for Finish<'_, F, T> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        for (y, &x) in self.y.iter_mut().zip(self.x) {
            let of = if F::OF_POWERS { *y } else { x };
            *y = F::value(of, self.largest, self.shared);
        }
    }
}

struct Backward<'a, F, T> {
    y: &'a [T],
    gradient: &'a [T],
    sum: T,
    dx: &'a mut [MaybeUninit<T>],
    form: PhantomData<F>,
}

impl<F: Form, T: Float> Loop for Backward<'_, F, T> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        for ((&y, &gradient), dx) in self.y.iter().zip(self.gradient).zip(self.dx) {
            dx.write(F::gradient(y, gradient, self.sum));
        }
    }
}
