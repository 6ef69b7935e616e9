use std::fmt;

use crate::optim::{
    rule::{Moment, NOT_NEGATIVE, Rule, Slot, Update, decayed, outside},
    updater::{Updater, optimizer},
    value::Value,
};

/// Settings of [`Adam`] and of its form with decoupled weight decay, `AdamW`.
///
/// # Examples
///
/// ```
/// use ocellus_train::AdamConfig;
///
/// let config = AdamConfig::new(1e-3).with_betas(0.9, 0.99);
/// assert_eq!((config.eps, config.weight_decay), (1e-8, 0.));
/// assert_eq!(AdamConfig::adamw(1e-3).weight_decay, 0.01);
/// ```
#[derive(Clone, Copy, PartialEq)]
#[doc(alias = "AdamW")]
#[non_exhaustive]
pub struct AdamConfig {
    /// The step length.
    pub learning_rate: f64,
    /// The share of the mean gradient, and of the mean squared gradient, that a step keeps.
    pub betas: (f64, f64),
    /// What keeps the quotient finite.
    pub eps: f64,
    /// The weight decay λ of groups that name none.
    pub weight_decay: f64,
    /// Whether the decay is apart from the gradient, which makes Adam `AdamW`.
    pub decoupled: bool,
    /// Whether to divide by the largest mean squared gradient so far.
    pub amsgrad: bool,
}

impl AdamConfig {
    /// The defaults of PyTorch's `Adam` at that learning rate: no weight decay.
    #[must_use]
    pub fn new(learning_rate: f64) -> Self {
        let (betas, eps) = ((0.9, 0.999), 1e-8);
        Self { learning_rate, betas, eps, weight_decay: 0., decoupled: false, amsgrad: false }
    }

    /// The defaults of PyTorch's `AdamW` at that learning rate: a decoupled weight decay of 0.01.
    #[must_use]
    pub fn adamw(learning_rate: f64) -> Self {
        Self { weight_decay: 0.01, decoupled: true, ..Self::new(learning_rate) }
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

    /// The weight decay.
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

/// Under the name of either form: what a checkpoint compares.
impl fmt::Debug for AdamConfig {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.debug_struct(if self.decoupled { "AdamWConfig" } else { "AdamConfig" })
            .field("learning_rate", &self.learning_rate)
            .field("betas", &self.betas)
            .field("eps", &self.eps)
            .field("weight_decay", &self.weight_decay)
            .field("amsgrad", &self.amsgrad)
            .finish()
    }
}

/// Steps of the size of the learning rate, as PyTorch's `Adam` and `AdamW`.
///
/// ```text
/// g ← g + λ p           Adam: the weight decay is part of the gradient
/// p ← (1 − lr · λ) p    AdamW: it is not
///
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
/// // The first step has the length of the learning rate, whatever the gradient; `AdamW` first
/// // shortens the parameter.
/// let decayed = AdamConfig::adamw(0.1).with_weight_decay(0.5);
/// for (config, expected) in [(AdamConfig::new(0.1), 0.9), (decayed, 0.95 - 0.1)] {
///     let p = Var::new(&[1f64], &Device::Cpu)?;
///     let mut optimizer = Adam::new(config, vec![("p".to_owned(), p.clone())])?;
///     optimizer.step(&(p.as_tensor() * 7.)?.sum_all()?.backward()?)?;
///     assert!((p.to_vec1::<f64>()?[0] - expected).abs() < 1e-8);
/// }
/// # Ok::<(), candle_core::Error>(())
/// ```
///
/// # References
///
/// Kingma, Ba: Adam: a method for stochastic optimization. ICLR 2015. `AMSGrad`: Reddi, Kale, Kumar:
/// On the convergence of Adam and beyond. ICLR 2018. `AdamW`: Loshchilov, Hutter: Decoupled weight
/// decay regularization. ICLR 2019.
#[derive(Debug)]
#[doc(alias = "AdamW")]
pub struct Adam(Updater<AdamConfig, 3>);

optimizer!(Adam, AdamConfig);

impl Rule<3> for AdamConfig {
    type Update = AdamUpdate;

    fn slots(&self) -> [Slot; 3] {
        [Slot::new("mean", true), Slot::new("square", true), Slot::new("largest", self.amsgrad)]
    }

    fn update(&self, at: &Moment) -> AdamUpdate {
        let updates = at.updates as f64;
        let (coupled, kept) = match self.decoupled {
            true => (0., 1. - at.learning_rate * at.weight_decay),
            false => (at.weight_decay, 1.),
        };
        AdamUpdate {
            betas: self.betas,
            eps: self.eps,
            amsgrad: self.amsgrad,
            coupled,
            kept,
            rate: at.learning_rate / (1. - self.betas.0.powf(updates)),
            correction: (1. - self.betas.1.powf(updates)).sqrt(),
        }
    }

    fn learning_rate(&self) -> f64 {
        self.learning_rate
    }

    fn weight_decay(&self) -> f64 {
        self.weight_decay
    }

    fn complaint(&self) -> Option<String> {
        outside("the first beta", self.betas.0, 0. ..1.)
            .or(outside("the second beta", self.betas.1, 0. ..1.))
            .or(outside("eps", self.eps, NOT_NEGATIVE))
    }
}

pub(crate) struct AdamUpdate {
    betas: (f64, f64),
    eps: f64,
    amsgrad: bool,
    /// The share of the parameter that enters the gradient.
    coupled: f64,
    /// The share of the parameter that is left before the step.
    kept: f64,
    /// `lr / (1 − β₁ᵗ)`
    rate: f64,
    /// `√(1 − β₂ᵗ)`
    correction: f64,
}

impl Update<3> for AdamUpdate {
    fn entry<V: Value>(&self, p: V, g: V, [mean, square, largest]: [V; 3]) -> (V, [V; 3]) {
        let g = decayed(g, &p, self.coupled);
        let mean = mean.toward(g.clone(), 1. - self.betas.0);
        let square = square.scale(self.betas.1).plus(g.square().scale(1. - self.betas.1));
        let largest = if self.amsgrad { largest.larger(square.clone()) } else { largest };
        let divisor = if self.amsgrad { largest.clone() } else { square.clone() };
        let divisor = divisor.root().scale(1. / self.correction).shift(self.eps);
        let step = mean.clone().over(divisor).scale(-self.rate);
        (p.scale(self.kept).plus(step), [mean, square, largest])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checkpoints_know_either_form_by_its_name() {
        let same = "learning_rate: 0.1, betas: (0.9, 0.999), eps: 1e-8";
        let adam = format!("AdamConfig {{ {same}, weight_decay: 0.0, amsgrad: false }}");
        assert_eq!(format!("{:?}", AdamConfig::new(0.1)), adam);
        let adamw = format!("AdamWConfig {{ {same}, weight_decay: 0.01, amsgrad: false }}");
        assert_eq!(format!("{:?}", AdamConfig::adamw(0.1)), adamw);
    }
}
