//! Every distance, one after the other.

use candle_core::{Device, Result, Tensor};
use rayon::prelude::*;

use super::Neighbors;
use crate::cpu::{Float, read};
use crate::parallel::wide;

/// ‖a − b‖², in eight sums, as the kernel for GPUs adds it up; infinite if it is not a number.
pub(super) fn squared_distance<T: Float>(a: &[T], b: &[T]) -> f64 {
    let square = |(a, b): (&T, &T)| {
        let d = wide(*a) - wide(*b);
        d * d
    };
    let (a_head, a_tail) = a.as_chunks::<8>();
    let (b_head, b_tail) = b.as_chunks::<8>();
    let mut sums = [0.; 8];
    for (a, b) in a_head.iter().zip(b_head) {
        for (sum, pair) in sums.iter_mut().zip(a.iter().zip(b)) {
            *sum += square(pair);
        }
    }
    let left: f64 = a_tail.iter().zip(b_tail).map(square).sum();
    let all = sums.iter().sum::<f64>() + left;
    if all.is_nan() { f64::INFINITY } else { all }
}

pub(super) fn nearest_neighbors<T: Float>(
    queries: &Tensor,
    bank: &Tensor,
    count: usize,
) -> Result<Neighbors> {
    let (size, shape) = (queries.dim(1)?, (queries.dim(0)?, count));
    let (queries, bank) = (read::<T>(queries)?, read::<T>(bank)?);
    let rows: &[T] = &bank;
    let search = |query: &[T]| {
        let mut found: Vec<(f64, u32)> = Vec::with_capacity(count + 1);
        for (number, row) in (0..).zip(rows.chunks_exact(size)) {
            let distance = squared_distance(query, row);
            if found.len() == count && found.last().is_some_and(|last| distance >= last.0) {
                continue;
            }
            // Of equal ones the first row stays before.
            let place = found.partition_point(|other| other.0 <= distance);
            found.insert(place, (distance, number));
            found.truncate(count);
        }
        found
    };
    let found: Vec<(f64, u32)> = queries.par_chunks_exact(size).flat_map_iter(search).collect();
    let tensor = |value: fn(f64) -> f64| {
        let values: Vec<T> = found.iter().map(|one| T::from_f64(value(one.0))).collect();
        Tensor::from_vec(values, shape, &Device::Cpu)
    };
    let indices: Vec<u32> = found.iter().map(|one| one.1).collect();
    Ok(Neighbors {
        distances: tensor(f64::sqrt)?,
        squared_distances: tensor(|squared| squared)?,
        indices: Tensor::from_vec(indices, shape, &Device::Cpu)?,
    })
}
