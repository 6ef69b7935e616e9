use std::fmt;

use serde::Serialize;

use crate::Module;

/// What is timed of a module.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Pass {
    /// Inference: no graph, batch normalization by running statistics.
    Forward,
    /// The forward half of a training step.
    Training,
    /// The gradient by the input alone.
    ByX,
    /// The gradient by the weight alone.
    ByW,
    /// The gradients by all inputs and weights.
    Backward,
    /// Forward pass and gradients by all weights, of the mean square of the output.
    ForwardBackward,
    /// Forward pass, loss, gradients by all weights, SGD with momentum; Adam for a flow.
    Step,
    /// SGD with momentum on all weights.
    Sgd,
    /// PyTorch's `RMSprop` on all weights.
    Rmsprop,
    /// Adam on all weights.
    Adam,
    /// Learning from samples.
    Fit,
}

impl Pass {
    /// Its name in the ids.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Forward => "forward",
            Self::Training => "training",
            Self::ByX => "by_x",
            Self::ByW => "by_w",
            Self::Backward => "backward",
            Self::ForwardBackward => "forward_backward",
            Self::Step => "step",
            Self::Sgd => "sgd",
            Self::Rmsprop => "rmsprop",
            Self::Adam => "adam",
            Self::Fit => "fit",
        }
    }

    /// Whether it is an optimizer's.
    #[must_use]
    pub const fn is_update(self) -> bool {
        matches!(self, Self::Sgd | Self::Rmsprop | Self::Adam)
    }

    /// Whether inputs are differentiated by.
    pub(crate) const fn tracks_inputs(self) -> bool {
        matches!(self, Self::ByX | Self::Backward)
    }

    /// Whether weights are differentiated by.
    pub(crate) const fn tracks_weights(self) -> bool {
        !matches!(self, Self::Forward | Self::ByX | Self::Fit)
    }

    /// Whether only the gradients are timed.
    pub(crate) const fn is_gradient(self) -> bool {
        matches!(self, Self::ByX | Self::ByW | Self::Backward)
    }

    /// How much a pass costs, in forward passes.
    const fn weight(self) -> u64 {
        match self {
            Self::Forward | Self::Training | Self::ByX | Self::ByW => 1,
            Self::Backward => 2,
            Self::ForwardBackward | Self::Step => 3,
            Self::Sgd | Self::Rmsprop | Self::Adam | Self::Fit => 0,
        }
    }
}

/// A piece of work of a certain size: what is timed here and by the peers.
#[derive(Clone, Copy, Debug, Serialize)]
#[non_exhaustive]
pub struct Case {
    /// The name of the size; see [`Case::name`].
    pub size: &'static str,
    /// What computes.
    pub module: Module,
    /// What is timed of it.
    pub pass: Pass,
    /// The first input, `(batch, channels, height, width)`.
    pub input: [usize; 4],
}

impl Case {
    pub(crate) const fn new(
        size: &'static str,
        module: Module,
        pass: Pass,
        input: [usize; 4],
    ) -> Self {
        Self { size, module, pass, input }
    }

    /// The criterion group: module and pass, `optimizer_` and pass for an optimizer's; an estimator alone.
    #[must_use]
    pub fn group(&self) -> String {
        if self.module.is_estimator() {
            return self.module.name().to_owned();
        }
        let module = if self.pass.is_update() { "optimizer" } else { self.module.name() };
        format!("{module}_{}", self.pass.name())
    }

    /// Group and size, unique: `conv_forward/vgg_1_2`.
    #[must_use]
    pub fn name(&self) -> String {
        format!("{}/{}", self.group(), self.size)
    }

    /// Multiplications and additions, where products dominate; else 0.
    #[must_use]
    pub fn operations(&self) -> u64 {
        self.pass.weight() * self.module.operations(self.input)
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name())
    }
}
