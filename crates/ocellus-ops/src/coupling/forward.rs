#![allow(unsafe_code, reason = "tasks write disjoint, interleaved parts of the output")]

use std::mem::MaybeUninit;

use super::geometry::{Constants, Geometry};
use crate::cpu::{Float, Output};
use crate::parallel::{tasks, wide};
use crate::simd::{Loop, vectorized_loop};

/// The output, and the log-determinant in its last channel.
pub(super) fn forward<T: Float>(g: &Geometry, state: &[T], a: &[T], affine: &[T]) -> Vec<T> {
    let planes = g.channels + 1;
    let (scale, offset) = affine.split_at(g.channels);
    let log_scales: f64 = scale.iter().map(|&g| wide(g).ln()).sum();
    let k = g.constants::<T>();
    let fill = |out: &Output<T>| {
        tasks(g.tasks(), planes * g.task(0).2, |task| {
            let (image, first, count) = g.task(task);
            let x =
                |channel: usize| &state[(image * planes + channel) * g.pixels + first..][..count];
            let a = |n: usize| &a[(image * 2 * g.active() + n) * g.pixels + first..][..count];
            // SAFETY: each plane's piece is written by this task alone, once.
            let y = |i: usize| unsafe { out.slice((image * planes + i) * g.pixels + first, count) };
            let mut log_det: Vec<f64> =
                x(g.channels).iter().map(|&l| wide(l) + log_scales).collect();
            for (i, &channel) in g.order.iter().enumerate() {
                let (scale, offset, y) = (scale[channel], offset[channel], y(i));
                match channel.checked_sub(g.passive()) {
                    None => vectorized_loop(Passive { x: x(channel), y, scale, offset }),
                    Some(n) => vectorized_loop(Active {
                        x: x(channel),
                        s: a(n),
                        t: a(g.active() + n),
                        log_det: &mut log_det,
                        y,
                        scale,
                        offset,
                        k,
                    }),
                }
            }
            for (y, l) in y(g.channels).iter_mut().zip(log_det) {
                y.write(T::from_f64(l));
            }
        });
    };
    // SAFETY: all planes of all chunks are written.
    unsafe { Output::collect(state.len(), fill) }
}

struct Passive<'a, T> {
    x: &'a [T],
    y: &'a mut [MaybeUninit<T>],
    scale: T,
    offset: T,
}

impl<T: Float> Loop for Passive<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        for (y, &x) in self.y.iter_mut().zip(self.x) {
            y.write(x * self.scale + self.offset);
        }
    }
}

struct Active<'a, T> {
    x: &'a [T],
    s: &'a [T],
    t: &'a [T],
    log_det: &'a mut [f64],
    y: &'a mut [MaybeUninit<T>],
    scale: T,
    offset: T,
    k: Constants<T>,
}

impl<T: Float> Loop for Active<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let k = self.k;
        let coefficients = self.s.iter().zip(self.t);
        let to = self.y.iter_mut().zip(self.log_det);
        for ((&x, (&s, &t)), (y, log_det)) in self.x.iter().zip(coefficients).zip(to) {
            let (log_scale, _) = k.log_scale(s);
            let u = x * log_scale.exponential() + t * k.shrink;
            y.write(u * self.scale + self.offset);
            *log_det += wide(log_scale);
        }
    }
}
