use ndarray::{Array1, Array2, ArrayView2, Axis, s};
use ocellus_cluster::{Error, FitLabeled, Float, Result, check};

use super::{LogisticRegressionModel, newton::minimize, objective::Objective};
use crate::{ClassWeights, weights::counts};

/// What holds the coefficients small.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[non_exhaustive]
pub enum Penalty {
    /// ½ ‖w‖², against C times the loss.
    L2 {
        /// C
        c: f64,
    },
    /// Nothing: of classes that a plane separates, the coefficients grow without bound.
    None,
}

/// Logistic regression, multinomial for more than two classes.
///
/// ```text
/// min C Σᵢ sᵢ ln(1 + exp(−(±1)ᵢ (w·xᵢ + b))) + ½ ‖w‖²            two classes
/// min C Σᵢ sᵢ (ln Σₖ exp(wₖ·xᵢ + bₖ) − (w·xᵢ + b) of yᵢ) + ½ Σₖ ‖wₖ‖²   more
/// ```
///
/// sᵢ is the weight of the class; the intercepts are not penalized, those of more than two classes add
/// up to 0. By Newton's method, its steps by conjugate gradients with exact products of the Hessian.
///
/// # Examples
///
/// ```
/// use ndarray::array;
/// use ocellus_classical::{ClassifierModel, FitLabeled, LogisticRegression};
///
/// let x = array![[0f64], [1.], [2.], [3.]];
/// let model = LogisticRegression::default().fit(x.view(), &[0, 0, 1, 1])?;
/// let half = model.predict_proba(array![[1.5]].view())?;
/// assert!((half[[0, 1]] - 0.5).abs() < 1e-4);
/// # Ok::<(), ocellus_classical::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[non_exhaustive]
pub struct LogisticRegression {
    /// What holds the coefficients small.
    pub penalty: Penalty,
    /// How much the samples of each class count.
    pub class_weights: ClassWeights,
    /// Whether there are intercepts.
    pub intercept: bool,
    /// The largest entry of the gradient, of the objective over C Σ sᵢ, that is small enough.
    pub tolerance: f64,
    /// The most steps of Newton's method.
    pub max_iterations: usize,
}

impl Default for LogisticRegression {
    /// scikit-learn's: C = 1, intercepts, tolerance 1e-4, 100 iterations.
    fn default() -> Self {
        Self {
            penalty: Penalty::L2 { c: 1. },
            class_weights: ClassWeights::Equal,
            intercept: true,
            tolerance: 1e-4,
            max_iterations: 100,
        }
    }
}

impl LogisticRegression {
    /// An L2 penalty with that C: 1 by default.
    #[must_use]
    pub const fn with_c(mut self, c: f64) -> Self {
        self.penalty = Penalty::L2 { c };
        self
    }

    /// What holds the coefficients small.
    #[must_use]
    pub const fn with_penalty(mut self, penalty: Penalty) -> Self {
        self.penalty = penalty;
        self
    }

    /// How much the samples of each class count.
    #[must_use]
    pub fn with_class_weights(mut self, weights: ClassWeights) -> Self {
        self.class_weights = weights;
        self
    }

    /// Whether there are intercepts: yes by default.
    #[must_use]
    pub const fn with_intercept(mut self, intercept: bool) -> Self {
        self.intercept = intercept;
        self
    }

    /// The largest entry of the gradient that is small enough: 1e-4 by default.
    #[must_use]
    pub const fn with_tolerance(mut self, tolerance: f64) -> Self {
        self.tolerance = tolerance;
        self
    }

    /// The most steps of Newton's method: 100 by default.
    #[must_use]
    pub const fn with_max_iterations(mut self, iterations: usize) -> Self {
        self.max_iterations = iterations;
        self
    }

    /// 1 / C, or 0.
    fn strength(&self) -> Result<f64> {
        let positive = |name, value: f64| {
            if value > 0. && value.is_finite() {
                return Ok(value);
            }
            let remedy = "give a finite number above 0";
            Err(Error::InvalidSetting { name, value: value.to_string(), remedy })
        };
        positive("tolerance", self.tolerance)?;
        check::positive("max_iterations", self.max_iterations)?;
        match self.penalty {
            Penalty::L2 { c } => Ok(1. / positive("C", c)?),
            Penalty::None => Ok(0.),
        }
    }
}

impl<T: Float> FitLabeled<T> for LogisticRegression {
    type Model = LogisticRegressionModel;

    fn fit(&self, x: ArrayView2<'_, T>, y: &[usize]) -> Result<LogisticRegressionModel> {
        let classes = check::labels(x, y)?;
        let strength = self.strength()?;
        let weights = self.class_weights.resolve(&counts(y, classes))?;
        let weights: Vec<f64> = y.iter().map(|&class| weights[class]).collect();
        let features = x.ncols();
        let mut samples = Array2::ones((x.nrows(), features + usize::from(self.intercept)));
        samples.slice_mut(s![.., ..features]).assign(&x.mapv(T::widen));
        // With intercepts, subtracting the means changes these alone, and makes the problem easier.
        let mut means = Array1::zeros(features);
        if self.intercept {
            means = samples.slice(s![.., ..features]).sum_axis(Axis(0)) / x.nrows() as f64;
            let mut features = samples.slice_mut(s![.., ..features]);
            features -= &means;
        }
        let objective = Objective::new(samples, y, classes, &weights, strength, features);
        let found = minimize(&objective, self.tolerance, self.max_iterations)?;
        let mut coefficients = found.at.slice(s![.., ..features]).to_owned();
        let mut intercepts = Array1::zeros(coefficients.nrows());
        if self.intercept {
            intercepts = &found.at.column(features) - &coefficients.dot(&means);
        }
        if classes > 2 {
            // The same for all classes changes no probability.
            intercepts -= intercepts.sum() / classes as f64;
            let mean = coefficients.sum_axis(Axis(0)) / classes as f64;
            coefficients -= &mean;
        }
        let finite = coefficients.iter().chain(&intercepts).all(|v| v.is_finite());
        if !finite {
            return Err(Error::NotConverged { what: "logistic regression" });
        }
        Ok(LogisticRegressionModel {
            coefficients,
            intercepts,
            iterations: found.iterations,
            converged: found.converged,
        })
    }
}
