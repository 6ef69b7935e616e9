#![allow(unsafe_code, reason = "vectors are loaded and stored through pointers")]

use super::segments::{Segments, product};
use crate::conv::geometry::Geometry;
use crate::conv::product::rows_of;
use crate::conv::vectors::{Staged, copy};
use crate::cpu::{Float, Output};
use crate::simd::{Kernel, MAX_LANES, Simd};

/// Packs the filters for some channels of x, as many as a vector has lanes:
/// `[tap][channel of y][lane]`, zeros for missing channels.
pub(super) struct PackTaps<'a, T> {
    pub(super) geometry: &'a Geometry,
    /// The filters of a group, from the first of these channels on.
    pub(super) filters: &'a [T],
    /// How many channels there are.
    pub(super) channels: usize,
    pub(super) to: &'a mut [T],
}

impl<T: Float> Kernel<T> for PackTaps<'_, T> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd<T = T>>(self) {
        let (g, taps) = (self.geometry, self.geometry.taps());
        assert!(self.channels <= S::LANES && self.to.len() == taps * g.co * S::LANES);
        // Missing channels stay zero.
        let mut values = [T::zero(); MAX_LANES * MAX_LANES];
        for channel in 0..g.co {
            let filters = &self.filters[channel * g.depth()..];
            assert!(filters.len() >= self.channels * taps);
            for first in (0..taps).step_by(S::LANES) {
                let count = S::LANES.min(taps - first);
                // SAFETY: `values` holds a vector for each tap, and `to` for each tap and channel.
                unsafe {
                    by_tap::<S>(&filters[first..], taps, self.channels, count, &mut values);
                    for tap in 0..count {
                        let to = ((first + tap) * g.co + channel) * S::LANES;
                        let v = S::load(values.as_ptr().add(tap * S::LANES));
                        S::store(self.to.as_mut_ptr().add(to), v);
                    }
                }
            }
        }
    }
}

/// `to[tap · lanes + lane] = filters[lane · taps + tap]` for `count` taps.
#[inline(always)]
unsafe fn by_tap<S: Simd>(
    filters: &[S::T],
    taps: usize,
    channels: usize,
    count: usize,
    to: &mut [S::T; MAX_LANES * MAX_LANES],
) {
    let whole = channels == S::LANES && (channels - 1) * taps + S::LANES <= filters.len();
    // SAFETY: if `whole`, a vector of each filter lies within them all.
    unsafe {
        match taps {
            1 if whole => S::store(to.as_mut_ptr(), S::load(filters.as_ptr())),
            2.. if whole => {
                let mut v = [S::splat(S::T::default()); MAX_LANES];
                let mut lane = 0;
                while lane < S::LANES {
                    v[lane] = S::load(filters.as_ptr().add(lane * taps));
                    lane += 1;
                }
                S::store_transposed(to.as_mut_ptr(), S::LANES, &v);
            }
            _ => {
                for (lane, filter) in filters.chunks(taps).take(channels).enumerate() {
                    for (tap, &value) in filter.iter().take(count).enumerate() {
                        to[tap * S::LANES + lane] = value;
                    }
                }
            }
        }
    }
}

/// Adds up the terms of a phase that some channels of y give.
pub(super) struct MultiplyPhase<'a, T> {
    /// The packed filters of these channels of x, from the first of the channels of y on, and
    /// values from a vector of channels to the next.
    pub(super) filters: &'a [T],
    pub(super) vector: usize,
    /// How many channels of x there are, and of y.
    pub(super) channels: usize,
    pub(super) depth: usize,
    /// The staged channels, `step` apart.
    pub(super) stage: &'a [T],
    pub(super) step: usize,
    /// Where each vector of pixels lies there; two for a panel.
    pub(super) vectors: &'a [usize],
    /// For each tap, where it begins in the filters and in the stage.
    pub(super) taps: &'a [(usize, usize)],
    /// What the sums begin with, if these are the first terms: rounded up to whole vectors.
    pub(super) first: Option<&'a [T]>,
    /// `[panel][channel][two vectors]`, the channels rounded up to whole vectors.
    pub(super) sums: &'a mut [T],
}

impl<T: Float> Kernel<T> for MultiplyPhase<'_, T> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd<T = T>>(self) {
        let rows = rows_of(S::LANES);
        let panel_len = self.channels.next_multiple_of(S::LANES) * 2 * S::LANES;
        for (vectors, sums) in
            self.vectors.chunks_exact(2).zip(self.sums.chunks_exact_mut(panel_len))
        {
            for row in (0..self.channels).step_by(rows) {
                let filters = &self.filters[row / S::LANES * self.vector + row % S::LANES..];
                // SAFETY: the taps of these vectors lie within the filters and the stage; the sums
                // have room for whole vectors of channels.
                unsafe {
                    let segments = Segments {
                        a: filters.as_ptr(),
                        rows: [0, 1, 2, 3, 4, 5, 6, 7],
                        a_step: S::LANES,
                        b: [vectors[0], vectors[1]].map(|at| self.stage.as_ptr().add(at)),
                        b_step: self.step,
                        starts: self.taps,
                        depth: self.depth,
                        c: sums[row * 2 * S::LANES..].as_mut_ptr(),
                        first: self.first.map(|first| first[row..row + rows].as_ptr()),
                    };
                    product::<S>(self.channels - row, segments);
                }
            }
        }
    }
}

/// Writes rows of x: the sums of the horizontal phases, pixel by pixel.
pub(super) struct Interleave<'a, T> {
    /// How many horizontal phases there are.
    pub(super) phases: usize,
    /// `[phase][panel][channel][two vectors]`, the channels rounded up to `rows`.
    pub(super) sums: &'a [T],
    pub(super) rows: usize,
    pub(super) channels: usize,
    /// Which parts of the interleaved values of a vector of pixels go where, in the first channel;
    /// two for a panel.
    pub(super) targets: &'a [Vec<Staged>],
    /// Values between a channel and the next.
    pub(super) plane: usize,
    /// Whether negative values become zero.
    pub(super) relu: bool,
    /// Room for the interleaved values of a vector of pixels.
    pub(super) stage: &'a mut [T],
    pub(super) out: &'a Output<T>,
}

impl<T: Float> Kernel<T> for Interleave<'_, T> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd<T = T>>(self) {
        let len = self.phases * S::LANES;
        let phase = self.sums.len() / self.phases;
        assert!(self.stage.len() >= len && phase >= self.targets.len() * self.rows * S::LANES);
        for channel in 0..self.channels {
            for (n, targets) in self.targets.iter().enumerate() {
                let start = (n / 2 * self.rows + channel) * 2 * S::LANES + n % 2 * S::LANES;
                let sums = self.sums[start..].as_ptr();
                // SAFETY: within the sums and the stage; the parts of the output are this task's.
                unsafe {
                    if let [Staged { image, stage: 0, len: all }] = targets[..]
                        && all == len
                    {
                        let to = self.out.at(image + channel * self.plane, len);
                        interleave::<S>((sums, phase, self.phases), self.relu, to);
                        continue;
                    }
                    let stage = self.stage.as_mut_ptr();
                    interleave::<S>((sums, phase, self.phases), self.relu, stage);
                    for part in targets {
                        let to = self.out.at(part.image + channel * self.plane, part.len);
                        copy::<S>(self.stage.as_ptr().add(part.stage), to, part.len);
                    }
                }
            }
        }
    }
}

/// Writes lane i of vector j, `phase` values after the one before, to `to[count · i + j]`; zero where
/// it is negative, if `relu`.
#[inline(always)]
unsafe fn interleave<S: Simd>(
    (from, phase, count): (*const S::T, usize, usize),
    relu: bool,
    to: *mut S::T,
) {
    // SAFETY: by the caller's promise.
    unsafe {
        match count {
            1 => S::store(to, finish::<S>(S::load(from), relu)),
            2 => {
                let [a, b] = [S::load(from), S::load(from.add(phase))];
                S::interleave2(to, [finish::<S>(a, relu), finish::<S>(b, relu)]);
            }
            _ => {
                for j in 0..count {
                    for lane in 0..S::LANES {
                        let value = *from.add(j * phase + lane);
                        let zero = S::T::default();
                        *to.add(count * lane + j) =
                            if relu && value <= zero { zero } else { value };
                    }
                }
            }
        }
    }
}

#[inline(always)]
unsafe fn finish<S: Simd>(v: S::V, relu: bool) -> S::V {
    // SAFETY: by the caller, the processor has the instructions.
    if relu { unsafe { S::relu(v) } } else { v }
}
