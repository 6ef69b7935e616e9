//! Nearest neighbors.

use candle_core::{DType, Result, Tensor};

use super::launch::{BLOCK, Grid};
use super::machine::{Kernel, Machine, Output, launch, settled};
use super::source::Family;
use crate::neighbors::Neighbors;

/// Candidates of a query at most, as in the kernels.
const MOST: usize = 32;

/// Neighbors that the kernels find at most: there must be more candidates.
pub(crate) const MOST_NEIGHBORS: usize = 24;

/// Threads that look at the products of a query, as in the kernels.
const LOOKING: usize = 32;

/// How many queries and rows of the bank are multiplied at once: 64 MiB of products in f32.
const BLOCKS: (usize, usize) = (2048, 8192);

#[cfg(test)]
thread_local! {
    /// Other sizes of blocks.
    pub(crate) static FORCED_BLOCKS: std::cell::Cell<Option<(usize, usize)>> =
        const { std::cell::Cell::new(None) };
}

fn blocks() -> (usize, usize) {
    #[cfg(test)]
    if let Some(blocks) = FORCED_BLOCKS.get() {
        return blocks;
    }
    BLOCKS
}

fn kernel(name: &'static str) -> Kernel {
    Kernel::of(Family::Neighbors, name)
}

fn groups_of_rows(rows: usize) -> Grid {
    Grid::blocks_up_to(rows.div_ceil(BLOCK / LOOKING))
}

/// The largest relative error of a rounding in products, twice that, since cuBLAS does not say how it
/// adds; and the greatest and the smallest number of the type.
fn rounding(machine: &Machine, dtype: DType) -> [f64; 3] {
    if dtype == DType::F64 {
        return [f64::EPSILON, f64::MAX, f64::MIN_POSITIVE];
    }
    let unit = match machine {
        #[cfg(feature = "cuda")]
        Machine::Cuda(_) if candle_core::cuda::gemm_reduced_precision_f32() => 2f64.powi(-10), // TF32
        _ => f64::from(f32::EPSILON),
    };
    [unit, f32::MAX.into(), f32::MIN_POSITIVE.into()]
}

/// ‖row‖² of `(rows, size)`.
fn norms(machine: &Machine, x: &Tensor) -> Result<Tensor> {
    let (rows, size) = x.dims2()?;
    let mut norms = machine.output(rows, DType::F64)?;
    let grid = groups_of_rows(rows);
    launch!(machine, kernel("row_norms"), x.dtype(), grid, [x, &mut norms, rows, size])?;
    Ok(norms.tensor())
}

/// Of f32 or f64, none of them empty, with at most [`MOST_NEIGHBORS`] neighbors.
pub(crate) fn nearest_neighbors(
    machine: &Machine,
    queries: &Tensor,
    bank: &Tensor,
    count: usize,
) -> Result<Neighbors> {
    let (queries, bank) = (settled(queries)?, settled(bank)?);
    let norms = norms(machine, &bank)?;
    let longest = norms.max_keepdim(0)?;
    let search = Search { machine, bank, norms, longest, count };
    let (all, step) = (queries.dim(0)?, blocks().0);
    let found = (0..all).step_by(step).map(|first| {
        let here = step.min(all - first);
        search.nearest(&queries.narrow(0, first, here)?)
    });
    Neighbors::cat(&found.collect::<Result<Vec<_>>>()?)
}

/// What kernels have found.
struct Found {
    indices: Output,
    distances: Output,
    squared: Output,
}

struct Search<'a> {
    machine: &'a Machine,
    bank: Tensor,
    norms: Tensor,
    /// The greatest of the norms.
    longest: Tensor,
    count: usize,
}

impl Search<'_> {
    /// The rows that have the smallest distances by products, so many a query.
    fn candidates(&self, queries: &Tensor, kept: usize) -> Result<(Output, Output)> {
        let (dtype, count, rows) = (queries.dtype(), queries.dim(0)?, self.bank.dim(0)?);
        let mut values = self.machine.output((count, kept), DType::F64)?;
        let mut candidates = self.machine.output((count, kept), DType::U32)?;
        let step = blocks().1;
        for first in (0..rows).step_by(step) {
            let here = step.min(rows - first);
            let products = queries.matmul(&self.bank.narrow(0, first, here)?.t()?)?;
            launch!(
                self.machine,
                kernel("nearest_candidates"),
                dtype,
                groups_of_rows(count),
                [&products, &self.norms, &mut values, &mut candidates, count, here, first, kept]
            )?;
        }
        Ok((values, candidates))
    }

    /// The nearest of the candidates, and 1 for each query of which other rows may be nearer.
    fn of_candidates(&self, queries: &Tensor) -> Result<(Found, Tensor)> {
        let (count, size) = queries.dims2()?;
        let (dtype, k) = (queries.dtype(), self.count);
        let kept = MOST.min(2 * k + 6);
        let (mut values, mut candidates) = self.candidates(queries, kept)?;
        let output = |dtype| self.machine.output((count, k), dtype);
        let mut found = Found {
            indices: output(DType::U32)?,
            distances: output(dtype)?,
            squared: output(dtype)?,
        };
        let mut open = self.machine.output(count, DType::U32)?;
        let query_norms = norms(self.machine, queries)?;
        let [unit, greatest, smallest] = rounding(self.machine, dtype);
        launch!(
            self.machine,
            kernel("nearest_measured"),
            dtype,
            Grid::blocks_up_to(count),
            [
                queries,
                &self.bank,
                &mut values,
                &mut candidates,
                &query_norms,
                &self.longest,
                &mut found.indices,
                &mut found.distances,
                &mut found.squared,
                &mut open,
                count,
                size,
                kept,
                k,
                unit,
                greatest,
                smallest,
            ]
        )?;
        Ok((found, open.tensor()))
    }

    fn nearest(&self, queries: &Tensor) -> Result<Neighbors> {
        let (mut found, open) = self.of_candidates(queries)?;
        let ((count, size), rows) = (queries.dims2()?, self.bank.dim(0)?);
        launch!(
            self.machine,
            kernel("nearest_of_all"),
            queries.dtype(),
            Grid::blocks_up_to(count),
            [
                queries,
                &self.bank,
                &open,
                &mut found.indices,
                &mut found.distances,
                &mut found.squared,
                count,
                rows,
                size,
                self.count,
            ]
        )?;
        Ok(Neighbors {
            indices: found.indices.tensor(),
            distances: found.distances.tensor(),
            squared_distances: found.squared.tensor(),
        })
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use candle_core::Device;
    use ocellus_testing::fill;

    use super::super::emulator;
    use super::*;

    fn open(queries: &Tensor, bank: &Tensor, count: usize) -> Result<Vec<u32>> {
        let machine = Machine::Emulated;
        let norms = norms(&machine, bank)?;
        let longest = norms.max_keepdim(0)?;
        let search = Search { machine: &machine, bank: bank.clone(), norms, longest, count };
        search.of_candidates(queries)?.1.to_vec1()
    }

    #[test]
    fn only_what_rounding_leaves_open_is_measured_whole() -> Result<()> {
        if !emulator::is_available() {
            return Ok(());
        }
        let bank = fill((300, 20), 0.1, DType::F32)?;
        let queries = fill((9, 20), 0.7, DType::F32)?;
        assert_eq!(open(&queries, &bank, 1)?, [0; 9]);
        assert_eq!(open(&queries, &bank, 9)?, [0; 9]);
        // Squares of 1e8, differences of 1e-3.
        let far = Tensor::arange(0f32, 50., &Device::Cpu)?.affine(1. / 1024., 1e4)?;
        let far = far.reshape((50, 1))?.broadcast_as((50, 3))?.contiguous()?;
        assert_eq!(open(&far.narrow(0, 7, 2)?, &far, 1)?, [1; 2]);
        // More equal rows than candidates.
        let equal = Tensor::ones((40, 3), DType::F32, &Device::Cpu)?;
        assert_eq!(open(&equal.narrow(0, 0, 1)?, &equal, 1)?, [1]);
        // All of a small bank are candidates.
        assert_eq!(open(&far.narrow(0, 7, 1)?, &far.narrow(0, 5, 5)?, 2)?, [0]);
        Ok(())
    }
}
