#![allow(unsafe_code, reason = "tasks write disjoint, interleaved parts of the gradients")]

use std::mem::MaybeUninit;

use super::geometry::{Constants, Geometry};
use crate::cpu::{Float, Output};
use crate::parallel::{sums, tasks, wide};
use crate::simd::{Loop, vectorized_loop};

/// The gradients by the three arguments.
pub(super) struct Gradients<T> {
    pub(super) state: Vec<T>,
    pub(super) coefficients: Vec<T>,
    pub(super) affine: Vec<T>,
}

/// From the gradient by the output. What the forward pass had between is computed again: that is
/// cheaper than to keep it.
pub(super) fn gradients<T: Float>(
    g: &Geometry,
    state: &[T],
    a: &[T],
    affine: &[T],
    grad: &[T],
) -> Gradients<T> {
    let work = Work { g, state, a, affine, grad };
    let (mut by_a, mut sums) = (vec![], vec![]);
    let fill = |by_state: &Output<T>| {
        let fill = |by_a: &Output<T>| {
            let size = (g.channels + 1) * g.task(0).2;
            sums = tasks(g.tasks(), size, |task| work.chunk(task, by_state, by_a));
        };
        // SAFETY: the tasks cover all chunks, and each writes s and t of all active channels.
        by_a = unsafe { Output::collect(a.len(), fill) };
    };
    // SAFETY: likewise all channels.
    let by_state = unsafe { Output::collect(state.len(), fill) };
    Gradients { state: by_state, coefficients: by_a, affine: work.by_affine(&sums) }
}

struct Work<'a, T> {
    g: &'a Geometry,
    state: &'a [T],
    a: &'a [T],
    affine: &'a [T],
    grad: &'a [T],
}

/// Sums of a chunk: the gradients by scale and offset of each channel, and at the end the one by
/// the log-determinant.
type Sums = Vec<f64>;

impl<T: Float> Work<'_, T> {
    fn chunk(&self, task: usize, by_state: &Output<T>, by_a: &Output<T>) -> Sums {
        let g = self.g;
        let planes = g.channels + 1;
        let (image, first, count) = g.task(task);
        let at = |channel: usize| (image * planes + channel) * g.pixels + first;
        let a_at = |n: usize| (image * 2 * g.active() + n) * g.pixels + first;
        let by_log_det = &self.grad[at(g.channels)..][..count];
        let mut totals = vec![0.; 2 * g.channels + 1];
        let mut coupled = vec![T::zero(); count];
        for (i, &channel) in g.order.iter().enumerate() {
            let (x, grad) = (&self.state[at(channel)..][..count], &self.grad[at(i)..][..count]);
            let scale = self.affine[channel];
            // SAFETY: the channel's piece is written here alone.
            let by_x = unsafe { by_state.slice(at(channel), count) };
            let u = match channel.checked_sub(g.passive()) {
                None => {
                    vectorized_loop(Passive { grad, by_x, scale });
                    x
                }
                Some(n) => {
                    let t = g.active() + n;
                    // SAFETY: likewise; s and t are apart.
                    let (by_s, by_t) =
                        unsafe { (by_a.slice(a_at(n), count), by_a.slice(a_at(t), count)) };
                    vectorized_loop(Active {
                        x: (x, &self.a[a_at(n)..][..count], &self.a[a_at(t)..][..count]),
                        grad: (grad, by_log_det),
                        to: [by_x, by_s, by_t],
                        coupled: &mut coupled,
                        scale,
                        k: g.constants(),
                    });
                    &coupled
                }
            };
            let by_affine = sums(u, grad, |u, g| [wide(u) * wide(g), wide(g)]);
            [totals[channel], totals[g.channels + channel]] = by_affine;
        }
        // SAFETY: the last plane is written here alone.
        let to = unsafe { by_state.slice(at(g.channels), count) };
        for (to, &l) in to.iter_mut().zip(by_log_det) {
            to.write(l);
        }
        [totals[2 * g.channels]] = sums(by_log_det, by_log_det, |l, _| [wide(l)]);
        totals
    }

    /// Adds up the chunks, always in the same order.
    fn by_affine(&self, chunks: &[Sums]) -> Vec<T> {
        let channels = self.g.channels;
        let total = |n: usize| chunks.iter().map(|sums| sums[n]).sum::<f64>();
        let by_log_det = total(2 * channels);
        let scales = (0..channels).map(|n| total(n) + by_log_det / wide(self.affine[n]));
        scales.chain((channels..2 * channels).map(total)).map(T::from_f64).collect()
    }
}

struct Passive<'a, T> {
    grad: &'a [T],
    by_x: &'a mut [MaybeUninit<T>],
    scale: T,
}

impl<T: Float> Loop for Passive<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        for (to, &grad) in self.by_x.iter_mut().zip(self.grad) {
            to.write(grad * self.scale);
        }
    }
}

struct Active<'a, T> {
    /// x, s, t.
    x: (&'a [T], &'a [T], &'a [T]),
    /// By the output and by the log-determinant.
    grad: (&'a [T], &'a [T]),
    /// By x, s, t.
    to: [&'a mut [MaybeUninit<T>]; 3],
    /// u, for the gradient by the scale.
    coupled: &'a mut [T],
    scale: T,
    k: Constants<T>,
}

impl<T: Float> Loop for Active<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let k = self.k;
        let n = self.coupled.len();
        let (x, s, t) = (&self.x.0[..n], &self.x.1[..n], &self.x.2[..n]);
        let (grad, by_log_det) = (&self.grad.0[..n], &self.grad.1[..n]);
        let [by_x, by_s, by_t] = self.to.map(|to| &mut to[..n]);
        for i in 0..n {
            let (log_scale, slope) = k.log_scale(s[i]);
            let factor = log_scale.exponential();
            let scaled = x[i] * factor;
            let by_u = grad[i] * self.scale;
            by_x[i].write(by_u * factor);
            by_t[i].write(by_u * k.shrink);
            by_s[i].write((by_u * scaled + by_log_det[i]) * slope);
            self.coupled[i] = scaled + t[i] * k.shrink;
        }
    }
}
