use ndarray::Array2;
use rand::seq::index;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use super::clusters::too_few_distinct;
use super::data::Data;
use crate::linalg::product;
use crate::{Float, Result};

/// The generator of a run: that of run r does not depend on how many runs there are.
pub(super) fn generator(seed: u64, run: usize) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(run as u64);
    rng
}

/// `count` different rows.
pub(super) fn random_rows(samples: usize, count: usize, rng: &mut impl Rng) -> Vec<usize> {
    index::sample(rng, samples, count).into_vec()
}

/// Greedy k-means++ of all runs in step: of 2 + ⌊ln k⌋ rows drawn in proportion to their squared
/// distance to the rows chosen so far, the one that lowers the sum of these most. `draws` gives
/// uniform numbers in 0..1, for each run.
pub(super) fn plus_plus<T: Float>(
    data: &Data<T>,
    count: usize,
    draws: &mut [impl FnMut() -> f64],
) -> Result<Vec<Vec<usize>>> {
    let samples = data.rows.len();
    let trials = 2 + (count as f64).ln() as usize;
    let first =
        |draw: &mut dyn FnMut() -> f64| ((draw() * samples as f64) as usize).min(samples - 1);
    let first: Vec<usize> = draws.iter_mut().map(|draw| first(draw)).collect();
    let mut nearest = distances(data, &first)?;
    let mut chosen: Vec<Vec<usize>> = first.into_iter().map(|row| vec![row]).collect();
    for found in 1..count {
        let mut candidates = Vec::with_capacity(draws.len() * trials);
        for (draw, nearest) in draws.iter_mut().zip(&nearest) {
            let sums = cumulative(nearest);
            let total = sums.last().copied().unwrap_or(0.);
            if total <= 0. {
                return Err(too_few_distinct(found, count));
            }
            for _ in 0..trials {
                let target = draw() * total;
                candidates.push(sums.partition_point(|&sum| sum < target).min(samples - 1));
            }
        }
        let mut reached = distances(data, &candidates)?;
        reached.par_iter_mut().enumerate().for_each(|(i, reached)| {
            for (d, &near) in reached.iter_mut().zip(&nearest[i / trials]) {
                *d = d.min(near);
            }
        });
        let sums: Vec<f64> = reached.par_iter().map(|reached| reached.iter().sum()).collect();
        for (run, chosen) in chosen.iter_mut().enumerate() {
            let own = run * trials..(run + 1) * trials;
            let best = own.min_by(|&a, &b| sums[a].total_cmp(&sums[b])).unwrap_or(run * trials);
            chosen.push(candidates[best]);
            nearest[run] = std::mem::take(&mut reached[best]);
        }
    }
    Ok(chosen)
}

/// The squared distance of each sample to each of some rows, row by row of these.
fn distances<T: Float>(data: &Data<T>, rows: &[usize]) -> Result<Vec<Vec<f64>>> {
    let products: Array2<T> = product(data.rows.view(), data.rows.select(rows).view().t())?;
    let distances = rows.par_iter().enumerate().map(|(column, &row)| {
        let products = products.column(column);
        let squares = products.iter().zip(&data.norms).map(|(&product, &norm)| {
            (norm.widen() + data.norms[row].widen() - 2. * product.widen()).max(0.)
        });
        let mut squares: Vec<f64> = squares.collect();
        squares[row] = 0.;
        squares
    });
    Ok(distances.collect())
}

fn cumulative(values: &[f64]) -> Vec<f64> {
    let sums = values.iter().scan(0., |sum, value| {
        *sum += value;
        Some(*sum)
    });
    sums.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::golden::{indices, matrix, numbers, read};

    #[test]
    fn the_same_draws_choose_scikit_learns_rows() {
        for case in read("kmeans")["seedings"].as_array().unwrap() {
            let data = Data::new(matrix(&case["x"]).view()).unwrap();
            let rows = indices(&case["rows"]);
            let draws = || {
                let mut draws = numbers(&case["draws"]).into_iter();
                move || draws.next().unwrap()
            };
            // Runs in step do not disturb each other.
            let found = plus_plus(&data, rows.len(), &mut [draws(), draws()]).unwrap();
            assert_eq!(found, [rows.clone(), rows]);
        }
    }

    #[test]
    fn runs_do_not_depend_on_their_number() {
        let first = |run| generator(7, run).random::<u64>();
        assert_ne!(first(0), first(1));
        assert_eq!(first(1), first(1));
    }
}
