#![allow(unsafe_code, reason = "results are written to memory that is not cleared before")]

use std::mem::MaybeUninit;
use std::ops::Range;

use candle_core::WithDType;
use rayon::prelude::*;

use crate::cpu::Float;
use crate::simd::{Loop, vectorized, vectorized_loop};

/// Elements that one task handles at least: fewer are not worth a thread.
pub(crate) const GRAIN: usize = 1 << 14;

/// Cuts `0..len` into the fewest parts of at most `most`, of nearly equal lengths.
pub(crate) fn cut(len: usize, most: usize) -> Vec<Range<usize>> {
    let parts = len.div_ceil(most);
    (0..parts).map(|i| i * len / parts..(i + 1) * len / parts).collect()
}

/// `x` in f64.
pub(crate) fn wide<T: Float>(x: T) -> f64 {
    WithDType::to_f64(x)
}

/// `f(x)` of each element. A long `f` must be a function that is `#[inline(always)]`: a closure
/// would not be inlined.
pub(crate) fn map<T: Float>(x: &[T], f: impl Fn(T) -> T + Sync) -> Vec<T> {
    // SAFETY: `Map` writes every element of y, of which x has as many.
    unsafe {
        filled(x.len(), GRAIN, |block, y| {
            let x = &x[block * GRAIN..][..y.len()];
            vectorized_loop(Map { x, y, f: &f });
        })
    }
}

struct Map<'a, T, F> {
    x: &'a [T],
    y: &'a mut [MaybeUninit<T>],
    f: &'a F,
}

impl<T: Float, F: Fn(T) -> T> Loop for Map<'_, T, F> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        for (y, &x) in self.y.iter_mut().zip(self.x) {
            y.write((self.f)(x));
        }
    }
}

/// `f(index, x)` of each element.
pub(crate) fn map_indexed<T: Float>(x: &[T], f: impl Fn(usize, T) -> T + Sync) -> Vec<T> {
    collect(x.len(), |first, y| {
        for ((index, y), &x) in (first..).zip(y).zip(&x[first..]) {
            y.write(f(index, x));
        }
    })
}

/// `f(a, b)` of each pair of elements.
pub(crate) fn zip<T: Float>(a: &[T], b: &[T], f: impl Fn(T, T) -> T + Sync) -> Vec<T> {
    collect(a.len(), |first, y| {
        for ((y, &a), &b) in y.iter_mut().zip(&a[first..]).zip(&b[first..]) {
            y.write(f(a, b));
        }
    })
}

/// A vector whose parts `fill(index of the first element, part)` writes whole.
fn collect<T: Float>(len: usize, fill: impl Fn(usize, &mut [MaybeUninit<T>]) + Sync) -> Vec<T> {
    // SAFETY: the callers above write every element of each part.
    unsafe { collect_pieces(len, GRAIN, |block, y| fill(block * GRAIN, y)) }
}

/// A vector whose pieces of `size` elements `fill(index of the piece, piece)` writes, compiled for
/// the best instruction set.
///
/// # Safety
///
/// `fill` must write every element of the piece.
pub(crate) unsafe fn collect_pieces<T: Float>(
    len: usize,
    size: usize,
    fill: impl Fn(usize, &mut [MaybeUninit<T>]) + Sync,
) -> Vec<T> {
    // SAFETY: by the caller's promise.
    unsafe { filled(len, size, |index, y| vectorized(|| fill(index, y))) }
}

/// As [`collect_pieces`], where `fill` sees to the instruction set itself.
///
/// # Safety
///
/// `fill` must write every element of the piece.
pub(crate) unsafe fn filled<T: Float>(
    len: usize,
    size: usize,
    fill: impl Fn(usize, &mut [MaybeUninit<T>]) + Sync,
) -> Vec<T> {
    let mut y = Vec::with_capacity(len);
    pieces(&mut y.spare_capacity_mut()[..len], size, fill);
    // SAFETY: by the caller's promise.
    unsafe { y.set_len(len) };
    y
}

/// Runs `f(index, piece)` on each piece of `size` elements, in parallel where it pays.
pub(crate) fn pieces<T: Send>(y: &mut [T], size: usize, f: impl Fn(usize, &mut [T]) + Sync) {
    let size = size.max(1);
    if y.len() <= GRAIN {
        y.chunks_mut(size).enumerate().for_each(|(i, y)| f(i, y));
    } else {
        let together = (GRAIN / size).max(1);
        y.par_chunks_mut(size).enumerate().with_min_len(together).for_each(|(i, y)| f(i, y));
    }
}

/// As [`pieces`], where `y` is small but takes the reading of `work` elements.
pub(crate) fn pieces_of<T: Send>(
    y: &mut [T],
    size: usize,
    work: usize,
    f: impl Fn(usize, &mut [T]) + Sync,
) {
    if work <= GRAIN {
        y.chunks_mut(size).enumerate().for_each(|(i, y)| f(i, y));
    } else {
        let together = (y.len() * GRAIN / work / size).max(1);
        y.par_chunks_mut(size).enumerate().with_min_len(together).for_each(|(i, y)| f(i, y));
    }
}

/// `f(index)` of each index below `count`, each of which stands for `size` elements, in parallel
/// where it pays.
pub(crate) fn tasks<R: Clone + Default + Send>(
    count: usize,
    size: usize,
    f: impl Fn(usize) -> R + Sync,
) -> Vec<R> {
    let mut results = vec![R::default(); count];
    pieces_of(&mut results, 1, count * size, |index, result| result[0] = f(index));
    results
}

/// `Σ f(x, y)` in f64, always in the same order.
pub(crate) fn sum<T: Float>(x: &[T], y: &[T], f: impl Fn(f64, f64) -> f64) -> f64 {
    let [sum] = sums(x, y, |x, y| [f(wide(x), wide(y))]);
    sum
}

/// `Σ f(x, y)` of several terms at once, as [`sum`].
pub(crate) fn sums<T: Float, const N: usize>(
    x: &[T],
    y: &[T],
    f: impl Fn(T, T) -> [f64; N],
) -> [f64; N] {
    vectorized_loop(Sums { x, y, f })
}

struct Sums<'a, T, F> {
    x: &'a [T],
    y: &'a [T],
    f: F,
}

/// Sums side by side: two vectors of AVX-512, so that an addition need not wait for the one before.
const LANES: usize = 16;

impl<T: Float, const N: usize, F: Fn(T, T) -> [f64; N]> Loop for Sums<'_, T, F> {
    type Output = [f64; N];

    #[inline(always)]
    fn run(self) -> [f64; N] {
        let mut lanes = [[0.; LANES]; N];
        let (x, x_rest) = self.x.as_chunks::<LANES>();
        let (y, y_rest) = self.y.as_chunks::<LANES>();
        for (x, y) in x.iter().zip(y) {
            for lane in 0..LANES {
                let terms = (self.f)(x[lane], y[lane]);
                for (lanes, term) in lanes.iter_mut().zip(terms) {
                    lanes[lane] += term;
                }
            }
        }
        let mut sums = lanes.map(total);
        for (&x, &y) in x_rest.iter().zip(y_rest) {
            for (sum, term) in sums.iter_mut().zip((self.f)(x, y)) {
                *sum += term;
            }
        }
        sums
    }
}

/// The sum of the lanes, halves added to halves. Inlined, it would keep the compiler from making
/// vectors of the lanes.
#[inline(never)]
fn total(mut lanes: [f64; LANES]) -> f64 {
    let mut half = LANES / 2;
    while half > 0 {
        for lane in 0..half {
            lanes[lane] += lanes[lane + half];
        }
        half /= 2;
    }
    lanes[0]
}

#[cfg(test)]
mod tests {
    use candle_core::{DType, Result, Tensor, Var};
    use ocellus_testing::{fill, with_threads};

    use super::*;
    use crate::*;

    #[test]
    fn parts_are_even_and_complete() {
        assert_eq!(cut(10, 4), [0..3, 3..6, 6..10]);
        assert_eq!(cut(8, 4), [0..4, 4..8]);
        assert!(cut(0, 4).is_empty());
    }

    #[test]
    fn elements_are_mapped_in_place_whatever_their_number() {
        for len in [0, 1, GRAIN, GRAIN + 1, 3 * GRAIN + 17] {
            let x: Vec<f64> = (0..len).map(|i| i as f64).collect();
            assert!(map(&x, |x| 2. * x).iter().zip(&x).all(|(y, x)| *y == 2. * x));
            assert!(zip(&x, &x, |a, b| a - b).iter().all(|&y| y == 0.));
            assert!(map_indexed(&x, |i, x| i as f64 - x).iter().all(|&y| y == 0.));
            assert_eq!(sum(&x, &x, |x, _| x), (len * len.saturating_sub(1) / 2) as f64);
        }
    }

    #[test]
    fn large_tensors_give_the_same_bits_at_any_number_of_threads() -> Result<()> {
        type Operation = fn(&Tensor) -> Result<Tensor>;
        let operations: [(&str, Operation); 17] = [
            ("relu", relu),
            ("sigmoid", sigmoid),
            ("log_cosh", log_cosh),
            ("dropout", |x| dropout(x, 0.3, 5)),
            ("max_pool2d", |x| max_pool2d(x, &MaxPool2dConfig::new(3).with_stride((2, 2)))),
            ("avg_pool2d", |x| avg_pool2d(x, &AvgPool2dConfig::new(3).with_stride((2, 2)))),
            ("adaptive_avg_pool2d", |x| adaptive_avg_pool2d(x, (3, 3))),
            ("upsample_nearest2d", |x| upsample_nearest2d(x, (100, 90))),
            ("upsample_bilinear2d", |x| upsample_bilinear2d(x, (100, 90), Alignment::HalfPixel)),
            ("batch_norm", |x| Ok(batch_norm(x, None, None, 1e-5)?.0)),
            ("batch_norm_relu", |x| Ok(batch_norm_relu(x, None, None, None, 1e-5)?.0)),
            ("with a residual", |x| Ok(batch_norm_relu(&x.sqr()?, Some(x), None, None, 1e-5)?.0)),
            ("softmax", |x| softmax(x, 1)),
            ("log_softmax", |x| log_softmax(x, 3)),
            ("focal", |x| focal(&x.sqr()?, 1.5)),
            ("soft_overlap", |x| {
                soft_overlap(&x.flatten_from(1)?, &x.flatten_from(1)?.sqr()?)?.shared * 1.
            }),
            ("lovasz", |x| lovasz(&x.flatten_from(1)?, &x.flatten_from(1)?.detach().round()?)),
        ];
        let x = fill((3, 4, 71, 83), 0.2, DType::F32)?;
        for (name, operation) in operations {
            let run = |threads| {
                with_threads(threads, || {
                    let x = Var::from_tensor(&x)?;
                    let y = operation(&x)?;
                    let weights = fill(y.shape().clone(), 0.5, DType::F32)?;
                    let gradients = (&y * weights)?.sum_all()?.backward()?;
                    let bits = |x: &Tensor| -> Result<Vec<u32>> {
                        Ok(x.flatten_all()?.to_vec1()?.into_iter().map(f32::to_bits).collect())
                    };
                    Ok::<_, candle_core::Error>((bits(&y)?, bits(gradients.get(&x).unwrap())?))
                })
            };
            let one = run(1)?;
            assert!(run(2)? == one && run(5)? == one, "{name} depends on the number of threads");
        }
        Ok(())
    }
}
