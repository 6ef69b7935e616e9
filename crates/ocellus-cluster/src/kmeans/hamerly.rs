use rayon::prelude::*;

use super::clusters::{Clusters, Outcome};
use super::data::Data;
use super::lloyd::{Run, Stop};
use crate::table::{Table, squared_distance};
use crate::{Float, Result};

/// What is known of a row without measuring.
#[derive(Clone, Copy, Debug)]
struct Bounds {
    label: usize,
    /// Its center is no farther.
    upper: f64,
    /// No other center is nearer.
    lower: f64,
}

/// Lloyd's iterations that measure a row only where its bounds do not decide.
pub(super) fn hamerly<T: Float>(data: &Data<T>, start: Table<T>, stop: Stop) -> Result<Run<T>> {
    let mut clusters = Clusters::new(start);
    let mut bounds: Vec<Bounds> = (0..data.rows.len())
        .into_par_iter()
        .map(|i| measure(data.rows.row(i), &clusters.centers))
        .collect();
    let (mut iterations, mut outcome) = (0, Outcome::Moving);
    while outcome == Outcome::Moving && iterations < stop.max_iterations {
        if iterations > 0 {
            tighten(data, &clusters.centers, &mut bounds);
        }
        let labels = bounds.iter().map(|bounds| bounds.label).collect();
        let shifts;
        (outcome, shifts) = clusters.step(data, labels, stop.tolerance)?;
        loosen(&mut bounds, &shifts);
        iterations += 1;
    }
    if outcome != Outcome::Settled {
        tighten(data, &clusters.centers, &mut bounds);
        clusters.labels = bounds.iter().map(|bounds| bounds.label).collect();
    }
    Ok(Run { clusters, iterations, converged: outcome != Outcome::Moving })
}

/// Measures where the bounds do not decide.
fn tighten<T: Float>(data: &Data<T>, centers: &Table<T>, bounds: &mut [Bounds]) {
    let half_gaps: Vec<f64> = (0..centers.len())
        .map(|i| {
            let others = (0..centers.len()).filter(|&j| j != i);
            let gaps = others.map(|j| squared_distance(centers.row(i), centers.row(j)));
            gaps.fold(f64::INFINITY, f64::min).sqrt() / 2.
        })
        .collect();
    bounds.par_iter_mut().with_min_len(64).enumerate().for_each(|(i, bounds)| {
        let enough = bounds.lower.max(half_gaps[bounds.label]);
        if bounds.upper < enough {
            return;
        }
        let row = data.rows.row(i);
        bounds.upper = squared_distance(row, centers.row(bounds.label)).sqrt();
        if bounds.upper >= enough {
            *bounds = measure(row, centers);
        }
    });
}

/// Widens the bounds by how far the centers moved.
fn loosen(bounds: &mut [Bounds], squared_shifts: &[f64]) {
    let shifts: Vec<f64> = squared_shifts.iter().map(|shift| shift.sqrt()).collect();
    let farthest = (0..shifts.len()).max_by(|&a, &b| shifts[a].total_cmp(&shifts[b])).unwrap_or(0);
    let others = (0..shifts.len()).filter(|&i| i != farthest);
    let second = others.map(|i| shifts[i]).fold(0., f64::max);
    for bounds in bounds {
        bounds.upper += shifts[bounds.label];
        bounds.lower -= if bounds.label == farthest { second } else { shifts[farthest] };
    }
}

/// The two nearest centers.
fn measure<T: Float>(row: &[T], centers: &Table<T>) -> Bounds {
    let mut found = Bounds { label: 0, upper: f64::INFINITY, lower: f64::INFINITY };
    for (label, center) in centers.iter().enumerate() {
        let distance = squared_distance(row, center);
        if distance < found.upper {
            found = Bounds { label, upper: distance, lower: found.upper };
        } else if distance < found.lower {
            found.lower = distance;
        }
    }
    Bounds { upper: found.upper.sqrt(), lower: found.lower.sqrt(), ..found }
}
