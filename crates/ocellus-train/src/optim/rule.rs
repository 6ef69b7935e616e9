use std::ops::Range;

use crate::optim::value::Value;

/// Where a parameter stands when a step comes to it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment {
    /// The learning rate, scaled by the group.
    pub(crate) learning_rate: f64,
    /// The weight decay of the group.
    pub(crate) weight_decay: f64,
    /// The number of updates of this parameter, this one included.
    pub(crate) updates: u64,
    /// The number of steps of the optimizer, this one included.
    pub(crate) step: u64,
}

/// One entry of state per entry of a parameter.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Slot {
    pub(crate) name: &'static str,
    /// Whether these settings need it: an unused slot takes no memory, is read as zero
    /// and is not written.
    pub(crate) used: bool,
    pub(crate) initial: f64,
}

impl Slot {
    pub(crate) fn new(name: &'static str, used: bool) -> Self {
        Self { name, used, initial: 0. }
    }
}

/// The settings of an optimizer with `N` slots, which know their arithmetic.
pub(crate) trait Rule<const N: usize> {
    type Update: Update<N>;

    fn slots(&self) -> [Slot; N];

    /// The arithmetic of one parameter in one step, with all that is the same for its entries.
    fn update(&self, at: &Moment) -> Self::Update;

    fn learning_rate(&self) -> f64;

    fn weight_decay(&self) -> f64;

    /// The first setting that makes no sense, in words, beside learning rate and weight decay.
    fn complaint(&self) -> Option<String>;
}

/// The arithmetic of an entry: from parameter, gradient and slots to parameter and slots.
pub(crate) trait Update<const N: usize>: Sync {
    fn entry<V: Value>(&self, p: V, g: V, slots: [V; N]) -> (V, [V; N]);
}

/// The gradient with weight decay coupled to it: `g + λ p`.
pub(crate) fn decayed<V: Value>(g: V, p: &V, weight_decay: f64) -> V {
    if weight_decay == 0. { g } else { g.plus(p.clone().scale(weight_decay)) }
}

/// What a setting may be that is finite and not negative.
pub(crate) const NOT_NEGATIVE: Range<f64> = 0. ..f64::INFINITY;

/// A complaint about a setting outside `range`, where NaN is outside too.
pub(crate) fn outside(name: &str, value: f64, range: Range<f64>) -> Option<String> {
    let inside = range.contains(&value);
    (!inside).then(|| {
        format!("{name} is {value}: choose it from {} to below {}", range.start, range.end)
    })
}
