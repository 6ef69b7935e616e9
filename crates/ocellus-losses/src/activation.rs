use candle_core::{Result, Tensor, bail};

/// What turns logits into the values that a loss compares with its target.
///
/// # Examples
///
/// ```
/// use ocellus_losses::{Activation, LogCosh};
///
/// assert_eq!(LogCosh::softmax().activation, Activation::Softmax);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Activation {
    /// Softmax over the classes (dimension 1): exactly one class is right.
    Softmax,
    /// Sigmoid of every logit: each is a yes or no of its own.
    Sigmoid,
    /// None: the logits are the values, as in regression.
    Identity,
}

impl Activation {
    pub(crate) fn apply(self, logits: &Tensor) -> Result<Tensor> {
        match self {
            Self::Softmax => {
                if logits.rank() < 2 || logits.dim(1)? < 2 {
                    bail!(
                        "softmax needs logits (batch, classes, …) of two or more classes, got {:?}: \
                         use the sigmoid form for a single logit",
                        logits.dims()
                    )
                }
                ocellus_ops::softmax(logits, 1)
            }
            Self::Sigmoid => ocellus_ops::sigmoid(logits),
            Self::Identity => Ok(logits.clone()),
        }
    }
}

/// How a loss per class becomes a loss per sample.
///
/// # Examples
///
/// ```
/// use ocellus_losses::{ClassReduction, LogCosh};
///
/// assert_eq!(LogCosh::softmax().classes, ClassReduction::Mean);
/// assert_eq!(LogCosh::softmax().class_sum().classes, ClassReduction::Sum);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ClassReduction {
    /// The mean over the classes, as Keras takes it.
    #[default]
    Mean,
    /// The sum over the classes, as papers print it.
    Sum,
}

impl ClassReduction {
    /// The mean over batch and positions of a loss per entry.
    pub(crate) fn reduce(self, loss: &Tensor) -> Result<Tensor> {
        match self {
            Self::Sum if loss.rank() > 1 => loss.sum(1)?.mean_all(),
            _ => loss.mean_all(),
        }
    }
}
