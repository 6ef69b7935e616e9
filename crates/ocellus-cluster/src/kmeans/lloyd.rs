use ndarray::{Array2, Axis, s};
use rayon::prelude::*;

use super::clusters::{Clusters, Outcome};
use super::data::Data;
use crate::linalg::product;
use crate::table::Table;
use crate::{Float, Result};

/// Rows whose products with the centers are held at a time.
const ROWS: usize = 8192;

/// When a run ends.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stop {
    pub(super) max_iterations: usize,
    /// On the sum of the centers' squared shifts.
    pub(super) tolerance: f64,
}

/// What a run gave.
#[derive(Clone, Debug)]
pub(super) struct Run<T> {
    pub(super) clusters: Clusters<T>,
    pub(super) iterations: usize,
    pub(super) converged: bool,
}

/// Lloyd's iterations of all runs in step: one product with the centers of all of them.
pub(super) fn lloyd<T: Float>(
    data: &Data<T>,
    starts: Vec<Table<T>>,
    stop: Stop,
) -> Result<Vec<Run<T>>> {
    let start = |centers| Run { clusters: Clusters::new(centers), iterations: 0, converged: false };
    let mut runs: Vec<Run<T>> = starts.into_iter().map(start).collect();
    let mut outcomes = vec![Outcome::Moving; runs.len()];
    for _ in 0..stop.max_iterations {
        let mut moving: Vec<_> = (runs.iter_mut().zip(&mut outcomes))
            .filter(|(_, outcome)| **outcome == Outcome::Moving)
            .collect();
        if moving.is_empty() {
            break;
        }
        let clusters: Vec<_> = moving.iter().map(|(run, _)| &run.clusters).collect();
        let labels = assign(data, &clusters)?;
        moving.par_iter_mut().zip(labels).try_for_each(
            |((run, outcome), labels)| -> Result<()> {
                (**outcome, _) = run.clusters.step(data, labels, stop.tolerance)?;
                run.iterations += 1;
                run.converged = **outcome != Outcome::Moving;
                Ok(())
            },
        )?;
    }
    let mut open: Vec<_> = (runs.iter_mut().zip(&outcomes))
        .filter_map(|(run, outcome)| (*outcome != Outcome::Settled).then_some(&mut run.clusters))
        .collect();
    let clusters: Vec<_> = open.iter().map(|clusters| &**clusters).collect();
    let labels = assign(data, &clusters)?;
    for (clusters, labels) in open.iter_mut().zip(labels) {
        clusters.labels = labels;
    }
    Ok(runs)
}

/// The nearest center of each row, for each run: the least ½‖c‖² − x·c.
fn assign<T: Float>(data: &Data<T>, runs: &[&Clusters<T>]) -> Result<Vec<Vec<usize>>> {
    let Some(first) = runs.first() else { return Ok(Vec::new()) };
    let count = first.centers.len();
    let mut centers = Array2::zeros((runs.len() * count, first.centers.columns()));
    for (mut block, run) in centers.axis_chunks_iter_mut(Axis(0), count).zip(runs) {
        block.assign(&run.centers.view());
    }
    let halves = Table::new(centers.view()).squared_norms();
    let halves: Vec<T> = halves.into_iter().map(|norm| T::narrow(norm / 2.)).collect();
    let samples = data.rows.len();
    let mut labels = vec![Vec::with_capacity(samples); runs.len()];
    for start in (0..samples).step_by(ROWS) {
        let rows = data.rows.view();
        let rows = rows.slice(s![start..samples.min(start + ROWS), ..]);
        let products: Array2<T> = product(rows, centers.t())?;
        labels.par_iter_mut().enumerate().for_each(|(run, labels)| {
            let columns = run * count..(run + 1) * count;
            let halves = &halves[columns.clone()];
            let nearest = products.axis_iter(Axis(0)).into_par_iter().with_min_len(256);
            let nearest = nearest.map(|row| {
                let row = row.slice_move(s![columns.clone()]);
                let mut best = (0, T::infinity());
                for (i, (&half, &product)) in halves.iter().zip(row).enumerate() {
                    if half - product < best.1 {
                        best = (i, half - product);
                    }
                }
                best.0
            });
            labels.par_extend(nearest);
        });
    }
    Ok(labels)
}
