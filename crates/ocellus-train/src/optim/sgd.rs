use crate::optim::{
    rule::{Moment, NOT_NEGATIVE, Rule, Slot, Update, decayed, outside},
    updater::{Updater, optimizer},
    value::Value,
};

/// Settings of [`Sgd`].
///
/// # Examples
///
/// ```
/// use ocellus_train::SgdConfig;
///
/// let config = SgdConfig::new(0.01).with_momentum(0.9).with_nesterov(true);
/// assert_eq!(config.dampening, 0.);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct SgdConfig {
    /// The step length.
    pub learning_rate: f64,
    /// The share μ of the last direction that is kept.
    pub momentum: f64,
    /// The share τ of the gradient that does not enter the momentum.
    pub dampening: f64,
    /// Whether to look ahead along the momentum.
    pub nesterov: bool,
    /// The coupled weight decay λ of groups that name none.
    pub weight_decay: f64,
}

impl SgdConfig {
    /// Plain gradient descent at that learning rate.
    #[must_use]
    pub fn new(learning_rate: f64) -> Self {
        Self { learning_rate, momentum: 0., dampening: 0., nesterov: false, weight_decay: 0. }
    }

    /// The share of the last direction that is kept.
    #[must_use]
    pub fn with_momentum(self, momentum: f64) -> Self {
        Self { momentum, ..self }
    }

    /// The share of the gradient that does not enter the momentum.
    #[must_use]
    pub fn with_dampening(self, dampening: f64) -> Self {
        Self { dampening, ..self }
    }

    /// Whether to look ahead along the momentum.
    #[must_use]
    pub fn with_nesterov(self, nesterov: bool) -> Self {
        Self { nesterov, ..self }
    }

    /// The coupled weight decay.
    #[must_use]
    pub fn with_weight_decay(self, weight_decay: f64) -> Self {
        Self { weight_decay, ..self }
    }
}

/// Stochastic gradient descent with momentum, as PyTorch's `SGD`.
///
/// ```text
/// g ← g + λ p
/// b ← μ b + (1 − τ) g      (b = g in the first update)
/// d = b, or g + μ b with Nesterov, or g without momentum
/// p ← p − lr · d
/// ```
///
/// # Parameters
///
/// One slot per parameter, `momentum`, if μ is not 0.
///
/// # Examples
///
/// ```
/// use candle_core::{Device, Var};
/// use ocellus_train::{Optimizer, Sgd, SgdConfig};
///
/// let p = Var::new(&[1f64], &Device::Cpu)?;
/// let config = SgdConfig::new(0.1).with_momentum(0.5);
/// let mut optimizer = Sgd::new(config, vec![("p".to_owned(), p.clone())])?;
/// for _ in 0..2 {
///     optimizer.step(&p.affine(1., 0.)?.sum_all()?.backward()?)?;
/// }
/// // The second step is half the first and a whole one.
/// assert!((p.to_vec1::<f64>()?[0] - (1. - 0.1 - 0.15)).abs() < 1e-12);
/// # Ok::<(), candle_core::Error>(())
/// ```
///
/// # References
///
/// Sutskever, Martens, Dahl, Hinton: On the importance of initialization and momentum in deep
/// learning. ICML 2013.
#[derive(Debug)]
pub struct Sgd(Updater<SgdConfig, 1>);

optimizer!(Sgd, SgdConfig);

impl Rule<1> for SgdConfig {
    type Update = SgdUpdate;

    fn slots(&self) -> [Slot; 1] {
        [Slot::new("momentum", self.momentum != 0.)]
    }

    fn update(&self, at: &Moment) -> SgdUpdate {
        SgdUpdate { config: *self, at: *at }
    }

    fn learning_rate(&self) -> f64 {
        self.learning_rate
    }

    fn weight_decay(&self) -> f64 {
        self.weight_decay
    }

    fn complaint(&self) -> Option<String> {
        let pointless = self.nesterov && (self.momentum == 0. || self.dampening != 0.);
        outside("the momentum", self.momentum, NOT_NEGATIVE)
            .or((!self.dampening.is_finite()).then(|| "the dampening is not finite".to_owned()))
            .or(pointless.then(|| "Nesterov needs a momentum and no dampening".to_owned()))
    }
}

pub(crate) struct SgdUpdate {
    config: SgdConfig,
    at: Moment,
}

impl Update<1> for SgdUpdate {
    fn entry<V: Value>(&self, p: V, g: V, [b]: [V; 1]) -> (V, [V; 1]) {
        let (SgdConfig { momentum, dampening, nesterov, .. }, at) = (self.config, self.at);
        let g = decayed(g, &p, at.weight_decay);
        if momentum == 0. {
            return (p.plus(g.scale(-at.learning_rate)), [b]);
        }
        let b = if at.updates == 1 {
            g.clone()
        } else {
            b.scale(momentum).plus(g.clone().scale(1. - dampening))
        };
        let d = if nesterov { g.plus(b.clone().scale(momentum)) } else { b.clone() };
        (p.plus(d.scale(-at.learning_rate)), [b])
    }
}
