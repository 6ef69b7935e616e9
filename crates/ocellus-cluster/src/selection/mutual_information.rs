use ndarray::{ArrayView1, ArrayView2, Axis};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};
use rayon::prelude::*;

use super::FeatureScores;
use super::classes::{Classes, check_scores};
use super::nearest::information;
use crate::{Error, Float, Result, check, mutual_information};

/// Of a standard deviation: what tells equal values apart.
const NOISE: f64 = 1e-10;

/// Which features are names rather than numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum DiscreteFeatures {
    /// None: all are continuous.
    #[default]
    None,
    /// All.
    All,
    /// These.
    Columns(Vec<usize>),
}

/// The mutual information of each feature and the class, in nats.
///
/// That of a discrete feature follows from how often its values meet the classes. That of a
/// continuous one is estimated from the distances to the nearest samples of the same class \[1, 2\]:
///
/// ```text
/// I = ψ(N) + ⟨ψ(k)⟩ − ⟨ψ(n_c)⟩ − ⟨ψ(m)⟩
/// ```
///
/// where n_c is the size of a sample's class and m counts the samples that are nearer than its kth
/// neighbor within the class. A negative estimate becomes 0, and classes of one sample do not count.
/// Features are first divided by their standard deviation, and a little noise (1e-10) tells equal
/// values apart; it depends on the seed and the column alone.
///
/// # Examples
///
/// ```
/// use ndarray::Array2;
/// use ocellus_cluster::MutualInformation;
///
/// let y: Vec<usize> = (0..100).map(|i| i % 2).collect();
/// let x = Array2::from_shape_fn((100, 2), |(i, j)| if j == 0 { (i * 37 % 100) as f64 } else { y[i] as f64 + 0.001 * i as f64 });
/// let found = MutualInformation::default().score(x.view(), &y)?;
/// assert!((found.scores[1] - 2f64.ln()).abs() < 0.02);
/// # Ok::<(), ocellus_cluster::Error>(())
/// ```
///
/// # Deviations
///
/// A constant feature scores exactly 0, where scikit-learn measures its noise. The noise comes from
/// another generator, so features with equal values get scores that differ a little from
/// scikit-learn's, as scikit-learn's differ between seeds.
///
/// # Complexity
///
/// O(n (k + log n)) a feature.
///
/// # References
///
/// 1. A. Kraskov, H. Stögbauer and P. Grassberger. *Estimating mutual information.* Physical Review E
///    69, 2004.
/// 2. B. C. Ross. *Mutual information between discrete and continuous data sets.* PLoS ONE 9, 2014.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct MutualInformation {
    /// The k of the kth neighbor.
    pub neighbors: usize,
    /// Which features are discrete.
    pub discrete: DiscreteFeatures,
    /// Of the noise.
    pub seed: u64,
}

impl Default for MutualInformation {
    fn default() -> Self {
        Self { neighbors: 3, discrete: DiscreteFeatures::None, seed: 0 }
    }
}

impl MutualInformation {
    /// The k of the kth neighbor: 3 by default. More vary less and blur more.
    #[must_use]
    pub const fn with_neighbors(mut self, neighbors: usize) -> Self {
        self.neighbors = neighbors;
        self
    }

    /// Which features are discrete: none by default.
    #[must_use]
    pub fn with_discrete(mut self, discrete: DiscreteFeatures) -> Self {
        self.discrete = discrete;
        self
    }

    /// The seed of the noise: 0 by default.
    #[must_use]
    pub const fn with_seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// The mutual information of each feature of `x`, (samples, features), and the labels `y`.
    ///
    /// # Errors
    ///
    /// If a value is not finite, labels are missing, all samples are of one class, no class has two
    /// samples, a discrete column is none of the features, or there are to be no neighbors.
    pub fn score<T: Float>(&self, x: ArrayView2<'_, T>, y: &[usize]) -> Result<FeatureScores> {
        check::positive("neighbors", self.neighbors)?;
        let classes = Classes::new(x, y)?;
        classes.check_any_has_two()?;
        let discrete = self.discrete_columns(x.ncols())?;
        let score = |(column, values): (usize, ArrayView1<'_, T>)| {
            let values = values.iter().map(|value| value.widen()).collect();
            if discrete[column] {
                mutual_information(&names(values), classes.of()).unwrap_or(0.)
            } else {
                self.continuous(column, values, &classes)
            }
        };
        let columns: Vec<_> = x.axis_iter(Axis(1)).enumerate().collect();
        let scores: Vec<f64> = columns.into_par_iter().map(score).collect();
        check_scores(&scores)?;
        Ok(FeatureScores { scores, p_values: None })
    }

    fn discrete_columns(&self, columns: usize) -> Result<Vec<bool>> {
        let mut discrete = vec![self.discrete == DiscreteFeatures::All; columns];
        if let DiscreteFeatures::Columns(chosen) = &self.discrete {
            for &column in chosen {
                let remedy = "give columns of the data, counted from 0";
                let wrong = || Error::setting("a discrete column", column, remedy);
                *discrete.get_mut(column).ok_or_else(wrong)? = true;
            }
        }
        Ok(discrete)
    }

    /// NaN if the values' squares overflow.
    fn continuous(&self, column: usize, mut values: Vec<f64>, classes: &Classes) -> f64 {
        let count = values.len() as f64;
        let first = values[0];
        if values.iter().all(|&value| value == first) {
            return 0.;
        }
        let mean = first + values.iter().map(|value| value - first).sum::<f64>() / count;
        let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
        let deviation = (squares / count).sqrt();
        if !deviation.is_finite() {
            return f64::NAN;
        }
        if deviation > 0. {
            values.iter_mut().for_each(|value| *value /= deviation);
        }
        let magnitude = values.iter().map(|value| value.abs()).sum::<f64>() / count;
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
        rng.set_stream(column as u64);
        for value in &mut values {
            let noise: f64 = StandardNormal.sample(&mut rng);
            *value += NOISE * magnitude.max(1.) * noise;
        }
        information(&values, classes.of(), classes.sizes(), self.neighbors)
    }
}

/// Equal numbers for equal values.
fn names(values: Vec<f64>) -> Vec<usize> {
    let mut sorted = values.clone();
    sorted.sort_unstable_by(f64::total_cmp);
    sorted.dedup();
    values.iter().map(|value| sorted.partition_point(|other| other < value)).collect()
}

#[cfg(test)]
mod tests {
    use ndarray::{Array2, array};

    use super::*;

    #[test]
    fn zeros_of_either_sign_are_one_name() {
        assert_eq!(names(vec![3., 0., -0., 3.]), names(vec![3., -0., 0., 3.]));
        assert_eq!(names(vec![0., -0., 1.])[0], names(vec![0., -0., 1.])[1]);
    }

    #[test]
    fn a_constant_feature_tells_nothing_and_a_copy_of_the_class_its_entropy() -> Result<()> {
        let y = [0, 1, 0, 1, 1, 1];
        let x = Array2::from_shape_fn((6, 2), |(i, j)| if j == 0 { 0.1 } else { y[i] as f64 });
        let all = MutualInformation::default().with_discrete(DiscreteFeatures::All);
        let entropy = -(2f64 / 6. * (2f64 / 6.).ln() + 4. / 6. * (4f64 / 6.).ln());
        let found = all.score(x.view(), &y)?.scores;
        assert!(found[0].abs() < 1e-15 && (found[1] - entropy).abs() < 1e-15);
        assert_eq!(MutualInformation::default().score(x.view(), &y)?.scores[0], 0.);
        Ok(())
    }

    #[test]
    fn noise_depends_on_seed_and_column_alone() -> Result<()> {
        let y: Vec<usize> = (0..60).map(|i| i % 3).collect();
        let x = Array2::from_shape_fn((60, 3), |(i, j)| ((i * (j + 3)) % 7 + 2 * (i % 3)) as f64);
        let score = |seed: u64, columns: usize| {
            let x = x.slice(ndarray::s![.., ..columns]);
            MutualInformation::default().with_seed(seed).score(x, &y).map(|found| found.scores)
        };
        assert_eq!(score(5, 3)?[..2], score(5, 2)?);
        assert_ne!(score(5, 3)?, score(6, 3)?);
        Ok(())
    }

    #[test]
    fn wrong_settings_are_errors() {
        let (x, y) = (array![[1.], [2.], [3.]], [0, 0, 1]);
        let none = MutualInformation::default().with_neighbors(0);
        assert!(none.score(x.view(), &y).is_err());
        let outside = DiscreteFeatures::Columns(vec![0, 1]);
        let error = MutualInformation::default().with_discrete(outside).score(x.view(), &y);
        assert!(error.unwrap_err().to_string().starts_with("a discrete column is 1"));
        let huge = array![[1e308], [-1e308], [0.]];
        let error = MutualInformation::default().score(huge.view(), &y).unwrap_err();
        assert!(error.to_string().contains("column 0"), "{error}");
    }
}
