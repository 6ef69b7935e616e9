#![allow(unsafe_code, reason = "vectors are loaded and stored through pointers")]

use std::ops::Range;

use super::segments::{MAX_ROWS, Segments, product};
use crate::conv::product::rows_of;
use crate::cpu::{Float, Output};
use crate::simd::{Kernel, MAX_LANES, Simd};

/// Transposes values of y: `[panel][pixel][two vectors of channels]`, zeros for missing channels.
pub(super) struct TransposePixels<'a, T> {
    /// The channels of a group, `plane` apart, and which pixels of them.
    pub(super) y: &'a [T],
    pub(super) plane: usize,
    pub(super) channels: usize,
    pub(super) pixels: Range<usize>,
    /// From the first of these pixels in the first panel on.
    pub(super) to: &'a mut [T],
    /// Values between a panel and the next.
    pub(super) panel: usize,
}

impl<T: Float> Kernel<T> for TransposePixels<'_, T> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd<T = T>>(self) {
        let (width, pixels) = (2 * S::LANES, self.pixels.len());
        for first in (0..self.channels.next_multiple_of(width)).step_by(S::LANES) {
            let count = self.channels.saturating_sub(first).min(S::LANES);
            let to = &mut self.to[first / width * self.panel + first % width..];
            let from = |lane: usize| &self.y[(first + lane) * self.plane + self.pixels.start..];
            let mut done = 0;
            while pixels >= S::LANES && done < pixels {
                // The last vectors may overlap those before.
                let pixel = done.min(pixels - S::LANES);
                let mut v = [unsafe { S::splat(T::zero()) }; MAX_LANES];
                for (lane, v) in v[..count].iter_mut().enumerate() {
                    // SAFETY: a vector.
                    *v = unsafe { S::load(from(lane)[pixel..][..S::LANES].as_ptr()) };
                }
                let to = &mut to[pixel * width..][..(S::LANES - 1) * width + S::LANES];
                // SAFETY: a vector for each pixel.
                unsafe { S::store_transposed(to.as_mut_ptr(), width, &v) };
                done = pixel + S::LANES;
            }
            for pixel in done..pixels {
                for (lane, to) in to[pixel * width..][..S::LANES].iter_mut().enumerate() {
                    *to = if lane < count { from(lane)[pixel] } else { T::zero() };
                }
            }
        }
    }
}

/// What the channels and taps of x meet: a row of the sums for each.
#[derive(Clone, Copy)]
pub(super) struct Rows<'a, T> {
    pub(super) stage: &'a [T],
    /// Where each row is staged, filled up to whole [`rows_of`].
    pub(super) places: &'a [usize],
    /// How many of them are wanted.
    pub(super) count: usize,
    /// Values from a pixel to the next.
    pub(super) step: usize,
}

/// The products of staged values of x and values of y, summed over pixels.
pub(super) struct Products<'a, T> {
    pub(super) rows: Rows<'a, T>,
    /// The filters, as the kernel says.
    pub(super) y: &'a [T],
    pub(super) filters: usize,
    /// Where runs of pixels begin in the stage and in y, and how long they are.
    pub(super) starts: &'a [(usize, usize)],
    pub(super) depth: usize,
    /// `[panel][row][two vectors]`
    pub(super) sums: &'a mut [T],
    pub(super) accumulate: bool,
}

/// With y as `[panel][pixel][two vectors]`; the runs begin in each panel.
pub(super) struct Correlate<'a, T>(pub(super) Products<'a, T>);

impl<T: Float> Kernel<T> for Correlate<'_, T> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd<T = T>>(self) {
        let Products { rows: x, y, filters, starts, depth, sums, accumulate } = self.0;
        let (rows, width) = (rows_of(S::LANES), 2 * S::LANES);
        let panel = y.len() / filters.div_ceil(width);
        let zeros = [T::zero(); MAX_ROWS];
        let panels = sums.chunks_exact_mut(x.places.len() * width);
        for (sums, y) in panels.zip(y.chunks_exact(panel)) {
            let blocks = sums.chunks_exact_mut(rows * width).zip(x.places.chunks_exact(rows));
            for (n, (sums, offsets)) in blocks.enumerate() {
                let mut block = [0; MAX_ROWS];
                block[..rows].copy_from_slice(offsets);
                let segments = Segments {
                    a: x.stage.as_ptr(),
                    rows: block,
                    a_step: x.step,
                    b: [y.as_ptr(), y[S::LANES..].as_ptr()],
                    b_step: width,
                    starts,
                    depth,
                    c: sums.as_mut_ptr(),
                    first: (!accumulate).then_some(zeros.as_ptr()),
                };
                // SAFETY: the runs lie within the stage and the panel, by the caller's promise.
                unsafe { product::<S>(x.count - n * rows, segments) };
            }
        }
    }
}

/// For few filters, with pixels in vectors and y as `[filter]`: runs of pixels with zeros up to whole
/// vectors. Only the first lanes of the sums are used.
pub(super) struct CorrelateFew<'a, T>(pub(super) Products<'a, T>);

impl<T: Float> Kernel<T> for CorrelateFew<'_, T> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd<T = T>>(self) {
        const ROWS: usize = 4;
        let Products { rows, y, filters, starts, depth, sums, accumulate } = self.0;
        let mut offsets = [0; MAX_LANES];
        for (lane, offset) in offsets.iter_mut().enumerate() {
            *offset = (lane * rows.step) as i32;
        }
        for (places, sums) in
            rows.places.chunks_exact(ROWS).zip(sums.chunks_exact_mut(ROWS * 2 * S::LANES))
        {
            for (filter, y) in y.chunks_exact(y.len() / filters).enumerate() {
                let mut dots = [unsafe { S::splat(T::zero()) }; ROWS];
                for &(a, b) in starts {
                    for pixel in (0..depth).step_by(S::LANES) {
                        // SAFETY: the vectors lie within the stage and y, by the caller's promise.
                        unsafe {
                            let y = S::load(y.as_ptr().add(b + pixel));
                            let x = rows.stage.as_ptr().add(a + pixel * rows.step);
                            let mut r = 0;
                            while r < ROWS {
                                let x = x.add(places[r]);
                                let x = match rows.step {
                                    1 => S::load(x),
                                    _ => S::gather(x, &offsets),
                                };
                                dots[r] = S::mul_add(x, y, dots[r]);
                                r += 1;
                            }
                        }
                    }
                }
                for (dot, sums) in dots.into_iter().zip(sums.chunks_exact_mut(2 * S::LANES)) {
                    let mut lanes = [T::zero(); MAX_LANES];
                    // SAFETY: room for a vector.
                    unsafe { S::store(lanes.as_mut_ptr(), dot) };
                    let before = if accumulate { sums[filter] } else { T::zero() };
                    sums[filter] = before + lanes.into_iter().sum::<T>();
                }
            }
        }
    }
}

/// Adds partial sums in order and writes them as filters.
pub(super) struct WriteFilters<'a, T> {
    /// Each `[panel][row][two vectors of filters]`.
    pub(super) parts: &'a [&'a [T]],
    /// Rows of a panel, and those that exist.
    pub(super) rows: usize,
    pub(super) count: usize,
    /// Which filters; the first begins a panel.
    pub(super) filters: Range<usize>,
    /// Where the first row of the first filter lies, and values between a filter and the next.
    pub(super) start: usize,
    pub(super) depth: usize,
    pub(super) out: &'a Output<T>,
}

impl<T: Float> Kernel<T> for WriteFilters<'_, T> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd<T = T>>(self) {
        let width = 2 * S::LANES;
        for filter in self.filters.clone().step_by(S::LANES) {
            let filters = (self.filters.end - filter).min(S::LANES);
            for row in (0..self.count).step_by(S::LANES) {
                let rows = (self.count - row).min(S::LANES);
                let at = (filter / width * self.rows + row) * width + filter % width;
                let mut v = [unsafe { S::splat(T::zero()) }; MAX_LANES];
                for (n, v) in v[..rows].iter_mut().enumerate() {
                    for part in self.parts {
                        let from = &part[at + n * width..][..S::LANES];
                        // SAFETY: a vector.
                        *v = unsafe { S::add(*v, S::load(from.as_ptr())) };
                    }
                }
                let start = self.start + filter * self.depth + row;
                let mut values = [T::zero(); MAX_LANES * MAX_LANES];
                // SAFETY: `values` holds all lanes; these rows of these filters are this task's.
                unsafe {
                    if filters == S::LANES && rows == S::LANES {
                        let to = self.out.at(start, (S::LANES - 1) * self.depth + S::LANES);
                        S::store_transposed(to, self.depth, &v);
                        continue;
                    }
                    S::store_transposed(values.as_mut_ptr(), S::LANES, &v);
                    for (n, values) in values.chunks_exact(S::LANES).take(filters).enumerate() {
                        let to = self.out.slice(start + n * self.depth, rows);
                        to.write_copy_of_slice(&values[..rows]);
                    }
                }
            }
        }
    }
}
