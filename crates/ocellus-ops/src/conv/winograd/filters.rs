#![allow(unsafe_code, reason = "vectors are loaded and stored through pointers")]

use std::ops::Range;

use super::transform::{POINTS, SIDE, filter_tile};
use crate::conv::geometry::Geometry;
use crate::cpu::Float;
use crate::simd::{Kernel, MAX_LANES, Simd};

/// How filters lie in memory: the value of output channel o, input channel i and tap t is
/// `data[o · outputs + i · inputs + t]`, or tap 8 − t where they are turned.
#[derive(Clone, Copy)]
pub(in crate::conv) struct Filters<'a, T> {
    data: &'a [T],
    pub(super) co: usize,
    outputs: usize,
    inputs: usize,
    turned: bool,
}

impl<'a, T> Filters<'a, T> {
    /// Those of a convolution.
    pub(in crate::conv) fn of_conv(g: &Geometry, data: &'a [T]) -> Self {
        Self { data, co: g.co, outputs: 9 * g.ci, inputs: 9, turned: false }
    }

    /// Those of the transposed convolution: turned by half a turn, channels exchanged.
    pub(in crate::conv) fn turned(g: &Geometry, data: &'a [T]) -> Self {
        Self { data, co: g.ci, outputs: 9, inputs: 9 * g.ci, turned: true }
    }
}

/// Transformed filters: `[point][block of output channels][input channel][lane]`, where a block has
/// as many channels as a vector has lanes; zeros stand in for missing ones.
#[derive(Clone, Copy)]
pub(super) struct FilterLayout {
    pub(super) lanes: usize,
    /// Blocks of output channels.
    pub(super) blocks: usize,
    /// Input channels.
    pub(super) inputs: usize,
}

impl FilterLayout {
    fn block(&self) -> usize {
        self.inputs * self.lanes
    }

    /// Values of a point. A line more: points that lie a power of two apart would share few sets
    /// of the cache.
    fn point(&self) -> usize {
        self.blocks * self.block() + MAX_LANES
    }

    pub(super) fn len(&self) -> usize {
        POINTS * self.point()
    }

    /// Where output channel `channel` begins at a point; input channels are `lanes` apart.
    pub(super) fn at(&self, point: usize, channel: usize) -> usize {
        point * self.point() + channel / self.lanes * self.block() + channel % self.lanes
    }
}

/// G g Gᵀ of some filters.
pub(super) struct TransformFilters<'a, T> {
    pub(super) filters: &'a Filters<'a, T>,
    /// Blocks of output channels, and input channels.
    pub(super) blocks: Range<usize>,
    pub(super) inputs: Range<usize>,
    pub(super) layout: FilterLayout,
    /// Where the first block goes.
    pub(super) to: *mut T,
}

impl<T: Float> Kernel<T> for TransformFilters<'_, T> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd<T = T>>(self) {
        let (f, layout) = (self.filters, &self.layout);
        for (n, block) in self.blocks.clone().enumerate() {
            let first = block * S::LANES;
            let count = S::LANES.min(f.co - first);
            let mut offsets = [0; MAX_LANES];
            for (lane, offset) in offsets[..count].iter_mut().enumerate() {
                *offset = (lane * f.outputs) as i32;
            }
            for (m, input) in self.inputs.clone().enumerate() {
                let values = &f.data[first * f.outputs + input * f.inputs..];
                assert!(values.len() > (count - 1) * f.outputs + 8);
                // SAFETY: the taps of all lanes lie within `values`, the points within the layout.
                unsafe {
                    let mut g = [[S::splat(T::zero()); 3]; 3];
                    for tap in 0..9 {
                        let from = if f.turned { 8 - tap } else { tap };
                        g[tap / 3][tap % 3] = S::gather(values.as_ptr().add(from), &offsets);
                    }
                    let u = filter_tile::<S>(g);
                    let to = self.to.add(n * layout.block() + m * S::LANES);
                    let mut p = 0;
                    while p < POINTS {
                        let to = to.add(p * layout.point());
                        S::store(to, u[p / SIDE][p % SIDE]);
                        for lane in count..S::LANES {
                            *to.add(lane) = T::zero();
                        }
                        p += 1;
                    }
                }
            }
        }
    }
}
