use super::logarithm::ln;
use crate::cpu::Float;
use crate::parallel::wide;

/// What softmax and its logarithm differ in. The functions are `#[inline(always)]`: loops over
/// them are compiled for several instruction sets.
pub(crate) trait Form: Send + Sync + 'static {
    const NAME: &'static str;

    /// What all elements at a position share, from the sum of their powers.
    fn shared(total: f64) -> f64;

    /// Whether the results are made of the powers `exp(x − largest)`, not of the elements x.
    const OF_POWERS: bool;

    /// The result at an element, or its power.
    fn value<T: Float>(x: T, largest: T, shared: T) -> T;

    /// What an element adds to the sum over its position that the gradient needs.
    fn term<T: Float>(y: T, gradient: T) -> f64;

    /// The gradient by the input at an element.
    fn gradient<T: Float>(y: T, gradient: T, sum: T) -> T;
}

pub(super) struct Plain;

impl Form for Plain {
    const NAME: &'static str = "softmax";
    const OF_POWERS: bool = true;

    #[inline(always)]
    fn shared(total: f64) -> f64 {
        1. / total
    }

    #[inline(always)]
    fn value<T: Float>(power: T, _: T, shared: T) -> T {
        power * shared
    }

    #[inline(always)]
    fn term<T: Float>(y: T, gradient: T) -> f64 {
        wide(y) * wide(gradient)
    }

    #[inline(always)]
    fn gradient<T: Float>(y: T, gradient: T, sum: T) -> T {
        y * (gradient - sum)
    }
}

pub(super) struct Log;

impl Form for Log {
    const NAME: &'static str = "log_softmax";
    const OF_POWERS: bool = false;

    #[inline(always)]
    fn shared(total: f64) -> f64 {
        ln(total)
    }

    #[inline(always)]
    fn value<T: Float>(x: T, largest: T, shared: T) -> T {
        // Not `x − (largest + shared)`: that sum would round.
        (x - largest) - shared
    }

    #[inline(always)]
    fn term<T: Float>(_: T, gradient: T) -> f64 {
        wide(gradient)
    }

    #[inline(always)]
    fn gradient<T: Float>(y: T, gradient: T, sum: T) -> T {
        gradient - y.exponential() * sum
    }
}
