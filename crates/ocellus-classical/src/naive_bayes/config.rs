use ndarray::{Array2, ArrayView2, Axis};
use ocellus_cluster::{Error, FitLabeled, Float, Result, check};

use super::GaussianNaiveBayesModel;

/// Gaussian naive Bayes: within a class the features are independent and normally distributed.
///
/// ```text
/// ln p(y = c, x) = ln πc − ½ Σⱼ [ ln 2π σ²cⱼ + (xⱼ − μcⱼ)² / σ²cⱼ ],   σ²cⱼ = varcⱼ + ε
/// ε = smoothing · maxⱼ varⱼ
/// ```
///
/// # Examples
///
/// ```
/// use ndarray::array;
/// use ocellus_classical::{FitLabeled, GaussianNaiveBayes, Predict};
///
/// let x = array![[0f32], [1.], [5.], [6.]];
/// let model = GaussianNaiveBayes::default().fit(x.view(), &[0, 0, 1, 1])?;
/// assert_eq!(model.predict(array![[2.9], [3.1]].view())?, [0, 1]);
/// assert_eq!(model.means(), array![[0.5], [5.5]]);
/// # Ok::<(), ocellus_classical::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[non_exhaustive]
pub struct GaussianNaiveBayes {
    /// Which part of the largest variance of a feature is added to all variances.
    pub smoothing: f64,
    /// The probability of each class; by default its share of the samples.
    pub priors: Option<Vec<f64>>,
}

impl Default for GaussianNaiveBayes {
    fn default() -> Self {
        Self { smoothing: 1e-9, priors: None }
    }
}

impl GaussianNaiveBayes {
    /// Which part of the largest variance of a feature is added to all variances: 1e-9 by default.
    #[must_use]
    pub const fn with_smoothing(mut self, smoothing: f64) -> Self {
        self.smoothing = smoothing;
        self
    }

    /// The probability of each class; by default its share of the samples.
    #[must_use]
    pub fn with_priors(mut self, priors: Vec<f64>) -> Self {
        self.priors = Some(priors);
        self
    }

    fn priors(&self, counts: &[usize]) -> Result<Vec<f64>> {
        let total: usize = counts.iter().sum();
        let Some(priors) = &self.priors else {
            return Ok(counts.iter().map(|&n| n as f64 / total as f64).collect());
        };
        if priors.len() != counts.len() {
            let (left, right) = ("priors", "the classes");
            let (left_len, right_len) = (priors.len(), counts.len());
            return Err(Error::LengthMismatch { left, left_len, right, right_len });
        }
        let sum: f64 = priors.iter().sum();
        if priors.iter().all(|&p| p >= 0.) && (sum - 1.).abs() < 1e-8 {
            return Ok(priors.clone());
        }
        let value = format!("{priors:?}");
        let remedy = "give one for each class, none negative, that add up to 1";
        Err(Error::InvalidSetting { name: "priors", value, remedy })
    }
}

impl<T: Float> FitLabeled<T> for GaussianNaiveBayes {
    type Model = GaussianNaiveBayesModel;

    fn fit(&self, x: ArrayView2<'_, T>, y: &[usize]) -> Result<GaussianNaiveBayesModel> {
        let classes = check::labels(x, y)?;
        check::not_negative("smoothing", self.smoothing)?;
        let groups: Vec<Vec<usize>> =
            (0..classes).map(|class| (0..y.len()).filter(|&i| y[i] == class).collect()).collect();
        let priors = self.priors(&groups.iter().map(Vec::len).collect::<Vec<_>>())?;
        let all: Vec<usize> = (0..y.len()).collect();
        let (_, variances) = moments(x, &all);
        let largest = variances.into_iter().fold(0., f64::max);
        let mut model = GaussianNaiveBayesModel {
            priors,
            means: Array2::zeros((classes, x.ncols())),
            variances: Array2::zeros((classes, x.ncols())),
        };
        for (class, rows) in groups.iter().enumerate() {
            let (means, variances) = moments(x, rows);
            for (j, (mean, variance)) in means.into_iter().zip(variances).enumerate() {
                model.means[[class, j]] = mean;
                model.variances[[class, j]] = variance + self.smoothing * largest;
            }
        }
        match model.variances.indexed_iter().find(|(_, v)| !(v.is_normal() && **v > 0.)) {
            None => Ok(model),
            Some(((class, feature), variance)) => Err(Error::InvalidSetting {
                name: "a variance",
                value: format!("{variance} (feature {feature} of class {class})"),
                remedy: "drop constant features or raise `smoothing`; scale extreme values",
            }),
        }
    }
}

/// Mean and variance of each column over some of the rows.
fn moments<T: Float>(x: ArrayView2<'_, T>, rows: &[usize]) -> (Vec<f64>, Vec<f64>) {
    let count = rows.len() as f64;
    let (mut means, mut variances) = (vec![0.; x.ncols()], vec![0.; x.ncols()]);
    for &i in rows {
        for (sum, value) in means.iter_mut().zip(x.index_axis(Axis(0), i)) {
            *sum += value.widen();
        }
    }
    means.iter_mut().for_each(|sum| *sum /= count);
    for &i in rows {
        let row = x.index_axis(Axis(0), i);
        for ((sum, mean), value) in variances.iter_mut().zip(&means).zip(row) {
            *sum += (value.widen() - mean).powi(2);
        }
    }
    variances.iter_mut().for_each(|sum| *sum /= count);
    (means, variances)
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    #[test]
    fn says_what_is_wrong() {
        let x = array![[0., 1.], [1., 1.], [2., 1.], [4., 1.]];
        let y = [0, 0, 1, 1];
        let fit = |settings: GaussianNaiveBayes| settings.fit(x.view(), &y);
        assert!(fit(GaussianNaiveBayes::default()).is_ok(), "smoothing makes up for a constant");
        for (settings, part) in [
            (GaussianNaiveBayes::default().with_smoothing(-1.), "smoothing is -1"),
            (GaussianNaiveBayes::default().with_smoothing(f64::NAN), "smoothing is NaN"),
            (GaussianNaiveBayes::default().with_smoothing(0.), "feature 1 of class 0"),
            (GaussianNaiveBayes::default().with_priors(vec![1.]), "priors has 1"),
            (GaussianNaiveBayes::default().with_priors(vec![0.5, 0.6]), "add up to 1"),
            (GaussianNaiveBayes::default().with_priors(vec![-0.5, 1.5]), "none negative"),
        ] {
            let message = fit(settings).unwrap_err().to_string();
            assert!(message.contains(part), "{message}");
        }
        let constant = Array2::<f32>::ones((4, 2));
        let error = GaussianNaiveBayes::default().fit(constant.view(), &y).unwrap_err();
        assert!(error.to_string().contains("drop constant features"), "{error}");
    }
}
