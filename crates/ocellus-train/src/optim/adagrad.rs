use crate::optim::{
    rule::{Moment, NOT_NEGATIVE, Rule, Slot, Update, decayed, outside},
    updater::{Updater, optimizer},
    value::Value,
};

/// Settings of [`AdaGrad`].
///
/// # Examples
///
/// ```
/// use ocellus_train::AdaGradConfig;
///
/// let config = AdaGradConfig::new(0.01).with_initial(0.1);
/// assert_eq!(config.eps, 1e-10);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct AdaGradConfig {
    /// The step length.
    pub learning_rate: f64,
    /// How fast the step length falls with the updates of a parameter.
    pub decay: f64,
    /// Where the sum of squared gradients starts.
    pub initial: f64,
    /// What keeps the quotient finite.
    pub eps: f64,
    /// The coupled weight decay λ of groups that name none.
    pub weight_decay: f64,
}

impl AdaGradConfig {
    /// PyTorch's defaults at that learning rate.
    #[must_use]
    pub fn new(learning_rate: f64) -> Self {
        Self { learning_rate, decay: 0., initial: 0., eps: 1e-10, weight_decay: 0. }
    }

    /// How fast the step length falls with the updates of a parameter.
    #[must_use]
    pub fn with_decay(self, decay: f64) -> Self {
        Self { decay, ..self }
    }

    /// Where the sum of squared gradients starts.
    #[must_use]
    pub fn with_initial(self, initial: f64) -> Self {
        Self { initial, ..self }
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
}

/// Steps shrink with the sum of all squared gradients, as PyTorch's `Adagrad`.
///
/// ```text
/// g ← g + λ p
/// s ← s + g²
/// p ← p − lr / (1 + (t − 1) · decay) · g / (√s + ε)
/// ```
///
/// # Parameters
///
/// One slot per parameter, `sum`.
///
/// # Examples
///
/// ```
/// use candle_core::{Device, Var};
/// use ocellus_train::{AdaGrad, AdaGradConfig, Optimizer};
///
/// let p = Var::new(&[1f64], &Device::Cpu)?;
/// let mut optimizer = AdaGrad::new(AdaGradConfig::new(0.1), vec![("p".to_owned(), p.clone())])?;
/// optimizer.step(&(p.as_tensor() * 7.)?.sum_all()?.backward()?)?;
/// // The first step has the length of the learning rate, whatever the gradient.
/// assert!((p.to_vec1::<f64>()?[0] - 0.9).abs() < 1e-10);
/// # Ok::<(), candle_core::Error>(())
/// ```
///
/// # References
///
/// Duchi, Hazan, Singer: Adaptive subgradient methods for online learning and stochastic
/// optimization. JMLR 12, 2011.
#[derive(Debug)]
pub struct AdaGrad(Updater<AdaGradConfig, 1>);

optimizer!(AdaGrad, AdaGradConfig);

impl Rule<1> for AdaGradConfig {
    type Update = AdaGradUpdate;

    fn slots(&self) -> [Slot; 1] {
        [Slot { name: "sum", used: true, initial: self.initial }]
    }

    fn update(&self, at: &Moment) -> AdaGradUpdate {
        let elapsed = (at.updates - 1) as f64;
        let rate = at.learning_rate / (1. + elapsed * self.decay);
        AdaGradUpdate { rate, eps: self.eps, weight_decay: at.weight_decay }
    }

    fn learning_rate(&self) -> f64 {
        self.learning_rate
    }

    fn weight_decay(&self) -> f64 {
        self.weight_decay
    }

    fn complaint(&self) -> Option<String> {
        outside("the decay", self.decay, NOT_NEGATIVE)
            .or(outside("the initial sum", self.initial, NOT_NEGATIVE))
            .or(outside("eps", self.eps, NOT_NEGATIVE))
    }
}

pub(crate) struct AdaGradUpdate {
    rate: f64,
    eps: f64,
    weight_decay: f64,
}

impl Update<1> for AdaGradUpdate {
    fn entry<V: Value>(&self, p: V, g: V, [sum]: [V; 1]) -> (V, [V; 1]) {
        let g = decayed(g, &p, self.weight_decay);
        let sum = sum.plus(g.clone().square());
        let step = g.over(sum.clone().root().shift(self.eps)).scale(-self.rate);
        (p.plus(step), [sum])
    }
}
