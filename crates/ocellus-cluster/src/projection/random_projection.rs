use ndarray::{Array2, ArrayView2};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use super::panel::{LANES, SparseRows, check_rows};
use super::weights::{ProjectionDims, ProjectionWeights, johnson_lindenstrauss_dims};
use crate::linalg::product_by_rows;
use crate::{Error, Fit, Result, RowSource, Transform};

/// Rows of a block that is multiplied by dense weights.
const DENSE_ROWS: usize = 256;

/// Maps samples to fewer features by a random matrix, so that distances change little.
///
/// ```text
/// y = W x,  W (dims × features) drawn from a seed
/// ```
///
/// # Examples
///
/// ```
/// use ndarray::Array2;
/// use ocellus_cluster::{Fit, RandomProjection, Transform};
///
/// let x = Array2::from_shape_fn((20, 1000), |(i, j)| ((i * j) as f32).sin());
/// let model = RandomProjection::sparse(0.5).fit(x.view())?;
/// assert_eq!(model.dims(), 143); // 4 ln 20 / (0.5²/2 − 0.5³/3)
/// let y = model.transform(x.view())?;
///
/// let squared = |x: &Array2<f32>| (&x.row(3) - &x.row(17)).mapv(|d| d * d).sum();
/// assert!((squared(&y) / squared(&x) - 1.).abs() < 0.5);
/// # Ok::<(), ocellus_cluster::Error>(())
/// ```
///
/// # References
///
/// 1. P. Li, T. Hastie, K. Church: Very sparse random projections, KDD 2006.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct RandomProjection {
    /// What the weights are.
    pub weights: ProjectionWeights,
    /// How many features come out.
    pub dims: ProjectionDims,
    /// What the weights are drawn from.
    pub seed: u64,
}

impl RandomProjection {
    /// Sparse weights of density 1/√features, to as many features as keep squared distances within
    /// 1 ± ε: scikit-learn's and anomalib's `SparseRandomProjection`.
    #[must_use]
    pub fn sparse(epsilon: f64) -> Self {
        let weights = ProjectionWeights::Sparse { density: None };
        Self { weights, dims: ProjectionDims::JohnsonLindenstrauss { epsilon }, seed: 0 }
    }

    /// Normal weights: scikit-learn's `GaussianRandomProjection`.
    #[must_use]
    pub fn gaussian(dims: usize) -> Self {
        let weights = ProjectionWeights::Gaussian;
        Self { weights, dims: ProjectionDims::Fixed(dims), seed: 0 }
    }

    /// Uniform weights: what the authors of PatchCore use.
    #[must_use]
    pub fn uniform(dims: usize) -> Self {
        let weights = ProjectionWeights::Uniform;
        Self { weights, dims: ProjectionDims::Fixed(dims), seed: 0 }
    }

    /// Sets what the weights are.
    #[must_use]
    pub fn with_weights(mut self, weights: ProjectionWeights) -> Self {
        self.weights = weights;
        self
    }

    /// Sets how many features come out.
    #[must_use]
    pub fn with_dims(mut self, dims: ProjectionDims) -> Self {
        self.dims = dims;
        self
    }

    /// Sets what the weights are drawn from.
    #[must_use]
    pub fn with_seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// The projection of that many samples of that many features. Their values do not matter.
    ///
    /// # Errors
    ///
    /// If there is no sample or no feature, or a setting makes no sense.
    pub fn draw(&self, samples: usize, features: usize) -> Result<RandomProjectionModel> {
        if samples == 0 || features == 0 {
            return Err(Error::Empty { what: "the data", rows: samples, columns: features });
        }
        let dims = match self.dims {
            ProjectionDims::Fixed(dims) => dims,
            ProjectionDims::JohnsonLindenstrauss { epsilon } => {
                johnson_lindenstrauss_dims(samples, epsilon)?
            }
        };
        if dims == 0 {
            return Err(Error::InvalidSetting {
                name: "dims",
                value: dims.to_string(),
                remedy: "project to one feature at least",
            });
        }
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
        RandomProjectionModel::from_weights(self.weights.draw(dims, features, &mut rng)?)
    }
}

impl Fit<f32> for RandomProjection {
    type Model = RandomProjectionModel;

    fn fit(&self, x: ArrayView2<'_, f32>) -> Result<Self::Model> {
        crate::check::samples(x)?;
        self.draw(x.nrows(), x.ncols())
    }
}

/// A drawn [`RandomProjection`].
#[derive(Clone, Debug)]
pub struct RandomProjectionModel {
    weights: Array2<f32>,
    /// Where few weights are not 0.
    sparse: Option<SparseRows>,
}

impl RandomProjectionModel {
    /// The projection of weights (dims × features) that another program has drawn.
    ///
    /// # Errors
    ///
    /// If there are none, or one is not finite.
    pub fn from_weights(weights: Array2<f32>) -> Result<Self> {
        crate::check::samples(weights.view())?;
        let nonzero = weights.iter().filter(|w| **w != 0.).count();
        let sparse = (nonzero < weights.len() / 4).then(|| SparseRows::new(&weights));
        Ok(Self { weights: weights.as_standard_layout().into_owned(), sparse })
    }

    /// The weights, (dims × features).
    #[must_use]
    pub fn weights(&self) -> ArrayView2<'_, f32> {
        self.weights.view()
    }

    /// How many features come out.
    #[must_use]
    pub fn dims(&self) -> usize {
        self.weights.nrows()
    }

    /// Projects all rows of a source; only the result and some rows a thread are in memory.
    ///
    /// # Errors
    ///
    /// If the rows have another number of features, are not finite, cannot be read, or are so large
    /// that the result is not finite.
    pub fn project(&self, rows: &dyn RowSource) -> Result<Array2<f32>> {
        let ((count, features), dims) = (rows.size(), self.dims());
        if features != self.weights.ncols() {
            let expected = self.weights.ncols();
            return Err(Error::Features { found: features, expected });
        }
        let mut out = vec![0f32; count * dims];
        let height = if self.sparse.is_some() { LANES } else { DENSE_ROWS };
        let scratch = || (vec![0f32; height * features], vec![[0f32; LANES]; features]);
        let blocks = out.par_chunks_mut(height * dims).enumerate();
        blocks.try_for_each_init(scratch, |(block, panel), (number, out)| {
            let (first, block) = (number * height, &mut block[..out.len() / dims * features]);
            rows.read_rows(first, block)?;
            check_rows(block, features, first)?;
            match &self.sparse {
                Some(sparse) => sparse.project(block, panel, out),
                None => project_dense(&self.weights, block, out)?,
            }
            check_rows(out, dims, first)
        })?;
        shaped(out, count, dims)
    }
}

impl Transform<f32> for RandomProjectionModel {
    fn transform(&self, x: ArrayView2<'_, f32>) -> Result<Array2<f32>> {
        self.project(&x)
    }
}

fn project_dense(weights: &Array2<f32>, block: &[f32], out: &mut [f32]) -> Result<()> {
    let rows = block.len() / weights.ncols();
    let x = ArrayView2::from_shape((rows, weights.ncols()), block);
    let x = x.map_err(|_| Error::Features { found: block.len(), expected: weights.ncols() })?;
    let projected = product_by_rows(x, None, weights.t())?;
    out.iter_mut().zip(&projected).for_each(|(out, value)| *out = *value);
    Ok(())
}

fn shaped(values: Vec<f32>, rows: usize, columns: usize) -> Result<Array2<f32>> {
    Array2::from_shape_vec((rows, columns), values).map_err(|_| Error::Empty {
        what: "the projection",
        rows,
        columns,
    })
}

#[cfg(test)]
mod tests {
    use ocellus_testing::with_threads;

    use super::*;

    fn samples(rows: usize, columns: usize) -> Array2<f32> {
        Array2::from_shape_fn((rows, columns), |(i, j)| ((i * 31 + j * 17) as f32 * 0.37).sin())
    }

    #[test]
    fn is_the_product_with_the_weights() -> Result<()> {
        let x = samples(37, 150);
        for projection in [
            RandomProjection::sparse(0.9),
            RandomProjection::gaussian(23),
            RandomProjection::uniform(5),
        ] {
            let model = projection.fit(x.view())?;
            let product = x.dot(&model.weights().t());
            let y = model.transform(x.view())?;
            assert!((y - product).iter().all(|d| d.abs() < 1e-5), "{projection:?}");
        }
        Ok(())
    }

    #[test]
    fn threads_and_views_change_no_bit() -> Result<()> {
        let x = samples(100, 300);
        for projection in [RandomProjection::sparse(0.9), RandomProjection::gaussian(33)] {
            let model = projection.with_seed(5).fit(x.view())?;
            let y = with_threads(1, || model.transform(x.view()))?;
            assert_eq!(y, with_threads(3, || model.transform(x.view()))?);
            let turned = x.t().to_owned();
            assert_eq!(y, model.transform(turned.t())?);
            assert_eq!(model.weights(), projection.with_seed(5).draw(100, 300)?.weights());
            assert_ne!(model.weights(), projection.with_seed(6).draw(100, 300)?.weights());
        }
        Ok(())
    }

    #[test]
    fn says_what_cannot_be_projected() -> Result<()> {
        assert!(RandomProjection::gaussian(0).draw(3, 3).is_err());
        assert!(RandomProjection::sparse(0.9).draw(0, 3).is_err());
        assert!(RandomProjection::sparse(1.5).draw(3, 3).is_err());
        let model = RandomProjection::gaussian(2).draw(40, 3)?;
        let mut x = samples(40, 3);
        assert!(
            model.transform(samples(2, 4).view()).unwrap_err().to_string().contains("4 features")
        );
        x[[33, 1]] = f32::NAN;
        let message = model.transform(x.view()).unwrap_err().to_string();
        assert!(message.starts_with("row 33, column 1 is NaN"), "{message}");
        let sum = RandomProjectionModel::from_weights(Array2::ones((1, 3)))?;
        x.fill(f32::MAX);
        let message = sum.transform(x.view()).unwrap_err().to_string();
        assert!(message.contains("column 0 is inf"), "{message}");
        Ok(())
    }
}
