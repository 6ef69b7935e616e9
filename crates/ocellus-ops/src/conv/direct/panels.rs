#![allow(unsafe_code, reason = "vectors are loaded and stored through pointers")]

use std::ops::Range;
use std::ptr::null;

use super::PANELS;
use super::pixels::{Pixels, Spacing, stage_row};
use crate::conv::geometry::Geometry;
use crate::conv::product::{Finish, Matrices, product, rows_of};
use crate::conv::vectors::{prefetch, stage_runs};
use crate::cpu::{Float, Output};
use crate::simd::{Kernel, MAX_LANES, Simd};

/// Packs filters: `[block of output channels][term][lane]`, a block of as many channels as a vector
/// has lanes, zeros for missing ones.
pub(in crate::conv) struct PackFilters<'a, T> {
    /// The filters of a block of channels, `depth` apart.
    pub(in crate::conv) filters: &'a [T],
    pub(in crate::conv) depth: usize,
    pub(in crate::conv) to: &'a mut [T],
}

impl<T: Float> Kernel<T> for PackFilters<'_, T> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd<T = T>>(self) {
        let count = self.filters.len() / self.depth;
        assert!(count <= S::LANES && self.to.len() == self.depth * S::LANES);
        let mut offsets = [0; MAX_LANES];
        for (lane, offset) in offsets[..count].iter_mut().enumerate() {
            *offset = (lane * self.depth) as i32;
        }
        for (term, to) in self.to.chunks_exact_mut(S::LANES).enumerate() {
            // SAFETY: the terms of all lanes lie within the filters.
            unsafe {
                S::store(to.as_mut_ptr(), S::gather(self.filters.as_ptr().add(term), &offsets));
            }
            to[count..].fill(T::zero());
        }
    }
}

/// Packs what some output pixels meet of some channels: `[panel][term][two vectors]`.
pub(super) struct PackPixels<'a, T> {
    pub(super) geometry: &'a Geometry,
    pub(super) x: &'a [T],
    /// Two for a panel.
    pub(super) pixels: &'a [Pixels],
    pub(super) channels: Range<usize>,
    pub(super) stage: &'a mut [T],
    pub(super) to: *mut T,
}

impl<T: Float> Kernel<T> for PackPixels<'_, T> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd<T = T>>(self) {
        let g = self.geometry;
        let (plane, terms) = (g.input_plane(), self.channels.len() * g.taps());
        let area = g.kernel.0 * stage_row(g, S::LANES);
        assert!(self.stage.len() >= area * self.pixels.len());
        if g.taps() == 1
            && self.pixels.iter().all(|p| p.copies.is_none() && p.spacing == Spacing::One)
        {
            // SAFETY: by the caller's promise.
            return unsafe { self.pack_vectors::<S>() };
        }
        // Where no run is copied to, there is padding, in all channels.
        self.stage.fill(T::zero());
        for (m, channel) in self.channels.clone().enumerate() {
            let x = &self.x[channel * plane..];
            for (n, pixels) in self.pixels.iter().enumerate() {
                // SAFETY: the runs lie within the planes and the staging area, which is longer than
                // any offset and a vector.
                unsafe {
                    let from = match &pixels.copies {
                        None => {
                            let from = x.as_ptr().add(pixels.origin);
                            for ky in 0..g.kernel.0 {
                                let next = from.wrapping_add(plane + ky * tap_row(g, pixels));
                                prefetch(next, S::LANES * g.stride.1);
                            }
                            from
                        }
                        Some(copies) => {
                            let stage = self.stage.as_mut_ptr().add(n * area);
                            stage_runs::<S>(x, plane, copies, stage);
                            stage
                        }
                    };
                    let start = n / 2 * terms * 2 * S::LANES + n % 2 * S::LANES;
                    let mut to = self.to.add(start + m * g.taps() * 2 * S::LANES);
                    for ky in 0..g.kernel.0 {
                        for kx in 0..g.kernel.1 {
                            let from = from.add(ky * tap_row(g, pixels) + kx * g.dilation.1);
                            let v = match pixels.spacing {
                                Spacing::One => S::load(from.offset(pixels.offsets[0] as isize)),
                                Spacing::Any => S::gather(from, &pixels.offsets),
                            };
                            S::store(to, v);
                            to = to.add(2 * S::LANES);
                        }
                    }
                }
            }
        }
    }
}

impl<T: Float> PackPixels<'_, T> {
    /// Where there is one tap and each vector lies together in the image.
    #[inline(always)]
    unsafe fn pack_vectors<S: Simd<T = T>>(self) {
        let (plane, terms) = (self.geometry.input_plane(), self.channels.len());
        let mut starts = [0; 2 * PANELS];
        for (start, pixels) in starts.iter_mut().zip(self.pixels) {
            *start = pixels.origin + pixels.offsets[0] as usize;
        }
        for (m, channel) in self.channels.enumerate() {
            let x = &self.x[channel * plane..];
            for (n, start) in starts[..self.pixels.len()].iter().enumerate() {
                // SAFETY: the vectors lie within the plane, the terms within the panels.
                unsafe {
                    let from = x.as_ptr().add(*start);
                    let to = self.to.add((n / 2 * terms + m) * 2 * S::LANES + n % 2 * S::LANES);
                    S::store(to, S::load(from));
                }
            }
        }
    }
}

/// Values between a tap and the one below it.
#[inline(always)]
fn tap_row(g: &Geometry, pixels: &Pixels) -> usize {
    // The staging area has the rows that taps meet and none between.
    if pixels.copies.is_some() { pixels.row } else { pixels.row * g.dilation.0 }
}

/// Where the sums of a panel go.
#[derive(Clone, Copy, Debug)]
pub(super) enum Place {
    /// To consecutive pixels of the output: the index of the first, in the first channel.
    Output(usize),
    /// To the buffer, row by row: pixels of several images, or fewer than a panel.
    Buffer,
}

/// The products of filters and packed pixels, for some terms of the sums.
pub(super) struct MultiplyPanels<'a, T> {
    /// Output pixels of a plane: the distance between channels.
    pub(super) plane: usize,
    /// Packed filters of the channels, and their number.
    pub(super) filters: &'a [T],
    pub(super) channels: usize,
    /// All terms of a sum, and those of the packed pixels.
    pub(super) depth: usize,
    pub(super) terms: Range<usize>,
    /// The bias of the channels (zeros if there is none), rounded up to whole blocks.
    pub(super) bias: &'a [T],
    /// Where it is not null: as the output, from the same entries on.
    pub(super) residual: *const T,
    pub(super) relu: bool,
    pub(super) packed: *const T,
    pub(super) places: &'a [Place],
    pub(super) out: &'a Output<T>,
    /// `[panel][channel][two vectors]`, the channels rounded up to whole blocks.
    pub(super) buffer: *mut T,
    pub(super) buffer_rows: usize,
}

impl<T: Float> Kernel<T> for MultiplyPanels<'_, T> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd<T = T>>(self) {
        let (rows, width) = (rows_of(S::LANES), 2 * S::LANES);
        for row in (0..self.channels).step_by(rows) {
            let block = row / S::LANES * self.depth * S::LANES;
            let filters = &self.filters[block + self.terms.start * S::LANES + row % S::LANES..];
            for (panel, place) in self.places.iter().enumerate() {
                // SAFETY: within the packed filters and pixels; whole rows of the output that are
                // this task's, or of the buffer.
                unsafe {
                    // What goes to the buffer gets its residual, and then its ReLU, on the way back.
                    let later = !self.residual.is_null();
                    let (c, c_row, residual, relu) = match *place {
                        Place::Output(start) if row + rows <= self.channels => {
                            let (start, plane) = (start + row * self.plane, self.plane);
                            let c = self.out.at(start, (rows - 1) * plane + width);
                            let offset = if later { start } else { 0 };
                            (c, plane, self.residual.add(offset), self.relu)
                        }
                        _ => {
                            let start = (panel * self.buffer_rows + row) * width;
                            (self.buffer.add(start), width, null(), self.relu && !later)
                        }
                    };
                    product::<S>(Matrices {
                        a: filters.as_ptr(),
                        a_row: 1,
                        a_step: S::LANES,
                        b: self.packed.add(panel * self.terms.len() * width),
                        b_step: width,
                        c,
                        c_row,
                        depth: self.terms.len(),
                        accumulate: self.terms.start > 0,
                        finish: (self.terms.end == self.depth).then(|| Finish {
                            bias: self.bias[row..row + rows].as_ptr(),
                            residual,
                            relu,
                        }),
                    });
                }
            }
        }
    }
}
