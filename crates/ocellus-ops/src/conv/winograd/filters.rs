#![allow(unsafe_code, reason = "vectors are loaded and stored through pointers")]

use std::ops::Range;

use super::points::store_points;
use super::transform::{POINTS, SIDE, filter_tile};
use crate::conv::geometry::Geometry;
use crate::conv::weights::Weights;
use crate::cpu::Float;
use crate::simd::{Kernel, MAX_LANES, Simd};

/// Filters and how they lie in memory.
#[derive(Clone, Copy)]
pub(in crate::conv) struct Filters<'a, T> {
    data: &'a [T],
    pub(super) co: usize,
    order: Order,
}

#[derive(Clone, Copy)]
enum Order {
    /// The value of output channel o, input channel i and tap t is `data[o · outputs + i · inputs +
    /// t]`, or tap 8 − t where they are turned.
    Plain { outputs: usize, inputs: usize, turned: bool },
    /// As [`Weights::Packed`], of that many input channels.
    Packed { inputs: usize },
}

impl<'a, T> Filters<'a, T> {
    /// Those of a convolution.
    pub(in crate::conv) fn of_conv(g: &Geometry, weights: Weights<'a, T>) -> Self {
        let (data, order) = match weights {
            Weights::Plain(data) => {
                (data, Order::Plain { outputs: 9 * g.ci, inputs: 9, turned: false })
            }
            Weights::Exchanged(data) => {
                (data, Order::Plain { outputs: 9, inputs: 9 * g.co, turned: false })
            }
            Weights::Packed(data) => (data, Order::Packed { inputs: g.ci }),
        };
        Self { data, co: g.co, order }
    }

    /// Those of the transposed convolution: turned by half a turn, channels exchanged.
    pub(in crate::conv) fn turned(g: &Geometry, data: &'a [T]) -> Self {
        let order = Order::Plain { outputs: 9, inputs: 9 * g.ci, turned: true };
        Self { data, co: g.ci, order }
    }
}

impl<T: Float> Filters<'_, T> {
    /// The taps of an input channel and `count` output channels of a block.
    #[inline(always)]
    unsafe fn taps<S: Simd<T = T>>(
        &self,
        block: usize,
        count: usize,
        input: usize,
    ) -> [[S::V; 3]; 3] {
        // SAFETY: the taps of all lanes lie within `values`.
        unsafe {
            let mut taps = [[S::splat(T::zero()); 3]; 3];
            match self.order {
                Order::Packed { inputs } => {
                    let values = &self.data[(block * inputs + input) * 9 * S::LANES..];
                    assert!(values.len() >= 9 * S::LANES);
                    let mut tap = 0;
                    while tap < 9 {
                        taps[tap / 3][tap % 3] = S::load(values.as_ptr().add(tap * S::LANES));
                        tap += 1;
                    }
                }
                Order::Plain { outputs, inputs, turned } => {
                    let mut offsets = [0; MAX_LANES];
                    for (lane, offset) in offsets[..count].iter_mut().enumerate() {
                        *offset = (lane * outputs) as i32;
                    }
                    let values = &self.data[block * S::LANES * outputs + input * inputs..];
                    assert!(values.len() > (count - 1) * outputs + 8);
                    let mut tap = 0;
                    while tap < 9 {
                        let from = values.as_ptr().add(if turned { 8 - tap } else { tap });
                        taps[tap / 3][tap % 3] = S::gather(from, &offsets);
                        tap += 1;
                    }
                }
            }
            taps
        }
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
    pub(super) fn point(&self) -> usize {
        self.blocks * self.block() + MAX_LANES
    }

    pub(super) fn len(&self) -> usize {
        POINTS * self.point()
    }

    /// Where a block of filters of an input channel lies at the first point.
    pub(super) fn place(&self, block: usize, input: usize) -> usize {
        block * self.block() + input * self.lanes
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
            let count = S::LANES.min(f.co - block * S::LANES);
            for (m, input) in self.inputs.clone().enumerate() {
                // SAFETY: the points lie within the layout.
                unsafe {
                    let u = filter_tile::<S>(f.taps::<S>(block, count, input));
                    let to = self.to.add(layout.place(n, m));
                    store_filters::<S>(to, layout.point(), u, count);
                }
            }
        }
    }
}

/// Writes transformed filters, of which `count` lanes exist: zeros stand in for the others.
///
/// # Safety
///
/// As of [`store_points`].
#[inline(always)]
pub(super) unsafe fn store_filters<S: Simd>(
    to: *mut S::T,
    step: usize,
    u: [[S::V; SIDE]; SIDE],
    count: usize,
) {
    // SAFETY: by the caller's promise.
    unsafe {
        store_points::<S>(to, step, u);
        for p in 0..POINTS {
            for lane in count..S::LANES {
                *to.add(p * step + lane) = S::T::default();
            }
        }
    }
}
