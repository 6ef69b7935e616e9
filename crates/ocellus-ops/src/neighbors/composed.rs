//! Candle's operations: all distances from the differences, and the smallest of them again and again.

use candle_core::{Result, Tensor};

use super::Neighbors;

/// Differences that are in memory at once.
const ELEMENTS: usize = 1 << 24;

pub(super) fn nearest_neighbors(
    queries: &Tensor,
    bank: &Tensor,
    count: usize,
) -> Result<Neighbors> {
    let (all, rows) = (queries.dim(0)?, bank.dim(0)?);
    // The distances of so many queries are no more than the differences of one block.
    let step = (ELEMENTS / rows).clamp(1, all);
    let found = (0..all).step_by(step).map(|first| {
        let queries = queries.narrow(0, first, step.min(all - first))?;
        smallest(&squared_distances(&queries, bank)?, count)
    });
    Neighbors::cat(&found.collect::<Result<Vec<_>>>()?)
}

fn squared_distances(queries: &Tensor, bank: &Tensor) -> Result<Tensor> {
    let ((count, size), rows) = (queries.dims2()?, bank.dim(0)?);
    let step = (ELEMENTS / (count * size)).clamp(1, rows);
    let queries = queries.unsqueeze(1)?;
    let blocks = (0..rows).step_by(step).map(|first| {
        let block = bank.narrow(0, first, step.min(rows - first))?.unsqueeze(0)?;
        queries.broadcast_sub(&block)?.sqr()?.sum(2)
    });
    let distances = Tensor::cat(&blocks.collect::<Result<Vec<_>>>()?, 1)?;
    let infinite = distances.ones_like()?.affine(f64::INFINITY, 0.)?;
    distances.eq(&distances)?.where_cond(&distances, &infinite)
}

fn smallest(distances: &Tensor, count: usize) -> Result<Neighbors> {
    let (queries, rows) = distances.dims2()?;
    let infinite = distances.ones_like()?.affine(f64::INFINITY, 0.)?;
    let taken = Tensor::full(u32::MAX, (queries, rows), distances.device())?;
    let mut left = distances.clone();
    // The rows that may still be taken.
    let mut places = Tensor::arange(0, rows as u32, distances.device())?
        .broadcast_as((queries, rows))?
        .contiguous()?;
    let (mut indices, mut squared) = (Vec::new(), Vec::new());
    for _ in 0..count {
        let least = left.min_keepdim(1)?;
        let index = left.broadcast_eq(&least)?.where_cond(&places, &taken)?.min_keepdim(1)?;
        let here = places.broadcast_eq(&index)?;
        left = here.where_cond(&infinite, &left)?;
        places = here.where_cond(&taken, &places)?;
        indices.push(index);
        squared.push(least);
    }
    let squared_distances = Tensor::cat(&squared, 1)?;
    Ok(Neighbors {
        indices: Tensor::cat(&indices, 1)?,
        distances: squared_distances.sqrt()?,
        squared_distances,
    })
}
