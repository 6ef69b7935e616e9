//! The Lovász extension of the Jaccard loss.

use candle_core::{DType, Result, Tensor, bail};

use super::launch::{Divisor, Grid, pieces};
use super::loss::add_parts;
use super::machine::{Kernel, Machine, Output, launch, settled};
use super::source::Family;
use super::unary::OnGpu;
use crate::lovasz::Lovasz;

/// Entries that a block sorts by itself, as in the kernels.
const SORTED: usize = 512;

fn kernel(name: &'static str) -> Kernel {
    Kernel::of(Family::Lovasz, name)
}

/// A step of the sort of rows of a power of two of entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// Within blocks of `size`: runs from `first` to `last`, each with all steps that a block has.
    Blocks { size: usize, first: usize, last: usize },
    /// Entries `step` apart, of runs of that length.
    Apart { run: usize, step: usize },
}

/// A bitonic sort: runs of twice the length each time, put in order by steps of half the length.
fn steps(padded: usize) -> Vec<Step> {
    let size = padded.min(SORTED);
    let mut steps = vec![Step::Blocks { size, first: 2, last: size }];
    let mut run = 2 * size;
    while run <= padded {
        let mut step = run / 2;
        while step >= size {
            steps.push(Step::Apart { run, step });
            step /= 2;
        }
        steps.push(Step::Blocks { size, first: run, last: run });
        run *= 2;
    }
    steps
}

/// The gradients by the errors of rows of `n`.
fn slopes(machine: &Machine, errors: &Tensor, truth: &Tensor) -> Result<Tensor> {
    let (rows, n) = errors.dims2()?;
    let (dtype, padded) = (errors.dtype(), n.next_power_of_two().max(2));
    let total = rows * padded;
    // As many bits as kernels take for a key.
    let mut keys = machine.output(total, DType::I64)?;
    let mut places = machine.output(total, DType::U32)?;
    launch!(
        machine,
        kernel("lovasz_keys"),
        dtype,
        Grid::elements(total),
        [errors, truth, &mut keys, &mut places, total, Divisor(padded), n]
    )?;
    for step in steps(padded) {
        match step {
            Step::Blocks { size, first, last } => {
                launch!(
                    machine,
                    kernel("sort_blocks"),
                    dtype,
                    Grid::blocks(total / size),
                    [&mut keys, &mut places, size, padded, first, last]
                )?;
            }
            Step::Apart { run, step } => {
                let pairs = total / 2;
                launch!(
                    machine,
                    kernel("sort_step"),
                    dtype,
                    Grid::elements(pairs),
                    [&mut keys, &mut places, pairs, padded, run, step]
                )?;
            }
        }
    }
    let (keys, places) = (keys.tensor(), places.tensor());
    let mut slopes = machine.output((rows, n), DType::F64)?;
    launch!(
        machine,
        kernel("lovasz_slopes"),
        dtype,
        Grid::blocks(rows),
        [errors, truth, &keys, &places, &mut slopes, n, padded]
    )?;
    Ok(slopes.tensor())
}

impl OnGpu for Lovasz {
    const HAS_KERNEL: bool = true;

    fn gpu_forward(&self, machine: &Machine, x: &Tensor) -> Result<Output> {
        let (rows, n) = x.dims2()?;
        let slopes = slopes(machine, x, &settled(&self.truth)?)?;
        let pieces = pieces(n, rows);
        let mut parts = machine.output((rows, pieces), DType::F64)?;
        let grid = Grid::blocks(rows * pieces);
        launch!(
            machine,
            kernel("lovasz_part"),
            x.dtype(),
            grid,
            [x, &slopes, &mut parts, n, pieces]
        )?;
        let _ = self.on_device.set(slopes);
        add_parts(machine, parts, (rows.into(), x.dtype()), 1.)
    }

    fn gpu_backward(
        &self,
        machine: &Machine,
        x: &Tensor,
        _: &Tensor,
        g: &Tensor,
    ) -> Result<Output> {
        let Some(slopes) = self.on_device.get() else { bail!("lovasz: backward before forward") };
        let mut dx = machine.output(x.shape(), x.dtype())?;
        let (count, n) = (x.elem_count(), Divisor(x.dim(1)?));
        launch!(
            machine,
            kernel("lovasz_backward"),
            x.dtype(),
            Grid::elements(count),
            [slopes, g, &mut dx, count, n]
        )?;
        Ok(dx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The steps on the processor, one exchange after the other.
    fn sorted(mut keys: Vec<u32>) -> Vec<u32> {
        let padded = keys.len();
        let mut exchange = |run: usize, step: usize| {
            for a in (0..padded).filter(|a| a & step == 0) {
                if (keys[a] > keys[a + step]) == (a & run == 0) {
                    keys.swap(a, a + step);
                }
            }
        };
        for step in steps(padded) {
            match step {
                Step::Apart { run, step } => exchange(run, step),
                Step::Blocks { size, first, last } => {
                    let mut run = first;
                    while run <= last {
                        let mut step = run.min(size) / 2;
                        while step > 0 {
                            exchange(run, step);
                            step /= 2;
                        }
                        run *= 2;
                    }
                }
            }
        }
        keys
    }

    #[test]
    fn the_steps_sort() {
        for padded in [2, 8, 512, 1024, 8192] {
            let keys: Vec<u32> = (0..padded as u32).map(|i| i.wrapping_mul(0x9e37_79b1)).collect();
            let mut expected = keys.clone();
            expected.sort_unstable();
            assert_eq!(sorted(keys), expected, "{padded}");
        }
    }
}
