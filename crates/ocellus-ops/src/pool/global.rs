#![allow(unsafe_code, reason = "results are written to memory that is not cleared before")]

use std::mem::MaybeUninit;

use candle_core::{Result, Shape};

use crate::cpu::{Float, Output, UnaryKernel};
use crate::parallel::{GRAIN, tasks, wide};
use crate::simd::{Loop, vectorized_loop};

/// The mean of each plane, summed in f64.
pub(crate) struct GlobalAvgPool;

impl UnaryKernel for GlobalAvgPool {
    const NAME: &'static str = "avg_pool2d";

    fn forward<T: Float>(&self, x: &[T], dims: &[usize]) -> Result<(Vec<T>, Shape)> {
        let plane = dims[2] * dims[3];
        let means = |first: usize, y: &mut [MaybeUninit<T>]| {
            vectorized_loop(Means { x: &x[first * plane..][..y.len() * plane], y });
        };
        // SAFETY: `Means` writes every mean.
        let y = unsafe { collect(dims[0] * dims[1], 1, plane, means) };
        Ok((y, (dims[0], dims[1], 1, 1).into()))
    }

    fn backward<T: Float>(
        &self,
        _: &[T],
        _: &[T],
        gradient: &[T],
        dims: &[usize],
    ) -> Result<Vec<T>> {
        let plane = dims[2] * dims[3];
        let count = T::from_f64(plane as f64);
        let shares = |first: usize, dx: &mut [MaybeUninit<T>]| {
            for (dx, &g) in dx.chunks_mut(plane).zip(&gradient[first..]) {
                dx.fill(MaybeUninit::new(g / count));
            }
        };
        // SAFETY: the planes are filled whole.
        Ok(unsafe { collect(gradient.len(), plane, plane, shares) })
    }
}

/// A vector of `size` elements for each plane: `fill(first plane, elements)` writes those of
/// several planes, each of which takes `work` elements' time.
///
/// # Safety
///
/// `fill` must write all elements.
unsafe fn collect<T: Float>(
    planes: usize,
    size: usize,
    work: usize,
    fill: impl Fn(usize, &mut [MaybeUninit<T>]) + Sync,
) -> Vec<T> {
    let together = GRAIN.div_ceil(work);
    let fill_all = |y: &Output<T>| {
        tasks(planes.div_ceil(together), together * work, |index| {
            let first = index * together;
            let here = together.min(planes - first);
            // SAFETY: each plane is given to one task.
            fill(first, unsafe { y.slice(first * size, here * size) });
        });
    };
    // SAFETY: the tasks are all planes; the rest is the caller's promise.
    unsafe { Output::collect(planes * size, fill_all) }
}

struct Means<'a, T> {
    x: &'a [T],
    y: &'a mut [MaybeUninit<T>],
}

/// Sums side by side: two vectors of AVX-512, so that an addition need not wait for the one before.
const LANES: usize = 16;

impl<T: Float> Loop for Means<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let plane = self.x.len() / self.y.len().max(1);
        for (y, x) in self.y.iter_mut().zip(self.x.chunks(plane.max(1))) {
            let mut lanes = [0.; LANES];
            let (chunks, rest) = x.as_chunks::<LANES>();
            for x in chunks {
                for (lane, &x) in lanes.iter_mut().zip(x) {
                    *lane += wide(x);
                }
            }
            for (lane, &x) in lanes.iter_mut().zip(rest) {
                *lane += wide(x);
            }
            let mut half = LANES / 2;
            while half > 0 {
                for lane in 0..half {
                    lanes[lane] += lanes[lane + half];
                }
                half /= 2;
            }
            y.write(T::from_f64(lanes[0] / plane as f64));
        }
    }
}
