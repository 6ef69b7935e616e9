//! Where patches are compared with the bank: both ways find the same rows at the same distances.

use candle_core::{DType, Tensor};
use ndarray::{Array2, ArrayView2};
use ocellus_cluster::{NearestNeighborsModel, NeighborDistance};
use ocellus_ops::nearest_neighbors;

use crate::{Error, Result, on_cpu::values};

/// The nearest rows of the bank, the nearest first, `(patches, count)`.
pub(super) struct Found {
    pub(super) distances: Array2<f32>,
    pub(super) indices: Array2<usize>,
}

/// Patches and the bank that they are compared with.
pub(super) trait Search {
    /// The rows of the bank that are nearest to each patch.
    fn nearest(&self, count: usize) -> Result<Found>;

    /// The rows of the bank that are nearest to some of them.
    fn around(&self, rows: &[usize], count: usize) -> Result<Found>;

    /// Rows of the bank.
    fn rows(&self, rows: &[usize]) -> Result<Array2<f32>>;

    /// A patch.
    fn patch(&self, patch: usize) -> Result<Vec<f32>>;
}

/// By `ocellus-cluster`, with a bank in memory or in a file.
pub(super) struct OnCpu<'a> {
    pub(super) bank: &'a NearestNeighborsModel,
    pub(super) patches: ArrayView2<'a, f32>,
}

impl Search for OnCpu<'_> {
    fn nearest(&self, count: usize) -> Result<Found> {
        let found = self.bank.find(self.patches, count)?;
        Ok(Found { distances: found.distances, indices: found.indices })
    }

    fn around(&self, rows: &[usize], count: usize) -> Result<Found> {
        let found = self.bank.find(self.rows(rows)?.view(), count)?;
        Ok(Found { distances: found.distances, indices: found.indices })
    }

    fn rows(&self, rows: &[usize]) -> Result<Array2<f32>> {
        Ok(self.bank.rows().gather(rows)?)
    }

    fn patch(&self, patch: usize) -> Result<Vec<f32>> {
        Ok(self.patches.row(patch).to_vec())
    }
}

/// By `ocellus-ops`, with patches and bank on a device: only what was found leaves it.
pub(super) struct OnDevice {
    pub(super) bank: Tensor,
    pub(super) patches: Tensor,
    pub(super) distance: NeighborDistance,
}

impl OnDevice {
    fn find(&self, queries: &Tensor, count: usize) -> Result<Found> {
        let found = nearest_neighbors(queries, &self.bank, count)?;
        let distances = match self.distance {
            NeighborDistance::Squared => found.squared_distances,
            _ => found.distances,
        };
        let indices = found.indices.to_dtype(DType::I64)?.flatten_all()?.to_vec1::<i64>()?;
        let indices = indices.into_iter().map(|index| index as usize).collect();
        let size = (queries.dim(0)?, count);
        Ok(Found { distances: table(size, values(&distances)?)?, indices: table(size, indices)? })
    }

    fn select(&self, rows: &[usize]) -> Result<Tensor> {
        let rows: Vec<u32> = rows.iter().map(|&row| row as u32).collect();
        Ok(self.bank.index_select(&Tensor::new(rows, self.bank.device())?, 0)?)
    }
}

fn table<T>(size: (usize, usize), values: Vec<T>) -> Result<Array2<T>> {
    Array2::from_shape_vec(size, values)
        .map_err(|e| Error::Shape(format!("neighbors of {} × {}: {e}", size.0, size.1)))
}

impl Search for OnDevice {
    fn nearest(&self, count: usize) -> Result<Found> {
        self.find(&self.patches, count)
    }

    fn around(&self, rows: &[usize], count: usize) -> Result<Found> {
        self.find(&self.select(rows)?, count)
    }

    fn rows(&self, rows: &[usize]) -> Result<Array2<f32>> {
        table((rows.len(), self.bank.dim(1)?), values(&self.select(rows)?)?)
    }

    fn patch(&self, patch: usize) -> Result<Vec<f32>> {
        values(&self.patches.narrow(0, patch, 1)?)
    }
}
