#![allow(unsafe_code, reason = "vectors are loaded and stored through pointers")]

use rayon::prelude::*;

use super::transform::{POINTS, SIDE, filter_tile};
use crate::conv::geometry::Geometry;
use crate::cpu::{Float, Output};
use crate::simd::{Isa, Kernel, MAX_LANES, Simd};

/// How filters lie in memory: the value of output channel o, input channel i and tap t is
/// `data[o · outputs + i · inputs + t]`, or tap 8 − t where they are turned.
#[derive(Clone, Copy)]
pub(in crate::conv) struct Filters<'a, T> {
    pub(in crate::conv) data: &'a [T],
    pub(in crate::conv) co: usize,
    pub(in crate::conv) ci: usize,
    pub(in crate::conv) outputs: usize,
    pub(in crate::conv) inputs: usize,
    pub(in crate::conv) turned: bool,
}

impl<'a, T> Filters<'a, T> {
    /// Those of a convolution.
    pub(in crate::conv) fn of_conv(g: &Geometry, data: &'a [T]) -> Self {
        Self { data, co: g.co, ci: g.ci, outputs: 9 * g.ci, inputs: 9, turned: false }
    }

    /// Those of the transposed convolution: turned by half a turn, channels exchanged.
    pub(in crate::conv) fn turned(g: &Geometry, data: &'a [T]) -> Self {
        Self { data, co: g.ci, ci: g.co, outputs: 9, inputs: 9 * g.ci, turned: true }
    }
}

/// Transformed filters: `[point][block of output channels][input channel][lane]`, where a block has
/// as many channels as a vector has lanes; zeros stand in for missing ones.
pub(super) struct Transformed<T> {
    data: Vec<T>,
    lanes: usize,
    ci: usize,
    /// Values of a point.
    point: usize,
}

impl<T: Float> Transformed<T> {
    /// G g Gᵀ of each filter.
    pub(super) fn new(isa: Isa, filters: &Filters<T>) -> Self {
        let lanes = isa.lanes::<T>();
        let blocks = filters.co.div_ceil(lanes);
        // A line more: points that lie a power of two apart would share few sets of the cache.
        let point = blocks * filters.ci * lanes + MAX_LANES;
        let fill = |out: &Output<T>| {
            (0..blocks).into_par_iter().for_each(|block| {
                let kernel = TransformBlock { filters, block, point, out };
                // SAFETY: `isa` is this processor's; each block is written by one task.
                unsafe { T::dispatch(isa, kernel) };
            });
            for p in 0..POINTS {
                // SAFETY: the gaps belong to no block.
                unsafe { out.slice((p + 1) * point - MAX_LANES, MAX_LANES) }
                    .fill(std::mem::MaybeUninit::new(T::zero()));
            }
        };
        // SAFETY: all blocks and gaps are written.
        let data = unsafe { Output::collect(POINTS * point, fill) };
        Self { data, lanes, ci: filters.ci, point }
    }

    /// Where the filters of `channel` (a multiple of half a block) begin at a point; input channels
    /// are [`Self::step`] apart.
    pub(super) fn at(&self, point: usize, channel: usize) -> &[T] {
        let start =
            point * self.point + channel / self.lanes * self.ci * self.lanes + channel % self.lanes;
        &self.data[start..(point + 1) * self.point]
    }

    pub(super) fn step(&self) -> usize {
        self.lanes
    }
}

struct TransformBlock<'a, T> {
    filters: &'a Filters<'a, T>,
    block: usize,
    point: usize,
    out: &'a Output<T>,
}

impl<T: Float> Kernel<T> for TransformBlock<'_, T> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd<T = T>>(self) {
        let f = self.filters;
        let first = self.block * S::LANES;
        let count = S::LANES.min(f.co - first);
        let mut offsets = [0; MAX_LANES];
        for (lane, offset) in offsets[..count].iter_mut().enumerate() {
            *offset = (lane * f.outputs) as i32;
        }
        let start = self.block * f.ci * S::LANES;
        for channel in 0..f.ci {
            let values = &f.data[first * f.outputs + channel * f.inputs..];
            assert!(values.len() > (count - 1) * f.outputs + 8);
            // SAFETY: the taps of all lanes lie within `values`; a block of `out` is ours.
            unsafe {
                let zero = S::splat(T::zero());
                let mut g = [[zero; 3]; 3];
                for tap in 0..9 {
                    let from = if f.turned { 8 - tap } else { tap };
                    g[tap / 3][tap % 3] = S::gather(values.as_ptr().add(from), &offsets);
                }
                let u = filter_tile::<S>(g);
                for p in 0..POINTS {
                    let to = self.out.at(p * self.point + start + channel * S::LANES, S::LANES);
                    S::store(to, u[p / SIDE][p % SIDE]);
                    for lane in count..S::LANES {
                        *to.add(lane) = T::zero();
                    }
                }
            }
        }
    }
}
