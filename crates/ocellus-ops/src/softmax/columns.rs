use std::marker::PhantomData;
use std::ops::Range;

use super::form::Form;
use crate::axis::{Axis, Lanes, narrow};
use crate::cpu::Float;
use crate::parallel::wide;

/// The forward pass, many positions at once.
pub(super) fn forward<F: Form, T: Float>(axis: Axis, x: &[T]) -> Vec<T> {
    axis.transform([x], &Forward(PhantomData::<F>))
}

/// The gradient by the input, many positions at once.
pub(super) fn backward<F: Form, T: Float>(axis: Axis, y: &[T], gradient: &[T]) -> Vec<T> {
    axis.transform([y, gradient], &Backward(PhantomData::<F>))
}

/// The largest element of each position.
#[inline(always)]
pub(crate) fn largest<T: Float, const N: usize>(x: &[[T; N]]) -> [T; N] {
    let mut largest = [T::neg_infinity(); N];
    for x in x {
        for (m, &x) in largest.iter_mut().zip(x) {
            // Not a comparison: of that only the larger ones would be stored, which takes longer.
            *m = num_traits::Float::max(*m, x);
        }
    }
    largest
}

/// Makes the elements of each position the powers `exp(x − largest)`, and returns their sums.
#[inline(always)]
pub(crate) fn powers<T: Float, const N: usize>(x: &mut [[T; N]], largest: &[T; N]) -> [f64; N] {
    let mut totals = [0.; N];
    for x in x {
        add_powers(x, largest, &mut totals);
    }
    totals
}

/// The sums of the powers alone.
#[inline(always)]
fn totals<T: Float, const N: usize>(x: &[[T; N]], largest: &[T; N]) -> [f64; N] {
    let mut totals = [0.; N];
    for x in x {
        add_powers(&mut { *x }, largest, &mut totals);
    }
    totals
}

#[inline(always)]
fn add_powers<T: Float, const N: usize>(x: &mut [T; N], largest: &[T; N], totals: &mut [f64; N]) {
    for (x, &m) in x.iter_mut().zip(largest) {
        *x = (*x - m).exponential();
    }
    for (total, &power) in totals.iter_mut().zip(&*x) {
        *total += wide(power);
    }
}

struct Forward<F>(PhantomData<F>);

impl<F: Form, T: Float> Lanes<T, 1> for Forward<F> {
    type Output = ();

    #[inline(always)]
    fn run<const N: usize>(&self, _: Range<usize>, [x]: [&mut [[T; N]]; 1], (): &mut ()) {
        let largest = largest(x);
        let mut shared = if F::OF_POWERS { powers(x, &largest) } else { totals(x, &largest) };
        for shared in &mut shared {
            *shared = F::shared(*shared);
        }
        let shared = narrow(&shared);
        for x in x {
            for ((x, &m), &shared) in x.iter_mut().zip(&largest).zip(&shared) {
                *x = F::value(*x, m, shared);
            }
        }
    }
}

struct Backward<F>(PhantomData<F>);

impl<F: Form, T: Float> Lanes<T, 2> for Backward<F> {
    type Output = ();

    #[inline(always)]
    fn run<const N: usize>(&self, _: Range<usize>, [y, gradient]: [&mut [[T; N]]; 2], (): &mut ()) {
        let mut sums = [0.; N];
        for (y, gradient) in y.iter().zip(&*gradient) {
            for ((sum, &y), &gradient) in sums.iter_mut().zip(y).zip(gradient) {
                *sum += F::term(y, gradient);
            }
        }
        let sums = narrow(&sums);
        for (y, gradient) in y.iter_mut().zip(gradient) {
            for ((y, &gradient), &sum) in y.iter_mut().zip(&*gradient).zip(&sums) {
                *y = F::gradient(*y, gradient, sum);
            }
        }
    }
}
