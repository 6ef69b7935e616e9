use candle_core::Result;

use crate::optim::{
    adam::{AdamConfig, AdamUpdate, adam_slots},
    groups::Groups,
    rule::{Moment, Rule, Slot, Update},
    updater::{Updater, optimizer},
    value::Value,
};

/// Settings of [`AdamW`].
///
/// # Examples
///
/// ```
/// use ocellus_train::AdamWConfig;
///
/// let config = AdamWConfig::new(1e-3);
/// assert_eq!(config.weight_decay, 0.01);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct AdamWConfig {
    /// The step length.
    pub learning_rate: f64,
    /// The share of the mean gradient, and of the mean squared gradient, that a step keeps.
    pub betas: (f64, f64),
    /// What keeps the quotient finite.
    pub eps: f64,
    /// The decoupled weight decay λ of groups that name none.
    pub weight_decay: f64,
    /// Whether to divide by the largest mean squared gradient so far.
    pub amsgrad: bool,
}

impl AdamWConfig {
    /// PyTorch's defaults at that learning rate.
    #[must_use]
    pub fn new(learning_rate: f64) -> Self {
        Self { learning_rate, betas: (0.9, 0.999), eps: 1e-8, weight_decay: 0.01, amsgrad: false }
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

    /// The decoupled weight decay.
    #[must_use]
    pub fn with_weight_decay(self, weight_decay: f64) -> Self {
        Self { weight_decay, ..self }
    }

    /// Whether to divide by the largest mean squared gradient so far.
    #[must_use]
    pub fn with_amsgrad(self, amsgrad: bool) -> Self {
        Self { amsgrad, ..self }
    }

    /// The same without the decay, which is no part of Adam's arithmetic here.
    fn adam(&self) -> AdamConfig {
        AdamConfig::new(self.learning_rate)
            .with_betas(self.betas.0, self.betas.1)
            .with_eps(self.eps)
            .with_amsgrad(self.amsgrad)
    }
}

/// [`Adam`](crate::Adam) with weight decay apart from the gradient, as PyTorch's `AdamW`.
///
/// ```text
/// p ← (1 − lr · λ) p
/// m, v, p: as Adam with λ = 0
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
/// use ocellus_train::{AdamW, AdamWConfig, Optimizer};
///
/// let p = Var::new(&[1f64], &Device::Cpu)?;
/// let config = AdamWConfig::new(0.1).with_weight_decay(0.5);
/// let mut optimizer = AdamW::new(config, vec![("p".to_owned(), p.clone())])?;
/// optimizer.step(&(p.as_tensor() * 7.)?.sum_all()?.backward()?)?;
/// assert!((p.to_vec1::<f64>()?[0] - (0.95 - 0.1)).abs() < 1e-8);
/// # Ok::<(), candle_core::Error>(())
/// ```
///
/// # References
///
/// Loshchilov, Hutter: Decoupled weight decay regularization. ICLR 2019.
#[derive(Debug)]
pub struct AdamW(Updater<AdamWConfig, 3>);

impl AdamW {
    /// An optimizer of these parameters.
    ///
    /// # Errors
    ///
    /// When a setting is out of its range, or a parameter stands in two groups.
    pub fn new(config: AdamWConfig, groups: impl Into<Groups>) -> Result<Self> {
        Ok(Self(Updater::new(config, groups.into())?))
    }
}

optimizer!(AdamW);

impl Rule<3> for AdamWConfig {
    type Update = AdamWUpdate;

    fn slots(&self) -> [Slot; 3] {
        adam_slots(self.amsgrad)
    }

    fn update(&self, at: &Moment) -> AdamWUpdate {
        let kept = 1. - at.learning_rate * at.weight_decay;
        let adam = AdamUpdate::new(&self.adam(), &Moment { weight_decay: 0., ..*at });
        AdamWUpdate { kept, adam }
    }

    fn learning_rate(&self) -> f64 {
        self.learning_rate
    }

    fn weight_decay(&self) -> f64 {
        self.weight_decay
    }

    fn complaint(&self) -> Option<String> {
        self.adam().with_weight_decay(self.weight_decay).complaint()
    }
}

pub(crate) struct AdamWUpdate {
    kept: f64,
    adam: AdamUpdate,
}

impl Update<3> for AdamWUpdate {
    fn entry<V: Value>(&self, p: V, g: V, slots: [V; 3]) -> (V, [V; 3]) {
        self.adam.entry(p.scale(self.kept), g, slots)
    }
}
