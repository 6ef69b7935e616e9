use std::{collections::BTreeMap, fmt};

use candle_core::{Result, Tensor, backprop::GradStore};

/// Something that moves parameters against their gradients.
///
/// A parameter that has no gradient in the store (it is frozen, or the loss does not depend on it)
/// is skipped: neither its value nor its state changes.
///
/// The learning rate is no part of the state: a schedule sets it anew before each step.
///
/// # Examples
///
/// ```
/// use candle_core::{Device, Var};
/// use ocellus_train::{Optimizer, Sgd, SgdConfig};
///
/// let p = Var::new(&[1f64, 2.], &Device::Cpu)?;
/// let mut optimizer = Sgd::new(SgdConfig::new(0.5), vec![("p".to_owned(), p.clone())])?;
/// let grads = p.sqr()?.sum_all()?.backward()?;
/// optimizer.step(&grads)?;
/// assert_eq!(p.to_vec1::<f64>()?, [0., 0.]);
/// # Ok::<(), candle_core::Error>(())
/// ```
pub trait Optimizer: fmt::Debug {
    /// Moves every parameter that has a gradient in `grads`, in place.
    ///
    /// # Errors
    ///
    /// When a gradient differs from its parameter in shape, type or device. Nothing has moved then.
    fn step(&mut self, grads: &GradStore) -> Result<()>;

    /// The learning rate of the next step, before the scale of a group.
    fn learning_rate(&self) -> f64;

    /// Sets the learning rate of the next steps.
    fn set_learning_rate(&mut self, learning_rate: f64);

    /// Everything that the next step depends on beside weights and settings, as named tensors.
    ///
    /// The names are `step`, `updates.PARAMETER` and `SLOT.PARAMETER`, such as
    /// `momentum.features.0.weight`.
    ///
    /// # Errors
    ///
    /// When a tensor cannot be made.
    fn state(&self) -> Result<BTreeMap<String, Tensor>>;

    /// Takes over a state that [`state`](Self::state) gave: what follows is the same bits.
    ///
    /// # Errors
    ///
    /// When a tensor is missing, is unknown or has another shape. Nothing has changed then.
    fn load_state(&mut self, state: &BTreeMap<String, Tensor>) -> Result<()>;

    /// Name, settings and groups in one line. A checkpoint of other settings is refused.
    fn describe(&self) -> String;
}
