use candle_core::Result;

use crate::optim::{
    groups::Groups,
    rule::{Moment, Rule, Slot, Update, outside},
    updater::{Updater, optimizer},
    value::Value,
};

/// Settings of [`Adam`].
///
/// # Examples
///
/// ```
/// use ocellus_train::AdamConfig;
///
/// let config = AdamConfig::new(1e-3).with_betas(0.9, 0.99);
/// assert_eq!(config.eps, 1e-8);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct AdamConfig {
    /// The step length.
    pub learning_rate: f64,
    /// The share of the mean gradient, and of the mean squared gradient, that a step keeps.
    pub betas: (f64, f64),
    /// What keeps the quotient finite.
    pub eps: f64,
    /// The coupled weight decay λ of groups that name none.
    pub weight_decay: f64,
    /// Whether to divide by the largest mean squared gradient so far.
    pub amsgrad: bool,
}

impl AdamConfig {
    /// PyTorch's defaults at that learning rate.
    #[must_use]
    pub fn new(learning_rate: f64) -> Self {
        Self { learning_rate, betas: (0.9, 0.999), eps: 1e-8, weight_decay: 0., amsgrad: false }
    }

    /// The shares of both means that a step keeps.
    #[must_use]
    pub fn with_betas(self, first: f64, second: f64) -> Self {
        Self { betas: (first, second), ..self }
    }

    /// What keeps the quotient finite.
    #[must_use]
    pub fn with_eps(self, eps: f64) -> Self {
        Self { eps, ..self }
    }

    /// The coupled weight decay.
    #[must_use]
    pub fn with_weight_decay(self, weight_decay: f64) -> Self {
        Self { weight_decay, ..self }
    }

    /// Whether to divide by the largest mean squared gradient so far.
    #[must_use]
    pub fn with_amsgrad(self, amsgrad: bool) -> Self {
        Self { amsgrad, ..self }
    }
}

/// Steps of the size of the learning rate, as PyTorch's `Adam`.
///
/// ```text
/// g ← g + λ p
/// m ← β₁ m + (1 − β₁) g
/// v ← β₂ v + (1 − β₂) g²
/// p ← p − lr · m / (1 − β₁ᵗ) / (√(v / (1 − β₂ᵗ)) + ε)
/// ```
///
/// # Parameters
///
/// Slots `mean` and `square` per parameter, and `largest` with `AMSGrad`.
///
/// # Examples
///
/// ```
/// use candle_core::{Device, Var};
/// use ocellus_train::{Adam, AdamConfig, Optimizer};
///
/// let p = Var::new(&[1f64], &Device::Cpu)?;
/// let mut optimizer = Adam::new(AdamConfig::new(0.1), vec![("p".to_owned(), p.clone())])?;
/// optimizer.step(&(p.as_tensor() * 7.)?.sum_all()?.backward()?)?;
/// // The first step has the length of the learning rate, whatever the gradient.
/// assert!((p.to_vec1::<f64>()?[0] - 0.9).abs() < 1e-8);
/// # Ok::<(), candle_core::Error>(())
/// ```
///
/// # References
///
/// Kingma, Ba: Adam: a method for stochastic optimization. ICLR 2015. `AMSGrad`: Reddi, Kale, Kumar:
/// On the convergence of Adam and beyond. ICLR 2018.
#[derive(Debug)]
pub struct Adam(Updater<AdamConfig, 3>);

impl Adam {
    /// An optimizer of these parameters.
    ///
    /// # Errors
    ///
    /// When a setting is out of its range, or a parameter stands in two groups.
    pub fn new(config: AdamConfig, groups: impl Into<Groups>) -> Result<Self> {
        Ok(Self(Updater::new(config, groups.into())?))
    }
}

optimizer!(Adam);

impl Rule<3> for AdamConfig {
    type Update = AdamUpdate;

    fn slots(&self) -> [Slot; 3] {
        adam_slots(self.amsgrad)
    }

    fn update(&self, at: &Moment) -> AdamUpdate {
        AdamUpdate::new(self, at)
    }

    fn learning_rate(&self) -> f64 {
        self.learning_rate
    }

    fn weight_decay(&self) -> f64 {
        self.weight_decay
    }

    fn complaint(&self) -> Option<String> {
        let positive = 0. ..f64::INFINITY;
        outside("the learning rate", self.learning_rate, positive.clone())
            .or(outside("the first beta", self.betas.0, 0. ..1.))
            .or(outside("the second beta", self.betas.1, 0. ..1.))
            .or(outside("eps", self.eps, positive.clone()))
            .or(outside("the weight decay", self.weight_decay, positive))
    }
}

pub(crate) fn adam_slots(amsgrad: bool) -> [Slot; 3] {
    [Slot::new("mean", true), Slot::new("square", true), Slot::new("largest", amsgrad)]
}

/// The arithmetic of Adam; that of `AdamW` is the same on decayed weights.
pub(crate) struct AdamUpdate {
    betas: (f64, f64),
    eps: f64,
    amsgrad: bool,
    /// Coupled.
    weight_decay: f64,
    /// `lr / (1 − β₁ᵗ)`
    rate: f64,
    /// `√(1 − β₂ᵗ)`
    correction: f64,
}

impl AdamUpdate {
    pub(crate) fn new(config: &AdamConfig, at: &Moment) -> Self {
        let AdamConfig { betas, eps, amsgrad, .. } = *config;
        let updates = at.updates as f64;
        let rate = at.learning_rate / (1. - betas.0.powf(updates));
        let correction = (1. - betas.1.powf(updates)).sqrt();
        Self { betas, eps, amsgrad, weight_decay: at.weight_decay, rate, correction }
    }
}

impl Update<3> for AdamUpdate {
    fn entry<V: Value>(&self, p: V, g: V, [mean, square, largest]: [V; 3]) -> (V, [V; 3]) {
        let Self { betas, eps, weight_decay, .. } = *self;
        let g = if weight_decay == 0. { g } else { g.plus(p.clone().scale(weight_decay)) };
        let mean = mean.toward(g.clone(), 1. - betas.0);
        let square = square.scale(betas.1).plus(g.square().scale(1. - betas.1));
        let largest = if self.amsgrad { largest.larger(square.clone()) } else { largest };
        let divisor = if self.amsgrad { largest.clone() } else { square.clone() };
        let divisor = divisor.root().scale(1. / self.correction).shift(eps);
        let step = mean.clone().over(divisor).scale(-self.rate);
        (p.plus(step), [mean, square, largest])
    }
}
