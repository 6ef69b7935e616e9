use std::mem::MaybeUninit;
use std::ops::Range;

use super::offset::Offset;
use crate::cpu::Float;
use crate::pool::window::{Span, Windows};
use crate::simd::Loop;

/// Values and offsets of maxima, to be written.
pub(super) type Maxima<'a, T, O> = (&'a mut [MaybeUninit<T>], &'a mut [MaybeUninit<O>]);

/// The outputs whose windows have all columns and lie `stride` apart, as far as whole strides of
/// columns contain them: those that vectors compute.
pub(super) fn regular(columns: &Windows, width: usize, stride: usize) -> Range<usize> {
    let kernel = columns.largest();
    let full = |span: &Span| span.len == kernel;
    let first = columns.spans.iter().position(full).unwrap_or(columns.len());
    let start = |index: usize| columns.spans[first].start + (index - first) * stride;
    let regular = |&index: &usize| {
        let span = columns.spans[index];
        let end = span.start + kernel.next_multiple_of(stride);
        full(&span) && span.start == start(index) && end <= width
    };
    first..first + (first..columns.len()).take_while(regular).count()
}

/// Dense windows of K × K elements, S apart; the first begins at `first`, rows of the input are
/// `down` apart.
pub(super) struct Squares<'a, T, O, const K: usize, const S: usize> {
    pub(super) x: &'a [T],
    pub(super) first: usize,
    pub(super) down: usize,
    pub(super) maxima: Maxima<'a, T, O>,
}

impl<T: Float, O: Offset, const K: usize, const S: usize> Loop for Squares<'_, T, O, K, S> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let (y, offsets) = self.maxima;
        let count = y.len();
        let offsets = &mut offsets[..count];
        // Element (row, column) of window j is `strides[row][column][j][column % S]`: in slices of
        // one length no bounds are checked within the loop, which so becomes one over vectors.
        let strides: [[&[[T; S]]; K]; K] = std::array::from_fn(|row| {
            let (strides, _) = self.x[self.first + row * self.down..].as_chunks();
            std::array::from_fn(|column| &strides[column / S..][..count])
        });
        for j in 0..count {
            let (mut best, mut at) = (strides[0][0][j][0], 0);
            for offset in 1..K * K {
                let (row, column) = (offset / K, offset % K);
                let value = strides[row][column][j][column % S];
                let wins = (value > best) | value.is_nan();
                best = if wins { value } else { best };
                at = if wins { offset } else { at };
            }
            y[j].write(best);
            offsets[j].write(O::new(at));
        }
    }
}

/// The maximum of a window of `rows × columns` elements and its offset.
#[inline(always)]
pub(super) fn window<T: Float>(
    x: &[T],
    first: usize,
    (rows, columns): (usize, usize),
    (down, right): (usize, usize),
    pitch: usize,
) -> (T, usize) {
    let (mut best, mut at) = (x[first], 0);
    for row in 0..rows {
        let start = first + row * down;
        let x = &x[start..start + (columns - 1) * right + 1];
        for column in 0..columns {
            let value = x[column * right];
            // Without a branch, which no processor could foresee.
            let wins = (value > best) | value.is_nan();
            best = if wins { value } else { best };
            at = if wins { row * pitch + column } else { at };
        }
    }
    (best, at)
}
