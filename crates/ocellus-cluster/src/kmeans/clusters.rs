use ndarray::{Array2, s};
use rayon::prelude::*;

use super::data::Data;
use crate::table::{Table, squared_distance};
use crate::{Error, Float, Result};

/// Columns of each task that sums.
const COLUMNS: usize = 128;

/// The state of one run: centers, and the sums of the rows of each cluster, which follow the rows
/// that change their cluster.
#[derive(Clone, Debug)]
pub(super) struct Clusters<T> {
    pub(super) centers: Table<T>,
    /// The cluster of each row; none before the first assignment.
    pub(super) labels: Vec<usize>,
    counts: Vec<usize>,
    /// (clusters, columns of the task), task by task.
    sums: Vec<Vec<f64>>,
}

/// How an iteration ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// No row changed its cluster.
    Settled,
    /// The centers moved less than the tolerance: labels follow once more.
    Close,
    /// Neither.
    Moving,
}

impl<T: Float> Clusters<T> {
    pub(super) fn new(centers: Table<T>) -> Self {
        let count = centers.len();
        let starts = (0..centers.columns()).step_by(COLUMNS);
        let widths = starts.map(|start| COLUMNS.min(centers.columns() - start));
        let sums = widths.map(|width| vec![0.; count * width]).collect();
        Self { centers, labels: Vec::new(), counts: vec![0; count], sums }
    }

    /// Takes new labels and moves the centers to the means. Returns how, and how far each center
    /// moved, squared.
    pub(super) fn step(
        &mut self,
        data: &Data<T>,
        labels: Vec<usize>,
        tolerance: f64,
    ) -> Result<(Outcome, Vec<f64>)> {
        let settled = self.relabel(data, labels);
        let shifts = self.center(data)?;
        let outcome = match settled {
            true => Outcome::Settled,
            false if shifts.iter().sum::<f64>() <= tolerance => Outcome::Close,
            false => Outcome::Moving,
        };
        Ok((outcome, shifts))
    }

    /// Whether all is as it was.
    fn relabel(&mut self, data: &Data<T>, labels: Vec<usize>) -> bool {
        let old = std::mem::replace(&mut self.labels, labels);
        let from = |i: usize| old.get(i).copied();
        let changes = self.labels.iter().enumerate().map(|(i, &to)| (i, from(i), to));
        let changes: Vec<_> = changes.filter(|&(_, from, to)| from != Some(to)).collect();
        for &(_, from, to) in &changes {
            if let Some(from) = from {
                self.counts[from] -= 1;
            }
            self.counts[to] += 1;
        }
        self.sums.par_iter_mut().enumerate().for_each(|(task, sums)| {
            for &(i, from, to) in &changes {
                if let Some(from) = from {
                    add(sums, from, part(data, i, task), -1.);
                }
                add(sums, to, part(data, i, task), 1.);
            }
        });
        changes.is_empty()
    }

    fn center(&mut self, data: &Data<T>) -> Result<Vec<f64>> {
        let moved = self.refill(data)?;
        let mut counts = self.counts.clone();
        for &(_, from, to) in &moved {
            counts[from] -= 1;
            counts[to] += 1;
        }
        let parts: Vec<Vec<T>> = (self.sums.par_iter().enumerate())
            .map(|(task, sums)| {
                let mut sums = sums.clone();
                for &(i, from, to) in &moved {
                    add(&mut sums, from, part(data, i, task), -1.);
                    add(&mut sums, to, part(data, i, task), 1.);
                }
                let width = sums.len() / counts.len();
                let means = sums.chunks_exact(width).zip(&counts);
                means
                    .flat_map(|(sums, &count)| sums.iter().map(move |&sum| sum / count as f64))
                    .map(T::narrow)
                    .collect()
            })
            .collect();
        let mut centers = Array2::zeros(self.centers.view().dim());
        for (task, part) in parts.iter().enumerate() {
            let width = part.len() / counts.len();
            let mut columns = centers.slice_mut(s![.., task * COLUMNS..task * COLUMNS + width]);
            columns.iter_mut().zip(part).for_each(|(to, &from)| *to = from);
        }
        let centers = Table::new(centers.view());
        let shifts = self.centers.iter().zip(centers.iter());
        let shifts = shifts.map(|(old, new)| squared_distance(old, new)).collect();
        self.centers = centers;
        Ok(shifts)
    }

    /// For each empty cluster, a row that is far from its center: (row, its cluster, the empty
    /// one).
    fn refill(&self, data: &Data<T>) -> Result<Vec<(usize, usize, usize)>> {
        let empty = self.counts.iter().enumerate().filter(|(_, count)| **count == 0);
        let empty: Vec<usize> = empty.map(|(cluster, _)| cluster).collect();
        if empty.is_empty() {
            return Ok(Vec::new());
        }
        let distances = self.distances(data);
        let mut rows: Vec<usize> = (0..distances.len()).collect();
        rows.sort_by(|&a, &b| distances[b].total_cmp(&distances[a]).then(a.cmp(&b)));
        let mut counts = self.counts.clone();
        let (mut moved, mut rows) = (Vec::new(), rows.into_iter());
        for &to in &empty {
            // The last row of a cluster stays: another would be empty instead.
            let far = rows.find(|&i| counts[self.labels[i]] > 1 && distances[i] > 0.);
            let Some(i) = far else {
                let (found, needed) = (counts.len() - empty.len() + moved.len(), counts.len());
                return Err(too_few_distinct(found, needed));
            };
            counts[self.labels[i]] -= 1;
            moved.push((i, self.labels[i], to));
        }
        Ok(moved)
    }

    /// The squared distance of each row to its center.
    fn distances(&self, data: &Data<T>) -> Vec<f64> {
        let distance = |(i, &label): (usize, &usize)| {
            squared_distance(data.rows.row(i), self.centers.row(label))
        };
        self.labels.par_iter().enumerate().map(distance).collect()
    }

    pub(super) fn inertia(&self, data: &Data<T>) -> f64 {
        self.distances(data).iter().sum()
    }
}

pub(super) fn too_few_distinct(found: usize, needed: usize) -> Error {
    let remedy = format!("ask for {found} clusters or fewer");
    Error::TooFew { what: "distinct rows", found, needed, remedy }
}

/// The columns of a row that a task sums.
fn part<T: Float>(data: &Data<T>, row: usize, task: usize) -> &[T] {
    let row = &data.rows.row(row)[task * COLUMNS..];
    &row[..row.len().min(COLUMNS)]
}

fn add<T: Float>(sums: &mut [f64], cluster: usize, row: &[T], sign: f64) {
    let sums = &mut sums[cluster * row.len()..][..row.len()];
    for (sum, value) in sums.iter_mut().zip(row) {
        *sum += sign * value.widen();
    }
}
