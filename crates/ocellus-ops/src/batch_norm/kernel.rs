use candle_core::{CpuStorage, CustomOp3, Device, Layout, Result, Shape, Tensor};

use super::statistics::Moments;
use crate::cpu::{Float, dispatch, read, view};
use crate::parallel::{pieces, pieces_of, sum, wide};

/// `(x − mean) / √(var + ε) · weight + bias` of `(batch, channels, …)`, channel by channel.
pub(super) struct Normalize {
    pub(super) moments: Vec<Moments>,
    pub(super) eps: f64,
    /// Whether the moments are those of the input, so that gradients flow through them.
    pub(super) of_batch: bool,
}

/// `y = (x − center) · scale + shift`.
struct Line<T> {
    center: T,
    scale: T,
    shift: T,
}

impl Normalize {
    fn inverse_deviation(&self, channel: usize) -> f64 {
        1. / (self.moments[channel].var + self.eps).sqrt()
    }

    /// What is done to a channel; the center is the mean, rounded, and the shift makes up for it.
    fn line<T: Float>(&self, channel: usize, weight: T, bias: T) -> Line<T> {
        let mean = self.moments[channel].mean;
        let center = T::from_f64(mean);
        let scale = wide(weight) * self.inverse_deviation(channel);
        let shift = wide(bias) + (wide(center) - mean) * scale;
        Line { center, scale: T::from_f64(scale), shift: T::from_f64(shift) }
    }

    fn forward<T: Float>(&self, x: &[T], weight: &[T], bias: &[T], plane: usize) -> Vec<T> {
        let mut y = vec![T::zero(); x.len()];
        pieces(&mut y, plane, |i, y| {
            let channel = i % self.moments.len();
            let Line { center, scale, shift } = self.line(channel, weight[channel], bias[channel]);
            for (y, &x) in y.iter_mut().zip(&x[i * plane..]) {
                *y = (x - center) * scale + shift;
            }
        });
        y
    }

    /// `(Σ g, Σ g (x − mean))` of each channel.
    fn sums<T: Float>(&self, x: &[T], gradient: &[T], plane: usize) -> Vec<(f64, f64)> {
        let channels = self.moments.len();
        let mut planes = vec![(0., 0.); x.len() / plane.max(1)];
        pieces_of(&mut planes, 1, x.len(), |i, sums| {
            let mean = self.moments[i % channels].mean;
            let (x, g) = (&x[i * plane..][..plane], &gradient[i * plane..][..plane]);
            sums[0] = (sum(g, g, |g, _| g), sum(x, g, |x, g| (x - mean) * g));
        });
        let channel = |c: usize| {
            let of_channel = planes[c..].iter().step_by(channels);
            of_channel.fold((0., 0.), |total, plane| (total.0 + plane.0, total.1 + plane.1))
        };
        (0..channels).map(channel).collect()
    }

    /// The gradient of the input: `scale · (g − mean g − x̂ · mean (g x̂))` where the statistics are
    /// the batch's, else `scale · g`.
    fn input_gradient<T: Float>(
        &self,
        x: &[T],
        weight: &[T],
        gradient: &[T],
        sums: &[(f64, f64)],
        plane: usize,
    ) -> Vec<T> {
        let channels = self.moments.len();
        let count = (x.len() / channels) as f64;
        let mut dx = vec![T::zero(); x.len()];
        pieces(&mut dx, plane, |i, dx| {
            let channel = i % channels;
            let Line { center, scale, .. } = self.line(channel, weight[channel], T::zero());
            let g = &gradient[i * plane..][..plane];
            if !self.of_batch {
                dx.iter_mut().zip(g).for_each(|(dx, &g)| *dx = g * scale);
                return;
            }
            let inverse = self.inverse_deviation(channel);
            let scale_wide = wide(weight[channel]) * inverse;
            let slope = -scale_wide * inverse * inverse * sums[channel].1 / count;
            let rounding = wide(center) - self.moments[channel].mean;
            let offset = -scale_wide * sums[channel].0 / count + slope * rounding;
            let (slope, offset) = (T::from_f64(slope), T::from_f64(offset));
            for ((dx, &g), &x) in dx.iter_mut().zip(g).zip(&x[i * plane..]) {
                *dx = g * scale + ((x - center) * slope + offset);
            }
        });
        dx
    }

    fn gradients<T: Float>(
        &self,
        x: &Tensor,
        weight: &Tensor,
        bias: &Tensor,
        gradient: &Tensor,
    ) -> Result<[Option<Tensor>; 3]> {
        let (values, g, w) = (read::<T>(x)?, read::<T>(gradient)?, read::<T>(weight)?);
        let plane: usize = x.dims()[2..].iter().product();
        let affine = weight.track_op() || bias.track_op();
        let sums =
            if self.of_batch || affine { self.sums::<T>(&values, &g, plane) } else { vec![] };
        let vector = |f: &dyn Fn(usize) -> f64| {
            let values: Vec<T> = (0..sums.len()).map(|c| T::from_f64(f(c))).collect();
            Tensor::from_vec(values, sums.len(), &Device::Cpu)
        };
        let tracked = |x: &Tensor, f: &dyn Fn() -> Result<Tensor>| {
            if x.track_op() { f().map(Some) } else { Ok(None) }
        };
        Ok([
            tracked(x, &|| {
                let dx = self.input_gradient::<T>(&values, &w, &g, &sums, plane);
                Tensor::from_vec(dx, x.shape(), &Device::Cpu)
            })?,
            tracked(weight, &|| vector(&|c| sums[c].1 * self.inverse_deviation(c)))?,
            tracked(bias, &|| vector(&|c| sums[c].0))?,
        ])
    }
}

impl CustomOp3 for Normalize {
    fn name(&self) -> &'static str {
        "batch_norm"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_layout: &Layout,
        weight: &CpuStorage,
        weight_layout: &Layout,
        bias: &CpuStorage,
        bias_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        use candle_core::backend::BackendStorage;
        dispatch!(x.dtype(), "batch_norm", T => {
            use candle_core::WithDType;
            let (weight, bias) = (view::<T>(weight, weight_layout)?, view::<T>(bias, bias_layout)?);
            let plane: usize = x_layout.dims()[2..].iter().product();
            let y = self.forward::<T>(&view(x, x_layout)?, &weight, &bias, plane);
            Ok((T::to_cpu_storage_owned(y), x_layout.shape().clone()))
        })
    }

    fn bwd(
        &self,
        x: &Tensor,
        weight: &Tensor,
        bias: &Tensor,
        _: &Tensor,
        gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let [x, weight, bias] = dispatch!(x.dtype(), "batch_norm", T => {
            self.gradients::<T>(x, weight, bias, gradient)?
        });
        Ok((x, weight, bias))
    }
}
