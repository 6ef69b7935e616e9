use crate::optim::{
    rule::{Moment, NOT_NEGATIVE, Rule, Slot, Update, decayed, outside},
    updater::{Updater, optimizer},
    value::Value,
};

/// Whose `RMSprop`: they differ in where ε stands and in what momentum gathers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RmsPropForm {
    /// Keras before 2.3: ε outside the root, the learning rate decays with each step.
    Keras2,
    /// Keras 3: ε inside the root, momentum gathers steps, weight decay is decoupled.
    Keras3,
    /// PyTorch: ε outside the root, momentum gathers directions, weight decay is coupled.
    PyTorch,
}

/// Settings of [`RmsProp`].
///
/// # Examples
///
/// ```
/// use ocellus_train::RmsPropConfig;
///
/// // The optimizer of the breast ultrasound paper.
/// let config = RmsPropConfig::keras2(1e-4).with_decay(1e-6);
/// assert_eq!((config.rho, config.eps), (0.9, 1e-7));
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct RmsPropConfig {
    /// Whose formula.
    pub form: RmsPropForm,
    /// The step length.
    pub learning_rate: f64,
    /// The share of the mean squared gradient that a step keeps (PyTorch's `alpha`).
    pub rho: f64,
    /// What keeps the quotient finite.
    pub eps: f64,
    /// The share of the last step or direction that is kept. Not in Keras 2.
    pub momentum: f64,
    /// Whether to divide by the standard deviation of the gradient. Not in Keras 2.
    pub centered: bool,
    /// How fast the step length falls with each step. In Keras 2 only.
    pub decay: f64,
    /// The weight decay λ of groups that name none.
    pub weight_decay: f64,
}

impl RmsPropConfig {
    fn new(form: RmsPropForm, learning_rate: f64, rho: f64, eps: f64) -> Self {
        let (momentum, centered, decay, weight_decay) = (0., false, 0., 0.);
        Self { form, learning_rate, rho, eps, momentum, centered, decay, weight_decay }
    }

    /// The defaults of Keras 2.2 at that learning rate: ρ = 0.9, ε = 1e-7 outside the root.
    #[must_use]
    pub fn keras2(learning_rate: f64) -> Self {
        Self::new(RmsPropForm::Keras2, learning_rate, 0.9, 1e-7)
    }

    /// The defaults of Keras 3 at that learning rate: ρ = 0.9, ε = 1e-7 inside the root.
    #[must_use]
    pub fn keras3(learning_rate: f64) -> Self {
        Self::new(RmsPropForm::Keras3, learning_rate, 0.9, 1e-7)
    }

    /// The defaults of PyTorch at that learning rate: α = 0.99, ε = 1e-8 outside the root.
    #[must_use]
    pub fn pytorch(learning_rate: f64) -> Self {
        Self::new(RmsPropForm::PyTorch, learning_rate, 0.99, 1e-8)
    }

    /// The share of the mean squared gradient that a step keeps.
    #[must_use]
    pub fn with_rho(self, rho: f64) -> Self {
        Self { rho, ..self }
    }

    /// What keeps the quotient finite.
    #[must_use]
    pub fn with_eps(self, eps: f64) -> Self {
        Self { eps, ..self }
    }

    /// The share of the last step or direction that is kept.
    #[must_use]
    pub fn with_momentum(self, momentum: f64) -> Self {
        Self { momentum, ..self }
    }

    /// Whether to divide by the standard deviation of the gradient.
    #[must_use]
    pub fn with_centered(self, centered: bool) -> Self {
        Self { centered, ..self }
    }

    /// How fast the step length falls with each step.
    #[must_use]
    pub fn with_decay(self, decay: f64) -> Self {
        Self { decay, ..self }
    }

    /// The weight decay.
    #[must_use]
    pub fn with_weight_decay(self, weight_decay: f64) -> Self {
        Self { weight_decay, ..self }
    }
}

/// Steps over the root of the mean squared gradient, in the form of Keras 2.2, Keras 3 or PyTorch.
///
/// ```text
/// all       a ← ρ a + (1 − ρ) g²,   c ← ρ c + (1 − ρ) g if centered, else 0
///
/// Keras 2   g ← g + λ p
///           p ← p − lr / (1 + decay · i) · g / (√a + ε),   i = steps before this one
///
/// Keras 3   p ← p − lr · λ · p
///           d = lr · g / √(a − c² + ε)
///           b ← μ b + d,  p ← p − b   (p ← p − d without momentum)
///
/// PyTorch   g ← g + λ p
///           d = g / (√(a − c²) + ε)
///           b ← μ b + d,  p ← p − lr · b   (p ← p − lr · d without momentum)
/// ```
///
/// # Parameters
///
/// One slot per parameter, `square`; with the settings also `mean` and `momentum`.
///
/// # Examples
///
/// ```
/// use candle_core::{Device, Var};
/// use ocellus_train::{Optimizer, RmsProp, RmsPropConfig};
///
/// let p = Var::new(&[1f64], &Device::Cpu)?;
/// let params = vec![("p".to_owned(), p.clone())];
/// let mut optimizer = RmsProp::new(RmsPropConfig::keras2(0.1), params)?;
/// optimizer.step(&(p.as_tensor() * 7.)?.sum_all()?.backward()?)?;
/// // 7 / √(0.1 · 49) = 1 / √0.1
/// assert!((p.to_vec1::<f64>()?[0] - (1. - 0.1 / 0.1f64.sqrt())).abs() < 1e-7);
/// # Ok::<(), candle_core::Error>(())
/// ```
///
/// # Deviations
///
/// Keras 2.2 has no weight decay: a group that has one gets it coupled. Its learning rate decays
/// with the steps of the optimizer, not of the parameter.
///
/// # References
///
/// Tieleman, Hinton: Lecture 6.5, rmsprop. COURSERA: neural networks for machine learning, 2012.
#[derive(Debug)]
pub struct RmsProp(Updater<RmsPropConfig, 3>);

optimizer!(RmsProp, RmsPropConfig);

impl Rule<3> for RmsPropConfig {
    type Update = RmsPropUpdate;

    fn slots(&self) -> [Slot; 3] {
        [
            Slot::new("square", true),
            Slot::new("mean", self.centered),
            Slot::new("momentum", self.momentum != 0.),
        ]
    }

    fn update(&self, at: &Moment) -> RmsPropUpdate {
        let rate = at.learning_rate / (1. + self.decay * (at.step - 1) as f64);
        let keras3 = self.form == RmsPropForm::Keras3;
        let pick = |here, value: f64, otherwise| if here { value } else { otherwise };
        RmsPropUpdate {
            rho: self.rho,
            momentum: self.momentum,
            centered: self.centered,
            coupled: pick(!keras3, at.weight_decay, 0.),
            kept: pick(keras3, 1. - rate * at.weight_decay, 1.),
            eps: (pick(keras3, self.eps, 0.), pick(!keras3, self.eps, 0.)),
            // Keras 3 gathers steps, which a change of the learning rate leaves alone.
            rates: (pick(keras3, rate, 1.), pick(keras3, 1., rate)),
        }
    }

    fn learning_rate(&self) -> f64 {
        self.learning_rate
    }

    fn weight_decay(&self) -> f64 {
        self.weight_decay
    }

    fn complaint(&self) -> Option<String> {
        let foreign = match self.form {
            RmsPropForm::Keras2 if self.momentum != 0. || self.centered => {
                Some("RMSprop of Keras 2 has neither momentum nor centering: take another form")
            }
            RmsPropForm::Keras3 | RmsPropForm::PyTorch if self.decay != 0. => {
                Some("only RMSprop of Keras 2 has a decay: take the schedule `KerasDecay`")
            }
            _ => None,
        };
        outside("rho", self.rho, 0. ..1.)
            .or(outside("eps", self.eps, NOT_NEGATIVE))
            .or(outside("the momentum", self.momentum, NOT_NEGATIVE))
            .or(outside("the decay", self.decay, NOT_NEGATIVE))
            .or(foreign.map(str::to_owned))
    }
}

/// The arithmetic of all forms: what one of them lacks is a factor of 1 or a summand of 0 here.
pub(crate) struct RmsPropUpdate {
    rho: f64,
    momentum: f64,
    centered: bool,
    /// The share of the parameter that enters the gradient.
    coupled: f64,
    /// The share of the parameter that is left before the step.
    kept: f64,
    /// ε inside the root, ε outside.
    eps: (f64, f64),
    /// The learning rate before the momentum, and after it.
    rates: (f64, f64),
}

impl Update<3> for RmsPropUpdate {
    fn entry<V: Value>(&self, p: V, g: V, [square, mean, buffer]: [V; 3]) -> (V, [V; 3]) {
        let Self { rho, momentum, eps, rates, .. } = *self;
        let g = decayed(g, &p, self.coupled);
        let square = square.scale(rho).plus(g.clone().square().scale(1. - rho));
        let (mean, variance) = if self.centered {
            let mean = mean.toward(g.clone(), 1. - rho);
            (mean.clone(), square.clone().minus(mean.square()))
        } else {
            (mean, square.clone())
        };
        let direction = g.scale(rates.0).over(variance.shift(eps.0).root().shift(eps.1));
        let (buffer, taken) = if momentum == 0. {
            (buffer, direction)
        } else {
            let gathered = buffer.scale(momentum).plus(direction);
            (gathered.clone(), gathered)
        };
        (p.scale(self.kept).plus(taken.scale(-rates.1)), [square, mean, buffer])
    }
}
