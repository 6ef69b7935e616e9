#![allow(unsafe_code, reason = "vectors are loaded and stored through pointers")]

use crate::cpu::{Float, Output};
use crate::simd::{Isa, Kernel, MAX_LANES, Simd};

/// Rows that must follow those of the classes: transposed vectors may exceed them.
pub(super) const MARGIN: usize = MAX_LANES;

/// Neighboring positions, at most as many as lanes, and where their elements are.
#[derive(Clone, Copy)]
pub(super) struct Block {
    /// The first position, and how many.
    pub(super) position: usize,
    pub(super) len: usize,
    /// Elements along the axis, and from one of them to the next.
    pub(super) size: usize,
    pub(super) inner: usize,
}

impl Block {
    /// Copies the elements to rows, a lane for each position; zeros where there is no position.
    #[inline(always)]
    pub(super) fn gather<T: Float, const N: usize>(&self, x: &[T], rows: &mut [[T; N]]) {
        if self.inner == 1 && N >= MAX_LANES {
            let x = &x[self.position * self.size..];
            assert!(self.len * self.size <= x.len() && rows.len() == self.size + MARGIN);
            let kernel = Transpose { x, len: self.len, size: self.size, rows };
            // SAFETY: the processor has what `current` says; there are as many elements and rows.
            return unsafe { T::dispatch(Isa::current(), kernel) };
        }
        if self.len < N {
            rows.fill([T::zero(); N]);
        }
        self.runs(|element, class, lane, count| {
            let x = &x[element..][..count];
            match x.as_array() {
                Some(x) => rows[class] = *x,
                None => rows[class][lane..][..count].copy_from_slice(x),
            }
        });
    }

    /// Writes the rows to where the elements are in a tensor.
    ///
    /// # Safety
    ///
    /// These entries of the tensor must be this task's alone.
    #[inline(always)]
    pub(super) unsafe fn scatter<T: Float, const N: usize>(&self, rows: &[[T; N]], y: &Output<T>) {
        if self.inner == 1 && N >= MAX_LANES {
            assert!(self.len <= N && rows.len() == self.size + MARGIN);
            let y = y.at(self.position * self.size, self.len * self.size);
            let kernel = TransposeBack { rows, len: self.len, size: self.size, y };
            // SAFETY: the processor has what `current` says; there are as many entries and rows.
            return unsafe { T::dispatch(Isa::current(), kernel) };
        }
        self.runs(|element, class, lane, count| {
            // SAFETY: by the caller's promise.
            let y = unsafe { y.slice(element, count) };
            match y.as_mut_array::<N>() {
                Some(y) => drop(y.write_copy_of_slice(&rows[class])),
                None => drop(y.write_copy_of_slice(&rows[class][lane..][..count])),
            }
        });
    }

    /// `f(element, class, lane, count)` of all runs of elements that lie together in one row.
    #[inline(always)]
    fn runs(&self, mut f: impl FnMut(usize, usize, usize, usize)) {
        let &Self { position, len, size, inner } = self;
        let mut lane = 0;
        while lane < len {
            let (outer, j) = ((position + lane) / inner, (position + lane) % inner);
            let count = (inner - j).min(len - lane);
            for class in 0..size {
                f((outer * size + class) * inner + j, class, lane, count);
            }
            lane += count;
        }
    }
}

/// Positions that lie behind each other, each with all its classes, become the lanes of rows.
struct Transpose<'a, T, const N: usize> {
    /// From the first position on.
    x: &'a [T],
    len: usize,
    size: usize,
    rows: &'a mut [[T; N]],
}

impl<T: Float, const N: usize> Kernel<T> for Transpose<'_, T, N> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd<T = T>>(self) {
        let Self { x, len, size, rows } = self;
        for lane in (0..N).step_by(S::LANES) {
            for class in classes(size, S::LANES) {
                let mut v = [unsafe { S::splat(T::zero()) }; MAX_LANES];
                for (v, position) in v.iter_mut().zip(lane..len.min(lane + S::LANES)) {
                    let mut copy = [T::zero(); MAX_LANES];
                    let x = &x[position * size + class..];
                    // SAFETY: a vector; what is beyond the last class goes to a row that is none.
                    *v = unsafe { S::load(whole(x, &mut copy, S::LANES)) };
                }
                let to = rows[class..][..S::LANES].as_mut_ptr().cast::<T>();
                // SAFETY: rows for a vector, which have these lanes.
                unsafe { S::store_transposed(to.add(lane), N, &v) };
            }
        }
    }
}

/// The reverse of [`Transpose`].
struct TransposeBack<'a, T, const N: usize> {
    rows: &'a [[T; N]],
    len: usize,
    size: usize,
    /// `len · size` values.
    y: *mut T,
}

impl<T: Float, const N: usize> Kernel<T> for TransposeBack<'_, T, N> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd<T = T>>(self) {
        let Self { rows, len, size, y } = self;
        for lane in (0..len).step_by(S::LANES) {
            for class in classes(size, S::LANES) {
                let mut v = [unsafe { S::splat(T::zero()) }; MAX_LANES];
                for (v, row) in v.iter_mut().zip(&rows[class..][..S::LANES]) {
                    // SAFETY: a vector of a row.
                    *v = unsafe { S::load(row[lane..][..S::LANES].as_ptr()) };
                }
                let at = lane * size + class;
                if size >= S::LANES && lane + S::LANES <= len {
                    // SAFETY: these positions have these classes.
                    unsafe { S::store_transposed(y.add(at), size, &v) };
                    continue;
                }
                let mut values = [T::zero(); MAX_LANES * MAX_LANES];
                // SAFETY: all lanes have room.
                unsafe { S::store_transposed(values.as_mut_ptr(), S::LANES, &v) };
                let positions = values.chunks_exact(S::LANES).take(len - lane);
                for (at, values) in (at..).step_by(size).zip(positions) {
                    // SAFETY: within y. What exceeds the classes of a position is written over by
                    // the next, if there is one.
                    unsafe {
                        if at + S::LANES <= len * size {
                            S::store(y.add(at), S::load(values.as_ptr()));
                        } else {
                            y.add(at).copy_from_nonoverlapping(values.as_ptr(), S::LANES.min(size));
                        }
                    }
                }
            }
        }
    }
}

/// The first classes of vectors that cover all; the last may overlap the one before.
#[inline(always)]
fn classes(size: usize, lanes: usize) -> impl Iterator<Item = usize> {
    (0..size).step_by(lanes).map(move |class| class.min(size.saturating_sub(lanes)))
}

/// A pointer to as many values as a vector has lanes: those of x, or the copy if x has fewer.
#[inline(always)]
fn whole<T: Float>(x: &[T], copy: &mut [T; MAX_LANES], lanes: usize) -> *const T {
    if x.len() >= lanes {
        return x.as_ptr();
    }
    copy[..x.len()].copy_from_slice(x);
    copy.as_ptr()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simd::with_each_isa;

    /// The staged values are those of the positions, and come back as they were.
    fn check<T: Float, const N: usize>(block: Block) {
        let Block { position, len, size, inner } = block;
        let count = (position + len).next_multiple_of(inner) * size;
        let x: Vec<T> = (1..=count).map(|i| T::from_f64(i as f64)).collect();
        let mut rows = vec![[T::one(); N]; size + MARGIN];
        block.gather(&x, &mut rows);
        let element = |p: usize, class| (p / inner * size + class) * inner + p % inner;
        for (class, row) in rows[..size].iter().enumerate() {
            for (lane, &value) in row.iter().enumerate() {
                let there = lane < len;
                let expected = if there { x[element(position + lane, class)] } else { T::zero() };
                assert!(value == expected);
            }
        }
        let mut y = vec![T::zero(); x.len()];
        // SAFETY: no one else writes there.
        unsafe { block.scatter(&rows, &Output::of(&mut y)) };
        for p in position..position + len {
            for class in 0..size {
                let y = std::mem::take(&mut y[element(p, class)]);
                assert!(y == x[element(p, class)]);
            }
        }
        assert!(y.iter().all(|&y| y == T::zero()), "another entry is written");
    }

    #[test]
    fn positions_of_any_kind_are_staged() {
        with_each_isa(|_| {
            for size in [1, 2, 3, 7, 8, 9, 15, 16, 17, 33] {
                for (position, inner) in [(0, 1), (5, 1), (0, 60), (5, 9), (17, 18)] {
                    for len in [1, 2, 15, 16, 17, 31, 32] {
                        check::<f32, 32>(Block { position, len, size, inner });
                        check::<f64, 32>(Block { position, len, size, inner });
                    }
                    check::<f32, 16>(Block { position, len: 14, size, inner });
                    check::<f32, 1>(Block { position, len: 1, size, inner });
                }
            }
        });
    }
}
