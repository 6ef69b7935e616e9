#![allow(unsafe_code, reason = "results are written to memory that is not cleared before")]

use std::hint::black_box;
use std::ops::Range;

use super::Axis;
use super::block::{Block, MARGIN};
use crate::cpu::{Float, Output, with_scratch};
use crate::parallel::tasks;
use crate::simd::{Loop, vectorized_loop};

/// Positions that are computed together: several vectors.
const MANY: usize = 64;

/// Where there are fewer positions: the f32 of a vector of AVX-512. And where there are so many
/// classes to transpose that more positions would not fit into the fastest cache.
const FEW: usize = 16;

/// Elements of a task.
const TILE: usize = 1 << 12;

/// A computation along an axis, for several neighboring positions at once.
pub(crate) trait Lanes<T, const K: usize>: Sync {
    /// What several positions give.
    type Output: Clone + Default + Send;

    /// Computes `N` positions, or fewer: from their elements of each input, a row for each class.
    /// To be `#[inline(always)]`, with all that it calls.
    fn run<const N: usize>(
        &self,
        positions: Range<usize>,
        rows: [&mut [[T; N]]; K],
        output: &mut Self::Output,
    );
}

/// Numbers in the type of the elements.
#[inline(always)]
pub(crate) fn narrow<T: Float, const N: usize>(x: &[f64; N]) -> [T; N] {
    let mut narrow = [T::zero(); N];
    for (narrow, &x) in narrow.iter_mut().zip(x) {
        *narrow = T::from_f64(x);
    }
    // To memory and back: what is taken from vectors of f64 number by number, compilers would go on
    // computing with number by number.
    black_box(narrow)
}

impl Axis {
    /// What each of the parts gives that the positions are cut into, in their order; in parallel
    /// where it pays. Inputs are tensors of this shape, or empty.
    pub(crate) fn fold<T: Float, L: Lanes<T, K>, const K: usize>(
        &self,
        inputs: [&[T]; K],
        kernel: &L,
    ) -> Vec<L::Output> {
        self.each_tile(inputs, None, kernel)
    }

    /// What the computation makes of the first input.
    pub(crate) fn transform<T: Float, L: Lanes<T, K>, const K: usize>(
        &self,
        inputs: [&[T]; K],
        kernel: &L,
    ) -> Vec<T> {
        if inputs[0].is_empty() {
            return vec![];
        }
        let fill = |y: &Output<T>| drop(self.each_tile(inputs, Some(y), kernel));
        // SAFETY: the tiles cover all elements.
        unsafe { Output::collect(inputs[0].len(), fill) }
    }

    fn each_tile<T: Float, L: Lanes<T, K>, const K: usize>(
        &self,
        inputs: [&[T]; K],
        y: Option<&Output<T>>,
        kernel: &L,
    ) -> Vec<L::Output> {
        let (axis, count) = (*self, self.positions());
        let width = (TILE / axis.size.max(1)).clamp(MANY, 1 << 10).next_multiple_of(MANY);
        tasks(count.div_ceil(width), width.min(count) * axis.size, |index| {
            let positions = index * width..count.min((index + 1) * width);
            match positions.len() {
                1 => tile::<T, L, K, 1>(axis, positions, inputs, y, kernel),
                MANY.. if axis.size <= MANY || axis.inner != 1 => {
                    tile::<T, L, K, MANY>(axis, positions, inputs, y, kernel)
                }
                _ => tile::<T, L, K, FEW>(axis, positions, inputs, y, kernel),
            }
        })
    }
}

/// `N` positions after `N` positions.
fn tile<T: Float, L: Lanes<T, K>, const K: usize, const N: usize>(
    axis: Axis,
    positions: Range<usize>,
    inputs: [&[T]; K],
    y: Option<&Output<T>>,
    kernel: &L,
) -> L::Output {
    let len = axis.size + MARGIN;
    with_scratch(K * len * N, |scratch| {
        let (mut rest, _) = scratch.as_chunks_mut::<N>();
        let stages = inputs.map(|x| {
            let stage = rest.split_off_mut(..if x.is_empty() { 0 } else { len });
            stage.unwrap_or(&mut [])
        });
        vectorized_loop(Blocks { kernel, axis, positions, inputs, stages, y })
    })
}

struct Blocks<'a, T, L, const K: usize, const N: usize> {
    kernel: &'a L,
    axis: Axis,
    positions: Range<usize>,
    inputs: [&'a [T]; K],
    stages: [&'a mut [[T; N]]; K],
    y: Option<&'a Output<T>>,
}

impl<T: Float, L: Lanes<T, K>, const K: usize, const N: usize> Loop for Blocks<'_, T, L, K, N> {
    type Output = L::Output;

    #[inline(always)]
    fn run(self) -> L::Output {
        let Self { kernel, axis: Axis { size, inner, .. }, positions, inputs, mut stages, y } =
            self;
        let mut output = L::Output::default();
        for position in positions.clone().step_by(N) {
            let len = N.min(positions.end - position);
            let block = Block { position, len, size, inner };
            for (x, stage) in inputs.iter().zip(&mut stages) {
                if !x.is_empty() {
                    block.gather(x, stage);
                }
            }
            let rows = stages.each_mut().map(|stage| {
                let rows = size.min(stage.len());
                &mut stage[..rows]
            });
            kernel.run(position..position + len, rows, &mut output);
            if let Some(y) = y {
                // SAFETY: a tile is given to one task.
                unsafe { block.scatter(stages[0], y) };
            }
        }
        output
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Doubles the elements, and lists them by position.
    struct Double;

    impl Lanes<f64, 2> for Double {
        type Output = Vec<(usize, Vec<f64>)>;

        fn run<const N: usize>(
            &self,
            positions: Range<usize>,
            [x, none]: [&mut [[f64; N]]; 2],
            output: &mut Self::Output,
        ) {
            assert!(positions.len() <= N && none.is_empty());
            for (lane, position) in positions.enumerate() {
                output.push((position, x.iter().map(|row| row[lane]).collect()));
            }
            for x in x.as_flattened_mut() {
                *x *= 2.;
            }
        }
    }

    #[test]
    fn each_position_is_computed_once_in_order() {
        let shapes = [
            [3, 4, 5],
            [2, 3, 1300],
            [2, 700, 200],
            [40_000, 2, 1],
            [50, 3, 100],
            [70, 1000, 1],
            [1, 40_000, 1],
            [2, 0, 3],
            [70, 0, 1],
            [2, 3, 0],
        ];
        for dims in shapes {
            let axis = Axis::new(&dims, 1);
            let x: Vec<f64> = (0..dims.iter().product()).map(|i| i as f64).collect();
            let elements = |position: usize| {
                let (outer, inner) = (position / axis.inner, position % axis.inner);
                let element = |class| (outer * axis.size + class) * axis.inner + inner;
                (0..axis.size).map(|class| element(class) as f64).collect::<Vec<_>>()
            };
            let listed = axis.fold([&x, &[]], &Double).concat();
            assert_eq!(listed.len(), axis.positions());
            for (n, (position, values)) in listed.into_iter().enumerate() {
                assert_eq!((position, values), (n, elements(n)), "{dims:?}");
            }
            let y = axis.transform([&x, &[]], &Double);
            assert!(y.iter().zip(&x).all(|(y, x)| *y == 2. * x), "{dims:?}");
        }
    }
}
