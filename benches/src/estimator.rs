use std::cell::OnceCell;
use std::rc::Rc;

use ndarray::{Array2, Array3, ArrayView3};
use ocellus::candle::{Device, Error, Result, Tensor, bail};
use ocellus::classical::{
    ClassifierModel, Dft, FitLabeled, ImageFeatures, Predict, RandomForest, Svm,
};
use ocellus::cluster::{Agglomerative, Fit, GaussianMixture, KMeans, Nmf, Pca, PcaSolver};
use serde::Serialize;

use crate::module::Forward;
use crate::values::fill;

/// What learns from feature vectors: an input is (1, 1, samples, features).
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(tag = "name", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Estimator {
    /// Principal components of the largest variance.
    Pca {
        /// How many.
        components: usize,
        /// How.
        solver: Solver,
    },
    /// Non-negative factors by coordinate descent from `NNDSVDa`.
    Nmf {
        /// How many.
        components: usize,
        /// All are made.
        iterations: usize,
    },
    /// K-means from k-means++.
    Kmeans {
        /// How many.
        clusters: usize,
        /// The best of which is kept.
        runs: usize,
    },
    /// The tree of Ward's linkage, in double precision.
    Ward,
    /// A mixture of Gaussians with full covariances, from k-means.
    Gmm {
        /// How many.
        components: usize,
        /// All are made.
        iterations: usize,
    },
    /// A support vector machine with an RBF kernel, of two classes that overlap.
    Svm {
        /// Whether it predicts its samples too.
        predict: bool,
    },
    /// A random forest of two classes that overlap, and its probabilities of the samples.
    Forest {
        /// How many trees.
        trees: usize,
    },
    /// Gray histograms and Fourier magnitudes of images, which are the input.
    ImageFeatures,
}

/// A solver of principal components.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Solver {
    /// Of the covariance matrix: scikit-learn's `covariance_eigh`, our Lanczos iterations.
    Covariance,
    /// A random projection.
    Randomized,
}

impl Estimator {
    /// Its name in the ids.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Pca { solver: Solver::Covariance, .. } => "pca_covariance",
            Self::Pca { solver: Solver::Randomized, .. } => "pca_randomized",
            Self::Nmf { .. } => "nmf",
            Self::Kmeans { .. } => "kmeans",
            Self::Ward => "ward",
            Self::Gmm { .. } => "gmm",
            Self::Svm { predict: false } => "svm",
            Self::Svm { predict: true } => "svm_predict",
            Self::Forest { .. } => "forest",
            Self::ImageFeatures => "features",
        }
    }

    /// Fits it. The tensor is turned into an array once, at the first run.
    pub(crate) fn build(self) -> Forward {
        if self == Self::ImageFeatures {
            return image_features();
        }
        let samples = OnceCell::new();
        Rc::new(move |inputs, _| {
            let x = match samples.get() {
                Some(x) => x,
                None => samples.get_or_init({
                    let x = array(&inputs[0])?;
                    || x
                }),
            };
            self.fit(x).map(|values| vec![values])
        })
    }

    /// What must agree with others: variances, heights, the likelihood, the objective, or the error that
    /// is left.
    fn fit(self, x: &Array2<f32>) -> Result<Tensor> {
        let values = match self {
            Self::Pca { components, solver } => {
                let solver = match solver {
                    Solver::Covariance => PcaSolver::krylov(),
                    Solver::Randomized => PcaSolver::randomized(),
                };
                let model = Pca::new(components).with_solver(solver).fit(x.view());
                model.map_err(Error::wrap)?.explained_variance().to_vec()
            }
            Self::Nmf { components, iterations } => {
                let nmf = Nmf::new(components).with_max_iterations(iterations).with_tolerance(0.);
                let model = nmf.fit(x.view()).map_err(Error::wrap)?;
                vec![model.reconstruction_error() as f32]
            }
            Self::Kmeans { clusters, runs } => {
                let model = KMeans::new(clusters).with_n_init(runs).fit(x.view());
                vec![model.map_err(Error::wrap)?.inertia() as f32]
            }
            Self::Ward => {
                let tree = Agglomerative::default().fit(x.view()).map_err(Error::wrap)?;
                tree.merges().iter().rev().take(16).map(|merge| merge.height as f32).collect()
            }
            Self::Gmm { components, iterations } => {
                let mixture = GaussianMixture::new(components).with_tolerance(0.);
                let mixture = mixture.with_max_iterations(iterations);
                vec![mixture.fit(x.view()).map_err(Error::wrap)?.lower_bound() as f32]
            }
            Self::Svm { predict } => {
                let model = Svm::default().fit(x.view(), &labels(x)).map_err(Error::wrap)?;
                if predict {
                    model.predict(x.view()).map_err(Error::wrap)?;
                }
                vec![model.objectives()[0] as f32]
            }
            Self::Forest { trees } => {
                let forest = RandomForest::default().with_trees(trees);
                let model = forest.fit(x.view(), &labels(x)).map_err(Error::wrap)?;
                let shares = model.predict_proba(x.view()).map_err(Error::wrap)?;
                let largest = shares.outer_iter().map(|row| row[0].max(row[1])).sum::<f64>();
                vec![(largest / shares.nrows() as f64) as f32]
            }
            Self::ImageFeatures => bail!("features are not of samples but of images"),
        };
        Tensor::new(values, &Device::Cpu)
    }
}

/// Whether the first 8 features are above their mean, the other way round for every tenth sample.
fn labels(x: &Array2<f32>) -> Vec<usize> {
    let sums: Vec<f64> =
        x.outer_iter().map(|row| row.iter().take(8).map(|&v| f64::from(v)).sum()).collect();
    let mean = sums.iter().sum::<f64>() / sums.len() as f64;
    sums.iter().enumerate().map(|(i, &sum)| usize::from((sum > mean) != (i % 10 == 0))).collect()
}

/// The tensor is turned into images once, at the first run.
fn image_features() -> Forward {
    let dft = Some(Dft::default());
    let features = ImageFeatures::default().with_rgb_bins(0).with_hsv_bins(0).with_dft(dft);
    let images = OnceCell::new();
    Rc::new(move |inputs, _| {
        let images = match images.get() {
            Some(images) => images,
            None => images.get_or_init({
                let x = gray_images(&inputs[0])?;
                || x
            }),
        };
        let views: Vec<ArrayView3<'_, u8>> = images.iter().map(|image| image.view()).collect();
        let found = features.extract_all(&views).map_err(Error::wrap)?;
        let values: Vec<f32> = found.iter().map(|&value| value as f32).collect();
        Ok(vec![Tensor::from_vec(values, found.dim(), &Device::Cpu)?])
    })
}

fn gray_images(x: &Tensor) -> Result<Vec<Array3<u8>>> {
    let (count, height, width) = (x.dim(0)?, x.dim(2)?, x.dim(3)?);
    let image = |i| {
        let values: Vec<f32> = x.get(i)?.flatten_all()?.to_vec1()?;
        let gray = values.into_iter().map(|value| ((value + 1.) * 127.5) as u8).collect();
        Array3::from_shape_vec((height, width, 1), gray).map_err(Error::wrap)
    };
    (0..count).map(image).collect()
}

fn array(x: &Tensor) -> Result<Array2<f32>> {
    let columns = x.dim(3)?;
    let rows = x.elem_count() / columns;
    Array2::from_shape_vec((rows, columns), x.flatten_all()?.to_vec1()?).map_err(Error::wrap)
}

/// Non-negative samples of 24 directions whose strength falls, and noise.
pub(crate) fn samples([batch, channels, rows, columns]: [usize; 4]) -> Result<Tensor> {
    const DIRECTIONS: usize = 24;
    let samples = batch * channels * rows;
    let strength = (0..DIRECTIONS).map(|r| 0.85f32.powi(r as i32)).collect::<Vec<_>>();
    let strength = Tensor::new(strength, &Device::Cpu)?;
    let left = fill((samples, DIRECTIONS), 1)?.sqr()?.broadcast_mul(&strength)?;
    let noise = (fill((samples, columns), 3)?.abs()? * 0.2)?;
    let x = (left.matmul(&fill((DIRECTIONS, columns), 2)?.sqr()?)? + noise)?;
    x.reshape((batch, channels, rows, columns))
}
