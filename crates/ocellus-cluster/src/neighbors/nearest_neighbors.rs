use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par};
use ndarray::{Array2, ArrayView2};
use rayon::prelude::*;

use super::candidates::Candidates;
use crate::{Error, Fit, Result, check};

/// Queries of a block.
const QUERIES: usize = 1024;
/// Rows of a block.
const ROWS: usize = 2048;
/// Blocks of rows in a task.
const BLOCKS: usize = 4;

/// How far two samples are from each other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum NeighborDistance {
    /// ‖a − b‖.
    #[default]
    Euclidean,
    /// ‖a − b‖².
    Squared,
}

/// Finds the nearest of many rows, exactly.
///
/// ```text
/// ‖a − b‖² = ‖a‖² + ‖b‖² − 2 a·b
/// ```
///
/// by blocked matrix products finds the few rows that can be among the nearest: all whose distance
/// by this formula is above the k-th smallest by no more than its rounding errors. Their
/// distances are then computed as Σ (a − b)² in double precision. So distances are exact to
/// the last digit of `f32` also where rows are close to each other and far from the origin, where the formula
/// alone gives nonsense; and they do not depend on the other queries or the number of threads.
///
/// Of rows that are equally far, the first comes first.
///
/// # Examples
///
/// ```
/// use ndarray::array;
/// use ocellus_cluster::{Fit, NearestNeighbors};
///
/// let x = array![[0f32, 0.], [3., 4.], [0., 1.], [1., 0.]];
/// let model = NearestNeighbors::new().fit(x.view())?;
/// let neighbors = model.find(array![[0., 0.]].view(), 3)?;
/// assert_eq!(neighbors.indices, array![[0, 2, 3]]);
/// assert_eq!(neighbors.distances, array![[0., 1., 1.]]);
/// # Ok::<(), ocellus_cluster::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct NearestNeighbors {
    /// Which distances are given.
    pub distance: NeighborDistance,
}

impl NearestNeighbors {
    /// Euclidean distances.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets which distances are given.
    #[must_use]
    pub fn with_distance(mut self, distance: NeighborDistance) -> Self {
        self.distance = distance;
        self
    }

    /// As [`Fit::fit`], without a copy of the rows.
    ///
    /// # Errors
    ///
    /// If there are none, or a value is not finite.
    pub fn index(&self, rows: Array2<f32>) -> Result<NearestNeighborsModel> {
        check::samples(rows.view())?;
        let rows =
            if rows.is_standard_layout() { rows } else { rows.as_standard_layout().into_owned() };
        let norms = norms(rows.view());
        let longest = norms.iter().copied().fold(0., f32::max);
        Ok(NearestNeighborsModel { distance: self.distance, rows, norms, longest })
    }
}

impl Fit<f32> for NearestNeighbors {
    type Model = NearestNeighborsModel;

    fn fit(&self, x: ArrayView2<'_, f32>) -> Result<Self::Model> {
        self.index(x.to_owned())
    }
}

/// Rows among which [`NearestNeighbors`] finds.
#[derive(Clone, Debug)]
pub struct NearestNeighborsModel {
    distance: NeighborDistance,
    rows: Array2<f32>,
    /// ‖row‖².
    norms: Vec<f32>,
    longest: f32,
}

/// What was found: (queries, k), the nearest first.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Neighbors {
    /// How far they are.
    pub distances: Array2<f32>,
    /// The numbers of the rows.
    pub indices: Array2<usize>,
}

impl NearestNeighborsModel {
    /// The rows.
    #[must_use]
    pub fn rows(&self) -> ArrayView2<'_, f32> {
        self.rows.view()
    }

    /// The `count` nearest rows of each query.
    ///
    /// # Errors
    ///
    /// If `count` is 0 or there are fewer rows; or the queries have another number of features, or
    /// are not finite.
    ///
    /// # Complexity
    ///
    /// 2 · queries · rows · features operations; 8 MiB a thread and some bytes for each neighbor.
    pub fn find(&self, queries: ArrayView2<'_, f32>, count: usize) -> Result<Neighbors> {
        check::features(queries, self.rows.ncols())?;
        if count == 0 || count > self.rows.nrows() {
            return Err(Error::InvalidSetting {
                name: "the number of neighbors",
                value: format!("{count} of {} rows", self.rows.nrows()),
                remedy: "ask for 1 at least, and for no more than there are",
            });
        }
        let queries = queries.as_standard_layout();
        let candidates = self.candidates(queries.view(), count);
        let found: Vec<Vec<(f64, usize)>> = candidates
            .into_par_iter()
            .zip(queries.outer_iter().into_par_iter())
            .map(|(candidates, query)| {
                let query = query.to_slice().unwrap_or_default();
                let exact = |row: usize| (squared_distance(query, self.row(row)), row);
                let mut found: Vec<_> = candidates.rows().map(exact).collect();
                found.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
                found.truncate(count);
                found
            })
            .collect();
        let distance = |squared: f64| match self.distance {
            NeighborDistance::Euclidean => squared.sqrt() as f32,
            NeighborDistance::Squared => squared as f32,
        };
        let size = (queries.nrows(), count);
        Ok(Neighbors {
            distances: Array2::from_shape_fn(size, |(i, j)| distance(found[i][j].0)),
            indices: Array2::from_shape_fn(size, |(i, j)| found[i][j].1),
        })
    }

    fn row(&self, row: usize) -> &[f32] {
        let columns = self.rows.ncols();
        &self.rows.as_slice().unwrap_or_default()[row * columns..][..columns]
    }

    /// Those of each query.
    fn candidates(&self, queries: ArrayView2<'_, f32>, count: usize) -> Vec<Candidates> {
        let columns = self.rows.ncols();
        let margins: Vec<f32> =
            norms(queries).iter().map(|&norm| margin(norm, self.longest, columns)).collect();
        let values = queries.to_slice().unwrap_or_default();
        let starts = (0..self.rows.nrows()).step_by(ROWS * BLOCKS);
        let blocks: Vec<(usize, &[f32], &[f32])> = starts
            .flat_map(|start| {
                let queries = values.chunks(QUERIES * columns).zip(margins.chunks(QUERIES));
                queries.map(move |(queries, margins)| (start, queries, margins))
            })
            .collect();
        let found: Vec<Vec<Candidates>> = blocks
            .into_par_iter()
            .map_init(
                || vec![0f32; QUERIES.min(queries.nrows()) * ROWS],
                |products, (start, queries, margins)| {
                    self.look(start, queries, margins, count, products)
                },
            )
            .collect();
        let mut all: Vec<Candidates> = Vec::with_capacity(queries.nrows());
        let per_part = margins.len().div_ceil(QUERIES);
        for (part, block) in found.into_iter().enumerate() {
            let first = part % per_part.max(1) * QUERIES;
            for (place, candidates) in block.into_iter().enumerate() {
                match all.get_mut(first + place) {
                    Some(before) => before.merge(candidates),
                    None => all.push(candidates),
                }
            }
        }
        all
    }

    /// The candidates of some queries among the rows of a task.
    fn look(
        &self,
        start: usize,
        queries: &[f32],
        margins: &[f32],
        count: usize,
        products: &mut [f32],
    ) -> Vec<Candidates> {
        let columns = self.rows.ncols();
        let end = self.rows.nrows().min(start + ROWS * BLOCKS);
        let values = &self.rows.as_slice().unwrap_or_default()[start * columns..end * columns];
        let a = MatRef::from_row_major_slice(queries, margins.len(), columns);
        let mut found: Vec<_> =
            margins.iter().map(|&margin| Candidates::new(count, margin)).collect();
        for (number, block) in values.chunks(ROWS * columns).enumerate() {
            let (first, rows) = (start + number * ROWS, block.len() / columns);
            let b = MatRef::from_row_major_slice(block, rows, columns).transpose();
            let products = &mut products[..margins.len() * rows];
            let c = MatMut::from_row_major_slice_mut(products, margins.len(), rows);
            matmul(c, Accum::Replace, a, b, 1., Par::Seq);
            let norms = &self.norms[first..first + rows];
            for (found, products) in found.iter_mut().zip(products.chunks(rows)) {
                found.look(first, norms, products);
            }
        }
        found
    }
}

fn norms(rows: ArrayView2<'_, f32>) -> Vec<f32> {
    let square = |&value: &f32| f64::from(value) * f64::from(value);
    let norm = |row: ndarray::ArrayView1<'_, f32>| row.iter().map(square).sum::<f64>() as f32;
    rows.outer_iter().into_par_iter().map(norm).collect()
}

/// Twice the largest error of ‖b‖² − 2 a·b in `f32`, of a query a and any row b.
///
/// A sum of d products in any order is off by at most (d + 3) u Σ|aᵢ bᵢ| ≤ (d + 3) u ‖a‖ ‖b‖ with
/// u = 2⁻²⁴, and by what underflows; the rest is a rounding each.
fn margin(query: f32, longest: f32, columns: usize) -> f32 {
    let (unit, d) = (2f64.powi(-24), columns as f64);
    let (a, b) = (f64::from(query).sqrt(), f64::from(longest).sqrt());
    let product = (d + 3.) * unit * a * b + d * f64::from(f32::MIN_POSITIVE);
    let error = 2. * product + 2. * unit * (b * b + 2. * a * b);
    (2.1 * error) as f32
}

/// In double precision, in eight partial sums.
fn squared_distance(a: &[f32], b: &[f32]) -> f64 {
    let mut sums = [0f64; 8];
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<8>(), b.as_chunks::<8>());
    for (a, b) in a.iter().zip(b) {
        for lane in 0..8 {
            let difference = f64::from(a[lane]) - f64::from(b[lane]);
            sums[lane] += difference * difference;
        }
    }
    for ((sum, &a), &b) in sums.iter_mut().zip(a_rest).zip(b_rest) {
        let difference = f64::from(a) - f64::from(b);
        *sum += difference * difference;
    }
    sums.iter().sum()
}

#[cfg(test)]
mod tests {
    use ndarray::{array, s};
    use ocellus_testing::with_threads;
    use proptest::prelude::*;
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use super::*;

    fn samples(rows: usize, columns: usize, seed: u64, offset: f32) -> Array2<f32> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        Array2::from_shape_simple_fn((rows, columns), || offset + rng.random_range(-1f32..1.))
    }

    fn brute_force(rows: &Array2<f32>, query: &[f32], count: usize) -> Vec<(f64, usize)> {
        let distance = |row: ndarray::ArrayView1<'_, f32>| {
            row.iter().zip(query).map(|(a, b)| (f64::from(*a) - f64::from(*b)).powi(2)).sum::<f64>()
        };
        let mut all: Vec<_> =
            rows.rows().into_iter().enumerate().map(|(i, row)| (distance(row), i)).collect();
        all.sort_by(|a, b| a.0.total_cmp(&b.0));
        all.truncate(count);
        all
    }

    proptest! {
        #[test]
        fn finds_what_brute_force_finds(
            rows in 1usize..1200, queries in 0usize..6, columns in 1usize..70, k in 1usize..40,
            offset in prop_oneof![Just(0f32), Just(1000.)],
        ) {
            let (bank, queries) = (samples(rows, columns, 1, offset), samples(queries, columns, 2, offset));
            let k = k.min(rows);
            let found = NearestNeighbors::new().fit(bank.view())?.find(queries.view(), k)?;
            prop_assert_eq!(found.indices.dim(), (queries.nrows(), k));
            for (i, query) in queries.rows().into_iter().enumerate() {
                for (j, (squared, row)) in brute_force(&bank, query.to_slice().unwrap(), k).into_iter().enumerate() {
                    let distance = found.distances[[i, j]];
                    prop_assert!((f64::from(distance) - squared.sqrt()).abs() <= 1e-7 * squared.sqrt());
                    prop_assert_eq!(found.indices[[i, j]], row);
                }
            }
        }
    }

    #[test]
    fn many_blocks_give_the_same_as_few() -> Result<()> {
        let (bank, queries) = (samples(20_000, 12, 3, 0.), samples(1100, 12, 4, 0.));
        let model =
            NearestNeighbors::new().with_distance(NeighborDistance::Squared).fit(bank.view())?;
        let all = with_threads(1, || model.find(queries.view(), 9))?;
        assert_eq!(with_threads(4, || model.find(queries.view(), 9))?, all);
        let turned = queries.t().to_owned();
        assert_eq!(model.find(turned.t(), 9)?, all);
        for i in [0, 1023, 1024, 1099] {
            let alone = model.find(queries.slice(s![i..=i, ..]), 9)?;
            assert_eq!(alone.distances.row(0), all.distances.row(i));
            assert_eq!(alone.indices.row(0), all.indices.row(i));
            let expected = brute_force(&bank, queries.row(i).to_slice().unwrap(), 9);
            let indices: Vec<usize> = expected.iter().map(|(_, row)| *row).collect();
            assert_eq!(all.indices.row(i).to_vec(), indices);
        }
        Ok(())
    }

    #[test]
    fn close_rows_far_from_the_origin_are_told_apart() -> Result<()> {
        // Squares of 1e8, differences of 1e-3: by the formula alone all distances are 0.
        let bank = Array2::from_shape_fn((50, 3), |(i, _)| 1e4 + i as f32 / 1024.);
        let model = NearestNeighbors::new().fit(bank.view())?;
        let found = model.find(bank.slice(s![7..8, ..]), 3)?;
        assert_eq!(found.indices, array![[7, 6, 8]]);
        assert_eq!(found.distances[[0, 0]], 0.);
        assert!((found.distances[[0, 1]] - 3f32.sqrt() / 1024.).abs() < 1e-9);
        Ok(())
    }

    #[test]
    fn extreme_but_finite_rows_are_found() -> Result<()> {
        let bank = array![[3e38f32, 0.], [1., 1.], [-3e38, 0.]];
        let model = NearestNeighbors::new().fit(bank.view())?;
        let found = model.find(array![[2e38f32, 0.]].view(), 3)?;
        assert_eq!(found.indices, array![[0, 1, 2]]);
        assert!((found.distances[[0, 0]] / 1e38 - 1.).abs() < 1e-6);
        let bank = samples(40, 3, 0, 0.).mapv(|x| x * 1e-30);
        let found = NearestNeighbors::new().fit(bank.view())?.find(bank.slice(s![7..8, ..]), 3)?;
        let expected = brute_force(&bank, bank.row(7).to_slice().unwrap(), 3);
        assert_eq!(found.indices.row(0).to_vec(), [expected[0].1, expected[1].1, expected[2].1]);
        Ok(())
    }

    #[test]
    fn equal_rows_come_in_their_order() -> Result<()> {
        let bank = Array2::from_elem((300, 2), 0.1f32);
        let found = NearestNeighbors::new().fit(bank.view())?.find(bank.slice(s![9..10, ..]), 4)?;
        assert_eq!(found.indices, array![[0, 1, 2, 3]]);
        Ok(())
    }

    #[test]
    fn says_what_cannot_be_found() -> Result<()> {
        let bank = samples(5, 3, 0, 0.);
        let model = NearestNeighbors::new().fit(bank.view())?;
        for count in [0, 6] {
            let message = model.find(bank.view(), count).unwrap_err().to_string();
            assert!(message.contains(&format!("{count} of 5 rows")), "{message}");
        }
        assert!(
            model
                .find(samples(2, 4, 0, 0.).view(), 1)
                .unwrap_err()
                .to_string()
                .contains("4 features")
        );
        let nan = array![[0., 1., 2.], [0., f32::NAN, 0.]];
        assert!(
            model
                .find(nan.view(), 1)
                .unwrap_err()
                .to_string()
                .starts_with("row 1, column 1 is NaN")
        );
        assert!(NearestNeighbors::new().fit(nan.view()).is_err());
        assert!(NearestNeighbors::new().fit(Array2::zeros((0, 3)).view()).is_err());
        assert_eq!(model.find(Array2::zeros((0, 3)).view(), 2)?.indices.dim(), (0, 2));
        Ok(())
    }
}
