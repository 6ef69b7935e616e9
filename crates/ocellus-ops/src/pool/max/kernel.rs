#![allow(unsafe_code, reason = "results are written to memory that is not cleared before")]

use std::mem::MaybeUninit;
use std::ops::Range;
use std::sync::OnceLock;

use candle_core::{Result, Shape, bail};

use super::offset::Offset;
use super::row::{Maxima, Squares, regular, window};
use crate::cpu::{Float, Output, UnaryKernel};
use crate::parallel::tasks;
use crate::pool::window::{Span, Windows};
use crate::simd::vectorized_loop;

/// How many offsets a byte can tell apart.
const BYTES: usize = 1 << u8::BITS;

/// The stride of windows that vectors compute.
const STRIDE: usize = 2;

pub(crate) struct MaxPool {
    pub(crate) rows: Windows,
    pub(crate) columns: Windows,
    /// Elements of a row of the input.
    width: usize,
    pub(crate) tracks: bool,
    /// The outputs of a row that vectors compute.
    regular: Range<usize>,
    /// The same as a tensor on a GPU.
    #[cfg(any(feature = "cuda", all(test, target_os = "linux")))]
    pub(crate) offsets: OnceLock<candle_core::Tensor>,
    /// Where each output was found; empty unless the input tracks gradients.
    argmax: OnceLock<Argmax>,
}

/// Offsets in windows, as small as they fit.
enum Argmax {
    Bytes(Vec<u8>),
    Words(Vec<u32>),
}

impl UnaryKernel for MaxPool {
    const NAME: &'static str = "max_pool2d";

    fn forward<T: Float>(&self, x: &[T], dims: &[usize]) -> Result<(Vec<T>, Shape)> {
        let plane = dims[2] * dims[3];
        let largest = self.rows.largest() * self.pitch();
        let (y, argmax) = if !self.tracks {
            (self.maxima::<T, ()>(x, plane).0, None)
        } else if largest <= BYTES {
            let (y, offsets) = self.maxima(x, plane);
            (y, Some(Argmax::Bytes(offsets)))
        } else if largest <= u32::MAX as usize {
            let (y, offsets) = self.maxima(x, plane);
            (y, Some(Argmax::Words(offsets)))
        } else {
            bail!("max_pool2d: a window has {largest} elements, more than 2³²: make it smaller")
        };
        if let Some(argmax) = argmax {
            let _ = self.argmax.set(argmax);
        }
        Ok((y, (dims[0], dims[1], self.rows.len(), self.columns.len()).into()))
    }

    fn backward<T: Float>(
        &self,
        _: &[T],
        _: &[T],
        gradient: &[T],
        dims: &[usize],
    ) -> Result<Vec<T>> {
        match self.argmax.get() {
            Some(Argmax::Bytes(offsets)) => Ok(self.scatter(gradient, offsets, dims)),
            Some(Argmax::Words(offsets)) => Ok(self.scatter(gradient, offsets, dims)),
            None => bail!("max_pool2d: backward before forward"),
        }
    }
}

impl MaxPool {
    pub(super) fn new(rows: Windows, columns: Windows, width: usize, tracks: bool) -> Self {
        let regular = regular(&columns, width, STRIDE);
        Self {
            rows,
            columns,
            width,
            tracks,
            regular,
            #[cfg(any(feature = "cuda", all(test, target_os = "linux")))]
            offsets: OnceLock::new(),
            argmax: OnceLock::new(),
        }
    }

    /// The columns of a full window: what offsets grow by from row to row.
    fn pitch(&self) -> usize {
        self.columns.largest()
    }

    /// The distances of neighbors in a window: down, right.
    fn steps(&self) -> (usize, usize) {
        (self.rows.dilation * self.width, self.columns.dilation)
    }

    /// The maxima of all windows of all planes, and where they are.
    fn maxima<T: Float, O: Offset>(&self, x: &[T], plane: usize) -> (Vec<T>, Vec<O>) {
        let (rows, columns) = (self.rows.len(), self.columns.len());
        let count = x.len() / plane * rows;
        let mut offsets = Vec::new();
        let fill = |y: &Output<T>| {
            let fill_both = |offsets: &Output<O>| {
                tasks(count, plane / rows, |index| {
                    let x = &x[index / rows * plane..][..plane];
                    let first = index * columns;
                    // SAFETY: each row of outputs is given to one task.
                    let to = unsafe { (y.slice(first, columns), offsets.slice(first, columns)) };
                    self.row(x, self.rows.spans[index % rows], to);
                });
            };
            // SAFETY: `row` writes a whole row.
            offsets = unsafe { Output::collect(count * columns, fill_both) };
        };
        // SAFETY: as above.
        let y = unsafe { Output::collect(count * columns, fill) };
        (y, offsets)
    }

    /// Writes a row of outputs, from a plane.
    fn row<T: Float, O: Offset>(&self, x: &[T], row: Span, (y, offsets): Maxima<'_, T, O>) {
        let (steps, pitch) = (self.steps(), self.pitch());
        let first = |column: Span| row.start * self.width + column.start;
        let mut inner = self.regular.clone();
        if let Some(&column) = self.columns.spans.get(inner.start) {
            let (first, down) = (first(column), steps.0);
            let maxima = (&mut y[inner.clone()], &mut offsets[inner.clone()]);
            match (row.len, pitch, steps.1) {
                (2, 2, 1) => vectorized_loop(Squares::<_, _, 2, STRIDE> { x, first, down, maxima }),
                (3, 3, 1) => vectorized_loop(Squares::<_, _, 3, STRIDE> { x, first, down, maxima }),
                _ => inner.end = inner.start,
            }
        }
        for j in (0..inner.start).chain(inner.end..y.len()) {
            let column = self.columns.spans[j];
            let (value, at) = window(x, first(column), (row.len, column.len), steps, pitch);
            y[j].write(value);
            offsets[j].write(O::new(at));
        }
    }

    /// The gradient of the input: that of each output, added at its maximum.
    fn scatter<T: Float, O: Offset>(
        &self,
        gradient: &[T],
        offsets: &[O],
        dims: &[usize],
    ) -> Vec<T> {
        let (planes, plane) = (dims[0] * dims[1], dims[2] * dims[3]);
        let outputs = self.rows.len() * self.columns.len();
        let table: Vec<usize> = (0..BYTES).map(|offset| self.distance(offset)).collect();
        let fill = |dx: &Output<T>| {
            tasks(planes, plane, |index| {
                let range = index * outputs..(index + 1) * outputs;
                // SAFETY: each plane is given to one task.
                let dx = unsafe { dx.slice(index * plane, plane) };
                self.scatter_plane(&gradient[range.clone()], &offsets[range], &table, dx);
            });
        };
        // SAFETY: `scatter_plane` writes a whole plane.
        unsafe { Output::collect(planes * plane, fill) }
    }

    /// From the first element of a window to the one at that offset.
    fn distance(&self, offset: usize) -> usize {
        let ((down, right), pitch) = (self.steps(), self.pitch());
        offset / pitch * down + offset % pitch * right
    }

    /// `table` has the distances of the first offsets.
    fn scatter_plane<T: Float, O: Offset>(
        &self,
        gradient: &[T],
        offsets: &[O],
        table: &[usize],
        dx: &mut [MaybeUninit<T>],
    ) {
        let zero = MaybeUninit::new(T::zero());
        let columns = self.columns.len();
        let rows = gradient.chunks(columns).zip(offsets.chunks(columns));
        let mut cleared = 0;
        for (row, (gradient, offsets)) in self.rows.spans.iter().zip(rows) {
            // Only up to here, so that what is added to is still in the cache.
            let end = (row.start + (row.len - 1) * self.rows.dilation + 1) * self.width;
            if cleared < end {
                dx[cleared..end].fill(zero);
                cleared = end;
            }
            // SAFETY: the elements have been cleared.
            let dx = unsafe { dx[..cleared].assume_init_mut() };
            let outputs = self.columns.spans.iter().zip(gradient.iter().zip(offsets));
            for (column, (&g, &offset)) in outputs {
                let offset = offset.get();
                let distance = table.get(offset).copied();
                let distance = distance.unwrap_or_else(|| self.distance(offset));
                dx[row.start * self.width + column.start + distance] += g;
            }
        }
        dx[cleared..].fill(zero);
    }
}
