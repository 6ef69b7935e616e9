use super::statistics::Moments;
use crate::cpu::Float;
use crate::parallel::wide;

/// What is done to a channel: `y = (x − center) · scale + shift`.
///
/// The center is the mean, rounded; the shift makes up for what rounding took.
#[derive(Clone, Copy)]
pub(super) struct Channel<T> {
    center: T,
    scale: T,
    shift: T,
    mean: f64,
    /// `1 / √(var + ε)`.
    pub(super) inverse_deviation: f64,
    wide_scale: f64,
}

/// What the gradient of a channel's input has from mean and variance: `(x − center) · slope +
/// offset`.
#[derive(Clone, Copy)]
pub(super) struct ThroughMoments<T> {
    slope: T,
    offset: T,
}

/// Zero where `at` is up to the floor, else `value`: a NaN passes. With a NaN as floor all passes.
#[inline(always)]
pub(super) fn rectified<T: Float>(at: T, floor: T, value: T) -> T {
    if at <= floor { T::zero() } else { value }
}

impl<T: Float> Channel<T> {
    pub(super) fn new(moments: Moments, eps: f64, weight: T, bias: T) -> Self {
        let Moments { mean, var } = moments;
        let center = T::from_f64(mean);
        let inverse_deviation = 1. / (var + eps).sqrt();
        let wide_scale = wide(weight) * inverse_deviation;
        let shift = wide(bias) + (wide(center) - mean) * wide_scale;
        let (scale, shift) = (T::from_f64(wide_scale), T::from_f64(shift));
        Self { center, scale, shift, mean, inverse_deviation, wide_scale }
    }

    /// The output, before a residual is added.
    #[inline(always)]
    pub(super) fn at(&self, x: T) -> T {
        (x - self.center) * self.scale + self.shift
    }

    /// The deviation from the mean.
    #[inline(always)]
    pub(super) fn deviation(&self, x: T) -> f64 {
        wide(x) - self.mean
    }

    /// The gradient of the input where mean and variance are constants.
    #[inline(always)]
    pub(super) fn scaled(&self, gradient: T) -> T {
        gradient * self.scale
    }

    /// The gradient of the input, `scale · (g − mean g − x̂ · mean (g x̂))`.
    #[inline(always)]
    pub(super) fn through(&self, moments: ThroughMoments<T>, gradient: T, x: T) -> T {
        gradient * self.scale + ((x - self.center) * moments.slope + moments.offset)
    }

    /// From the means of g and of g (x − mean).
    pub(super) fn through_moments(&self, [gradient, product]: [f64; 2]) -> ThroughMoments<T> {
        let slope = -self.wide_scale * self.inverse_deviation * self.inverse_deviation * product;
        let rounding = wide(self.center) - self.mean;
        let offset = -self.wide_scale * gradient + slope * rounding;
        ThroughMoments { slope: T::from_f64(slope), offset: T::from_f64(offset) }
    }
}
