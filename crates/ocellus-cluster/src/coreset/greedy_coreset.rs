use ndarray::ArrayView2;
use rand::{Rng, SeedableRng, seq::index};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use super::beginning::CoresetBeginning;
use super::distance::squared_distance;
use super::farthest::Farthest;
use crate::{Error, RandomProjection, Result, RowSource, rows::read_block};

/// How many rows a coreset has.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum CoresetSize {
    /// That many.
    Count(usize),
    /// That share of the rows, rounded down.
    Ratio(f64),
}

/// Where the choice begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum CoresetStart {
    /// At a row drawn from the seed, which is the first of the coreset.
    Random,
    /// At that row.
    Row(usize),
    /// At the row that is farthest, on average, from that many rows drawn from the seed (or from all,
    /// if there are fewer). They are not in the coreset, but the average stays an upper bound of each
    /// row's distance: the approximation in the code of PatchCore's authors.
    Approximate {
        /// How many rows are drawn.
        rows: usize,
    },
}

/// Chooses rows that cover all others: each next one is the farthest from those chosen before
/// (greedy k-center).
///
/// ```text
/// cᵢ = argmax over rows x of min over j < i of ‖P x − P cⱼ‖
/// ```
///
/// with a random projection P, or none. The largest distance of a row to the coreset is at most twice
/// that of the best choice of as many rows. Of rows that are equally far, the first is chosen.
///
/// Distances are computed as few as can be: a row that is nearer to an earlier choice than another
/// row is to all of them is not looked at. The choice is the same at any number of threads.
///
/// # Memory
///
/// The projected rows are in memory, the rows are not: with a projection
/// `rows × (4 · dims + 9) + features × (5 · dims + 1100 · threads)` bytes, without one
/// `rows × (4 · features + 9)`. 1.5 million patches of 1536 features, 9.2 GB, take 2.1 GB.
///
/// # Examples
///
/// ```
/// use ndarray::array;
/// use ocellus_cluster::{CoresetSize, CoresetStart, GreedyCoreset};
///
/// let x = array![[0f32], [1.], [2.], [10.], [11.], [6.]];
/// let coreset = GreedyCoreset::new(CoresetSize::Count(3)).with_start(CoresetStart::Row(0)).select(&x)?;
/// assert_eq!(coreset.indices, [0, 4, 5]);
/// assert_eq!(coreset.radius, 2.); // of the row 2, which is as far from 0.
/// # Ok::<(), ocellus_cluster::Error>(())
/// ```
///
/// # References
///
/// 1. T. Gonzalez: Clustering to minimize the maximum intercluster distance, 1985.
/// 2. K. Roth et al.: Towards total recall in industrial anomaly detection, CVPR 2022.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct GreedyCoreset {
    /// How many rows are chosen.
    pub size: CoresetSize,
    /// Where the choice begins.
    pub start: CoresetStart,
    /// What maps rows to fewer features before distances are computed, if anything.
    pub projection: Option<RandomProjection>,
    /// What the start is drawn from; the projection has its own.
    pub seed: u64,
}

/// The rows that [`GreedyCoreset`] chose.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Coreset {
    /// Their numbers, in the order in which they were chosen.
    pub indices: Vec<usize>,
    /// How far each was from those before, projected; infinite for the first. It never grows.
    pub distances: Vec<f32>,
    /// The largest distance of a row to the coreset, projected.
    pub radius: f32,
}

impl GreedyCoreset {
    /// From a random row, without a projection.
    #[must_use]
    pub fn new(size: CoresetSize) -> Self {
        Self { size, start: CoresetStart::Random, projection: None, seed: 0 }
    }

    /// As anomalib 2.7: a share of the rows, from a random one, sparsely projected with ε = 0.9.
    #[must_use]
    pub fn anomalib(ratio: f64) -> Self {
        Self::new(CoresetSize::Ratio(ratio)).with_projection(Some(RandomProjection::sparse(0.9)))
    }

    /// As the authors of PatchCore: a share of the rows, approximately from 10 random ones, projected
    /// to 128 features.
    #[must_use]
    pub fn official(ratio: f64) -> Self {
        Self::new(CoresetSize::Ratio(ratio))
            .with_start(CoresetStart::Approximate { rows: 10 })
            .with_projection(Some(RandomProjection::uniform(128)))
    }

    /// Sets how many rows are chosen.
    #[must_use]
    pub fn with_size(mut self, size: CoresetSize) -> Self {
        self.size = size;
        self
    }

    /// Sets where the choice begins.
    #[must_use]
    pub fn with_start(mut self, start: CoresetStart) -> Self {
        self.start = start;
        self
    }

    /// Sets what maps rows to fewer features.
    #[must_use]
    pub fn with_projection(mut self, projection: Option<RandomProjection>) -> Self {
        self.projection = projection;
        self
    }

    /// Sets what start and projection are drawn from.
    #[must_use]
    pub fn with_seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self.projection = self.projection.map(|projection| projection.with_seed(seed));
        self
    }

    /// Chooses rows.
    ///
    /// # Errors
    ///
    /// If there are no rows, fewer than are to be chosen, or none to be chosen; the start is none of
    /// them; or a value is not finite or so large that distances are not.
    pub fn select(&self, rows: &dyn RowSource) -> Result<Coreset> {
        self.select_with_progress(rows, |_, _| ())
    }

    /// Chooses rows and tells how many of how many it has.
    ///
    /// # Errors
    ///
    /// As [`select`](Self::select).
    pub fn select_with_progress(
        &self,
        rows: &dyn RowSource,
        progress: impl FnMut(usize, usize),
    ) -> Result<Coreset> {
        choose(self.begin(rows)?, progress)
    }

    /// Projects the rows and draws the start: what is left is the choice.
    ///
    /// # Examples
    ///
    /// ```
    /// use ndarray::array;
    /// use ocellus_cluster::{CoresetSize, CoresetStart, GreedyCoreset};
    ///
    /// let x = array![[0f32], [1.], [2.]];
    /// let coreset = GreedyCoreset::new(CoresetSize::Count(2)).with_start(CoresetStart::Row(1));
    /// let beginning = coreset.begin(&x)?;
    /// assert_eq!((beginning.size, beginning.first, beginning.rows), (2, 1, x));
    /// # Ok::<(), ocellus_cluster::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`select`](Self::select), but for distances that are not finite.
    pub fn begin(&self, rows: &dyn RowSource) -> Result<CoresetBeginning> {
        let (count, columns) = rows.size();
        if count == 0 || columns == 0 {
            return Err(Error::Empty { what: "the data", rows: count, columns });
        }
        let size = self.count(count)?;
        let rows = match &self.projection {
            Some(projection) => projection.draw(count, columns)?.project(rows)?,
            None => read_block(rows, 0..count, 0..columns)?,
        };
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
        let (first, bounds) = match self.start {
            CoresetStart::Approximate { rows: 0 } => {
                return Err(Error::InvalidSetting {
                    name: "the rows of an approximate start",
                    value: "0".to_owned(),
                    remedy: "draw one at least",
                });
            }
            CoresetStart::Approximate { rows: starts } => {
                let starts = index::sample(&mut rng, count, starts.min(count)).into_vec();
                let bounds = mean_distances(rows.view(), &starts);
                let greatest = |a: usize, b: usize| if bounds[b] > bounds[a] { b } else { a };
                ((0..count).fold(0, greatest), Some(bounds))
            }
            CoresetStart::Random => (rng.random_range(0..count), None),
            CoresetStart::Row(row) => (row, None),
        };
        if first >= count {
            return Err(Error::TooFew {
                what: "rows",
                found: count,
                needed: first + 1,
                remedy: "start at one that is there".to_owned(),
            });
        }
        Ok(CoresetBeginning { rows, size, first, bounds })
    }

    /// How many rows of that many are chosen.
    fn count(&self, rows: usize) -> Result<usize> {
        let count = match self.size {
            CoresetSize::Count(count) => count,
            CoresetSize::Ratio(ratio) if (0. ..=1.).contains(&ratio) => {
                (rows as f64 * ratio) as usize
            }
            CoresetSize::Ratio(ratio) => {
                return Err(Error::InvalidSetting {
                    name: "the coreset's ratio",
                    value: ratio.to_string(),
                    remedy: "give a share of more than 0 and at most 1",
                });
            }
        };
        if count == 0 {
            return Err(Error::InvalidSetting {
                name: "the coreset's size",
                value: format!("0 of {rows} rows ({:?})", self.size),
                remedy: "choose one row at least",
            });
        }
        if count > rows {
            return Err(Error::TooFew {
                what: "rows",
                found: rows,
                needed: count,
                remedy: "choose a smaller coreset".to_owned(),
            });
        }
        Ok(count)
    }
}

fn choose(beginning: CoresetBeginning, mut progress: impl FnMut(usize, usize)) -> Result<Coreset> {
    let CoresetBeginning { rows, size, first, bounds } = beginning;
    let mut coreset = Coreset { indices: vec![], distances: vec![], radius: 0. };
    let bounded = bounds.is_some();
    let mut farthest = Farthest::new(rows.view(), bounds);
    if !bounded {
        farthest.add(first);
        coreset.indices.push(first);
        coreset.distances.push(f32::INFINITY);
    }
    while coreset.indices.len() < size {
        let Some((row, squared)) = farthest.find() else { break };
        if !squared.is_finite() {
            return Err(too_large(row));
        }
        farthest.add(row);
        coreset.indices.push(row);
        coreset.distances.push(squared.sqrt());
        progress(coreset.indices.len(), size);
    }
    let radius = farthest.find().map_or(0., |(_, squared)| squared.sqrt());
    Ok(Coreset { radius, ..coreset })
}

/// The squares of the mean distances to some rows.
fn mean_distances(rows: ArrayView2<'_, f32>, starts: &[usize]) -> Vec<f32> {
    let columns = rows.ncols();
    let values = rows.to_slice().unwrap_or_default();
    let row = |row: usize| &values[row * columns..][..columns];
    let mean = |index: usize| {
        let distances = starts
            .iter()
            .map(|&start| squared_distance(row(index), row(start), f32::INFINITY).sqrt());
        (distances.sum::<f32>() / starts.len() as f32).powi(2)
    };
    (0..rows.nrows()).into_par_iter().map(mean).collect()
}

fn too_large(row: usize) -> Error {
    Error::InvalidSetting {
        name: "a squared distance",
        value: format!("infinite at row {row}"),
        remedy: "scale the rows down",
    }
}

#[cfg(test)]
mod tests;
